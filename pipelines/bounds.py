"""What a vendor says, made to fit what our columns and pages can hold.

A vendor's text is longer, stranger or more hostile than one thinks, and a link that is not http(s)
could run a script in the reader's browser. Signs that steer a terminal, or turn the direction of
the words behind them so that a line reads otherwise than it is, are left out.
"""

import re

from portal.text import storable

TEXT_MAX = 10_000
URL_MAX = 1000
# PostgreSQL's integer.
NUMBER_MAX = 2_147_483_647
# Control characters but tab and line break, and Unicode's embeddings, overrides and isolates. The
# marks that Hebrew and Arabic need, and the joiners of other scripts, stay.
STEERING = dict.fromkeys(
    code
    for first, last in ((0, 8), (11, 31), (127, 159), (0x202A, 0x202E), (0x2066, 0x2069))
    for code in range(first, last + 1)
)


def text(value: str, limit: int = TEXT_MAX) -> str:
    """The text without what can't be stored or steers, cut at `limit` signs with an ellipsis."""
    return storable(value.translate(STEERING), limit)


def web_url(value: str) -> str:
    """The URL when a page may link to it, else nothing: a cut URL leads elsewhere, and one with a
    user's name holds a password or hides where it leads."""
    if len(value) > URL_MAX or not value.lower().startswith(("http://", "https://")):
        return ""
    if re.match(r"[^:]*:[/\\]*[^/?#\\]*@", value):
        return ""
    return value if value == text(value) else ""


def repository(value: str) -> str:
    """A repository's address without what signs in to it: many a pipeline is set up with a token
    in its clone URL, and this goes to pages, labels and exports."""
    scheme, sign, rest = value.partition("://")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    if sign and at:
        # The user of SSH is no secret, and without it the address leads nowhere.
        kept = f"{user.partition(':')[0]}@" if "ssh" in scheme.lower() else ""
        value = f"{scheme}{sign}{kept}{host}{slash}{path}"
    return text(value, 500)


def usable_id(value: str, limit: int) -> bool:
    """Whether an id can be kept whole; a cut id would name something else."""
    return 0 < len(value) <= limit and value == text(value)


def number(value: int | None) -> int | None:
    """A build's number, or nothing when it does not fit."""
    return value if value is not None and 0 <= value <= NUMBER_MAX else None
