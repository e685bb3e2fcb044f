"""Turns a credential reference into a secret; the database holds references only.

Whoever may edit a server in the admin may choose where a credential is sent. So a reference can't
name just any variable or file: else it could send the portal's own keys to a host of one's choice.
"""

import fnmatch
import os
from pathlib import Path
from typing import NoReturn

from django.conf import settings

PREFIX = "STAGEDOOR_CREDENTIAL_"
MAX_BYTES = 65_536


class CredentialError(Exception):
    """The reference can't be resolved; the text names the reference, never the value."""


class Secret:
    """A value that shows itself only through `reveal()`, and is neither logged nor pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; put it into a header or a form, never into a text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is never pickled: that would write it to a broker or a cache.")


def resolve(reference: str) -> Secret:
    """`env:NAME`, or `file:name` below settings.CREDENTIALS_DIR, read anew at each call.

    Surrounding white space is dropped. Raises CredentialError, also for an empty value.
    """
    scheme, colon, name = reference.partition(":")
    if scheme == "env" and colon:
        value = _from_environment(reference, name)
    elif scheme == "file" and colon:
        value = _from_file(reference, name)
    else:
        # Not shown: someone may have pasted the secret itself.
        raise CredentialError(
            "This is not a credential reference that Stagedoor supports: env:NAME or file:name."
        )
    if not value:
        raise CredentialError(f'The credential "{reference}" is empty.')
    return Secret(value)


def _from_environment(reference: str, name: str) -> str:
    if not name.startswith(PREFIX) and not any(
        fnmatch.fnmatchcase(name, pattern) for pattern in settings.CREDENTIAL_ENV
    ):
        raise CredentialError(
            f'"{reference}" may not be used as a credential: the name has to begin with {PREFIX} '
            "or match CREDENTIAL_ENV, which an operator sets."
        )
    value = os.environ.get(name)
    if value is None:
        raise CredentialError(f'"{reference}": this environment variable is not set.')
    return value.strip()


def _from_file(reference: str, name: str) -> str:
    if not settings.CREDENTIALS_DIR:
        raise CredentialError(f'"{reference}": CREDENTIALS_DIR is not set, so files are refused.')
    folder = Path(settings.CREDENTIALS_DIR).resolve()
    try:
        # Resolved first: links and ".." are followed, then judged by where they lead. Kubernetes
        # mounts secrets as links inside the folder, which is why links as such are fine.
        path = (folder / name).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            raise CredentialError(f'"{reference}": no such file below CREDENTIALS_DIR.')
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise CredentialError(f'"{reference}": the file is larger than a credential.')
        return content.decode("utf-8").strip()
    except (OSError, ValueError):
        raise CredentialError(f'"{reference}": the file can\'t be read as text.') from None
