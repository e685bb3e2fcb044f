"""Buildkite's rules that no client looks at: headers, limits, refusals, lists, logs."""

import pytest
import requests

BUILDS = "organizations/acme/pipelines/shop/builds"
START = {"commit": "HEAD", "branch": "main"}


@pytest.fixture
def shop(sandbox):
    """One pipeline; builds run at real speed and begin at once."""
    sandbox.speed = 1
    return sandbox.buildkite.pipeline("acme/shop", queue_seconds=0)


def start(buildkite, **body) -> dict:
    answer = buildkite("POST", BUILDS, json=START | body)
    assert answer.status_code == 201
    return answer.json()


def test_every_answer_tells_scopes_and_limits(buildkite, shop):
    answer = buildkite("GET", BUILDS)
    assert answer.headers["X-Accepted-OAuth-Scopes"] == "read_builds"
    assert "write_builds" in answer.headers["X-OAuth-Scopes"]
    assert answer.headers["RateLimit-Scope"] == "rest"
    assert answer.headers["RateLimit-User-Scope"] == "rest_user"
    assert answer.headers["ETag"].startswith('W/"')


def test_a_spent_limit_is_429_with_seconds_left(sandbox):
    busy = sandbox.add("buildkite", "busy", rest_user_limit=2)
    options = {"headers": {"Authorization": f"Bearer {busy.token}"}, "timeout": 10}
    answers = [requests.get(f"{busy.base_url}/access-token", **options) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    body = answers[2].json()
    assert (body["scope"], body["limit"], body["current"]) == ("rest_user", 2, 3)
    assert 0 < int(answers[2].headers["RateLimit-User-Reset"]) <= 60
    assert "Retry-After" not in answers[2].headers


def test_organizations_are_limited_one_by_one_and_a_minute_ends(sandbox):
    busy = sandbox.add("buildkite", "busy", rest_limit=2)
    busy.pipeline("acme/shop")
    busy.pipeline("other/web")
    options = {"headers": {"Authorization": f"Bearer {busy.token}"}, "timeout": 10}

    def status(organization: str) -> int:
        url = f"{busy.base_url}/organizations/{organization}/pipelines"
        return requests.get(url, **options).status_code

    assert [status("acme") for _ in range(3)] == [200, 200, 429]
    assert status("other") == 200
    sandbox.advance(61)
    assert status("acme") == 200


def test_a_public_pipeline_can_be_read_by_anybody_and_started_by_none(buildkite, sandbox):
    sandbox.buildkite.pipeline("acme/shop", details={"visibility": "public"}, history=1)
    wrong = {"headers": {"Authorization": "Bearer wrong"}}
    assert buildkite("GET", BUILDS, **wrong).status_code == 200
    assert buildkite("POST", BUILDS, json=START, **wrong).status_code == 401
    assert buildkite("GET", "organizations/acme/pipelines", **wrong).status_code == 401


def test_a_renamed_pipeline_keeps_its_id_and_its_builds(buildkite, shop, sandbox):
    start(buildkite)
    before = buildkite("GET", "organizations/acme/pipelines/shop").json()
    sandbox.buildkite.instance.rename("acme/shop", "acme/store")
    listed = buildkite("GET", "organizations/acme/pipelines").json()
    assert [(found["id"], found["slug"]) for found in listed] == [(before["id"], "store")]
    assert buildkite("GET", BUILDS).status_code == 404
    assert len(buildkite("GET", BUILDS.replace("shop", "store")).json()) == 1


def test_the_token_tells_its_expiry(buildkite, sandbox):
    sandbox.buildkite.add_token("short", expires_in_days=2, rights=["read_builds"])
    own = {"Authorization": "Bearer short"}
    token = buildkite("GET", "access-token", headers=own).json()
    assert token["scopes"] == ["read_builds"]
    assert token["expires_at"].endswith(" UTC")
    sandbox.advance(3 * 86_400)
    assert buildkite("GET", "access-token", headers=own).status_code == 401


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("organizations/nobody/pipelines", "No organization found"),
        ("organizations/ACME/pipelines", "No organization found"),
        ("organizations/acme/pipelines/none", "No pipeline found"),
        (f"{BUILDS}/7", "No build found"),
        (f"{BUILDS}/x", "No build found"),
        ("nonsense", "No route matches /buildkite/v2/nonsense"),
    ],
)
def test_what_is_absent_is_404_by_name(buildkite, shop, path, message):
    answer = buildkite("GET", path)
    assert (answer.status_code, answer.json()["message"]) == (404, message)


