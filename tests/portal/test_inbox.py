"""What is received is kept once, bounded, and for no longer than it is needed."""

from datetime import timedelta
from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory
from django.utils import timezone

from portal import inbox
from portal.models import Delivery
from portal.tasks import forget_deliveries

RECEIVER = "pipelines:drone"
Status = Delivery.Status


def keep(delivery_id="one", body=b"{}", headers=None, now=None):
    return inbox.keep(RECEIVER, delivery_id, headers or {}, body, now or timezone.now())


# --- Reading a body --------------------------------------------------------------------------
class Unread(BytesIO):
    """A body that nobody may touch."""

    def read(self, *args):
        raise AssertionError("read although its length was refused")


def asked(stream, **environ):
    """A request as a WSGI server hands it over."""
    basic = RequestFactory().post("/hooks/x/").environ
    return WSGIRequest({**basic, "wsgi.input": stream, **environ})


def test_a_body_that_is_announced_too_large_is_not_read():
    with pytest.raises(inbox.TooLarge) as refused:
        inbox.read_body(asked(Unread(), CONTENT_LENGTH=str(inbox.MAX_BODY + 1)))
    assert refused.value.size == inbox.MAX_BODY + 1


def test_the_largest_body_is_read_whole_and_one_byte_more_refused():
    for size, fits in ((inbox.MAX_BODY, True), (inbox.MAX_BODY + 1, False)):
        request = RequestFactory().generic("POST", "/hooks/x/", b"x" * size)
        del request.environ["CONTENT_LENGTH"]  # in chunks, nothing is announced
        request._stream = BytesIO(b"x" * size)
        if fits:
            assert len(inbox.read_body(request)) == size
        else:
            with pytest.raises(inbox.TooLarge):
                inbox.read_body(request)


def test_a_sender_that_goes_away_is_no_failure_of_ours():
    class Gone(BytesIO):
        def read(self, *args):
            raise ConnectionResetError("gone")

    with pytest.raises(inbox.Broken):
        inbox.read_body(asked(Gone(), CONTENT_LENGTH="10"))


# --- Keeping ---------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_repetition_is_kept_once():
    first, new = keep(body=b"first")
    again, new_again = keep(body=b"second")
    assert (new, new_again) == (True, False)
    assert first.pk == again.pk
    assert bytes(Delivery.objects.get().body) == b"first"


@pytest.mark.django_db
def test_one_id_at_two_receivers_is_two_deliveries():
    keep()
    assert inbox.keep("pipelines:other", "one", {}, b"", timezone.now())[1]


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ["x" * 10_000, "a\x00b", "\ud800", "übung", "refused:x"])
def test_an_id_that_can_not_be_kept_whole_still_tells_deliveries_apart(odd):
    assert keep(odd)[1]
    assert not keep(odd)[1]
    assert keep(odd + "2")[1]
    assert all(row.delivery_id.startswith("sha256:") for row in Delivery.objects.all())


@pytest.mark.django_db
def test_without_an_id_the_body_tells_deliveries_apart():
    assert keep("", b"1")[1]
    assert keep("", b"2")[1]
    assert not keep("", b"1")[1]


@pytest.mark.django_db
def test_only_headers_that_tell_events_apart_are_kept():
    given = {
        "content-type": "application/json",
        "x-drone-event": "build\x00",
        "authorization": "Bearer s3cret",
        "x-buildkite-token": "s3cret",
        "cookie": "session=s3cret",
    }
    kept = keep(headers=given)[0]
    kept.refresh_from_db()
    assert kept.headers == {"content-type": "application/json", "x-drone-event": "build"}


@pytest.mark.django_db
def test_what_has_been_read_leaves_no_body_behind_and_is_read_once():
    delivery = keep(body=b"private", headers={"content-type": "x"})[0]
    now = timezone.now()
    assert inbox.waiting(delivery.pk) == delivery
    assert inbox.finish(delivery.pk, Status.DONE, event="build\x00" + "x" * 200, now=now)
    assert not inbox.finish(delivery.pk, Status.IGNORED, now=now)
    assert inbox.waiting(delivery.pk) is None
    delivery.refresh_from_db()
    assert (bytes(delivery.body), delivery.headers, delivery.status) == (b"", {}, "done")


# --- Refusing --------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_flood_of_refusals_is_one_row_for_each_reason():
    now = timezone.now()
    for second in range(30):
        inbox.refuse(RECEIVER, "The signature is wrong.", 10, now + timedelta(seconds=2 * second))
    inbox.refuse(RECEIVER, "The timestamp is old.", 2**40, now)
    newest = inbox.newest(RECEIVER)[0]
    assert Delivery.objects.count() == 2
    assert newest.received_at == now + timedelta(seconds=58)
    assert (newest.status, newest.reason) == ("refused", "The signature is wrong.")


@pytest.mark.django_db
def test_a_refusal_a_moment_ago_writes_nothing(django_assert_num_queries):
    now = timezone.now()
    inbox.refuse(RECEIVER, "The signature is wrong.", 10, now)
    with django_assert_num_queries(1):
        inbox.refuse(RECEIVER, "The signature is wrong.", 10, now)


@pytest.mark.django_db
def test_many_reasons_leave_the_newest():
    now = timezone.now()
    keep(now=now - timedelta(hours=1))
    for number in range(inbox.MAX_REASONS + 5):
        inbox.refuse(RECEIVER, f"Reason {number}", 1, now + timedelta(seconds=number))
    reasons = [row.reason for row in inbox.newest(RECEIVER, 100) if row.status == "refused"]
    assert len(reasons) == inbox.MAX_REASONS
    assert reasons[0] == f"Reason {inbox.MAX_REASONS + 4}"
    assert Delivery.objects.filter(delivery_id="one").exists()


# --- What a lost task leaves, and forgetting -------------------------------------------------
@pytest.mark.django_db
def test_a_delivery_whose_task_was_lost_is_offered_again():
    now = timezone.now()
    lost = keep("lost", now=now - timedelta(minutes=1))[0]
    keep("just now", now=now)
    done = keep("done", now=now - timedelta(minutes=1))[0]
    inbox.finish(done.pk, Status.DONE, now=now)
    inbox.keep("catalog:git", "another room's", {}, b"", now - timedelta(minutes=1))
    assert inbox.overdue("pipelines", now, 10) == [lost.pk]
    assert inbox.overdue("pipelines", now, 0) == []


@pytest.mark.django_db
def test_what_can_not_be_read_for_an_hour_is_given_up():
    now = timezone.now()
    hopeless = keep(now=now - timedelta(hours=2))[0]
    assert inbox.overdue("pipelines", now, 10) == []
    hopeless.refresh_from_db()
    assert (hopeless.status, bytes(hopeless.body)) == ("ignored", b"")


@pytest.mark.django_db
def test_after_a_week_deliveries_are_forgotten():
    keep("old", now=timezone.now() - timedelta(days=8))
    keep("young", now=timezone.now() - timedelta(days=6))
    forget_deliveries()
    assert list(Delivery.objects.values_list("delivery_id", flat=True)) == ["young"]
