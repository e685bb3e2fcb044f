"""The descriptor that is written for a person is one that the catalog takes."""

import pytest

from catalog.descriptors import parse
from catalog.starter import DescriptorForm, draft_of, known_refs, written

pytestmark = pytest.mark.django_db

FULL = {
    "kind": "Component",
    "name": "payments-api",
    "title": "Payments: the API",
    "description": "Takes money.",
    "type": "service",
    "lifecycle": "production",
    "owner": "payments",
    "system": "checkout",
    "tags": "go, tier-1  api",
    "links": "https://run.example/pay Runbook for nights\n\nhttps://chat.example",
}


def test_it_is_written_as_a_person_would(shop):
    draft = draft_of(FULL)
    assert draft.text == (
        "apiVersion: backstage.io/v1alpha1\n"
        "kind: Component\n"
        "metadata:\n"
        "  name: payments-api\n"
        "  title: 'Payments: the API'\n"
        "  description: Takes money.\n"
        "  tags:\n"
        "    - go\n"
        "    - tier-1\n"
        "    - api\n"
        "  links:\n"
        "    - url: https://run.example/pay\n"
        "      title: Runbook for nights\n"
        "    - url: https://chat.example\n"
        "spec:\n"
        "  type: service\n"
        "  lifecycle: production\n"
        "  owner: payments\n"
        "  system: checkout\n"
    )
    assert (draft.problems, draft.warnings, draft.path) == ([], [], "catalog-info.yaml")


WORDS = ["1e3", "0o17", "012", "yes", "null", "~", "1.", ".5", "- x", "a: b", "ä", "x\ny", "#x"]
WORDS += ["0x1F", "1_000", "12:30", ".inf"]


@pytest.mark.parametrize("word", WORDS)
def test_every_word_reads_back_as_itself(word):
    document = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "x", "description": word},
        "spec": {"type": word, "lifecycle": word, "owner": "x"},
    }
    [result] = parse(written(document).encode())
    assert result.descriptor.document == document


@pytest.mark.parametrize("kind", ["API", "Resource", "System", "Domain"])
def test_every_kind_has_what_it_needs(kind):
    draft = draft_of({**FULL, "kind": kind})
    assert draft.problems == []
    assert ("$text: ./openapi.yaml" in draft.text) is (kind == "API")


def test_our_own_rules_judge_it_and_the_catalog_says_what_it_lacks(shop):
    draft = draft_of({**FULL, "name": "two words", "owner": ""})
    assert len(draft.problems) == 2
    draft = draft_of({**FULL, "name": "pay", "owner": "nobody", "system": ""})
    assert draft.problems == []
    assert draft.warnings == [
        "component:default/pay is in the catalog already; only one can have the name.",
        "The catalog has no group:default/nobody yet; it is kept as a name without a page.",
    ]


def test_the_place_is_where_the_repository_lets_one_create_it():
    place = {"repository": "https://github.com/acme/shop", "branch": "main", "path": "a/x.yaml"}
    draft = draft_of({**FULL, **place})
    start = "https://github.com/acme/shop/new/main?filename=a%2Fx.yaml&value=apiVersion"
    assert draft.create_url.startswith(start)
    assert draft.page_url == "https://github.com/acme/shop/blob/main/a/x.yaml"
    assert draft_of({**FULL, **place, "name": ""}).create_url == ""
    assert draft_of({**FULL, "repository": "javascript:alert(1)"}).create_url == ""


def test_the_form_offers_what_the_catalog_knows(shop):
    offered = known_refs()
    assert offered["teams"] == ["payments", "web"]
    assert offered["systems"] == ["checkout"]
    form = DescriptorForm({"kind": "Domain"})
    assert [field.name for field in form.fitting] == [
        "kind",
        "name",
        "title",
        "description",
        "owner",
        "tags",
        "links",
    ]
