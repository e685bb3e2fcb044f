"""Whatever happened before: once the files are healthy, the catalog is as if it were read anew."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from catalog.models import Entity, NameDecision, Source, SourceFile, SyncIssue, Tag
from tests.catalog.test_files import catalog
from tests.catalog.trees import component, document, group, location, read, user

pytestmark = pytest.mark.django_db

NAMES = [f"n{number}" for number in range(7)]
SLUGS = ("one", "two", "three")
PATHS = [f"{slug}/{folder}/catalog-info.yaml" for slug in SLUGS for folder in "xyz"]
PARTS = [
    f"{slug}/{folder}/sub/{part}.yaml" for slug in SLUGS[:2] for folder in "xy" for part in "ab"
]


def one(dice):
    metadata = {"title": dice.choice("AB"), "tags": [dice.choice(["go", "js"])]}
    needs = [f"component:{dice.choice(NAMES)}"]
    return component(dice.choice(NAMES), metadata, owner=dice.choice(["t1", "t2"]), dependsOn=needs)


def some(dice):
    """Documents that are valid, invalid, contested, spelt otherwise, or lead to others."""
    may = dice.choice([{}, {"presence": "optional"}])
    text = {"$text": "./definition.txt"}
    pool = [
        *(one(dice) for _ in range(3)),
        group(dice.choice(["t1", "T1", "t2"]), parent=dice.choice(["t1", "t2", "t3"])),
        user("ana", dice.choice(["t1", "t2"])),
        component(dice.choice(NAMES), owner=7),
        document("Widget", "odd"),
        location("all", targets=["./sub/*.yaml"], **may),
        location("part", target="./sub/a.yaml", **may),
        document("API", "api", type="text", lifecycle="x", owner="t1", definition=text),
        "kind: [broken\n",
    ]
    return dice.sample(pool, dice.randint(1, 4))


def edit(tree, dice):
    for path in [*dice.sample(PATHS, 3), *dice.sample(PARTS, 2)]:
        if dice.random() > 0.3:
            tree.write(path, *(some(dice) if path in PATHS else [one(dice)]))
        elif (tree.folder / path).exists():
            tree.remove(path)
    tree.write("one/x/definition.txt", dice.choice("ab"))


def meddle(dice, source):
    """What people and time do to a source and to what came from it."""
    if dice.random() > 0.85:
        source.allowed_kinds = dice.choice([[], ["Component", "Group"]])
        source.save()
    lost = SyncIssue.objects.filter(stage="conflict").first()
    if lost and dice.random() > 0.8:
        values = {"source": lost.source}
        NameDecision.objects.update_or_create(entity_ref=lost.entity_ref, defaults=values)
    if dice.random() > 0.8:
        past = timezone.now() - timedelta(days=2)
        Entity.objects.filter(state="missing").update(gone_at=past)


def make_healthy(tree, dice):
    for path in tree.folder.rglob("*.yaml"):
        path.unlink()
    pool = [component(name, owner="t1", dependsOn=["component:n1"]) for name in NAMES]
    pool += [group("t1", parent="t2"), group("t2"), user("ana", "t1"), document("Widget", "odd")]
    dice.shuffle(pool)
    for number, path in enumerate(PATHS):
        tree.write(path, *pool[number :: len(PATHS)])
    NameDecision.objects.all().delete()
    Source.objects.update(allowed_kinds=[])


def read_all(times):
    for _ in range(times):
        for source in Source.objects.order_by("slug"):
            read(source)


def everything():
    columns = ("ref", "kind", "name", "owner_ref", "search_text", "digest", "document_index")
    files = SourceFile.objects.values_list("source__slug", "location", "settled", "digest")
    return {
        **catalog(),
        "rows": set(Entity.objects.values_list(*columns)),
        "terms": dict(Entity.objects.values_list("ref", "terms")),
        "tags": set(Tag.objects.values_list("entity__ref", "value")),
        "files": set(files),
    }


@pytest.mark.parametrize("seed", range(4))
def test_any_history_ends_in_what_is_read_anew(tree, seed):
    dice = random.Random(seed)

    def begin():
        fields = {"trusted_for_org": True, "max_missing_percent": 100}
        return [tree.source(slug, slug, **fields) for slug in SLUGS]

    for path in PATHS:
        tree.write(path, *some(dice))
    sources = begin()
    for _ in range(6):
        edit(tree, dice)
        for source in dice.sample(sources, dice.randint(1, 3)):
            meddle(dice, source)
            read(source)
        for entity in Entity.objects.all():
            told = SyncIssue.objects.filter(entity_ref=entity.ref).exists()
            assert entity.has_issues == told, entity.ref
    make_healthy(tree, dice)
    read_all(3)
    Entity.objects.filter(state="missing").update(gone_at=timezone.now() - timedelta(days=2))
    read_all(2)
    found = everything()
    Entity.objects.all().delete()
    Source.objects.all().delete()
    begin()
    read_all(2)
    assert everything() == found
