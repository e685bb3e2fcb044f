"""Rows that are written in bulk are the rows that Django would have written."""

import pytest
from django.db import transaction
from django.utils import timezone

from catalog import bulk
from catalog.models import Entity, Source, SourceFile
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db

ODD = 'tab\there, line\nthere, back\\slash, \\N, "quotes", snow \u2603 and \U0001f984'

TEXTS = ["digest", "url", "edit_url", "commit", "version", "basis", "named_by"]
EMPTY = [""] * len(TEXTS)


def test_values_of_every_kind_come_back_as_they_were(tree):
    source = tree.source()
    now = timezone.now()
    columns = ["source", "location", "refs", "settled", "seen_at", "missed_at", "misses", *TEXTS]
    row = (source.pk, ODD, [ODD, None, 1], True, now, None, 3, *EMPTY)
    with transaction.atomic():
        bulk.write(SourceFile, columns, [row])
    row = SourceFile.objects.get()
    assert (row.location, row.refs, row.settled) == (ODD, [ODD, None, 1], True)
    assert (row.seen_at, row.missed_at, row.misses, row.repository) == (now, None, 3, None)


def test_a_row_that_is_there_is_updated_or_left(tree):
    source = Source.objects.create(slug="s", name="S", kind="path", target="x")
    columns = ["source", "location", "refs", "misses", "settled", "seen_at", *TEXTS]
    unique = ["source", "location"]

    def write(digest, **keywords):
        row = (source.pk, "a", [], 0, False, timezone.now(), digest, *EMPTY[1:])
        with transaction.atomic():
            bulk.write(SourceFile, columns, [row], **keywords)
        return SourceFile.objects.values_list("pk", "digest").get()

    pk, _ = write("1")
    assert write("2", unique=unique, update=["digest"]) == (pk, "2")
    assert write("3", unique=unique) == (pk, "2")


def test_odd_text_survives_the_way_of_an_entity(tree):
    tree.write("catalog-info.yaml", component("pay", {"description": ODD}))
    read(tree.source())
    assert Entity.objects.get().description == ODD
    assert Entity.objects.get().document["metadata"]["description"] == ODD
