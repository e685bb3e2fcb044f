"""The words of every page."""

from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template
from django.utils import timezone
from django.utils.safestring import mark_safe

from portal.hooks import page_panels
from portal.templatetags import ui


def render(text, **context):
    return Template(text).render(Context(context))


# --- States ----------------------------------------------------------------------------------
@pytest.mark.parametrize("state", ui.STATES)
def test_each_state_has_its_word_shape_and_class(state):
    badge = ui.state_badge(state)
    assert f"state--{state}" in badge
    assert f'href="#state-{state}"' in badge
    assert badge.endswith(f"{state}</span>")


def test_every_shape_that_is_used_is_drawn():
    sprite = render('{% include "portal/_sprite.html" %}')
    assert [state for state in ui.STATES if f'id="state-{state}"' not in sprite] == []


@pytest.mark.parametrize("word", ["", "success", "PASSED", "passed ", '"><script>'])
def test_a_word_that_is_not_listed_is_unknown_and_never_green(word):
    badge = ui.state_badge(word)
    assert "state--unknown" in badge
    assert "passed" not in badge
    assert "<script>" not in badge


def test_the_vendors_word_stands_in_the_title():
    assert 'title="The server says “NOT_BUILT&lt;”"' in ui.state_badge("skipped", raw="NOT_BUILT<")
    assert "title" not in ui.state_badge("passed", raw="passed")


# --- Times -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seconds", "coarse", "fine"),
    [
        (-5, "0 s", "0 s"),
        (0.4, "0 s", "0 s"),
        (59, "59 s", "59 s"),
        (60, "1 min", "1 min"),
        (252, "4 min", "4 min 12 s"),
        (3600, "1 h", "1 h"),
        (11100, "3 h", "3 h 5 min"),
        (86400, "1 day", "1 day"),
        (3 * 86400 + 7200, "3 days", "3 days"),
    ],
)
def test_spans_are_said_in_one_or_two_units(seconds, coarse, fine):
    assert ui.span(seconds) == coarse
    assert ui.duration(seconds) == fine


def test_no_duration_is_empty():
    assert ui.duration(None) == ""


def test_a_moment_is_relative_with_the_exact_one_on_hover():
    moment = timezone.now() - timedelta(minutes=3, seconds=5)
    words = ui.ago(moment)
    assert ">3 min ago</time>" in words
    assert f'datetime="{moment.isoformat()}"' in words
    assert f'title="{moment:%-d %b %Y, %H:%M:%S} UTC"' in words


def test_moments_ahead_long_past_and_never():
    assert ">in 2 h</time>" in ui.ago(timezone.now() + timedelta(hours=2, minutes=30))
    assert ">2 Jan 2024</time>" in ui.ago(datetime(2024, 1, 2, tzinfo=UTC))
    assert ui.ago(None) == "never"
    assert ui.age(None) == "an unknown time"
    assert ">34 min</time>" in ui.age(timezone.now() - timedelta(minutes=34))


# --- Entities --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ref", "url"),
    [
        ("component:default/pay", "/catalog/default/component/pay/"),
        ("group:ops/web", "/catalog/ops/group/web/"),
        ("api:default/a b", "/catalog/default/api/a%20b/"),
        ("group:default/@acme/x", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_a_ref_has_a_page_where_one_is_possible(ref, url):
    assert ui.entity_url(ref) == url


def test_a_ref_is_linked_by_its_title_or_said_short():
    assert ui.ref_link("group:default/web", "Web <team>") == (
        '<a href="/catalog/default/group/web/" title="group:default/web">Web &lt;team&gt;</a>'
    )
    assert ">ops/web</a>" in ui.ref_link("group:ops/web")
    assert ui.ref_link("group:default/@acme/<x>") == "@acme/&lt;x&gt;"


# --- Panels ----------------------------------------------------------------------------------
class Thing:
    def __init__(self, pk):
        self.pk = pk


@pytest.fixture
def panel():
    registered = []

    def register(function):
        registered.append(page_panels.register(function))

    yield register
    for function in registered:
        page_panels._functions.remove(function)


def test_a_list_of_panels_is_asked_for_once(panel):
    asked = []
    panel(lambda place, request, objects: asked.append((place, len(objects))) or {1: "one"})
    text = render(
        '{% panels "row" things as found %}{% for t in things %}[{{ found|get:t.pk }}]{% endfor %}',
        things=[Thing(1), Thing(2)],
    )
    assert text == "[one][]"
    assert asked == [("row", 2)]


def test_panels_of_several_rooms_stand_one_after_another_and_escape_plain_text(panel):
    panel(lambda place, request, objects: {1: mark_safe("<b>first</b>")})
    panel(lambda place, request, objects: {1: "<second>"})
    panel(lambda place, request, objects: None)
    assert render('{% panel "x" thing %}', thing=Thing(1)) == "<b>first</b>&lt;second&gt;"


def test_a_panel_that_fails_says_so_and_leaves_the_others(panel, caplog):
    def broken(place, request, objects):
        raise RuntimeError("down")

    panel(broken)
    panel(lambda place, request, objects: {1: "here"})
    text = render('{% panel "x" thing %}', thing=Thing(1))
    assert "could not be drawn" in text
    assert text.endswith("here")
    assert "broken failed" in caplog.text


def test_no_objects_ask_nobody(panel):
    panel(lambda place, request, objects: pytest.fail("asked"))
    assert render('{% panels "row" things as found %}{{ found }}', things=[]) == "{}"
