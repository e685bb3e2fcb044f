"""What can't be stored is taken out of a text, on every database alike."""

from portal import audit
from portal.models import AuditEvent
from portal.text import storable


def test_what_no_database_holds_is_taken_out() -> None:
    assert storable("a\x00b\ud800c", 10) == "ab?c"


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert storable("x" * 10, 10) == "x" * 10
    assert storable("x" * 11, 10) == "x" * 9 + "…"


def test_an_audit_event_is_written_whatever_a_stranger_sends(db: None) -> None:
    """One that can't be written would let a refused request pass unseen."""
    audit.record("signin.failed", target="\x00" * 3 + "é" * 500, data={"tried": ["a\x00\ud800"]})
    event = AuditEvent.objects.get()
    assert (len(event.target), event.data) == (400, {"tried": ["a?"]})
