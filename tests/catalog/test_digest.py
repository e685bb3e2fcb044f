"""Each team hears once a day what is wrong with its descriptors, through a real SMTP server."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from catalog import digest, tasks
from catalog.models import Digest, Source, SyncIssue
from tests.catalog.trees import component, document, group, read
from tests.smtp import smtp_server, use

pytestmark = pytest.mark.django_db
MORNING = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
State = Digest.State


@pytest.fixture
def box(settings):
    with smtp_server() as box:
        use(settings, box)
        settings.CATALOG_DIGEST_HOUR = 7
        settings.PORTAL_URL = "https://portal.shop.example"
        yield box


@pytest.fixture
def source(tree):
    tree.write(
        "catalog-info.yaml",
        group("payments", profile={"email": "pay@shop.example"}),
        group("web", profile={"email": "web@shop.example"}),
        group("mute"),
        component("pay", {"title": "Pay\nBcc: x@evil.example"}),
        component("ledger"),
        component("front", owner="web"),
        component("quiet", owner="mute"),
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    return source


def complain(source, name="pay", message="The type is missing."):
    return SyncIssue.objects.create(
        source=source,
        entity_ref=f"component:default/{name}",
        stage="parse",
        location="a.yaml",
        line=4,
        message=message,
    )


def deliver(now=MORNING):
    for pk in digest.offer(now):
        digest.send(pk, now)


def test_a_team_gets_one_mail_that_says_what_and_where(box, source):
    complain(source)
    complain(source, message="The\nowner is odd.")
    complain(source, "ledger")
    complain(source, "quiet")
    deliver()
    deliver(MORNING + timedelta(hours=5))
    assert box.envelopes == [["pay@shop.example"]]
    message = box.messages[0]
    assert message["Subject"] == "2 descriptors have problems: payments"
    text = message.get_content()
    assert "https://portal.shop.example/catalog/default/component/ledger/" in text
    assert f"- The owner is odd. ({source}: a.yaml:4)" in text
    assert "https://portal.shop.example/catalog/default/group/payments/" in text
    assert Digest.objects.get(team_ref="group:default/payments").state == State.SENT


def test_where_nothing_is_wrong_nothing_is_sent(box, source):
    deliver()
    assert box.messages == []
    issue = complain(source)
    tomorrow = MORNING + timedelta(days=1)
    pks = digest.offer(tomorrow)
    issue.delete()
    for pk in pks:
        digest.send(pk, tomorrow)
    assert box.messages == []
    assert Digest.objects.get(team_ref="group:default/payments").state == State.NEEDLESS


def test_it_is_sent_again_the_next_day_while_it_is_wrong(box, source):
    complain(source)
    deliver()
    deliver(MORNING + timedelta(days=1))
    assert len(box.messages) == 2


def test_not_before_its_hour_and_not_when_switched_off(box, source, settings):
    complain(source)
    assert digest.offer(MORNING - timedelta(hours=1)) == []
    settings.CATALOG_DIGEST_HOUR = None
    assert digest.offer(MORNING) == []
    settings.CATALOG_DIGEST_HOUR = 7
    settings.EMAIL_HOST = ""
    assert digest.offer(MORNING) == []
    assert not Digest.objects.exists()


def test_only_groups_of_trusted_sources_get_mail(box, source):
    complain(source)
    Source.objects.update(trusted_for_org=False)
    assert digest.offer(MORNING) == []
    # Trust that is withdrawn after the rows were made counts as well.
    Source.objects.update(trusted_for_org=True)
    tomorrow = MORNING + timedelta(days=1)
    pks = digest.offer(tomorrow)
    assert len(pks) == 1
    Source.objects.update(trusted_for_org=False)
    digest.send(pks[0], tomorrow)
    assert box.messages == []


def test_an_address_with_a_trick_gets_no_mail(box, tree):
    tree.write(
        "catalog-info.yaml",
        group("payments", profile={"email": "a@shop.example\nBcc: b@evil.example"}),
        component("pay"),
        document("System", "s", owner="payments"),
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    complain(source)
    deliver()
    assert box.messages == []


def test_a_server_that_is_away_is_tried_again_with_pauses_and_an_end(box, source):
    complain(source)
    box.answer = "451 Try later"
    now, tries = MORNING, 0
    for _ in range(40):
        pks = digest.offer(now)
        tries += len(pks)
        for pk in pks:
            digest.send(pk, now)
        now += timedelta(minutes=5)
    assert tries == digest.MAX_ATTEMPTS
    row = Digest.objects.get(team_ref="group:default/payments")
    assert row.state == State.FAILED
    assert "451" in row.reason
    box.answer = ""
    deliver(MORNING + timedelta(days=1))
    assert len(box.messages) == 1


def test_a_server_that_comes_back_gets_it_once(box, source):
    complain(source)
    box.answer = "451 Try later"
    deliver()
    box.answer = ""
    deliver(MORNING + timedelta(minutes=5))
    assert box.messages == []
    deliver(MORNING + timedelta(minutes=16))
    deliver(MORNING + timedelta(minutes=40))
    assert len(box.messages) == 1


def test_a_worker_that_died_while_sending_is_not_repeated(box, source):
    complain(source)
    pks = digest.offer(MORNING)
    Digest.objects.filter(pk__in=pks).update(state=State.SENDING)
    deliver(MORNING + timedelta(hours=3))
    assert box.messages == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_it_once(box, source):
    complain(source)
    (pk,) = digest.offer(MORNING)
    start = threading.Barrier(4)

    def work():
        start.wait()
        try:
            digest.send(pk, MORNING)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(box.messages) == 1


def test_a_mail_names_so_many_and_counts_the_rest(box, tree, django_assert_max_num_queries):
    components = [component(f"c{number}") for number in range(80)]
    tree.write(
        "catalog-info.yaml", group("payments", profile={"email": "p@shop.example"}), *components
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    for number in range(80):
        complain(source, f"c{number}")
    (pk,) = digest.offer(MORNING)
    with django_assert_max_num_queries(8):
        digest.send(pk, MORNING)
    assert "80 descriptors" in box.messages[0]["Subject"]
    assert "And 30 more." in box.messages[0].get_content()


def test_the_tick_sends_what_is_due(box, source, at_once, settings):
    settings.CATALOG_DIGEST_HOUR = 0
    complain(source)
    tasks.tick()
    tasks.tick()
    assert len(box.messages) == 1
