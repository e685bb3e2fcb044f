"""Jenkins' credential, connection test and refusals."""

import pytest

from pipelines.providers.errors import Forbidden, InvalidResponse, Misconfigured, NotAuthorized
from pipelines.providers.jenkins import Jenkins
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import make_adapter

X_JENKINS = {"X_Jenkins": "2.516"}


def at(url: str) -> Jenkins:
    return make_adapter("jenkins", url, "bot:token")


@pytest.mark.parametrize("secret", ["onlytoken", ":token", "user:"])
def test_a_credential_without_a_user_is_misconfigured(secret):
    with pytest.raises(Misconfigured, match="user:token") as caught:
        make_adapter("jenkins", "http://127.0.0.1:9", secret)
    assert "onlytoken" not in str(caught.value)


def test_a_user_name_beyond_ascii_is_sent_as_utf_8():
    with serve(json_reply('{"name": "jürgen", "authenticated": true}', **X_JENKINS)) as httpd:
        make_adapter("jenkins", httpd.url, "jürgen:token").check()
    assert httpd.asked[0].headers["Authorization"] == "Basic asO8cmdlbjp0b2tlbg=="


def test_the_check_tells_version_and_what_it_can_not_know(sandbox):
    jenkins = sandbox.jenkins
    adapter = make_adapter("jenkins", jenkins.base_url, jenkins.credential)
    result = adapter.check()
    assert result.version
    assert any("sees no job" in note for note in result.notes)
    jenkins.pipeline("a")
    assert not any("sees no job" in note for note in adapter.check().notes)


def test_a_site_that_is_no_jenkins_is_said():
    who = '{"name": "bot", "authenticated": true, "anonymous": false}'
    with serve(json_reply(who)) as httpd, pytest.raises(Misconfigured, match="no Jenkins"):
        at(httpd.url).check()


@pytest.mark.parametrize("who", ['{"name": "anonymous", "anonymous": true}', "{}", "[]"])
def test_anonymous_is_not_signed_in_although_jenkins_answers_200(who):
    with serve(json_reply(who, **X_JENKINS)) as httpd, pytest.raises(NotAuthorized):
        at(httpd.url).check()


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        (
            reply(403, "<html>", X_Required_Permission="hudson.model.Item.Build"),
            Forbidden,
            "Job/Bu",
        ),
        (reply(403, "<html>", X_Required_Permission="<script>"), Forbidden, "a permission"),
        (reply(403, "", X_You_Are_Authenticated_As="anonymous"), NotAuthorized, "anonymous"),
        (reply(403, "No valid crumb was included"), Misconfigured, "crumb"),
        (reply(302, "", Location="https://idp.example/login?x=1"), Misconfigured, "idp.example"),
        (json_reply("[1, 2]"), InvalidResponse, "shape"),
        (reply(200, "<html>", Content_Type="text/html"), InvalidResponse, "sign-in"),
    ],
)
def test_jenkins_refusals_are_told_in_our_words(behaviour, error, words):
    with serve(behaviour) as httpd, pytest.raises(error, match=words) as caught:
        at(httpd.url).get_pipeline("job")
    assert "<" not in str(caught.value)
