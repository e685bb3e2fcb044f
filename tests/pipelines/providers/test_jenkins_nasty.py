"""Cases of Jenkins' README that have no better place; each carries its number there."""

import json
import ssl
import unicodedata

import pytest

from pipelines.providers.base import ServerConfig, State
from pipelines.providers.errors import Misconfigured, NotFound, Rejected, Unavailable, Unsupported
from pipelines.providers.jenkins import Jenkins
from pipelines.providers.jenkins.runs import parse_build
from portal.credentials import Secret
from portal.http import HttpClient
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import build_of, ended, make_adapter, until
from tests.pipelines.providers.test_jenkins import ID, JOB, ask, at
from tests.portal.test_egress import self_signed

COMPOSED = unicodedata.normalize("NFC", "café")
DECOMPOSED = unicodedata.normalize("NFD", "café")


@pytest.fixture
def jenkins(sandbox):
    return sandbox.jenkins


@pytest.fixture
def adapter(jenkins) -> Jenkins:
    return make_adapter("jenkins", jenkins.base_url, jenkins.credential)


def run(**fields):
    return parse_build({"number": 1, **fields}, "job", "", "http://ci.example", ["BRANCH"])


@pytest.mark.nasty("jenkins-1")
@pytest.mark.parametrize(
    "name", ["a b", "c++", "a#1?x=y", "ends with.", "50%", "a%2Fb", "日本", "a;b&c", "a\\b"]
)
def test_a_name_reaches_its_job(jenkins, adapter, name):
    jenkins.pipeline(f"folder of {name}/{name}")
    found = [p.external_id for p in adapter.list_pipelines() if p.runnable]
    assert found == [f"folder of {name}/{name}"]
    build = build_of(adapter, found[0], adapter.start(ask(found[0])))
    assert adapter.get_build(found[0], build.external_id).number == 1


@pytest.mark.nasty("jenkins-1")
def test_a_name_that_is_no_unicode_does_not_break_the_list():
    jobs = '{"jobs": [{"name": "\\ud800"}, {"name": "b"}]}'
    with serve(json_reply(jobs)) as httpd:
        listed = at(httpd.url).list_pipelines()
    assert [pipeline.external_id for pipeline in listed] == ["\ud800", "b"]


@pytest.mark.nasty("jenkins-1")
def test_composed_and_decomposed_letters_are_two_names(jenkins, adapter):
    jenkins.pipeline(COMPOSED, history=1)
    jenkins.pipeline(DECOMPOSED, history=2)
    assert COMPOSED != DECOMPOSED
    assert [len(adapter.list_builds(name)) for name in (COMPOSED, DECOMPOSED)] == [1, 2]


@pytest.mark.nasty("jenkins-5")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["https://127.0.0.1", "http://127.0.0.1:8080", ""])
def test_a_redirect_to_the_same_address_starts_nothing(status, host):
    def behave(handler):
        to = reply(status, Location=f"{host}/ctx/job/a/build")
        (json_reply(JOB) if handler.command == "GET" else to)(handler)

    with serve(behave) as httpd, pytest.raises(Misconfigured, match="redirect"):
        at(f"{httpd.url}/ctx").start(ask("a"))
    assert [asked.method for asked in httpd.asked] == ["GET", "POST"]


@pytest.mark.nasty("jenkins-7")
def test_what_the_user_may_not_see_is_not_found(jenkins):
    jenkins.pipeline("ours/job", history=1)
    jenkins.pipeline("theirs/job", history=1)
    jenkins.add_token("narrow", login="team", only=["ours"])
    adapter = make_adapter("jenkins", jenkins.base_url, "team:narrow")
    assert adapter.get_build("ours/job", "1").number == 1
    for call in (
        lambda: adapter.get_build("theirs/job", "1"),
        lambda: adapter.start(ask("theirs/job")),
    ):
        with pytest.raises(NotFound, match="or hides it"):
            call()


@pytest.mark.nasty("jenkins-8")
def test_a_build_that_is_rotated_away_is_gone_and_the_rest_stays(jenkins, adapter):
    jenkins.pipeline("job", history=2, keep_builds=2)
    assert adapter.get_build("job", "1").number == 1
    ended(adapter, build_of(adapter, "job", adapter.start(ask("job"))))
    for read in (adapter.get_build, adapter.steps, adapter.log, adapter.gates):
        with pytest.raises(NotFound):
            read("job", "1")
    assert [build.number for build in adapter.list_builds("job")] == [3, 2]


def log_of(size: int, text: str = "line\n"):
    return reply(200, text, Content_Type="text/plain;charset=utf-8", X_Text_Size=str(size))


