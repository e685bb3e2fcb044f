"""What a YAML scalar means: the core schema of YAML 1.2, and of 1.1 for those who ask for it.

The patterns are those of npm's `yaml` 2.9 (schema/core and schema/yaml-1.1), because Backstage
reads with it; `no`, dates, `12:30` and `1_000` are strings, `012` and `1e3` are numbers.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

TAG = "tag:yaml.org,2002:"
Resolver = tuple[re.Pattern[str], str, Callable[[str], Any]]


def _int(text: str, base: int = 10) -> int | float:
    """JavaScript has doubles only; what a double can't hold exactly is rounded as there."""
    if len(text) > 400:  # beyond any double, and Python refuses to read very long integers
        return -math.inf if text.startswith("-") else math.inf
    number = int(text, base)
    if abs(number) <= 2**53:
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _float(text: str) -> float:
    if text[-3:].lower() == "nan":
        return math.nan
    if text[-3:].lower() == "inf":
        return -math.inf if text.startswith("-") else math.inf
    return float(text)


def _plain(text: str) -> str:
    return text.replace("_", "")


def _sexagesimal(text: str) -> int | float:
    total: int | float = 0
    for part in _plain(text).lstrip("+-").split(":"):
        total = total * 60 + (float(part) if "." in part else _int(part))
    return -total if text.startswith("-") else total


def _based(text: str, base: int) -> int | float:
    """A whole number of YAML 1.1 that says its base, as 0b101, 017 or -0x1F."""
    digits = _plain(text).lstrip("+-").removeprefix("0b").removeprefix("0x")
    return _int(("-" if text.startswith("-") else "") + digits, base) if digits else math.nan


def _underscored(text: str) -> float:
    try:
        return _float(_plain(text))
    except ValueError:  # "." and "e5" fit the pattern; JavaScript makes NaN of them
        return math.nan


def _resolvers(*rows: tuple[str, str, Callable[[str], Any]]) -> tuple[Resolver, ...]:
    return tuple((re.compile(pattern, re.ASCII), tag, read) for pattern, tag, read in rows)


_NULL = ("~|[Nn]ull|NULL|", "null", lambda text: None)
_SPECIAL = (r"[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN", "float", _float)
CORE = _resolvers(
    _NULL,
    ("[Tt]rue|TRUE|[Ff]alse|FALSE", "bool", lambda text: text[0] in "tT"),
    ("0o[0-7]+", "int", lambda text: _int(text[2:], 8)),
    ("[-+]?[0-9]+", "int", _int),
    ("0x[0-9a-fA-F]+", "int", lambda text: _int(text[2:], 16)),
    _SPECIAL,
    (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+", "float", _float),
    (r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)", "float", _float),
)


def _timestamp(text: str) -> str:
    """What JSON makes of a JavaScript Date. Raises ValueError for what is no date."""
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError("!!timestamp wants a date such as 2024-01-31.")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    moment = datetime(int(year), int(month), int(day), tzinfo=UTC) + timedelta(
        hours=int(hour or 0),
        minutes=int(minute or 0),
        seconds=int(second or 0),
        milliseconds=int(((fraction or "") + "000")[:3]),
    )
    if zone and zone != "Z":
        minutes = _sexagesimal(zone) if ":" in zone else _sexagesimal(zone) * 60
        moment -= timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


_DATE = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:t|T|[ \t]+)([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.([0-9]+))?"
    r"(?:[ \t]*(Z|[-+][012]?[0-9](?::[0-9]{2})?))?)?"
)
YAML_11 = _resolvers(
    _NULL,
    ("Y|y|[Yy]es|YES|[Tt]rue|TRUE|[Oo]n|ON", "bool", lambda text: True),
    ("N|n|[Nn]o|NO|[Ff]alse|FALSE|[Oo]ff|OFF", "bool", lambda text: False),
    ("[-+]?0b[01_]+", "int", lambda text: _based(text, 2)),
    ("[-+]?0[0-7_]+", "int", lambda text: _based(text, 8)),
    ("[-+]?[0-9][0-9_]*", "int", lambda text: _int(_plain(text))),
    ("[-+]?0x[0-9a-fA-F_]+", "int", lambda text: _based(text, 16)),
    _SPECIAL,
    (r"[-+]?(?:[0-9][0-9_]*)?(?:\.[0-9_]*)?[eE][-+]?[0-9]+", "float", _underscored),
    (r"[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*", "float", _underscored),
    (r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+", "int", _sexagesimal),
    (r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*", "float", _sexagesimal),
    (_DATE.pattern, "timestamp", _timestamp),
)
# Nothing else than these can begin a plain scalar that is not a string: a quick way out.
_FIRST = {"1.2": frozenset("~nNtTfF+-.0123456789"), "1.1": frozenset("~nNtTfF+-.0123456789yYoOeE")}
_SCHEMAS = {"1.2": CORE, "1.1": YAML_11}
# Whether any of a schema's patterns fits: most words that begin like one of them are none.
_ANY = {
    version: re.compile("|".join(f"(?:{row[0].pattern})" for row in schema), re.ASCII)
    for version, schema in _SCHEMAS.items()
}


def plain_value(text: str, version: str) -> Any:
    """The value of a scalar without quotes and tag. Numbers, None, booleans or the text itself."""
    if (text and text[0] not in _FIRST[version]) or not _ANY[version].fullmatch(text):
        return text
    for pattern, _tag, read in _SCHEMAS[version]:
        if pattern.fullmatch(text):
            return read(text)
    return text


def tagged_value(text: str, tag: str, version: str) -> tuple[Any, bool]:
    """The value of a scalar with an explicit tag, and whether the tag could be applied.

    Raises ValueError with a sentence where the tag refuses the text.
    """
    name = tag.removeprefix(TAG)
    if tag in ("!", TAG + "str"):
        return text, True
    for pattern, own, read in _SCHEMAS[version]:
        if own == name and tag.startswith(TAG) and pattern.fullmatch(text):
            return read(text), True
    if tag == TAG + "timestamp":
        return _timestamp(text), True
    if tag == TAG + "binary":
        return _binary(text), True
    return text, False


def _binary(text: str) -> dict[str, Any]:
    """What JSON makes of a Node Buffer; Backstage stores binary data like that."""
    kept = re.sub(r"[^A-Za-z0-9+/]", "", text)
    try:
        data = base64.b64decode(kept + "=" * (-len(kept) % 4))
    except binascii.Error:
        data = b""
    return {"type": "Buffer", "data": list(data)}


def key_text(value: Any) -> str:
    """A scalar key as a string, as JavaScript writes it: null is empty, 1.10 is "1.1"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _javascript_number(value)
    return str(value)


def _javascript_number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    mantissa, mark, exponent = repr(value).partition("e")
    if not mark:
        return mantissa
    if -7 < int(exponent) < 0:
        return f"{value:.{len(mantissa.replace('.', '').lstrip('-')) - 1 - int(exponent)}f}"
    return f"{mantissa}e{int(exponent):+d}"
