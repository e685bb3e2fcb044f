"""Reads settings from the environment, so that an error names the variable to mend.

Every reader takes the variable's name and a default. `NAME_FILE` beside a secret's `NAME` reads
the value from a file, as container platforms mount secrets.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def env_str(name: str, default: str = "", environ: Mapping[str, str] = os.environ) -> str:
    """The value with surrounding white space removed."""
    return environ.get(name, default).strip()


def env_bool(name: str, default: bool = False, environ: Mapping[str, str] = os.environ) -> bool:
    """Accepts 1/0, true/false, yes/no, on/off in any case."""
    raw = environ.get(name)
    if raw is None:
        return default
    word = raw.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {raw!r}.")


def env_int(name: str, default: int, environ: Mapping[str, str] = os.environ) -> int:
    """A whole number."""
    raw = environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from None


def env_list(name: str, default: str = "", environ: Mapping[str, str] = os.environ) -> list[str]:
    """A comma-separated list; empty items are dropped."""
    return [item.strip() for item in environ.get(name, default).split(",") if item.strip()]


def env_choice(name: str, choices: Collection[str], environ: Mapping[str, str] = os.environ) -> str:
    """One of the choices; the first is the default."""
    value = environ.get(name, "").strip() or next(iter(choices))
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def env_map(name: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A JSON object of texts, or the path of a file that holds one."""
    raw = environ.get(name, "").strip()
    if not raw:
        return {}
    try:
        text = raw if raw.startswith("{") else Path(raw).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(
            f"{name} must be a JSON object or the path of a file with one: {error}."
        ) from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ImproperlyConfigured(f"{name} must be a JSON object whose values are texts.")
    return found


def env_secret(name: str, default: str = "", environ: Mapping[str, str] = os.environ) -> str:
    """A secret from NAME, or from the file that NAME_FILE points to; never both."""
    value, path = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if not path:
        return value or default
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}_FILE points to a file that can't be read: {error.strerror}."
        ) from None
