"""The pages of freezes and broken glass, from the banner to the review."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from pipelines.freezes import cover, shown
from pipelines.models import BrokenGlass, EnvironmentRule, Freeze, Trigger
from pipelines.seen import seen_builds_by
from portal.access import actor_for
from portal.templatetags.ui import entity_url
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
FORM = {
    "reason": "Checkout is down, the fix is on main.",
    "incident_url": "https://incidents.example/7",
    "minutes": "30",
}


@pytest.fixture
def production():
    return make_environments()[1]


@pytest.fixture
def link(production):
    return confirmed_link(make_service("shop"), make_pipeline(make_server("ci"), "acme/shop"))


@pytest.fixture
def olga(client):
    user = make_person("olga", "owner")
    client.force_login(user)
    return user


def freeze(environment=None, starts=-1.0, ends=1.0, **fields):
    now = timezone.now()
    values = {"starts_at": now + starts * HOUR, "ends_at": now + ends * HOUR}
    values |= {"reason": "Year-end <close>.", **fields}
    return Freeze.objects.create(environment=environment, **values)


def url(view, *args):
    return reverse(f"pipelines:{view}", args=args)


def break_it(client, link, **values):
    return client.post(url("glass_break", link.entity.pk, "production"), FORM | values)


def text(response):
    return " ".join(response.content.decode().split())


def end(glass, hours_ago=0.0):
    moved = timezone.now() - hours_ago * HOUR
    day = timedelta(hours=24)
    BrokenGlass.objects.filter(pk=glass.pk).update(ends_at=moved, review_by=moved + day)


# --- Before one clicks ------------------------------------------------------------------------
def test_a_service_page_and_the_run_form_say_what_is_frozen(client, olga, link, production):
    EnvironmentRule.objects.all().delete()  # nothing runs elsewhere
    freeze(production, by=make_person("lena"))
    freeze(starts=24, ends=48, reason="Audit.")
    page = text(client.get(entity_url(link.entity.ref)))
    assert "Production is frozen until" in page
    assert ": Year-end &lt;close&gt; (set by Lena)." in page
    assert "Every environment will be frozen from" in page
    assert url("glass_break", link.entity.pk, "production") in page
    form = text(client.get(url("trigger_create", link.pk)))
    assert "You can't do this: Production is frozen until" in form
    notice = form.partition('<div class="why notice')[2].partition("</div>")[0]
    address = url("glass_break", link.entity.pk, "production")
    assert f'class="button button--small" href="{address}">Break the glass</a>' in notice


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ({"scope_kind": "pipeline", "scope_ref": "ci:acme/*"}, True),
        ({"scope_kind": "service", "scope_ref": "component:default/other"}, False),
    ],
)
def test_only_what_concerns_the_service_stands_on_its_page(client, olga, link, scope, shown):
    freeze(**scope)
    assert ("is frozen until" in text(client.get(entity_url(link.entity.ref)))) == shown


@pytest.mark.parametrize("which", ["run", "service"])
def test_pages_cost_the_same_for_many_freezes(client, olga, link, which):
    address = url("trigger_create", link.pk) if which == "run" else entity_url(link.entity.ref)
    freeze()
    client.get(address)
    before = count_of(client, address)
    for number in range(20):
        freeze(reason=f"Number {number}")
    assert count_of(client, address) == before


def count_of(client, address):
    with CaptureQueriesContext(connection) as seen:
        client.get(address)
    return len(seen)


def test_home_says_what_is_frozen_and_what_waits_for_a_review(client, olga, link, production):
    freeze(production)
    assert "Production is frozen until" in text(client.get("/"))
    break_it(client, link)
    end(BrokenGlass.objects.get())
    assert "Say by" not in text(client.get("/"))
    client.force_login(make_person("rita", "deployer"))
    assert "Olga broke the glass for shop in Production. Say by" in text(client.get("/"))


# --- Freezes ------------------------------------------------------------------------------------
def test_freeze_list_shows_those_in_force_and_to_come_to_every_viewer(client, production):
    freeze(production, reason="Now.")
    freeze(starts=5, ends=6, reason="Later.", scope_kind="tag", scope_ref="pci")
    freeze(starts=-6, ends=-5, reason="Long ago.")
    client.force_login(make_person("vera"))
    page = text(client.get(url("freeze_list")))
    assert page.index("Now.") < page.index("Later.")
    assert "pci in every environment" in page
    assert "UTC" in page
    assert "Long ago." not in page


def test_freeze_list_shows_what_concerns_what_the_person_may_see(
    client, link, settings, django_assert_max_num_queries
):
    settings.DEFAULT_ROLE = ""
    make_pipeline(make_server("hidden"), "acme/secret")
    service = {"scope_kind": "service", "scope_ref": link.entity.ref}
    freeze(reason="Everybody.")
    freeze(reason="Mine.", **service)
    freeze(reason="Was mine.", scope_kind="tag", scope_ref="old", covered={link.pipeline.pk: "x"})
    freeze(reason="Of a secret project.", scope_kind="system", scope_ref="system:default/secret")
    freeze(reason="Of a secret server.", scope_kind="server", scope_ref="hidden")
    cover()
    sam = make_person("sam", "viewer", **service)
    client.force_login(sam)
    for page in (text(client.get(url("freeze_list"))), text(client.get("/"))):
        assert "Mine." in page
        assert "Was mine." in page
        assert "Everybody." in page
        assert "secret" not in page
    found, seen = list(Freeze.objects.all()), seen_builds_by(actor_for(sam))
    with django_assert_max_num_queries(2):  # however many freezes there are
        assert len(shown(found, seen)) == 3


def test_freeze_list_is_for_people_who_are_signed_in(client):
    assert client.get(url("freeze_list")).status_code == 302


# --- Breaking it --------------------------------------------------------------------------------
def test_glass_break_leads_to_its_page_and_shows_on_the_service(client, olga, link, production):
    page = text(client.get(url("glass_break", link.entity.pk, "production")))
    assert "The owners are told at once" in page
    response = break_it(client, link)
    glass = BrokenGlass.objects.get()
    assert response.headers["Location"] == url("glass_detail", glass.pk)
    assert (glass.by, glass.entity, glass.environment) == (olga, link.entity, production)
    freeze(production)
    page = text(client.get(entity_url(link.entity.ref)))
    assert "Nobody can run anything there until then, except who has broken the glass." in page
    assert "The glass is broken" in page
    form = text(client.get(url("trigger_create", link.pk)))
    assert "You have broken the glass: no freeze and no missing approval stops this." in form
    assert "You have broken it already" in text(
        client.get(url("glass_break", link.entity.pk, "production"))
    )


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"reason": ""}, "This field is required"),
        ({"reason": "x " * 19}, "Say a little more, 20 letters at least"),
        ({"incident_url": "javascript:alert(1)"}, "begins with https:// or http://"),
        ({"incident_url": "https://eve:pw@incidents.example/"}, "holds no user name"),
        ({"incident_url": "https:///7"}, "names no host"),
        ({"incident_url": "https://[::1/7"}, "begins with https:// or http://"),
        ({"incident_url": "https://a.example/ 7"}, "begins with https:// or http://"),
        ({"incident_url": "https://" + "a" * 600}, "at most 500"),
        ({"minutes": "61"}, "Give 1 to 60 minutes"),
        ({"minutes": "0"}, "Give 1 to 60 minutes"),
        ({"minutes": "an hour"}, "Give 1 to 60 minutes"),
    ],
)
def test_glass_break_says_what_is_to_be_mended(client, olga, link, values, error):
    response = break_it(client, link, **values)
    assert response.status_code == 422
    assert error in text(response)
    assert not BrokenGlass.objects.exists()


def test_glass_break_is_refused_without_the_permission_and_for_strangers(client, link):
    client.force_login(make_person("rita", "deployer"))
    page = client.get(url("glass_break", link.entity.pk, "production"))
    assert "may not break the glass" in text(page)
    assert break_it(client, link).status_code == 403
    assert client.get(url("glass_break", link.entity.pk, "nowhere")).status_code == 404
    assert client.get(url("glass_break", 4711, "production")).status_code == 404


def test_glass_break_leads_to_the_review_where_it_is_locked(client, olga, link):
    break_it(client, link)
    glass = BrokenGlass.objects.get()
    end(glass, hours_ago=25)
    page = text(client.get(url("glass_break", link.entity.pk, "production")))
    assert "Break-glass is locked for this service" in page
    assert url("glass_detail", glass.pk) in page
    assert break_it(client, link).status_code == 403
    assert "Break-glass is locked" in text(client.get(entity_url(link.entity.ref)))


# --- Its page ------------------------------------------------------------------------------------
def test_glass_detail_lists_what_was_run_and_links_safely(client, olga, link):
    break_it(client, link)
    glass = BrokenGlass.objects.get()
    Trigger.objects.create(
        action="start", pipeline=link.pipeline, entity=link.entity, glass=glass, branch="main"
    )
    page = text(client.get(url("glass_detail", glass.pk)))
    assert "Start acme/shop" in page
    assert 'href="https://incidents.example/7" rel="noreferrer noopener nofollow"' in page
    assert "Close it now" in page


def test_glass_detail_is_not_there_for_who_may_not_see_the_service(client, olga, link, settings):
    break_it(client, link)
    settings.DEFAULT_ROLE = ""
    client.force_login(make_person("eve"))
    assert client.get(url("glass_detail", BrokenGlass.objects.get().pk)).status_code == 404


def test_glass_close_ends_it(client, olga, link):
    break_it(client, link)
    glass = BrokenGlass.objects.get()
    address = url("glass_close", glass.pk)
    assert client.get(address).status_code == 405
    assert "The usual rules hold again" in text(client.post(address, follow=True))
    assert "closed already" in text(client.post(address, follow=True))
    page = text(client.get(url("glass_detail", glass.pk)))
    assert "Nobody reviews what they did themselves." in page


def test_glass_review_is_a_second_persons(client, olga, link):
    break_it(client, link)
    glass = BrokenGlass.objects.get()
    end(glass)
    address = url("glass_review", glass.pk)
    given = {"verdict": "no", "comment": "A rollback was enough."}
    assert "Your review was not recorded" in text(client.post(address, given, follow=True))
    client.force_login(make_person("rita", "deployer"))
    assert client.post(address, {"verdict": "no"}).status_code == 422
    assert client.post(address, {**given, "verdict": "maybe"}).status_code == 422
    page = text(client.post(address, given, follow=True))
    assert "Not justified</strong>, says Rita" in page
    assert "A rollback was enough." in page


def test_glass_list_holds_what_is_open_to_review_and_reviewed(client, olga, link):
    assert "Nobody has broken the glass" in text(client.get(url("glass_list")))
    break_it(client, link)
    page = text(client.get(url("glass_list")))
    assert "Open until" in page
    assert "Everything is reviewed." not in page
    end(BrokenGlass.objects.get(), hours_ago=25)
    assert "overdue, locks the service" in text(client.get(url("glass_list")))
    BrokenGlass.objects.update(
        reviewer=make_person("rita"), reviewed_at=timezone.now(), justified=True
    )
    assert "Justified, says Rita" in text(client.get(url("glass_list")))


def test_glass_list_holds_nothing_of_what_one_may_not_see(client, olga, link, settings):
    break_it(client, link)
    settings.DEFAULT_ROLE = ""
    eve = make_person("eve", "viewer", scope_kind="service", scope_ref="component:default/other")
    client.force_login(eve)
    assert "Nobody has broken the glass" in text(client.get(url("glass_list")))
