"""Jenkins' rules that no client looks at: starting, queue, names, refusals, logs, stages."""

import re
from urllib.parse import urlsplit

import pytest
import requests

from tests.pipelines.sandbox.waiting import until


def queue_id(answer: requests.Response) -> int:
    return int(re.search(r"/queue/item/(\d+)/$", answer.headers["Location"])[1])


@pytest.fixture
def job(sandbox):
    """The path of a job that declares BRANCH and our labels."""
    sandbox.jenkins.pipeline("team/app", parameters=["BRANCH"], labels=True)
    return "job/team/job/app"


def test_a_start_is_201_with_the_queue_item_and_no_body(jenkins, job):
    answer = jenkins("POST", f"{job}/buildWithParameters", data={"BRANCH": "dev"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert "X-Jenkins" not in answer.headers
    item = jenkins("GET", f"queue/item/{queue_id(answer)}/api/json").json()
    assert item["task"]["name"] == "app"
    assert "\nBRANCH=dev" in item["params"]


def test_parameters_that_are_not_declared_are_dropped(jenkins, job, sandbox):
    jenkins("POST", f"{job}/buildWithParameters", data={"BRANCH": "dev", "NOPE": "x"})
    build = until(lambda: sandbox.jenkins.builds("team/app"))[0]
    assert build.parameters["BRANCH"] == "dev"
    assert "NOPE" not in build.parameters


def test_build_and_build_with_parameters_are_not_mixed_up(jenkins, job, sandbox):
    sandbox.jenkins.pipeline("plain")
    empty = jenkins("POST", f"{job}/build")
    assert (empty.status_code, empty.headers["X-Error"]) == (400, "Nothing is submitted")
    given = jenkins("POST", "job/plain/buildWithParameters", data={"A": "1"})
    assert (given.status_code, given.headers["X-Error"]) == (400, "plain is not parameterized")
    form = {"json": '{"parameter": [{"name": "BRANCH", "value": "form"}]}'}
    assert jenkins("POST", f"{job}/build", data=form).status_code == 201
    assert until(lambda: sandbox.jenkins.builds("team/app"))[0].parameters["BRANCH"] == "form"
    assert sandbox.jenkins.builds("plain") == []


def test_a_get_starts_nothing(jenkins, job, sandbox):
    answer = jenkins("GET", f"{job}/build")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert sandbox.jenkins.builds("team/app") == []


def test_a_disabled_job_is_409_and_an_illegal_choice_400(jenkins, sandbox):
    sandbox.jenkins.pipeline("off", disabled=True)
    assert jenkins("POST", "job/off/build").status_code == 409
    choice = {"name": "TARGET", "type": "choice", "choices": ["staging", "production"]}
    sandbox.jenkins.pipeline("deploy", parameters=[choice])
    answer = jenkins("POST", "job/deploy/buildWithParameters", data={"TARGET": "moon"})
    assert answer.status_code == 400


def test_identical_starts_fold_while_one_is_queued(jenkins, job, sandbox):
    sandbox.jenkins.pipeline("team/app", parameters=["BRANCH"], quiet_seconds=4000)
    sandbox.jenkins.pipeline("plain", quiet_seconds=4000)
    first, second, other = (
        jenkins("POST", f"{job}/buildWithParameters", data={"BRANCH": branch})
        for branch in ("a", "a", "b")
    )
    assert (first.status_code, second.status_code, other.status_code) == (201, 303, 201)
    assert queue_id(first) == queue_id(second) != queue_id(other)
    plain = [jenkins("POST", "job/plain/build") for _ in range(2)]
    assert [answer.status_code for answer in plain] == [201, 201]
    assert queue_id(plain[0]) == queue_id(plain[1])
    assert [entry.action for entry in sandbox.accepted()] == [
        "start",
        "folded",
        "start",
        "start",
        "folded",
    ]


def test_a_queue_item_goes_from_quiet_to_left_and_is_forgotten(jenkins, sandbox):
    sandbox.speed = 1
    sandbox.jenkins.pipeline("app", quiet_seconds=50, queue_seconds=50)
    path = f"queue/item/{queue_id(jenkins('POST', 'job/app/build'))}/api/json"

    def kind() -> str:
        return jenkins("GET", path).json()["_class"].rpartition("$")[2]

    assert kind() == "WaitingItem"
    assert jenkins("GET", path).json()["why"].startswith("In the quiet period. Expires in ")
    sandbox.advance(60)
    assert kind() == "BuildableItem"
    sandbox.advance(60)
    assert kind() == "LeftItem"
    assert jenkins("GET", path).json()["executable"]["number"] == 1
    sandbox.advance(290)
    assert kind() == "LeftItem"
    sandbox.advance(20)
    assert jenkins("GET", path).status_code == 404


def test_delay_replaces_the_quiet_period(jenkins, sandbox):
    sandbox.jenkins.pipeline("app", quiet_seconds=4000, queue_seconds=0)
    jenkins("POST", "job/app/build", params={"delay": "0sec"})
    assert len(sandbox.jenkins.builds("app")) == 1


def test_a_job_without_concurrent_builds_blocks_the_next(jenkins, sandbox):
    sandbox.speed = 1
    sandbox.jenkins.pipeline("app", concurrent=False, queue_seconds=0, steps=[{"name": "a"}])
    jenkins("POST", "job/app/build")
    assert len(sandbox.jenkins.builds("app")) == 1
    item = jenkins("GET", f"queue/item/{queue_id(jenkins('POST', 'job/app/build'))}/api/json")
    assert item.json()["_class"] == "hudson.model.Queue$BlockedItem"
    assert item.json()["why"] == "Build #1 is already in progress"
    sandbox.jenkins.finish("app", 1)
    assert len(sandbox.jenkins.builds("app")) == 2


def test_the_first_build_of_a_new_branch_has_no_parameters(jenkins, sandbox):
    sandbox.jenkins.pipeline(
        "site", multibranch=True, branches=["feature/x"], labels=True, late_parameters=True
    )
    path = "job/site/job/feature%252Fx"
    assert jenkins("POST", f"{path}/buildWithParameters").status_code == 400
    assert jenkins("POST", f"{path}/build").status_code == 201
    until(lambda: sandbox.jenkins.builds("site/feature%2Fx"))
    assert jenkins("POST", f"{path}/buildWithParameters").status_code == 201


def test_a_branch_is_found_encoded_twice_and_once(jenkins, sandbox):
    sandbox.jenkins.pipeline("site", multibranch=True, branches=["feature/x#1"])
    twice = jenkins("GET", "job/site/job/feature%252Fx%25231/api/json").json()
    once = jenkins("GET", "job/site/job/feature%2Fx%231/api/json").json()
    assert twice == once
    assert (twice["name"], twice["displayName"]) == ("feature%2Fx%231", "feature/x#1")
    assert twice["url"].endswith("/job/site/job/feature%252Fx%25231/")


def test_build_on_a_multibranch_project_scans_it(jenkins, sandbox):
    sandbox.jenkins.pipeline("site", multibranch=True)
    assert jenkins("POST", "job/site/build").status_code == 302
    assert sandbox.jenkins.builds("site/main") == []


def test_folders_have_jobs_and_no_colour(jenkins, job):
    top = jenkins("GET", "api/json", params={"tree": "jobs[name,color,jobs[name,color]]"}).json()
    folder = top["jobs"][0]
    assert "color" not in folder
    assert folder["_class"] == "com.cloudbees.hudson.plugins.folder.Folder"
    assert folder["jobs"][0]["color"] == "notbuilt"


def test_addresses_follow_the_configured_root_url_but_location_does_not(sandbox, job):
    lying = sandbox.add("jenkins", "lying", root_url="http://localhost:8080/")
    lying.pipeline("app")
    options = {"auth": (lying.user, lying.token), "timeout": 10}
    shown = requests.get(f"{lying.base_url}/job/app/api/json", **options).json()
    assert shown["url"] == "http://localhost:8080/job/app/"
    started = requests.post(f"{lying.base_url}/job/app/build", **options)
    assert urlsplit(started.headers["Location"]).path == "/lying/queue/item/1/"


def test_anonymous_gets_403_and_a_wrong_token_401(jenkins, job):
    anonymous = jenkins("GET", f"{job}/api/json", auth=lambda request: request)
    assert anonymous.status_code == 403
    assert anonymous.headers["X-You-Are-Authenticated-As"] == "anonymous"
    assert "text/html" in anonymous.headers["Content-Type"]
    wrong = jenkins("GET", "api/json", auth=("stagedoor", "wrong"))
    assert wrong.status_code == 401
    assert wrong.headers["WWW-Authenticate"] == 'Basic realm="Jenkins"'
    assert "X-Jenkins" in wrong.headers
    other = jenkins("GET", "api/json", auth=("somebody", "11" + "a1b2c3d4" * 4))
    assert other.status_code == 401


def test_who_am_i_answers_anonymous_too(jenkins):
    shown = jenkins("GET", "whoAmI/api/json", auth=lambda request: request).json()
    assert (shown["name"], shown["anonymous"]) == ("anonymous", True)


def test_an_expired_token_is_refused(jenkins, sandbox):
    sandbox.jenkins.add_token("short", login="short", expires_in_days=1)
    assert jenkins("GET", "api/json", auth=("short", "short")).status_code == 200
    sandbox.advance(90_000)
    assert jenkins("GET", "api/json", auth=("short", "short")).status_code == 401


def test_a_lacking_permission_is_named(jenkins, job, sandbox):
    sandbox.jenkins.add_token("r", login="reader", rights=["read"])
    answer = jenkins("POST", f"{job}/buildWithParameters", auth=("reader", "r"))
    assert answer.status_code == 403
    assert "reader is missing the Job/Build permission" in answer.text
    assert answer.headers["X-Required-Permission"] == "hudson.model.Item.Build"


def test_what_a_token_may_not_see_is_404(jenkins, job, sandbox):
    sandbox.jenkins.pipeline("other/secret")
    sandbox.jenkins.add_token("t", login="team", only=["team"])
    assert jenkins("GET", f"{job}/api/json", auth=("team", "t")).status_code == 200
    assert jenkins("GET", "job/other/job/secret/api/json", auth=("team", "t")).status_code == 404
    jobs = jenkins("GET", "api/json", auth=("team", "t")).json()["jobs"]
    assert [entry["name"] for entry in jobs] == ["team"]


def running(jenkins, sandbox, **fields):
    """A build that runs at real speed; the path of its run."""
    sandbox.speed = 1
    sandbox.jenkins.pipeline("app", queue_seconds=0, **fields)
    jenkins("POST", "job/app/build")
    sandbox.jenkins.build("app", 1)
    return "job/app/1"


def test_a_log_read_in_pieces_is_the_whole_log(jenkins, sandbox):
    run = running(jenkins, sandbox, steps=[{"name": "a", "seconds": 90, "lines": ["ä", "ö", "ü"]}])
    text, offset, more = "", 0, True
    while more:
        piece = jenkins("GET", f"{run}/logText/progressiveText", params={"start": offset})
        piece.encoding = "utf-8"
        text += piece.text
        offset = int(piece.headers["X-Text-Size"])
        more = piece.headers.get("X-More-Data") == "true"
        sandbox.advance(17)
    whole = jenkins("GET", f"{run}/consoleText")
    whole.encoding = "utf-8"
    assert text == whole.text
    assert text.endswith("Finished: SUCCESS\n")
    # hidden console notes count in offsets and not in what is shown
    assert offset > len(text.encode())


def test_a_start_beyond_the_log_begins_anew(jenkins, sandbox):
    run = running(jenkins, sandbox)
    piece = jenkins("GET", f"{run}/logText/progressiveText", params={"start": 10**9})
    assert piece.text.startswith("Started by user")


def test_a_start_within_a_hidden_note_shows_none_of_it(jenkins, sandbox):
    run = running(jenkins, sandbox)
    piece = jenkins("GET", f"{run}/logText/progressiveText", params={"start": 20})
    assert piece.text.startswith("Started by user")


def test_a_lost_log_promises_more_for_ever(jenkins, sandbox):
    run = running(jenkins, sandbox, log_lost=True)
    sandbox.jenkins.finish("app", 1)
    piece = jenkins("GET", f"{run}/logText/progressiveText")
    assert (piece.headers["X-Text-Size"], piece.headers["X-More-Data"]) == ("0", "true")


def test_password_parameters_are_shown_nowhere(jenkins, sandbox):
    secret = {"name": "KEY", "type": "password"}
    sandbox.jenkins.pipeline("app", parameters=[secret], queue_seconds=0)
    jenkins("POST", "job/app/buildWithParameters", data={"KEY": "hunter2"})
    sandbox.jenkins.finish("app", 1)
    for path in ("api/json", "consoleText", ""):
        assert "hunter2" not in jenkins("GET", f"job/app/1/{path}").text


def test_a_running_build_may_have_its_bad_result_already(jenkins, sandbox):
    steps = [{"name": "Test", "seconds": 5, "outcome": "unstable"}, {"name": "b", "seconds": 99}]
    run = running(jenkins, sandbox, steps=steps)
    sandbox.advance(10)
    shown = jenkins("GET", f"{run}/api/json").json()
    assert (shown["building"], shown["result"], shown["duration"]) == (True, "UNSTABLE", 0)


def test_stages_are_told_by_both_plugins_or_by_none(jenkins, sandbox):
    run = running(jenkins, sandbox)
    assert jenkins("GET", f"{run}/wfapi/describe").json()["status"] == "IN_PROGRESS"
    tree = jenkins("GET", f"{run}/stages/tree").json()["data"]
    assert [stage["state"] for stage in tree["stages"]] == ["running", "queued"]
    node = tree["stages"][0]["id"]
    sandbox.advance(60)
    log = jenkins("GET", f"{run}/execution/node/{node}/wfapi/log").json()
    assert (log["nodeStatus"], log["text"]) == (
        "SUCCESS",
        "Fetching dependencies\nCompiling\nDone\n",
    )
    bare = sandbox.add("jenkins", "bare", plugins=[])
    bare.pipeline("app", history=1)
    answer = requests.get(
        f"{bare.base_url}/job/app/1/wfapi/describe", auth=(bare.user, bare.token), timeout=10
    )
    assert answer.status_code == 404
    assert "text/html" in answer.headers["Content-Type"]


def test_a_rebuild_copies_the_old_request_id_and_tells_no_queue_id(jenkins, job, sandbox):
    jenkins("POST", f"{job}/buildWithParameters", data={"STAGEDOOR_REQUEST_ID": "r-1"})
    until(lambda: sandbox.jenkins.builds("team/app"))
    answer = jenkins("POST", f"{job}/1/replay/rebuild")
    assert (answer.status_code, answer.headers["Location"]) == (302, "../..")
    second = until(lambda: sandbox.jenkins.builds("team/app")[:-1])[0]
    assert second.parameters["STAGEDOOR_REQUEST_ID"] == "r-1"
    rerun = jenkins("POST", f"{job}/1/stages/rerun").json()
    assert isinstance(rerun["data"]["queueId"], int)
    ids = [entry.request_id for entry in sandbox.accepted()]
    assert ids == ["r-1", "", ""]


def test_rotated_builds_are_404(jenkins, sandbox):
    sandbox.jenkins.pipeline("app", keep_builds=2, history=4)
    assert jenkins("GET", "job/app/2/api/json").status_code == 404
    assert jenkins("GET", "job/app/3/api/json").status_code == 200


def test_permalinks(jenkins, sandbox):
    sandbox.jenkins.pipeline("new")
    assert jenkins("GET", "job/new/lastBuild/api/json").status_code == 404
    sandbox.jenkins.pipeline("old", history=3)
    assert jenkins("GET", "job/old/lastBuild/api/json").json()["number"] == 3


def test_a_build_has_a_page_for_people(jenkins, job, sandbox):
    given = {"BRANCH": "<b>", "STAGEDOOR_PERSON": "ana"}
    jenkins("POST", f"{job}/buildWithParameters", data=given)
    until(lambda: sandbox.jenkins.builds("team/app"))
    page = jenkins("GET", f"{job}/1/", auth=lambda request: request)
    assert page.status_code == 200
    assert "STAGEDOOR_PERSON" in page.text
    assert "ana" in page.text
    assert "<b>" not in page.text
