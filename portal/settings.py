"""All settings, from the environment (12-factor); `.env.example` lists the variables.

Those of how people come in stand in `signin_settings.py`; this file takes them over.

Without any variable the portal runs in demo mode on loopback: SQLite, a file-system broker and
development keys. `STAGEDOOR_ENV=production` refuses to start on any of those insecure defaults.
"""

from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from portal.database import database_from_url
from portal.env import env_bool, env_int, env_list, env_secret, env_str
from portal.environment import BASE_DIR, ENVIRONMENT, PRODUCTION  # noqa: F401  settings, too
from portal.signin_settings import *  # noqa: F403  these as well
from portal.way_in import DEMO_KEY

DEBUG = env_bool("DEBUG", False)

# Everything the portal writes outside its database lives here.
DATA_DIR = Path(env_str("STAGEDOOR_DATA_DIR") or BASE_DIR / "var")
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)  # its database holds sessions

# Taken apart and put together again it has its scheme in lower case.
PORTAL_URL = urlsplit(env_str("PORTAL_URL", "http://127.0.0.1:8000")).geturl().rstrip("/")
# Where the web server of `manage.py run` listens; differs from PORTAL_URL behind a TLS proxy.
LISTEN_URL = env_str("LISTEN_URL", "http://127.0.0.1:8000" if PRODUCTION else PORTAL_URL)
# Where the demo's stand-in CI listens.
SANDBOX_URL = env_str("SANDBOX_URL", "http://127.0.0.1:9800").rstrip("/")
# 2 makes its builds twice as fast.
SANDBOX_SPEED = env_str("SANDBOX_SPEED", "1")
SECRET_KEY = env_secret("SECRET_KEY", "" if PRODUCTION else DEMO_KEY)
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", urlsplit(PORTAL_URL).hostname or "127.0.0.1")
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "catalog.apps.CatalogConfig",
    "pipelines.apps.PipelinesConfig",
    "portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.saml",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.bitbucket_oauth2",
    "django.contrib.humanize",  # allauth.mfa draws with it
    "mozilla_django_oidc",
    "django_htmx",
    "csp",
]

MIDDLEWARE = [
    "portal.middleware.PathSecretMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Behind WhiteNoise, whose files are compressed already. What pages hold of secrets is a
    # masked CSRF token, so that compressing tells nothing (BREACH).
    "django.middleware.gzip.GZipMiddleware",
    "portal.middleware.RequestIdMiddleware",
    "portal.middleware.NoStoreMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "portal.session_refresh.HtmxSessionRefresh",
    "django.contrib.messages.middleware.MessageMiddleware",
    "portal.mfa_required.SecondFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "csp.middleware.CSPMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
WSGI_APPLICATION = "portal.wsgi.application"

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
                "portal.context.portal",
            ],
            "builtins": ["portal.templatetags.ui"],
        },
    }
]

# No ATOMIC_REQUESTS: it would roll an audit row back together with the error it reports.
DATABASES = {
    "default": database_from_url(env_secret("DATABASE_URL", f"sqlite:///{DATA_DIR}/db.sqlite3"))
}
DATABASE_STATEMENT_TIMEOUT = env_int("DATABASE_STATEMENT_TIMEOUT", 30)
# The default cache is in the database, where every process sees it: allauth keeps there how often a
# password or a code was tried, and which code was used. Readers' answers stay in their process and
# can push nothing of the portal's own out (portal/process_cache.py).
_LOCAL = "django.core.cache.backends.locmem.LocMemCache"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "portal_cacheentry",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    "answers": {"BACKEND": _LOCAL, "LOCATION": "answers"},
    "notes": {"BACKEND": _LOCAL, "LOCATION": "notes", "OPTIONS": {"MAX_ENTRIES": 10_000}},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "portal.static_bundle.BundleFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Sessions ---------------------------------------------------------------------------------
SESSION_ENGINE = "portal.user_sessions"  # Django's in the database, which also know whose they are
SESSION_COOKIE_NAME = "stagedoor_session"
CSRF_COOKIE_NAME = "stagedoor_csrf"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PORTAL_URL.startswith("https://")

# --- Transport -------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = PRODUCTION and env_bool("SECURE_SSL_REDIRECT", True)
SECURE_HSTS_SECONDS = env_int("SECURE_HSTS_SECONDS", 31_536_000) if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
if env_bool("BEHIND_TLS_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# REMOTE_ADDR is set from it, which allauth counts by, too (portal/middleware.py).
TRUSTED_PROXIES = env_int("TRUSTED_PROXIES", 0)
if not 0 <= TRUSTED_PROXIES <= 9:
    raise ImproperlyConfigured("TRUSTED_PROXIES must be from 0 to 9.")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

# --- Background work -------------------------------------------------------------------------
# Every job is a row in the database that a sweep offers again, so a broker may lose messages.
CELERY_BROKER_URL = env_secret("CELERY_BROKER_URL", "filesystem://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
if CELERY_BROKER_URL.startswith("filesystem://"):
    _folder = DATA_DIR / "broker"
    for _name in ("queue", "control"):
        (_folder / _name).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_folder / "queue"),
        "data_folder_out": str(_folder / "queue"),
        "control_folder": str(_folder / "control"),
        "polling_interval": 0.1,
    }
