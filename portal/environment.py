"""Where the project lies and which kind of installation it is, before any setting is read."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv

from portal.env import env_str

BASE_DIR = Path(__file__).resolve().parent.parent
load_dotenv(BASE_DIR / ".env")

ENVIRONMENT = env_str("STAGEDOOR_ENV", "demo")
if ENVIRONMENT not in {"demo", "test", "production"}:
    raise ImproperlyConfigured("STAGEDOOR_ENV must be demo, test or production.")
PRODUCTION = ENVIRONMENT == "production"
