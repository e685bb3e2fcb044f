"""How old a credential is, without ever keeping it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal import credential_ages as ages
from portal.models import Credential

pytestmark = pytest.mark.django_db
REFERENCE = "env:STAGEDOOR_CREDENTIAL_AGED"
NOW = timezone.now()


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_AGED", "first-value")
    return monkeypatch


def used_for(days, expires_in=None):
    ends = None if expires_in is None else NOW + timedelta(days=expires_in, hours=1)
    return Credential(
        reference=REFERENCE, first_used_at=NOW - timedelta(days=days, hours=1), expires_at=ends
    )


def test_a_value_is_noted_by_a_digest_only():
    ages.note_use(REFERENCE)
    known = ages.age_of(REFERENCE)
    assert len(known.digest) == 64
    assert "first-value" not in str(vars(known))


def test_the_same_value_keeps_its_age_and_another_begins_anew(secret):
    ages.note_use(REFERENCE)
    old = NOW - timedelta(days=50)
    Credential.objects.update(first_used_at=old, expires_at=NOW, told_by_vendor=True)
    ages.note_use(REFERENCE)
    assert ages.age_of(REFERENCE).first_used_at == old
    secret.setenv("STAGEDOOR_CREDENTIAL_AGED", "second-value")
    ages.note_use(REFERENCE)
    known = ages.age_of(REFERENCE)
    assert known.first_used_at > old
    assert (known.expires_at, known.told_by_vendor) == (None, False)


def test_a_reference_that_can_not_be_resolved_changes_nothing(secret):
    ages.note_use(REFERENCE)
    before = ages.age_of(REFERENCE).digest
    secret.delenv("STAGEDOOR_CREDENTIAL_AGED")
    ages.note_use(REFERENCE)
    ages.note_use("file:" + "x" * 300)
    ages.note_use("not a reference")
    assert Credential.objects.count() == 1
    assert ages.age_of(REFERENCE).digest == before


def test_the_vendors_word_about_the_end_outweighs_an_administrators():
    ages.note_use(REFERENCE)
    entered, told = NOW + timedelta(days=9), NOW + timedelta(days=30)
    ages.enter_expiry(REFERENCE, entered)
    ages.tell_expiry(REFERENCE, None)
    assert ages.age_of(REFERENCE).expires_at == entered
    ages.tell_expiry(REFERENCE, told)
    ages.enter_expiry(REFERENCE, entered)
    assert ages.age_of(REFERENCE).expires_at == told
    ages.tell_expiry(REFERENCE, None)
    assert ages.age_of(REFERENCE).expires_at is None


@pytest.mark.parametrize(
    ("days", "expires_in", "words"),
    [
        (10, None, []),
        (79, 15, []),
        (80, None, ["in use for 80 days", "due in 10 days"]),
        (95, None, ["in use for 95 days", "due now"]),
        (1, 13, ["expires on", "in 13 days"]),
        (1, -2, ["It expired on"]),
    ],
)
def test_it_is_said_in_time_what_has_to_be_replaced(days, expires_in, words):
    said = " ".join(ages.warnings(used_for(days, expires_in), NOW))
    assert bool(said) is bool(words)
    for word in words:
        assert word in said


def test_references_stand_alone_or_with_commas_between():
    assert ages.references("env:A", " env:B, file:c ,", "") == ["env:A", "env:B", "file:c"]
    used_for(85).save()
    assert ages.to_replace(["env:OTHER", REFERENCE], NOW) == 1
    assert ages.to_replace(["env:OTHER"], NOW) == 0