elif CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 120,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    }
# Beat only ticks; what is due is decided by rows, so that schedules are edited without a restart.
TICK_SECONDS = env_int("TICK_SECONDS", 5)
CELERY_BEAT_SCHEDULER = "portal.beat:HeartbeatScheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "portal-forget-sessions": {
        "task": "portal.tasks.forget_sessions",
        "schedule": 3600,
        "options": {"expires": 600},
    },
    "portal-forget-deliveries": {
        "task": "portal.tasks.forget_deliveries",
        "schedule": 3600,
        "options": {"expires": 600},
    },
    "portal-read-members": {
        "task": "portal.tasks.read_members",
        "schedule": 3600,
        "options": {"expires": 1800},
    },
    "portal-tick": {
        "task": "portal.tasks.tick",
        "schedule": TICK_SECONDS,
        "options": {"expires": 60},
    },
    "catalog-tick": {
        "task": "catalog.tasks.tick",
        "schedule": TICK_SECONDS,
        "options": {"expires": 60},
    },
    "pipelines-tick": {
        "task": "pipelines.tasks.tick",
        "schedule": TICK_SECONDS,
        "options": {"expires": 60},
    },
}

# How long a worker may take to send a trigger before it counts as dead: longer than its requests.
DISPATCH_LEASE_SECONDS = env_int("DISPATCH_LEASE_SECONDS", 300)
# The first pause before a vendor is asked again what became of a trigger; doubled each time.
RECONCILE_SECONDS = env_int("RECONCILE_SECONDS", 10)

# --- Access -----------------------------------------------------------------------------------
# The role that everybody signed in holds everywhere; empty shuts out who has no mapping.
DEFAULT_ROLE = env_str("DEFAULT_ROLE", "viewer")

# --- Outgoing HTTP ---------------------------------------------------------------------------
# Networks and hosts that admins may point the portal at although they are private or loopback.
OUTGOING_ALLOW = env_list("OUTGOING_ALLOW", "" if PRODUCTION else "127.0.0.1,localhost")
# Certificate authorities (a PEM file) to trust in place of the public ones.
OUTGOING_CA_BUNDLE = env_str("OUTGOING_CA_BUNDLE")
if OUTGOING_CA_BUNDLE and not Path(OUTGOING_CA_BUNDLE).is_file():
    raise ImproperlyConfigured("OUTGOING_CA_BUNDLE must name a file that can be read.")
# `file:` credential references must stay below this folder; empty refuses them all.
CREDENTIALS_DIR = env_str("CREDENTIALS_DIR")
# Variables that `env:` references may name beside STAGEDOOR_CREDENTIAL_*; patterns are allowed.
CREDENTIAL_ENV = env_list("CREDENTIAL_ENV")
# Folders that path sources may read; empty allows the demo organisation only.
CATALOG_PATHS = [Path(p) for p in env_list("CATALOG_PATHS")] or [BASE_DIR / "catalog" / "demo_org"]
# How long an entity that has left its source is still shown, with when and why, in seconds.
CATALOG_REMOVE_AFTER_SECONDS = env_int("CATALOG_REMOVE_AFTER_SECONDS", 86_400)
# A host's "404" is believed when three readings in a row had it, over at least so long.
CATALOG_ABSENT_AFTER_SECONDS = env_int("CATALOG_ABSENT_AFTER_SECONDS", 600)
# Hosts whose files a Location in some descriptor may name by URL; "*" is every public one. Private
# ones have to stand in OUTGOING_ALLOW, too.
CATALOG_URL_ALLOW = env_list("CATALOG_URL_ALLOW", "*")

# --- Mail ------------------------------------------------------------------------------------
# The server that mail goes through; empty sends none.
EMAIL_HOST = env_str("EMAIL_HOST")
EMAIL_PORT = env_int("EMAIL_PORT", 587)
EMAIL_HOST_USER = env_str("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env_secret("EMAIL_HOST_PASSWORD")
EMAIL_USE_SSL = EMAIL_PORT == 465  # where TLS begins with the first byte
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", True) and not EMAIL_USE_SSL
EMAIL_TIMEOUT = 10  # seconds; Django's default waits for ever
DEFAULT_FROM_EMAIL = env_str("EMAIL_FROM") or f"stagedoor@{urlsplit(PORTAL_URL).hostname}"
# A channel's incoming webhook, at Slack or at what speaks like it; empty: nothing is posted.
SLACK_WEBHOOK = env_secret("SLACK_WEBHOOK")
# From this hour (UTC) on each team hears what is wrong with its descriptors; None: never.
_hour = env_str("CATALOG_DIGEST_HOUR", "7")
CATALOG_DIGEST_HOUR = None if _hour in {"", "off"} else env_int("CATALOG_DIGEST_HOUR", 7)
if CATALOG_DIGEST_HOUR not in {None, *range(24)}:
    raise ImproperlyConfigured("CATALOG_DIGEST_HOUR must be an hour from 0 to 23, or off.")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "portal.middleware.RequestIdFilter"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["console"], "level": env_str("LOG_LEVEL", "INFO")},
    # It warns at every connection that a broker of files has no host name.
    "loggers": {"kombu.connection": {"level": "ERROR"}},
}
