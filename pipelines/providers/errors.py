"""What can go wrong at a vendor. The class carries the decision about a second attempt."""


class ProviderError(Exception):
    """Base of all. The text is for people: no response body, no token, no credential in it."""


class Misconfigured(ProviderError):
    """The server's configuration can't work; an admin has to change it."""


class NotAuthorized(ProviderError):
    """The credential is not accepted."""


class Forbidden(ProviderError):
    """The credential is accepted and lacks a right."""


class NotFound(ProviderError):
    """Absent, or hidden from this credential."""


class Rejected(ProviderError):
    """The vendor understood and refused (bad parameter, disabled job, nothing to cancel)."""


class Unsupported(ProviderError):
    """This provider has no such thing."""


class InvalidResponse(ProviderError):
    """The answer is not what the vendor's API gives (HTML with 200, broken JSON, too large)."""


class RateLimited(ProviderError):
    """Asked too often; `retry_after` in seconds, None when the vendor did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BudgetSpent(RateLimited):
    """Stagedoor's own refusal: what is left of the vendor's limit is kept for something else."""


class Unavailable(ProviderError):
    """Not reached, or a failure on the vendor's side. For a write: certainly not carried out."""


class OutcomeUnknown(ProviderError):
    """A write was sent and its answer is lost (timeout, reset, 5xx). Never repeated by itself."""


class HookRefused(Exception):
    """A delivery that is not believed; the text says why, for an administrator.

    `stale_key`: the vendor's public key may have changed since it was read.
    """

    def __init__(self, message: str, *, stale_key: bool = False) -> None:
        super().__init__(message)
        self.stale_key = stale_key