def test_what_a_token_may_not_see_is_404(buildkite, shop, sandbox):
    sandbox.buildkite.pipeline("acme/secret")
    sandbox.buildkite.add_token("narrow", only=["acme/shop"])
    own = {"Authorization": "Bearer narrow"}
    answer = buildkite("GET", "organizations/acme/pipelines/secret", headers=own)
    assert answer.status_code == 404
    listed = buildkite("GET", "organizations/acme/pipelines", headers=own).json()
    assert [pipeline["slug"] for pipeline in listed] == ["shop"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"branch": "main"}, 422, "Validation Failed"),
        ({"commit": "HEAD", "branch": "feature/x"}, 422, "Branches have been disabled"),
        ({**START, "meta_data": "x"}, 422, "Validation Failed"),
        ([], 422, "JSON object"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(buildkite, shop, body, status, said):
    shop.branch_filter = "main release/*"
    answer = buildkite("POST", BUILDS, json=body)
    assert answer.status_code == status
    assert said in answer.json()["message"]
    assert shop.builds == {}


def test_a_body_that_is_no_json_is_400(buildkite, shop):
    assert buildkite("POST", BUILDS, data=b"{").status_code == 400


def test_branch_filters_are_ignored_when_asked(buildkite, shop):
    shop.branch_filter = "main"
    start(buildkite, branch="feature/x", ignore_pipeline_branch_filters=True)
    assert len(shop.builds) == 1


def test_head_becomes_a_commit_when_the_build_begins(buildkite, shop, sandbox):
    shop.queue_seconds = 30
    assert start(buildkite)["commit"] == "HEAD"
    sandbox.advance(31)
    assert len(buildkite("GET", f"{BUILDS}/1").json()["commit"]) == 40


def test_branches_are_matched_by_wildcards_and_lists(buildkite, shop):
    for branch in ("main", "feature/dev", "fix"):
        start(buildkite, branch=branch)

    def numbers(**query) -> list[int]:
        return [build["number"] for build in buildkite("GET", BUILDS, params=query).json()]

    assert numbers(branch="*dev*") == [2]
    assert numbers(branch="main,fix") == [3, 1]
    assert numbers(**{"branch[]": ["main", "fix"]}) == [3, 1]
    assert numbers(state="finished") == []


def test_the_organization_lists_builds_of_all_pipelines(buildkite, shop, sandbox):
    sandbox.buildkite.pipeline("acme/other", history=1)
    start(buildkite, meta_data={"stagedoor-request-id": "r-1"})
    path = "organizations/acme/builds"
    assert len(buildkite("GET", path).json()) == 2
    found = buildkite("GET", path, params={"meta_data[stagedoor-request-id]": "r-1"}).json()
    assert [build["pipeline"]["slug"] for build in found] == ["shop"]


def test_lists_can_leave_out_jobs_and_pipeline(buildkite, shop):
    start(buildkite)
    short = {"exclude_jobs": "true", "exclude_pipeline": "true"}
    build = buildkite("GET", BUILDS, params=short).json()[0]
    assert "jobs" not in build
    assert "pipeline" not in build


def test_links_keep_the_filters(buildkite, shop):
    for _ in range(5):
        start(buildkite)
    query = {"per_page": 2, "page": 2, "branch": "main"}
    links = buildkite("GET", BUILDS, params=query).links
    assert set(links) == {"next", "prev", "first"}
    assert "branch=main" in links["next"]["url"]
    assert "page=3" in links["next"]["url"]


def test_listing_too_deep_is_400(buildkite, shop):
    answer = buildkite("GET", BUILDS, params={"page": 500, "per_page": 100})
    assert answer.status_code == 400
    assert "this deep is not supported" in answer.json()["message"]


def test_a_time_that_is_none_is_refused(buildkite, shop):
    answer = buildkite("GET", BUILDS, params={"created_from": "yesterday"})
    assert answer.status_code == 422


def test_a_group_makes_the_build_failing_before_it_failed(buildkite, shop, sandbox):
    steps = [
        {"name": "Lint", "seconds": 10, "outcome": "failed", "group": "checks"},
        {"name": "Test", "seconds": 60, "group": "checks"},
    ]
    sandbox.buildkite.pipeline("acme/shop", queue_seconds=0, steps=steps)
    start(buildkite)
    sandbox.advance(20)
    build = buildkite("GET", f"{BUILDS}/1").json()
    assert (build["state"], build["failing_at"] is not None) == ("failing", True)
    sandbox.advance(60)
    assert buildkite("GET", f"{BUILDS}/1").json()["state"] == "failed"


def test_jobs_are_listed_behind_a_cursor_and_narrowed_by_state(buildkite, sandbox, shop):
    steps = [{"name": f"Test {n}", "group": "tests"} for n in range(5)]
    sandbox.buildkite.pipeline("acme/shop", steps=[*steps, {"name": "Go?", "gate": True}])
    start(buildkite)
    sandbox.advance(60)
    page, names = buildkite("GET", f"{BUILDS}/1/jobs?per_page=2").json(), []
    while True:
        names += [job.get("name") or job["label"] for job in page["items"]]
        if "next" not in page["links"]:
            break
        page = buildkite("GET", page["links"]["next"].partition("/v2/")[2]).json()
    assert names == [*(f"Test {n}" for n in range(5)), "Go?"]
    blocked = buildkite("GET", f"{BUILDS}/1/jobs?state[]=blocked").json()["items"]
    assert [job["label"] for job in blocked] == ["Go?"]
    assert buildkite("GET", f"{BUILDS}/1/jobs?after=nothing").status_code == 400


def test_jobs_are_listed_with_their_earlier_attempts_unless_declined(buildkite, sandbox, shop):
    sandbox.buildkite.pipeline("acme/shop", steps=[{"name": "Test", "outcome": "failed"}])
    start(buildkite)
    sandbox.advance(60)
    assert buildkite("PUT", f"{BUILDS}/1/retry_failed_jobs").status_code == 202
    assert len(buildkite("GET", f"{BUILDS}/1/jobs").json()["items"]) == 2
    declined = buildkite("GET", f"{BUILDS}/1/jobs?include_retried_jobs=false").json()["items"]
    assert [job["retried"] for job in declined] == [False]


def test_retry_failed_jobs_counts_them(buildkite, shop, sandbox):
    flaky = {"name": "Flaky", "seconds": 5, "outcomes": ["failed", "passed"]}
    sandbox.buildkite.pipeline("acme/shop", queue_seconds=0, steps=[flaky])
    start(buildkite)
    sandbox.advance(10)
    first, second = (buildkite("PUT", f"{BUILDS}/1/retry_failed_jobs") for _ in range(2))
    assert (first.status_code, first.json()["retried_jobs_count"]) == (202, 1)
    assert second.json()["retried_jobs_count"] == 0
    sandbox.advance(10)
    assert buildkite("GET", f"{BUILDS}/1").json()["state"] == "passed"
    assert [entry.action for entry in sandbox.accepted()] == ["start", "retry"]


def log_of(buildkite, index=0, **options) -> requests.Response:
    jobs = buildkite("GET", f"{BUILDS}/1").json()["jobs"]
    path = f"{BUILDS}/1/jobs/{jobs[index]['id']}/log"
    return buildkite("GET", path, **options)


def test_a_log_grows_and_has_timestamps(buildkite, shop, sandbox):
    start(buildkite)
    early = log_of(buildkite).json()["content"]
    sandbox.advance(60)
    late = log_of(buildkite).json()
    assert late["content"].startswith(early)
    assert len(late["content"]) > len(early)
    assert late["size"] == len(late["content"].encode())
    assert late["content"].startswith("\x1b_bk;t=")
    assert late["content"].endswith("\r\n")


def test_the_end_of_a_log_is_asked_by_a_suffix_range(buildkite, shop, sandbox):
    start(buildkite)
    sandbox.advance(60)
    text = {"Accept": "text/plain"}
    whole = log_of(buildkite, headers=text).content
    tail = log_of(buildkite, headers=text | {"Range": "bytes=-20"})
    assert (tail.status_code, tail.content) == (206, whole[-20:])
    assert tail.headers["Content-Range"] == f"bytes {len(whole) - 20}-{len(whole) - 1}/{len(whole)}"
    other = log_of(buildkite, headers=text | {"Range": "bytes=10-20"})
    assert other.status_code == 400


def test_an_empty_log_has_no_range(buildkite, shop):
    start(buildkite)
    assert log_of(buildkite, 2).json()["content"] == ""
    answer = log_of(buildkite, 2, headers={"Accept": "text/plain", "Range": "bytes=-20"})
    assert answer.status_code == 416


def test_a_block_step_has_no_log_and_an_unblocker_must_be_known(buildkite, shop, sandbox):
    gate = [{"name": "Go?", "gate": True}]
    sandbox.buildkite.pipeline("acme/shop", queue_seconds=0, steps=gate)
    start(buildkite)
    assert log_of(buildkite).status_code == 404
    job = buildkite("GET", f"{BUILDS}/1").json()["jobs"][0]
    path = f"{BUILDS}/1/jobs/{job['id']}/unblock"
    stranger = buildkite("PUT", path, json={"unblocker": "nobody"})
    assert stranger.status_code == 422
    assert buildkite("PUT", path).status_code == 200
    assert buildkite("PUT", path).status_code == 422


def test_an_archived_pipeline_is_listed_and_starts_nothing(buildkite, sandbox):
    sandbox.buildkite.pipeline("acme/shop", archived=True)
    assert buildkite("GET", "organizations/acme/pipelines").json()[0]["archived_at"]
    assert buildkite("POST", BUILDS, json=START).status_code == 422


def test_a_build_has_a_page_for_people(buildkite, shop, sandbox):
    labels = {"stagedoor-person": "ana <script>"}
    build = start(buildkite, meta_data=labels)
    page = requests.get(build["web_url"], timeout=10)
    assert page.status_code == 200
    assert "ana &lt;script&gt;" in page.text
    assert "\x1b" not in page.text
