"""`manage.py catalog_import_backstage` makes the source, reads it, and says what came."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Source
from portal.models import AuditEvent
from tests.catalog.backstage import Backstage, entity
from tests.catalog.trees import component, group

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings, monkeypatch):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BACKSTAGE", "s3cret")


def imported(*words):
    out = StringIO()
    call_command("catalog_import_backstage", *words, stdout=out)
    return out.getvalue()


def test_a_running_backstage_becomes_a_source_that_is_read_at_once(site):
    Backstage(site, entity(component("shop")), entity(component("pay")), entity(group("web")))
    text = imported(f"{site.url}/", "--name", "Old portal")
    assert 'Made the source "Old portal" (old-portal).' in text
    assert "Read 3 files: 3 added." in text
    assert "2 Component" in text
    source = Source.objects.get()
    assert (source.kind, source.target) == ("backstage", site.url)
    assert (source.trusted_for_org, source.registered_by) == (False, None)
    assert AuditEvent.objects.get(action="source.register").target == "source: old-portal"


def test_the_same_address_again_is_the_same_source(site):
    Backstage(site, entity(component("shop"))).token = "s3cret"
    with pytest.raises(CommandError, match="refused access"):
        imported(site.url)
    again = imported(site.url, "--credential", "env:STAGEDOOR_CREDENTIAL_BACKSTAGE")
    assert 'Found the source "Backstage" (backstage).' in again
    assert Source.objects.get().credential_ref == "env:STAGEDOOR_CREDENTIAL_BACKSTAGE"
    imported(site.url, "--filter", "kind=component", "--filter", "kind=api")
    source = Source.objects.get()
    assert source.options == {"filter": ["kind=component", "kind=api"]}
    assert source.credential_ref != ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["backstage.example"], "not a complete http"),
        (["https://backstage.example", "--credential", "s3cret"], "not a credential reference"),
    ],
)
def test_what_can_not_be_a_source_makes_none(words, sentence):
    with pytest.raises(CommandError, match=sentence):
        imported(*words)
    assert not Source.objects.exists()
