"""Location entities lead to every file they name, and to none that they may not."""

import pytest

from catalog.models import Entity
from tests.catalog.trees import component, document, location, problems, read, states

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"


@pytest.fixture(autouse=True)
def loopback(settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    settings.CATALOG_URL_ALLOW = ["127.0.0.1"]


# --- In folders ------------------------------------------------------------------------------
def test_target_and_targets_wild_cards_and_nesting_are_followed(tree):
    tree.write(
        FILE, location("root", target="./one.yaml", targets=["more/*.yaml", "./nested.yaml"])
    )
    tree.write("one.yaml", component("one"))
    tree.write("more/two.yaml", component("two"))
    tree.write("more/three.yaml", component("three"))
    tree.write("nested.yaml", location("nested", type="file", target="deep/four.yaml"))
    tree.write("deep/four.yaml", component("four"))
    source = tree.source(FILE)
    assert read(source).files == 6
    assert set(states()) == {"root", "nested", "one", "two", "three", "four"}
    assert problems(source) == []
    assert Entity.objects.get(name="four").location == "deep/four.yaml"


def test_a_file_that_is_named_twice_is_read_once(tree):
    tree.write(FILE, location("root", targets=["./one.yaml", "one.yaml", f"./{FILE}", "*.yaml"]))
    tree.write("one.yaml", component("one"), location("back", target=FILE))
    source = tree.source(FILE)
    assert read(source).files == 2
    assert problems(source) == []


def test_nesting_has_an_end(tree):
    for depth in range(40):
        tree.write(f"{depth}.yaml", location(f"l{depth}", target=f"./{depth + 1}.yaml"))
    source = tree.source("0.yaml")
    assert read(source).state == "succeeded"
    assert problems(source) == ["Locations are nested more than 32 deep."]
    assert "l31" in states()
    assert "l33" not in states()


def test_a_missing_target_is_a_problem_of_the_location_and_the_rest_is_read(tree):
    tree.write(FILE, component("own"), location("root", targets=["./one.yaml", "./nope.yaml"]))
    tree.write("one.yaml", component("one"))
    source = tree.source()
    run = read(source)
    issue = source.issues.get()
    assert run.state == "succeeded"
    assert set(states()) == {"own", "one"}  # Backstage has no Location entity then either
    assert (issue.message, issue.location, issue.entity_ref) == (
        "There is no file nope.yaml.",
        FILE,
        "location:default/root",
    )
    assert issue.line > 1


def test_a_location_that_has_gone_bad_keeps_its_last_good_data(tree):
    tree.write(FILE, location("root", target="./one.yaml"))
    tree.write("one.yaml", component("one"))
    source = tree.source()
    read(source)
    tree.remove("one.yaml")
    tree.write(FILE, location("root", target="./one.yaml"), component("other"))
    read(source)
    assert states() == {"root": "active", "one": "missing", "other": "active"}
    assert Entity.objects.get(name="one").reason == "The file one.yaml is gone."


@pytest.mark.parametrize("target", ["./nope.yaml", "nope/*.yaml"])
def test_an_optional_target_may_be_missing(tree, target):
    tree.write(FILE, location("root", target=target, presence="optional"))
    source = tree.source()
    read(source)
    assert (set(states()), problems(source)) == ({"root"}, [])


def test_a_target_outside_the_tree_is_refused(tree):
    tree.write("beside.yaml", component("beside"))
    tree.write(f"org/{FILE}", location("root", target="../beside.yaml"), component("own"))
    source = tree.source("org")
    read(source)
    assert set(states()) == {"own"}
    assert "leads outside org" in problems(source)[0]


def test_a_type_may_be_changed_to_url_only(tree, site):
    url = site.serve("/far.yaml", component("far"), location("further", target="./near.yaml"))
    site.serve("/near.yaml", component("near"), location("back", type="file", target="/etc/hosts"))
    tree.write(FILE, location("root", type="url", target=url))
    tree.write(f"odd/{FILE}", location("odd", type="s3", target="x"))
    source = tree.source()
    read(source)
    assert set(states()) == {"root", "further", "far", "near"}
    assert sorted(problems(source)) == [
        '"type: file" is not followed from here; only "url" may be.',
        '"type: s3" is not followed from here; only "url" may be.',
    ]


@pytest.mark.parametrize(
    ("allowed", "sentence"),
    [
        (["*"], "private or reserved address"),  # OUTGOING_ALLOW alone is for sources
        (["example.com"], 'Descriptors may not name files on "127.0.0.1"'),
    ],
)
def test_a_location_reaches_only_hosts_that_descriptors_may_name(
    tree, site, settings, allowed, sentence
):
    settings.CATALOG_URL_ALLOW = allowed
    url = site.serve("/far.yaml", component("far"))
    tree.write(FILE, location("root", type="url", target=url), component("own"))
    source = tree.source()
    read(source)
    assert set(states()) == {"own"}
    assert sentence in problems(source)[0]
    assert site.asked == []


def test_a_url_of_the_sources_own_host_is_read_with_its_credential(
    tree, site, settings, monkeypatch
):
    settings.CATALOG_URL_ALLOW = []
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_X", "secret")
    far = site.serve("/far.yaml", component("far"))
    site.serve("/all.yaml", location("root", type="url", target=far))
    source = tree.source()
    source.kind, source.target = "url", f"{site.url}/all.yaml"
    source.credential_ref = "env:STAGEDOOR_CREDENTIAL_X"
    source.save()
    read(source)
    assert set(states()) == {"root", "far"}
    assert ("/far.yaml", "Bearer secret") in site.asked


# --- Placeholders ----------------------------------------------------------------------------
def api(name, definition):
    return document(
        "API", name, type="openapi", lifecycle="production", owner="x", definition=definition
    )


def test_placeholders_are_read_from_the_tree_and_nowhere_else(tree):
    tree.write("beside.txt", "secret")
    tree.write("org/spec.txt", "openapi: 3.1.0")
    tree.write(
        f"org/{FILE}",
        api("good", {"$text": "./spec.txt"}),
        api("out", {"$text": "../beside.txt"}),
        api("missing", {"$text": "./nope.txt"}),
        api("many", {"$text": "./*"}),
    )
    source = tree.source("org")
    read(source)
    assert set(states()) == {"good"}
    assert Entity.objects.get().spec["definition"] == "openapi: 3.1.0"
    assert len(problems(source)) == 3
    assert "secret" not in str(list(Entity.objects.values()))


def test_placeholders_of_a_url_source_stay_on_its_host(tree, site):
    site.serve("/spec.txt", "openapi: 3.1.0")
    url = site.serve(
        "/all.yaml",
        api("good", {"$text": "./spec.txt"}),
        api("out", {"$text": "http://elsewhere.example/spec.txt"}),
    )
    source = tree.source(kind="url", target=url)
    source.target = url
    source.save()
    read(source)
    assert set(states()) == {"good"}
    assert "one host only" in problems(source)[0]


# --- Over http -------------------------------------------------------------------------------
@pytest.fixture
def web_source(tree, site):
    """A URL source whose Location names two files."""
    url = site.serve("/all.yaml", location("root", targets=["./one.yaml", "./two.yaml"]))
    site.serve("/one.yaml", component("one"))
    site.serve("/two.yaml", component("two"))
    source = tree.source()
    source.kind, source.target = "url", url
    source.save()
    read(source)
    assert states() == {"root": "active", "one": "active", "two": "active"}
    return source


@pytest.mark.parametrize("status", [500, 503, 401, 429])
def test_an_error_at_the_root_changes_nothing(web_source, site, status):
    site.answer("/all.yaml", status)
    run = read(web_source)
    assert run.state == "failed"
    assert str(status) in web_source.last_error
    assert set(states().values()) == {"active"}


@pytest.mark.parametrize("status", [404, 200])
def test_a_root_that_is_gone_or_empty_changes_nothing_either(web_source, site, status):
    site.answer("/all.yaml", status)
    assert read(web_source).state == "failed"
    assert set(states().values()) == {"active"}


@pytest.mark.parametrize(
    ("answer", "state"),
    [((500, ""), "active"), ((200, "<html>sign in"), "active"), ((404, ""), "missing")],
)
def test_only_a_certain_absence_marks_what_a_target_held(web_source, site, settings, answer, state):
    settings.CATALOG_ABSENT_AFTER_SECONDS = 0
    site.answer("/two.yaml", *answer)
    site.serve("/one.yaml", component("one", {"title": "New"}))
    for _ in range(2):
        assert read(web_source).state == "succeeded"
        assert set(states().values()) == {"active"}
    read(web_source)
    assert states() == {"root": "active", "one": "active", "two": state}
    assert Entity.objects.get(name="one").title == "New"
