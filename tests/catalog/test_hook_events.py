"""What deliveries of three hosts are about; what can't be understood is a sentence."""

import json
from urllib.parse import urlencode

import pytest

from catalog.hook_events import HookUnread, hint_of

GITHUB_REPOSITORY = {"id": 42, "full_name": "acme/pay", "default_branch": "main"}
CLOUD_REPOSITORY = {"uuid": "{9a1c}", "full_name": "acme/pay"}
DC_REPOSITORY = {"id": 7, "slug": "pay", "project": {"key": "ACME"}}


def github(event, **body):
    return hint_of({"x-github-event": event}, json.dumps(body).encode())


def bitbucket(event, **body):
    return hint_of({"x-event-key": event}, json.dumps(body).encode())


def test_a_push_to_github_names_repository_and_branch():
    hint = github("push", ref="refs/heads/feature/x", repository=GITHUB_REPOSITORY)
    assert (hint.changed, hint.listing, hint.pull_requests) == (True, False, False)
    assert (hint.ids, hint.full_name) == (("42",), "acme/pay")
    assert hint.concerns({"branch": "feature/x"}, "main")
    assert not hint.concerns({}, "main")
    assert hint.concerns({}, "trunk")  # the host's main branch is no longer the one we know
    tag = github("push", ref="refs/tags/main", repository=GITHUB_REPOSITORY)
    assert not tag.concerns({}, "main")


def test_a_form_of_github_is_read_like_its_json():
    body = urlencode({"payload": json.dumps({"repository": GITHUB_REPOSITORY})}).encode()
    headers = {
        "x-github-event": "push",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    assert hint_of(headers, body).ids == ("42",)


def test_a_push_to_bitbucket_cloud_names_every_branch_made_moved_or_deleted():
    changes = [{"new": {"name": "a"}, "old": None}, {"new": None, "old": {"name": "b"}}]
    hint = bitbucket("repo:push", push={"changes": changes}, repository=CLOUD_REPOSITORY)
    assert hint.ids == ("{9a1c}",)
    assert hint.branches == {"a", "b"}
    # Too many changes are left out by the host.
    nothing = bitbucket("repo:push", push={"changes": []}, repository=CLOUD_REPOSITORY)
    assert nothing.concerns({}, "main")


def test_a_push_to_data_center_names_project_and_slug():
    changes = [{"ref": {"id": "refs/heads/main"}, "type": "UPDATE"}]
    hint = bitbucket("repo:refs_changed", changes=changes, repository=DC_REPOSITORY)
    assert (hint.ids, hint.full_name, hint.branches) == (("7",), "ACME/pay", {"main"})
    mirror = bitbucket("mirror:repo_synchronized", refLimitExceeded=True, repository=DC_REPOSITORY)
    assert mirror.concerns({}, "main")


@pytest.mark.parametrize(
    ("hint", "ids"),
    [
        (github("pull_request", repository=GITHUB_REPOSITORY), ("42",)),
        (bitbucket("pullrequest:fulfilled", repository=CLOUD_REPOSITORY), ("{9a1c}",)),
        (bitbucket("pr:opened", pullRequest={"toRef": {"repository": DC_REPOSITORY}}), ("7",)),
    ],
)
def test_pull_requests_of_all_three(hint, ids):
    assert hint.pull_requests
    assert not hint.changed
    assert hint.ids == ids


@pytest.mark.parametrize(
    "hint",
    [
        github("repository", action="renamed", repository=GITHUB_REPOSITORY),
        github("installation_repositories"),
        bitbucket("repo:deleted", repository=CLOUD_REPOSITORY),
        bitbucket("repo:transfer", repository=CLOUD_REPOSITORY),
        bitbucket("project:modified"),
    ],
)
def test_another_list_of_repositories(hint):
    assert hint.listing


@pytest.mark.parametrize(
    ("hint", "reason"),
    [
        (github("ping", zen="…"), "A test of the connection."),
        (bitbucket("diagnostics:ping", test=True), "A test of the connection."),
        (github("star"), "Nothing follows from this event."),
        (hint_of({}, b"{}"), "It does not say which event."),
    ],
)
def test_what_nothing_follows_from(hint, reason):
    assert not any((hint.changed, hint.listing, hint.pull_requests))
    assert hint.reason == reason


@pytest.mark.parametrize("body", [b"", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_said(body):
    with pytest.raises(HookUnread, match=r"not (a )?JSON"):
        hint_of({"x-github-event": "push"}, body)


@pytest.mark.parametrize(
    "payload",
    [
        {"repository": 5, "ref": []},
        {"repository": {"id": {}, "full_name": 3}, "push": [], "changes": 7},
        {"pullRequest": "x", "repository": None, "push": {"changes": [None, 5, {"new": "x"}]}},
    ],
)
def test_any_shape_is_survived(payload):
    for event in ("push", "repo:push", "repo:refs_changed", "pr:opened", "repository"):
        assert hint_of({"x-event-key": event}, json.dumps(payload).encode()).event == event


def test_names_that_a_database_can_not_compare_are_made_plain():
    sent = {"repository": {"id": "7\x00", "full_name": "a\x00c\ud800me/x"}}
    found = hint_of({"x-github-event": "push"}, json.dumps(sent).encode())
    assert (found.ids, found.full_name) == (("7",), "ac?me/x")
