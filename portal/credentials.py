"""Turns a credential reference into a secret; the database holds references only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Secret:
    """A value that shows itself only through `reveal()`."""

    _value: str

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


class CredentialError(Exception):
    """The reference can't be resolved; the text names the reference, never the value."""


def resolve(reference: str) -> Secret:
    """`env:NAME`, or `file:name` below CREDENTIALS_DIR. Raises CredentialError."""
    raise NotImplementedError
