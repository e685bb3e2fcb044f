"""The sandbox's Drone over plain HTTP: what the clients and the recordings do not look at."""

import json

import requests

from pipelines.sandbox.definitions import load
from pipelines.sandbox.drone.model import Model
from pipelines.sandbox.engine import World
from pipelines.sandbox.objects import Person
from tests.httpd import reply, serve
from tests.pipelines.providers.drone_recordings import DELIVERIES, delivery
from tests.pipelines.sandbox.test_drone_shapes import shape_of
from tests.pipelines.sandbox.waiting import until

APP = "api/repos/acme/app"


def start(drone, **query):
    return drone("POST", f"{APP}/builds", params=query).json()


def test_a_repository_has_the_same_uid_in_a_sandbox_that_was_started_anew():
    def uids(*names):
        world = World()
        load(
            world,
            {
                "instances": [
                    {"vendor": "drone", "prefix": "d", "pipelines": [{"name": n} for n in names]}
                ]
            },
        )
        drone = world.instances["d"]
        return {name: Model(drone, "").repo(drone.pipelines[name])["uid"] for name in names}

    assert uids("acme/a", "acme/b") == uids("acme/b", "acme/a")
    assert len(set(uids("acme/a", "acme/b").values())) == 2


def test_guests_are_refused_with_401_and_others_with_404(sandbox):
    server = sandbox.drone
    server.pipeline("acme/app")
    server.add_token("narrow", only=["acme/other"])
    for token, status in (("wrong", 401), ("narrow", 404)):
        headers = {"Authorization": f"Bearer {token}"}
        got = requests.get(f"{server.base_url}/{APP}", headers=headers, timeout=10)
        assert got.status_code == status
    bare = requests.get(
        f"{server.base_url}/api/user", headers={"Authorization": server.token}, timeout=10
    )
    assert bare.status_code == 200


def test_pages_are_limited_to_100_and_else_25(sandbox, drone):
    sandbox.drone.pipeline("acme/app", history=120)
    for asked, given in ((100, 100), (101, 25), (0, 25), (500, 25), (7, 7)):
        assert len(drone("GET", f"{APP}/builds?per_page={asked}").json()) == given
    first, zero = (drone("GET", f"{APP}/builds?page={page}").json() for page in (1, 0))
    assert first == zero


def test_old_parameters_win_when_run_again_and_new_ones_when_promoted(sandbox, drone):
    sandbox.drone.pipeline("acme/app")
    assert start(drone, A="old", branch="main")["params"] == {"A": "old"}
    again = drone("POST", f"{APP}/builds/1?A=new&B=new").json()
    assert again["params"] == {"A": "old", "B": "new"}
    promoted = drone("POST", f"{APP}/builds/1/promote?target=staging&A=new").json()
    assert promoted["params"] == {"A": "new"}
    assert promoted["sender"] == promoted["trigger"] == "stagedoor"


def test_everything_in_the_query_becomes_a_parameter_and_nothing_of_the_form(sandbox, drone):
    sandbox.drone.pipeline("acme/app")
    url = f"{APP}/builds?branch=main&message=leaked"
    row = drone("POST", url, data={"message": "form", "KEY": "x"}).json()
    assert row["params"] == {"message": "leaked"}


def test_a_running_steps_log_is_a_stream_and_then_a_document(sandbox, drone):
    sandbox.speed = 4
    lines = [f"tick {n}" for n in range(8)]
    sandbox.drone.pipeline("acme/app", steps=[{"name": "Tick", "seconds": 4, "lines": lines}])
    start(drone)
    until(lambda: "steps" in json.dumps(drone("GET", f"{APP}/builds/1").json()))
    assert drone("GET", f"{APP}/builds/1/logs/1/1").status_code == 404
    with drone("GET", "api/stream/acme/app/1/1/1", stream=True) as answer:
        told = answer.content.decode()
    assert told.startswith(": ping\n\ndata: {")
    assert told.endswith("event: error\ndata: eof\n\n")
    data = [line[6:] for line in told.split("\n") if line.startswith("data: {")]
    pieces = [json.loads(line) for line in data]
    whole = drone("GET", f"{APP}/builds/1/logs/1/1").json()
    assert pieces == whole[: len(pieces)]
    assert [piece["out"] for piece in whole] == ["+ tick\n", *(f"{line}\n" for line in lines)]


def test_people_find_pages_and_any_other_address_is_one_too(sandbox, drone):
    sandbox.drone.pipeline("acme/app", history=1)
    page = drone("GET", "acme/app/1")
    assert (page.status_code, "acme/app #1" in page.text) == (200, True)
    assert drone("GET", "acme/app").status_code == 200
    assert drone("GET", "no/such/page").headers["Content-Type"].startswith("text/html")


def test_a_thousand_repositories_are_listed_in_one_answer(sandbox, drone):
    for number in range(1_200):
        sandbox.drone.pipeline(f"acme/service-{number:04}", history=1)
    rows = drone("GET", "api/user/repos?latest=true").json()
    assert (len(rows), rows[0]["build"]["number"]) == (1_200, 1)
    assert len(drone("GET", "api/user/builds").json()) == 25


def test_webhooks_have_the_shape_of_the_real_ones(sandbox, drone):
    """All deliveries of one build's course, each signed; headers, keys and types are compared."""
    server = sandbox.drone
    server.pipeline("acme/app", details={"clone": True})
    real = {}
    for name in DELIVERIES:
        hook = delivery(name)
        body = json.loads(hook.body)
        real.setdefault((body["event"], body["action"]), (hook, body))
    with serve(reply(200)) as httpd:
        server.hook(httpd.url, "whsec")
        start(drone, RELEASE="1")
        until(lambda: drone("GET", f"{APP}/builds/1").json()["status"] == "success")
        until(lambda: len(httpd.asked) >= 3)
        got = list(httpd.asked)
    actions = [json.loads(asked.body)["action"] for asked in got]
    assert actions == ["created", *["updated"] * (len(got) - 1)]
    for asked in got:
        ours = json.loads(asked.body)
        hook, theirs = real[ours["event"], ours["action"]]
        named = {name.lower() for name in asked.headers}
        assert named >= {"date", "digest", "signature", "x-drone-event"}
        # What Go leaves out differs between two builds of the real server as well.
        assert shape_of([theirs], [ours], "hook") == []


def test_a_commit_of_somebody_is_pushed(sandbox, drone):
    sandbox.drone.pipeline("acme/app", history=2, committers=["Elif Kaya"], commits=["Fix it"])
    row = drone("GET", f"{APP}/builds/2").json()
    assert (row["event"], row["trigger"], row["sender"]) == ("push", "@hook", "elif")
    assert row["author_name"] == Person("elif", "Elif Kaya", "").name


def test_declining_sends_no_webhook(sandbox, drone):
    server = sandbox.drone
    gate = {"name": "release", "gate": True}
    server.pipeline("acme/app", steps=[gate, {"name": "Deploy"}])
    with serve(reply(200)) as httpd:
        server.hook(httpd.url, "whsec")
        start(drone)
        until(lambda: len(httpd.asked) >= 2)  # created, and blocked
        assert drone("POST", f"{APP}/builds/1/decline/1").status_code == 204
        start(drone)
        until(lambda: any(json.loads(a.body)["build"]["number"] == 2 for a in httpd.asked))
        words = {json.loads(asked.body)["build"]["status"] for asked in httpd.asked}
    assert words == {"pending"}
