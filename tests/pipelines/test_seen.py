"""Lists of builds and requests show exactly what decide() allows of each."""

import random
import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from catalog.models import Tag
from catalog.scopes import scopes_of
from pipelines.glass import Asked, break_glass
from pipelines.models import Build, Incident, Pipeline, PipelineLink, StandingTrigger, Trigger
from pipelines.scopes import scopes_of_pipeline
from pipelines.seen import VIEW, seen_builds_by
from pipelines.unsettled import unsettled
from portal.access import actor_for
from portal.models import Role, RoleMapping
from portal.policy import Target, decide
from tests.catalog.pages import page, queries
from tests.pipelines.four_eyes import asked
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db
GONE = 10**6
HIDDEN = [
    ("get", "pipeline", ["link"]),
    ("get", "service_verdict", ["service"]),
    ("get", "build_detail", ["build"]),
    ("post", "build_retry", ["build"]),
    ("get", "trigger_create", ["link"]),
    ("get", "trigger_detail", ["trigger"]),
    ("get", "glass_break", ["service", "environment"]),
    ("get", "glass_detail", ["glass"]),
    ("post", "incident_close", ["incident"]),
    ("post", "standing_end", ["standing"]),
]
BUILDS = reverse("pipelines:build_list")
SCOPES = [
    ("everything", ""),
    ("team", "group:default/payments"),
    ("system", "system:default/checkout"),
    ("service", "component:default/web"),
    ("service", "component:default/none"),
    ("tag", "go"),
    ("label", "tier=gold"),
    ("server", "jenkins"),
    ("server", "drone"),
    ("pipeline", "jenkins:Pay/*"),
    ("pipeline", "*/[dw]*"),
    ("pipeline", "drone:[!p]*"),
]


@pytest.fixture
def world(settings):
    """Pipelines of two servers: of one service, of two, of none, and one that is only read."""
    settings.DEFAULT_ROLE = ""
    jenkins, drone = make_server("jenkins", "jenkins"), make_server("drone", "drone")
    names = {jenkins: ("Pay/deploy", "Pay/test", "web"), drone: ("acme/web", "pay", "lone")}
    found = [make_pipeline(server, name) for server, some in names.items() for name in some]
    pay, web = make_service("pay"), make_service("web")
    pay.document["metadata"] |= {"labels": {"tier": "gold"}}
    pay.system_ref = "system:default/checkout"
    pay.save()
    web.owner_ref = "group:default/web"
    web.document["metadata"] |= {"tags": ["go"]}
    web.save()
    Tag.objects.create(entity=web, value="go")
    confirmed_link(pay, found[0])
    confirmed_link(web, found[2])
    confirmed_link(web, found[0])
    PipelineLink.objects.create(pipeline=found[4], entity=pay, status="read")
    for number, pipeline in enumerate(found):
        make_build(pipeline, number)
        entity = (pay, web, None)[number % 3]
        trigger = Trigger.objects.create(
            action="start", pipeline=pipeline, entity=entity, state="uncertain"
        )
        Incident.objects.create(trigger=trigger, kind="other-commit", what=f"run {number}")


def person(name, *scopes, role="viewer"):
    found = make_person(name)
    group = f"idp:{name}s"
    found.groups.create(name=group)
    for kind, ref in scopes:
        of = Role.objects.get(slug=role)
        RoleMapping.objects.create(group=group, role=of, scope_kind=kind, scope_ref=ref)
    return found


def allowed(actor, entities, pipeline):
    scopes = scopes_of_pipeline(pipeline).union(*(scopes_of(one) for one in entities if one))
    return decide(actor, VIEW, Target("it", scopes), now=timezone.now()).allowed


def compare(client, user):
    actor = actor_for(user)
    client.force_login(user)
    builds = {
        build.pk
        for build in Build.objects.all()
        if allowed(actor, [x.entity for x in build.pipeline.links.all()], build.pipeline)
    }
    triggers = {
        trigger.pk
        for trigger in Trigger.objects.all()
        if allowed(actor, [trigger.entity], trigger.pipeline)
    }
    seen = seen_builds_by(actor)
    assert set(seen.builds(Build.objects.all()).values_list("pk", flat=True)) == builds
    shown = {build.pipeline_id for build in Build.objects.filter(pk__in=builds)}
    assert {one.pk for one in seen.shown(Pipeline.objects.all())} == shown
    assert {item.trigger.pk for item in unsettled(actor)} == triggers
    text = page(client, BUILDS)
    for build in Build.objects.all():
        url = reverse("pipelines:build_detail", args=[build.pk])
        assert (f'href="{url}"' in text) is (build.pk in builds)
        assert client.get(url).status_code == (200 if build.pk in builds else 404)
    text = page(client, reverse("pipelines:incident_list"))
    for incident in Incident.objects.all():
        assert (incident.what in text) is (incident.trigger_id in triggers)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_shows_what_it_covers_by_policy(client, world, scope):
    compare(client, person("tom", scope))


@pytest.mark.parametrize("seed", range(4))
def test_several_scopes_show_what_one_of_them_covers(client, world, seed):
    choose = random.Random(seed)
    compare(client, person("tom", *choose.sample(SCOPES[1:], 3)))


def test_build_list_takes_as_many_queries_for_many_scopes_as_for_one(client, world):
    asked = []
    for name, scopes in (("cat", SCOPES[:1]), ("ann", SCOPES[-1:]), ("bob", SCOPES[1:])):
        client.force_login(person(name, *scopes))
        queries(client, BUILDS)  # the first has stale builds read
        asked.append(queries(client, BUILDS))
    # What patterns match is looked up.
    assert asked == [asked[0], asked[0] + 1, asked[0] + 1]


def test_build_list_is_refused_to_who_sees_no_builds_at_all(client, world):
    client.force_login(person("eve"))
    text = page(client, BUILDS, status=403)
    assert "No role lets you see builds" in text
    client.force_login(person("tom", ("service", "component:default/none")))
    assert "No build has been read that your roles let you see" in page(client, BUILDS)


@pytest.mark.parametrize(("method", "view", "kinds"), HIDDEN)
def test_what_is_hidden_is_answered_like_what_is_not_there(client, settings, method, view, kinds):
    settings.DEFAULT_ROLE = ""
    link = confirmed_link(make_service("pay"), make_pipeline(make_server(), "acme/pay"))
    production, olga = make_environments()[1], make_person("olga", "owner")
    glass = break_glass(olga, link.entity, production, Asked("Down.", "https://x.example/7", 30))
    trigger, build = asked(olga, link), make_build(link.pipeline, 1)
    standing = StandingTrigger.objects.create(
        owner=olga, entity=link.entity, pipeline=link.pipeline, when="schedule", cron="0 6 * * *"
    )
    incident = Incident.objects.create(trigger=trigger, kind="other-commit", what="It differs.")
    pks = {
        "link": (link.pk, GONE),
        "service": (link.entity.pk, GONE),
        "build": (build.pk, GONE),
        "trigger": (trigger.request_id, uuid.uuid4()),
        "environment": ("production", "none"),
        "glass": (glass.glass.pk, GONE),
        "incident": (incident.pk, GONE),
        "standing": (standing.pk, GONE),
    }
    client.force_login(make_person("una", "admin", scope_kind="service", scope_ref="component:x/y"))
    said = set()
    for args in zip(*(pks[kind] for kind in kinds), strict=True):
        answer = getattr(client, method)(reverse(f"pipelines:{view}", args=args))
        assert answer.status_code == 404
        said.add(answer.context["sentence"])
    assert len(said) == 1
    assert said.pop().endswith(", or you may not see it.")
