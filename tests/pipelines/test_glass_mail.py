"""Owners hear of broken glass once, reviewers are reminded until somebody has reviewed it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalog.models import Entity, Membership, TeamClosure
from pipelines import glass, glass_mail
from pipelines.models import BrokenGlass
from portal.models import UserLink
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
    make_source,
)
from tests.smtp import smtp_server, use

pytestmark = pytest.mark.django_db
ASKED = glass.Asked("Checkout is down, the fix is on main.", "https://incidents.example/7", 30)
HOUR = timedelta(hours=1)


@pytest.fixture
def box(settings):
    with smtp_server() as box:
        use(settings, box)
        yield box


def make_entity(kind, name, email="", *, trusted=True):
    source = make_source("org")
    source.trusted_for_org = trusted
    source.save()
    spec = {"profile": {"email": email}} if email else {}
    document = {"metadata": {"name": name}, "spec": spec}
    ref = f"{kind.lower()}:default/{name}"
    return Entity.objects.create(ref=ref, kind=kind, name=name, source=source, document=document)


@pytest.fixture
def shop():
    shop = make_service("shop", owner_ref="group:default/payments")
    confirmed_link(shop, make_pipeline(make_server("ci"), "acme/shop"))
    return shop


@pytest.fixture
def broken(shop):
    return glass.break_glass(
        make_person("olga", "owner"), shop, make_environments()[1], ASKED
    ).glass


def sent_to(box):
    return sorted(address for envelope in box.envelopes for address in envelope)


def test_the_owning_team_hears_of_it_once(box, broken):
    make_entity("Group", "payments", "payments@shop.example")
    now = timezone.now()
    assert glass_mail.due(now, 10) == [broken.pk]
    glass_mail.send(broken.pk, now)
    glass_mail.send(broken.pk, now)
    assert sent_to(box) == ["payments@shop.example"]
    message = box.messages[0]
    assert message["Subject"] == "Glass broken: component:default/shop in Production, by Olga"
    text = message.get_content()
    assert ASKED.reason in text
    assert ASKED.incident_url in text
    assert f"/glass/{broken.pk}/" in text
    assert glass_mail.due(now, 10) == []


def test_a_team_without_an_address_hears_of_it_person_by_person(box, broken):
    team = make_entity("Group", "payments")
    TeamClosure.objects.create(ancestor=team, descendant=team, depth=0)
    for name in ("ana", "ben"):
        person = make_person(name)
        person.email = f"{name}@shop.example"
        person.save()
        ref = f"user:default/{name}"
        UserLink.objects.create(user=person, user_ref=ref)
        Membership.objects.create(team=team, user_ref=ref, origin=team.source)
    glass_mail.send(broken.pk, timezone.now())
    assert sent_to(box) == ["ana@shop.example", "ben@shop.example"]


def test_nobody_is_written_to_by_the_word_of_a_source_that_is_not_trusted(box, broken):
    make_entity("Group", "payments", "eve@evil.example", trusted=False)
    glass_mail.send(broken.pk, timezone.now())
    assert sent_to(box) == []


def test_what_reached_nobody_is_tried_again(box, broken):
    make_entity("Group", "payments", "payments@shop.example")
    now = timezone.now()
    box.answer = "451 later"
    glass_mail.send(broken.pk, now)
    assert glass_mail.due(now, 10) == []
    box.answer = ""
    later = now + glass_mail.TRY_AGAIN
    assert glass_mail.due(later, 10) == [broken.pk]
    glass_mail.send(broken.pk, later)
    assert sent_to(box) == ["payments@shop.example"]
    assert glass_mail.due(later, 10) == []


def test_those_who_may_review_are_reminded_before_and_when_it_locks(box, broken):
    for name in ("olga", "rita"):
        person = broken.by if name == "olga" else make_person(name, "deployer")
        person.email = f"{name}@shop.example"
        person.save()
    BrokenGlass.objects.update(tell_at=None)
    soon = broken.review_by - glass.REMIND_BEFORE
    assert glass_mail.due(soon - HOUR, 10) == []
    glass_mail.send(broken.pk, soon)
    glass_mail.send(broken.pk, soon)
    assert sent_to(box) == ["rita@shop.example"]
    assert box.messages[0]["Subject"].startswith("Please review: glass broken for ")
    glass_mail.send(broken.pk, broken.review_by)
    assert box.messages[1]["Subject"] == "Break-glass is locked for component:default/shop"
    assert glass_mail.due(broken.review_by + HOUR, 10) == []


def test_a_review_ends_the_reminders(box, broken):
    glass.close(broken.by, broken)
    glass.review(make_person("rita", "deployer"), broken, justified=True, comment="Seen.")
    assert glass_mail.due(broken.review_by + HOUR, 10) == [broken.pk]  # the owners' own mail
    glass_mail.send(broken.pk, broken.review_by + HOUR)
    assert glass_mail.due(broken.review_by + 2 * HOUR, 10) == []


def test_without_a_mail_server_nothing_is_due(broken, settings):
    settings.EMAIL_HOST = ""
    assert glass_mail.due(timezone.now(), 10) == []
    glass_mail.send(broken.pk, timezone.now())
    broken.refresh_from_db()
    assert broken.tell_at is not None
