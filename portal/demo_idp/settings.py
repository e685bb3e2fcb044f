"""Django settings of the demo's identity provider, with its own database, cookies and key.

Where it listens and which client it knows, it takes from the portal's settings: both must agree.
"""

import hashlib
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from portal import settings as portal
from portal.database import database_from_url
from portal.demo_idp.key import signing_key

if portal.PRODUCTION:
    raise ImproperlyConfigured(
        "The demo identity provider knows everybody's password and does not run in production. "
        "Set OIDC_ISSUER to your company's provider."
    )
LISTEN_HOST = urlsplit(portal.OIDC_OP_ISSUER).hostname or ""
LISTEN_PORT = urlsplit(portal.OIDC_OP_ISSUER).port or 80
if LISTEN_HOST not in {"127.0.0.1", "localhost", "::1"}:
    raise ImproperlyConfigured(
        f"The demo identity provider listens on this machine only; OIDC_ISSUER names {LISTEN_HOST}."
    )

BASE_DIR = portal.BASE_DIR / "portal" / "demo_idp"
PORTAL_URL = portal.PORTAL_URL
CLIENT_ID = portal.OIDC_RP_CLIENT_ID
CLIENT_SECRET = portal.OIDC_RP_CLIENT_SECRET
GROUPS_CLAIM = portal.OIDC_GROUPS_CLAIM
USER_REF_CLAIM = portal.OIDC_USER_REF_CLAIM

IDP_OIDC_PRIVATE_KEY = signing_key(portal.DATA_DIR / "demo-idp-key.pem")
# Made from the key, so that sessions live as long as it does.
SECRET_KEY = hashlib.sha256(f"session {IDP_OIDC_PRIVATE_KEY}".encode()).hexdigest()
DEBUG = False
ALLOWED_HOSTS = [LISTEN_HOST]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "allauth.idp.oidc",
    "portal.demo_idp",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "portal.demo_idp.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.demo_idp.views.company",
            ],
        },
    }
]
DATABASES = {"default": database_from_url(f"sqlite:///{portal.DATA_DIR / 'idp.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The demo's passwords are printed at every start; a slow hash would protect nothing.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True

# Cookies ignore the port: with the portal's names, each sign-in would eat the other's session.
SESSION_COOKIE_NAME = "demo_idp_session"
CSRF_COOKIE_NAME = "demo_idp_csrf"

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "portal.demo_idp.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = False  # everybody's password is on the sign-in page
IDP_OIDC_ADAPTER = "portal.demo_idp.adapter.OIDCAdapter"
IDP_OIDC_RP_INITIATED_LOGOUT_ASKS_FOR_OP_LOGOUT = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"django.server": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}
