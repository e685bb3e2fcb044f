"""How old the value behind a credential reference is, and when it ends.

The value itself is never kept: a digest keyed with SECRET_KEY tells one value from the next, so
that a rotation is seen without a restart. (A new SECRET_KEY makes every credential look new.)
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.crypto import salted_hmac

from portal.credentials import CredentialError, resolve
from portal.models import Credential

SALT = "portal.credential_ages"
# Credentials are to be replaced after 90 days; it is said in time.
OLD = timedelta(days=90)
WARN_OLD = timedelta(days=80)
MAX_REFERENCE = 200
WARN_EXPIRY = timedelta(days=14)


def references(*columns: str) -> list[str]:
    """The references of columns that hold one, or several with commas between."""
    return [part.strip() for column in columns for part in column.split(",") if part.strip()]


def note_use(reference: str) -> None:
    """Keeps since when the value is in use; a reference that can't be resolved changes nothing."""
    if len(reference) > MAX_REFERENCE:
        return
    try:
        value = resolve(reference).reveal()
    except CredentialError:
        return
    digest = salted_hmac(SALT, value, algorithm="sha256").hexdigest()
    known, created = Credential.objects.get_or_create(
        reference=reference, defaults={"digest": digest}
    )
    if created or known.digest == digest:
        return
    # What was told or entered was about the value before.
    Credential.objects.filter(reference=reference, digest=known.digest).update(
        digest=digest, first_used_at=timezone.now(), expires_at=None, told_by_vendor=False
    )


def tell_expiry(reference: str, expires_at: datetime | None) -> None:
    """What the vendor says; its silence leaves what an administrator entered."""
    rows = Credential.objects.filter(reference=reference)
    if expires_at is None:
        rows.filter(told_by_vendor=True).update(expires_at=None, told_by_vendor=False)
    else:
        rows.update(expires_at=expires_at, told_by_vendor=True)


def enter_expiry(reference: str, expires_at: datetime | None) -> None:
    """What an administrator says; the vendor's own word outweighs it."""
    rows = Credential.objects.filter(reference=reference, told_by_vendor=False)
    rows.update(expires_at=expires_at)


def age_of(reference: str) -> Credential | None:
    """What is known of a reference."""
    return Credential.objects.filter(reference=reference).first()


def warnings(credential: Credential, now: datetime) -> list[str]:
    """Sentences about what has to be replaced soon."""
    said = []
    days = (now - credential.first_used_at).days
    if now - credential.first_used_at > WARN_OLD:
        due = "is due now" if days >= OLD.days else f"is due in {OLD.days - days} days"
        said.append(f"It has been in use for {days} days; replacing it every {OLD.days} {due}.")
    expires_at = credential.expires_at
    if expires_at is not None and expires_at <= now:
        said.append(f"It expired on {expires_at:%d %B %Y}.")
    elif expires_at is not None and expires_at - now < WARN_EXPIRY:
        said.append(f"It expires on {expires_at:%d %B %Y}, in {(expires_at - now).days} days.")
    return said


def to_replace(references: Iterable[str], now: datetime) -> int:
    """How many of these credentials there is a warning about."""
    found = Credential.objects.filter(reference__in=set(references))
    return sum(bool(warnings(credential, now)) for credential in found)
