"""Second factors of local accounts: they work, and their secrets are unreadable in the database."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from portal.leaving import end_access
from portal.mfa import MFAAdapter
from portal.models import AuditEvent, UserSession

pytestmark = pytest.mark.django_db
PASSWORD = "right-password-1"


@pytest.fixture
def administrator(client: Client) -> User:
    user = User.objects.create_superuser("root", "root@example.com", PASSWORD)
    assert log_in(client)["Location"] == "/"
    # What changes the account asks for the password once more.
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return user


def log_in(client: Client):
    return client.post("/accounts/login/", {"login": "root", "password": PASSWORD})


def code_for(secret: str, at: float | None = None) -> str:
    """The code that an authenticator app shows (RFC 6238, 30 seconds, 6 digits)."""
    return format_hotp_value(hotp_value(secret, int((at or time.time()) // 30)))


def activate(client: Client) -> str:
    page = client.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    answer = client.post("/accounts/2fa/totp/activate/", {"code": code_for(secret)})
    assert answer.status_code == 302
    return secret


def test_setting_up_an_app_asks_for_the_password_once_more(client, administrator):
    other = Client()
    log_in(other)
    target = other.get("/accounts/2fa/totp/activate/")["Location"]
    assert target.startswith("/accounts/reauthenticate/")


def test_with_an_app_a_password_alone_signs_nobody_in(client, administrator):
    secret = activate(client)
    other = Client()
    assert log_in(other)["Location"] == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in other.session
    assert other.get("/accounts/2fa/authenticate/").status_code == 200
    wrong = other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "Incorrect code" in wrong.content.decode()
    cache.clear()  # one code is accepted once; the activation used this one
    right = other.post("/accounts/2fa/authenticate/", {"code": code_for(secret)})
    assert right["Location"] == "/"
    assert AuditEvent.objects.filter(action="signin").count() == 2


def test_who_left_meanwhile_is_not_signed_in_by_the_second_factor(client, administrator):
    secret = activate(client)
    other = Client()
    log_in(other)
    end_access(administrator, why="They left.")
    cache.clear()
    answer = other.post("/accounts/2fa/authenticate/", {"code": code_for(secret)})
    assert answer["Location"] == "/signin/failed/"
    assert AuditEvent.objects.filter(action="signin").count() == 1
    assert not UserSession.objects.exists()


def test_cancelling_the_second_factor_ends_the_half_sign_in(client, administrator):
    activate(client)
    other = Client()
    log_in(other)
    other.post("/accounts/logout/")
    assert other.get("/accounts/2fa/authenticate/").status_code == 302


def test_the_secret_is_unreadable_in_the_database(client, administrator):
    secret = activate(client)
    stored = str(Authenticator.objects.get(type="totp").data)
    assert secret not in stored
    codes = client.post("/accounts/2fa/recovery-codes/generate/", {}, follow=True)
    shown = codes.context["unused_codes"]
    assert len(shown) == 10
    assert shown[0] not in str(list(Authenticator.objects.values_list("data", flat=True)))


def test_a_recovery_code_signs_in_once(client, administrator):
    activate(client)
    client.post("/accounts/2fa/recovery-codes/generate/")
    code = client.get("/accounts/2fa/recovery-codes/").context["unused_codes"][0]
    other = Client()
    log_in(other)
    assert other.post("/accounts/2fa/authenticate/", {"code": code})["Location"] == "/"
    again = Client()
    log_in(again)
    assert again.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "2fa/", "2fa/totp/activate/", "2fa/webauthn/", "2fa/webauthn/add/", "password/change/",
        "reauthenticate/",
    ],
)  # fmt: skip
def test_the_pages_are_drawn_in_the_portals_frame(client, administrator, path):
    page = client.get(f"/accounts/{path}").content.decode()
    assert "css/stagedoor.css" in page
    assert " style=" not in page
    assert "Menu:" not in page


def test_a_changed_secret_key_is_told_in_words(settings):
    kept = MFAAdapter().encrypt("secret")
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 10
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        MFAAdapter().decrypt(kept)
    settings.SECRET_KEY_FALLBACKS = [before]
    assert MFAAdapter().decrypt(kept) == "secret"
