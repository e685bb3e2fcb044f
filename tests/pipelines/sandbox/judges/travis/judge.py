"""Uses the server named by TRAVIS_URL as Travis CI, with PyTravisCI, and prints what it saw.

Runs in an environment of its own (see environment.py), so it imports nothing of ours.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

from PyTravisCI import TravisCI
from PyTravisCI.exceptions import BuildAlreadyStopped, TravisCIError

URL, TOKEN = os.environ["TRAVIS_URL"], os.environ["TRAVIS_TOKEN"]
SLUG = "acme/shop"


def until(ask: Callable[[], Any]) -> Any:
    """Asks until the answer is true."""
    for _ in range(400):
        answer = ask()
        if answer:
            return answer
        time.sleep(0.025)
    raise AssertionError("it did not happen in time")


def refused(call: Callable[[], object]) -> str:
    """The type of the error that a call meets."""
    try:
        call()
    except TravisCIError as error:
        return str(error.get_error_type())
    return "nothing"


def requested(repository: Any, message: str, branch: str) -> Any:
    """A build that was asked for, once it is there."""
    made = repository.create_request(message, branch)
    number = made["request"]["id"]

    def became() -> Any:
        try:
            return repository.get_request(number).builds
        except TypeError:  # this client can't read a request that has no commit yet
            return None

    return client.get_build(until(became)[0].id)


def ended(build: Any) -> Any:
    return until(lambda: (b := client.get_build(build.id)).finished_at and b)


client = TravisCI(access_token=TOKEN, access_point=URL)
seen: dict[str, Any] = {}
seen["login"] = client.get_user().login

# Lists, page by page, over the links that the server gives.
page = client.get_repositories(params={"limit": 2})
listed = [repository.slug for repository in page]
while page.has_next_page():
    page = page.next_page()
    listed += [repository.slug for repository in page]
seen["listed"] = listed
seen["first_page"] = [repository.slug for repository in page.first_page()]
seen["owned"] = [r.slug for r in client.get_repositories_from_login("acme")]
seen["organizations"] = [o.login for o in client.get_organizations()]
seen["by_provider"] = client.get_repository_from_provider("github", SLUG).slug

# A build from its request to its log.
shop = client.get_repository(SLUG)
seen["repository"] = [shop.id == client.get_repository(shop.id).id, shop.default_branch.name]
build = requested(shop, "Hello there", "dev")
seen["asked"] = [build.event_type, build.branch.name, build.commit.message, build.created_by.login]
build = ended(build)
seen["ended"] = [build.state, build.number, build.is_passed(), build.started_at.tzinfo is None]
seen["stages"] = [[stage.name, stage.state] for stage in build.get_stages()]
jobs = list(build.get_jobs())
seen["jobs"] = [[job.number, job.state, job.stage.name] for job in jobs]
seen["log"] = jobs[0].get_log().content
seen["requests"] = [[r.state, r.result, r.event_type] for r in shop.get_requests()]
seen["builds"] = [b.number for b in shop.get_builds(params={"sort_by": "id:desc"})]
seen["mine"] = [b.number for b in client.get_builds()]
seen["branch"] = [b.number for b in shop.get_builds(params={"branch.name": "main"})]

# Restarting and cancelling: 202, and done a moment later.
again = build.restart()
seen["restart"] = [again["state_change"], again["build"]["id"] == build.id]
seen["restarted"] = [ended(build).state, client.get_build(build.id).number]
slow = client.get_repository("acme/slow")
long = until(lambda: (b := requested(slow, "Long", "main")).is_active() and b)
seen["cancel"] = long.cancel()["state_change"]
stopped = ended(long)
seen["cancelled"] = stopped.is_canceled()
try:
    stopped.cancel()
except BuildAlreadyStopped:
    seen["cancel_again"] = "already stopped"
stopped.__dict__["state"] = "started"  # past the client's own look at it
seen["cancel_by_hand"] = refused(stopped.cancel)

# Switching on and off, and being refused.
shop.deactivate()
seen["inactive"] = [client.get_repository(SLUG).active, refused(lambda: requested(shop, "x", "y"))]
shop.activate()
seen["active"] = client.get_repository(SLUG).active
seen["absent"] = refused(lambda: client.get_repository("acme/none"))
seen["bad_limit"] = refused(lambda: client.get_repositories(params={"limit": "x"}))
client.set_access_token("wrong")
seen["bad_token"] = refused(client.get_user)
print(json.dumps(seen))
