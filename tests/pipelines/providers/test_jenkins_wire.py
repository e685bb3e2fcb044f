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


def test_rights_that_are_never_used_are_found_where_reading_shows_them(sandbox):
    jenkins = sandbox.jenkins
    jenkins.pipeline("a/b")
    needed = ["read", "build", "cancel"]
    for rights, unused in (
        (needed, []),
        ([*needed, "administer"], ["Overall/Administer or Overall/SystemRead"]),
        ([*needed, "configure"], ["Job/Configure or Job/ExtendedRead"]),
    ):
        jenkins.add_token("t", login="bot", rights=rights)
        result = make_adapter("jenkins", jenkins.base_url, "bot:t").check()
        assert [right for right, _ in result.unused] == unused
        assert (result.lacks, result.who_id) == ((), "bot")
        assert any("can't be asked for" in note for note in result.notes)


def test_a_user_without_any_right_lacks_reading(sandbox):
    who = json_reply('{"name": "bot", "authenticated": true}', **X_JENKINS)
    denied = reply(403, "", X_Required_Permission="hudson.model.Hudson.Read")

    def behave(handler):
        (who if handler.path.startswith("/whoAmI") else denied)(handler)

    with serve(behave) as httpd:
        result = at(httpd.url).check()
    assert (result.lacks, result.unused) == ((("Overall/Read", "list jobs"),), ())


def test_a_sign_in_page_in_place_of_a_right_is_no_right():
    who = json_reply('{"name": "bot", "authenticated": true, "jobs": [{"name": "a"}]}', **X_JENKINS)
    page = reply(200, "<html>", Content_Type="text/html")

    def behave(handler):
        (page if "plugin" in handler.path or "config" in handler.path else who)(handler)

    with serve(behave) as httpd:
        assert at(httpd.url).check().unused == ()


def test_a_site_that_is_no_jenkins_is_said():
    who = '{"name": "bot", "authenticated": true, "anonymous": false}'
    with serve(json_reply(who)) as httpd, pytest.raises(Misconfigured, match="no Jenkins"):
        at(httpd.url).check()


@pytest.mark.parametrize("who", ['{"name": "anonymous", "anonymous": true}', "{}", "[]"])
def test_anonymous_is_not_signed_in_although_jenkins_answers_200(who):
    with serve(json_reply(who, **X_JENKINS)) as httpd, pytest.raises(NotAuthorized):
        at(httpd.url).check()


@pytest.mark.nasty("jenkins-4")
@pytest.mark.nasty("jenkins-6")
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