@pytest.mark.nasty("jenkins-9")
def test_a_log_that_became_shorter_begins_anew():
    with serve(log_of(5)) as httpd:
        chunk = at(httpd.url).log("job", "1", "", 4_000)
    assert (chunk.text, chunk.next_offset, chunk.restarted) == ("line\n", 5, True)


@pytest.mark.nasty("jenkins-10")
def test_the_next_offset_is_jenkins_count_and_not_the_texts_length():
    with serve(log_of(400)) as httpd:
        chunk = at(httpd.url).log("job", "1", "", 100)
    assert (chunk.text, chunk.next_offset, chunk.restarted) == ("line\n", 400, False)


def test_a_build_can_not_write_the_marks_of_folds():
    with serve(log_of(30, "\x1d+Hidden\nrm -rf\n\x1d-\n")) as httpd:
        assert "\x1d" not in at(httpd.url).log("job", "1").text


def test_notes_are_left_out_and_those_without_an_end_are_read_in_no_time():
    endless = "\x1b[8mha:" * 140_000
    with serve(log_of(1_000_000, f"\x1b[8mha:Qm+/=\x1b[0mdone\n{endless}")) as httpd:
        assert at(httpd.url).log("job", "1").text == f"done\n{endless}"


@pytest.mark.nasty("jenkins-13")
@pytest.mark.parametrize(
    "fields",
    [
        {"changeSets": [{"items": [{"author": {"fullName": "ana"}, "msg": "Mend"}]}]},
        {"changeSet": {"items": [{"msg": "Mend"}]}},
        {"changeSets": [None, {}, {"items": None}, {"items": [{"msg": "Mend\r\nmore"}]}]},
    ],
)
def test_a_change_set_needs_no_address(fields):
    assert run(**fields).message == "Mend"


@pytest.mark.nasty("jenkins-13")
def test_without_change_sets_there_is_no_message():
    assert run(result="SUCCESS").message == ""


@pytest.mark.nasty("jenkins-14")
def test_of_many_builds_the_newest_hundred_are_listed_and_any_is_read(jenkins, adapter):
    jenkins.pipeline("job", history=130)
    listed = adapter.list_builds("job", limit=1_000)
    assert [build.number for build in listed] == list(range(130, 30, -1))
    assert adapter.get_build("job", "7").number == 7


@pytest.mark.nasty("jenkins-14")
def test_a_look_up_does_not_claim_to_have_seen_what_is_beyond_the_hundred(jenkins, adapter):
    jenkins.pipeline("job", history=130, parameters=[ID])
    oldest = adapter.get_build("job", "2").started_at
    with pytest.raises(Unsupported, match="more than 100"):
        adapter.find_by_request_id("job", "r-1", since=oldest)
    newest = adapter.get_build("job", "129").started_at
    assert adapter.find_by_request_id("job", "r-1", since=newest) is None


@pytest.mark.nasty("jenkins-18")
def test_after_a_restart_a_run_goes_on_or_has_no_result():
    resumed = run(building=True, result="FAILURE", duration=90_000)
    assert (resumed.state, resumed.finished_at) == (State.RUNNING, None)
    gone = run(building=False, result=None)
    assert (gone.state, gone.reason[:22]) == (State.UNKNOWN, "Jenkins gives no resul")


@pytest.mark.nasty("jenkins-21")
@pytest.mark.parametrize("skew", [-86_400, 86_400])
def test_a_controllers_wrong_clock_makes_no_negative_duration(jenkins, adapter, skew):
    jenkins.pipeline("job")
    jenkins.instance.skew = skew
    build = ended(adapter, build_of(adapter, "job", adapter.start(ask("job"))))
    assert build.started_at <= build.finished_at
    assert all(step.seconds is None or step.seconds >= 0 for step in adapter.steps("job", "1"))


@pytest.mark.nasty("jenkins-21")
@pytest.mark.parametrize("lasted", [-(10**12), 10**300, 10**18])
def test_an_absurd_duration_breaks_nothing(lasted):
    build = run(timestamp=1_700_000_000_000, duration=lasted, result="SUCCESS")
    assert build.finished_at in (None, build.started_at)
    stage = {"id": "1", "name": "a", "status": "SUCCESS", "durationMillis": lasted}
    answers = {"stages": [stage | {"startTimeMillis": 1_700_000_000_000}], "number": 1}
    with serve(json_reply(json.dumps(answers))) as httpd:
        assert at(httpd.url).steps("job", "1")[1].state is State.PASSED


