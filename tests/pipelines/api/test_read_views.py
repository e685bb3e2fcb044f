"""What a token may see of a service, a build and its log."""

import uuid

import pytest

from pipelines import builds
from pipelines.models import Build
from pipelines.providers.base import StartRequest
from pipelines.servers import client_for
from tests.pipelines.api.conftest import Api
from tests.pipelines.four_eyes import asked
from tests.pipelines.world import confirmed_link, make_build, make_person, make_service

pytestmark = pytest.mark.django_db(transaction=True)
SERVICE = "/services/component/default/shop"


def ran(sandbox, link):
    """A build of the sandbox that has ended and was read."""
    request = StartRequest("acme/shop", str(uuid.uuid4()), branch="main")
    client_for(link.pipeline.server).start(request)
    sandbox.buildkite.finish("acme/shop", 1)
    assert builds.refresh(link.pipeline.pk)
    return Build.objects.get()


def test_service_says_what_runs_and_what_one_may_do(api, link):
    build = make_build(link.pipeline, 7, commit="c0ffee")
    found = api.get(SERVICE)
    assert found["entity"] == "component:default/shop"
    (pipeline,) = found["pipelines"]
    assert pipeline["pipeline"] == "buildkite:acme/shop"
    assert pipeline["actions"]["start"]["effect"] == "allow"
    (newest,) = pipeline["builds"]
    assert (newest["id"], newest["state"], newest["commit"]) == (build.pk, "passed", "c0ffee")
    assert newest["actions"]["retry"]["rule"] == "grant"


def test_service_says_why_not(link):
    (pipeline,) = Api(make_person("vic")).get(SERVICE)["pipelines"]
    start = pipeline["actions"]["start"]
    assert (start["effect"], start["rule"]) == ("deny", "permission")
    assert "start builds" in start["reason"]


def test_service_says_so_where_the_token_may_not_start(ana, link):
    (pipeline,) = Api(ana, ("build.view",)).get(SERVICE)["pipelines"]
    assert pipeline["actions"]["start"]["rule"] == "token"


def test_service_is_not_there_for_whom_may_not_see_it(api, ana, link):
    assert "no service" in api.get("/services/component/default/none", 404)["message"]
    # A token not made to see says so, whether or not there is anything.
    blind = Api(ana, ("build.start",))
    assert {blind.get(path, 403)["rule"] for path in (SERVICE, f"{SERVICE}-none")} == {"token"}


def test_service_needs_the_same_queries_however_many_builds(
    api, link, django_assert_max_num_queries
):
    for number in range(8):
        make_build(link.pipeline, number + 1)
    api.get(SERVICE)
    with django_assert_max_num_queries(14):
        api.get(SERVICE)


def test_build_says_what_may_be_done_with_it(api, link):
    build = make_build(link.pipeline, 7, "running")
    found = api.get(f"/builds/{build.pk}")
    assert list(found["actions"]) == ["cancel"]
    assert found["gates"] == []
    api.get(f"/builds/{build.pk + 1}", 404)
    api.get(f"/builds/{10**30}", 404)


def test_build_names_no_service_that_one_may_not_see(link, settings):
    settings.DEFAULT_ROLE = ""
    secret = confirmed_link(make_service("secret"), link.pipeline)
    build = make_build(link.pipeline, 7, trigger=asked(make_person("root", "admin"), secret))
    scope = {"scope_kind": "service", "scope_ref": "component:default/shop"}
    found = Api(make_person("una", "deployer", **scope)).get(f"/builds/{build.pk}")
    assert found["entity"] == "component:default/shop"
    assert found["actions"]["retry"]["effect"] == "allow"
    assert "secret" not in str(found)
    server = Api(make_person("sam", "deployer", scope_kind="server", scope_ref="buildkite"))
    assert server.get(f"/builds/{build.pk}")["entity"] is None


def test_build_log_goes_on_where_it_was_left(api, sandbox, link):
    build = ran(sandbox, link)
    first = api.get(f"/builds/{build.pk}/log")
    assert first["done"]
    assert len(first["text"].splitlines()) > 1
    assert "<span" not in first["text"]
    after = api.get(f"/builds/{build.pk}/log?offset={first['next']}&step={first['step']['id']}")
    assert (after["text"], after["done"]) == ("", True)


@pytest.mark.parametrize("query", ["offset=7", "offset=7:forged", "step=none"])
def test_build_log_takes_no_made_up_place(api, sandbox, link, query):
    build = ran(sandbox, link)
    name = query.partition("=")[0]
    assert name in api.get(f"/builds/{build.pk}/log?{query}", 422)["fields"]


def test_build_log_needs_its_own_permission(ana, sandbox, link):
    build = make_build(link.pipeline, 7)
    blind = Api(ana, ("build.view",))
    assert blind.get(f"/builds/{build.pk}/log", 403)["rule"] == "token"


def test_build_log_of_a_silent_server_is_no_error_of_ours(api, link):
    build = make_build(link.pipeline, 7)
    assert "can't be read" in api.get(f"/builds/{build.pk}/log", 503)["message"]
