"""Where an entity comes from."""

import pytest

from catalog.models import Entity, SourceFile
from catalog.origin import line_url, origin_of
from catalog.seen import EVERYTHING, Seen
from tests.catalog.trees import component, location, read

pytestmark = pytest.mark.django_db


def entity(name):
    return Entity.objects.select_related("file").get(name=name)


def test_the_locations_that_led_there_are_named_nearest_first(tree):
    tree.write("root.yaml", location("root", targets=["./teams/*.yaml"]))
    tree.write("teams/all.yaml", location("teams", target="../pay/catalog-info.yaml"))
    tree.write("pay/catalog-info.yaml", component("pay"))
    read(tree.source("root.yaml"))
    assert [found.name for found in origin_of(entity("pay"), EVERYTHING).ancestry] == [
        "teams",
        "root",
    ]


def test_locations_that_name_each_other_end(tree):
    tree.write("a.yaml", location("a", target="./b.yaml"))
    tree.write("b.yaml", location("b", target="./a.yaml"), component("pay"))
    read(tree.source("a.yaml"))
    assert [found.name for found in origin_of(entity("pay"), EVERYTHING).ancestry] == ["a"]
    # As a reading that began elsewhere could have left it.
    SourceFile.objects.filter(location="a.yaml").update(named_by="location:default/b")
    assert [found.name for found in origin_of(entity("pay"), EVERYTHING).ancestry] == ["a", "b"]


def test_who_names_an_unchanged_file_is_kept_up(tree):
    tree.write("a.yaml", location("a", target="./pay.yaml"))
    tree.write("b.yaml", location("b", target="./pay.yaml"))
    tree.write("pay.yaml", component("pay"))
    source = tree.source("[ab].yaml")
    read(source)
    assert [found.name for found in origin_of(entity("pay"), EVERYTHING).ancestry] == ["a"]
    tree.write("a.yaml", location("a", target="./b.yaml"))
    read(source)
    assert [found.name for found in origin_of(entity("pay"), EVERYTHING).ancestry] == ["b"]


def test_what_the_same_file_describes_is_told(tree, django_assert_num_queries):
    tree.write("all.yaml", component("pay"), *(component(f"c{n}") for n in range(25)))
    read(tree.source("all.yaml"))
    pay = entity("pay")
    with django_assert_num_queries(1):
        origin = origin_of(pay, EVERYTHING)
    shown = {other.ref for other in origin.neighbours}
    assert (len(shown), len(origin.others), origin.more) == (8, 17, 0)
    assert shown.isdisjoint(origin.others)
    assert pay.ref not in {*shown, *origin.others}


def test_file_edit_link_and_commit_are_those_of_its_file(tree):
    tree.write("all.yaml", component("pay"), component("cart"))
    read(tree.source("all.yaml"))
    SourceFile.objects.update(
        url="https://github.com/acme/pay/blob/main/all.yaml",
        edit_url="javascript:alert(1)",
        commit="3f2c1a9",
    )
    origin = origin_of(entity("cart"), EVERYTHING)
    assert origin.url == f"https://github.com/acme/pay/blob/main/all.yaml#L{entity('cart').line}"
    assert (origin.edit_url, origin.commit) == ("", "3f2c1a9")


@pytest.mark.parametrize(
    ("url", "at_line"),
    [
        ("https://bitbucket.org/a/b/src/main/c.yaml", "#lines-7"),
        ("https://dc.example/projects/P/repos/r/browse/c.yaml?at=main", "#7"),
        ("https://files.example/c.yaml", ""),
    ],
)
def test_a_line_is_named_as_its_host_does(url, at_line):
    assert line_url(url, 7) == url + at_line


def test_who_sees_a_part_of_the_file_is_told_of_that_part_alone(tree):
    tree.write("all.yaml", component("pay"), *(component(f"c{n:02}") for n in range(25)))
    read(tree.source("all.yaml"))
    some = Seen(frozenset(("service", f"component:default/c{n:02}") for n in range(12)))
    origin = origin_of(entity("pay"), some)
    assert [other.name for other in origin.neighbours] == [f"c{n:02}" for n in range(8)]
    assert origin.others == tuple(f"component:default/c{n:02}" for n in range(8, 12))