@pytest.mark.nasty("jenkins-22")
def test_html_is_text(jenkins, adapter):
    html = "<img src=x onerror=alert(1)>"
    jenkins.pipeline("job", title=html, parameters=[{"name": "A", "description": html}])
    job = adapter.get_pipeline("job")
    told = (job.name, job.parameters[0].description, run(displayName=html).message)
    assert told == (html, html, html)
    # A template escapes what is plain text; a subclass could claim to be safe.
    assert {type(text) for text in told} == {str}


@pytest.mark.nasty("jenkins-24")
def test_a_jenkins_that_shuts_down_keeps_what_is_started_and_says_so(sandbox):
    handle = sandbox.add("jenkins", "closing", quieting_down=True)
    handle.pipeline("job")
    adapter = make_adapter("jenkins", handle.base_url, handle.credential)
    ref = adapter.start(ask("job")).queue_ref
    sandbox.advance(10_000)
    waiting = adapter.get_build("job", ref)
    assert (waiting.state, waiting.external_id) == (State.QUEUED, ref)
    assert waiting.reason == "In Jenkins' queue: Jenkins is about to shut down"
    assert any("about to shut down" in note for note in adapter.check().notes)
    adapter.cancel("job", ref)
    assert adapter.get_build("job", ref).state is State.CANCELLED


@pytest.mark.nasty("jenkins-24")
def test_a_start_that_jenkins_will_not_queue_is_refused():
    def behave(handler):
        (json_reply(JOB) if handler.command == "GET" else reply(302, Location="."))(handler)

    with serve(behave) as httpd, pytest.raises(Rejected, match="about to shut down"):
        at(httpd.url).start(ask("a"))


@pytest.mark.nasty("jenkins-25")
def test_a_certificate_of_the_companys_own_needs_its_bundle(tmp_path):
    certificate = self_signed(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    who = '{"name": "bot", "authenticated": true, "anonymous": false, "jobs": [], "plugins": []}'
    with serve(json_reply(who, X_Jenkins="2.516")) as httpd:
        httpd.server.socket = context.wrap_socket(httpd.server.socket, server_side=True)
        config = ServerConfig("ci", f"https://localhost:{httpd.port}", {})

        def adapter(**more) -> Jenkins:
            http = HttpClient(allow=["127.0.0.1", "::1", "localhost"], **more)
            return Jenkins(config, http, Secret("bot:token"))

        with pytest.raises(Unavailable, match="certificate"):
            adapter().check()
        assert adapter(ca_bundle=str(certificate)).check().who == "bot"


@pytest.mark.nasty("jenkins-26")
def test_a_matrix_jobs_runs_of_older_builds_do_not_count():
    matrix = {"number": 7, "result": "SUCCESS", "runs": [{"number": 6, "result": "FAILURE"}]}
    with serve(json_reply(json.dumps({"builds": [matrix]}))) as httpd:
        [build] = at(httpd.url).list_builds("job")
    assert (build.number, build.external_id, build.state) == (7, "7", State.PASSED)
    assert "runs" not in httpd.asked[0].path


def test_the_branch_that_the_branch_source_calls_primary_is_the_default(jenkins, adapter):
    repository = "https://git.example/team/site"
    branches = ("main", "develop/2", "feature/x")
    site = {"default_branch": "develop/2", "repository": repository}
    jenkins.pipeline("site", multibranch=True, branches=branches, **site)
    [project] = adapter.list_pipelines()
    assert (project.default_branch, project.repository) == ("develop/2", repository)
    build = build_of(adapter, "site", adapter.start(ask("site")))
    assert build.external_id == "develop%2F2/1"


def test_a_thousand_jobs_in_nested_folders_are_listed_whole(sandbox, jenkins, adapter):
    for number in range(1_000):
        jenkins.pipeline(f"unit-{number % 5}/team-{number % 50}/app-{number}", history=1)
    runnable = {p.external_id for p in adapter.list_pipelines() if p.runnable}
    assert len(runnable) == 1_000
    # One question for each folder and none for each job: the root, 5 units, 50 teams.
    assert len(sandbox.requests("jenkins")) == 56


@pytest.mark.nasty("jenkins-15")
def test_a_start_that_nobody_followed_for_an_hour_is_still_found(sandbox, jenkins, adapter):
    jenkins.pipeline("job", parameters=[ID])
    ref = adapter.start(ask("job")).queue_ref
    until(lambda: jenkins.builds("job"))
    sandbox.advance(3_600)
    assert adapter.resolve("job", ref).build == adapter.find_by_request_id("job", "r-1").build
