"""Requests that say somebody else sent them, by every name that servers and plugins have used.

`forge()` makes one; `found()` sends it as Ana through all of the middleware and tells what went
wrong. tests/pipelines/test_forged_actors.py sends hundreds, tests/bench/forgeries.py thousands.
"""

import base64
import json
import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from pipelines.models import PipelineLink, Trigger
from portal.models import AuditEvent
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

# What proxies and other portals put the person into.
HEADERS = (
    "X-Forwarded-User", "X-Forwarded-Preferred-Username", "X-Forwarded-Email",
    "X-Forwarded-Groups", "X-Forwarded-For", "X-Remote-User", "Remote-User", "Remote-Groups",
    "X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-User",
    "X-Auth-Username", "X-Authenticated-User", "X-WEBAUTH-USER", "X-User", "X-User-Id",
    "X-Original-User", "X-Actor", "X-Author", "X-On-Behalf-Of", "X-Impersonate-User",
    "Impersonate-User", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Data", "Cf-Access-Authenticated-User-"
    "Email", "X-Goog-Authenticated-User-Email", "X-MS-Client-Principal-Name", "X-SSL-Client-DN",
    "X-Request-Id", "From", "Forwarded", "Via",
)  # fmt: skip
# What forms and bodies of such tools have named the person.
FIELDS = (
    "actor", "actor_id", "user", "user_id", "username", "author", "author_name", "author_email",
    "creator", "on_behalf_of", "onBehalfOf", "impersonate", "sudo", "run_as", "as", "agent",
    "requester", "requested_by", "triggered_by", "owner", "email", "groups", "roles",
    "is_superuser", "approver", "approved_by", "parameter:STAGEDOOR_PERSON", "parameter:actor",
)  # fmt: skip
# The server's own variables, of which a proxy must set none here.
ENVIRON = ("REMOTE_USER", "LOGON_USER", "AUTH_USER")


@dataclass(frozen=True)
class Forgery:
    """One request: everything that a client may say, each part of it about somebody else."""

    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    as_json: bool = False
    signed_in: bool = True


@dataclass(frozen=True)
class Scene:
    """Ana may start a build; the boss may do everything and is not there."""

    link: PipelineLink
    ana: User
    boss: User
    session: str  # of Ana's browser
    client: Client  # sets the middleware up once


def make_scene() -> Scene:
    make_environments()
    server = make_server()
    link = confirmed_link(make_service("shop"), make_pipeline(server, "acme/shop"))
    boss = make_person("boss", "admin")
    User.objects.filter(pk=boss.pk).update(is_superuser=True, is_staff=True, email="boss@x.example")
    ana, browser = make_person("ana", "deployer"), Client()
    browser.force_login(ana)
    return Scene(link, ana, boss, str(browser.session.session_key), browser)


def forge(chance: random.Random, boss: User) -> Forgery:
    names = [
        "boss", str(boss.pk), "Boss", "boss@x.example", "user:default/boss", "idp:bosses", "admin",
        "true", f"for=1.2.3.4;by={boss.pk}", json.dumps({"id": boss.pk, "name": "boss"}),
        "Basic " + base64.b64encode(b"boss:p").decode(), f"Bearer sd_{uuid.uuid4().hex}",
    ]  # fmt: skip

    def some(of: tuple[str, ...], most: int) -> dict[str, str]:
        chosen = chance.sample(of, chance.randint(0, min(most, len(of))))
        return {name: chance.choice(names) for name in chosen}

    return Forgery(
        headers=some((*HEADERS, "Authorization"), 6),
        fields=some(FIELDS, 8),
        query=some(FIELDS, 3),
        cookies=some(("user", "remote_user", "actor", "sessionid", "csrftoken"), 2),
        environ=some(ENVIRON, 2),
        as_json=chance.random() < 0.1,
        signed_in=chance.random() < 0.9,
    )


def found(scene: Scene, forgery: Forgery) -> str:
    """Sends it; what is wrong with what was recorded, "" where nothing is."""
    client = scene.client
    client.cookies.clear()
    if forgery.signed_in:
        client.cookies[settings.SESSION_COOKIE_NAME] = scene.session
    for name, value in forgery.cookies.items():
        client.cookies[name] = value
    request_id = str(uuid.uuid4())
    sent = {**forgery.fields, "request_id": request_id, "branch": "main"}
    url = reverse("pipelines:trigger_create", args=[scene.link.pk])
    last = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    extra: dict[str, Any] = {"query_params": forgery.query, "headers": forgery.headers}
    extra |= forgery.environ
    if forgery.as_json:
        client.post(url, json.dumps(sent), content_type="application/json", **extra)
    else:
        client.post(url, sent, **extra)
    return _fault(scene, forgery, request_id, last)


def _fault(scene: Scene, forgery: Forgery, request_id: str, last: int) -> str:
    trigger = Trigger.objects.filter(request_id=request_id).first()
    whose = scene.ana.pk if forgery.signed_in else None
    for event in AuditEvent.objects.filter(pk__gt=last):
        if event.actor_id != whose or event.on_behalf_of:
            return f"{event.action} is recorded of {event.actor} for {event.on_behalf_of!r}"
    if trigger is None:
        # A body that is no form holds no request; nobody at all may ask without a session.
        expected = forgery.signed_in and not forgery.as_json
        return "nothing was recorded of a request that Ana may make" if expected else ""
    if not forgery.signed_in:
        return "a request without a session was taken"
    person = (trigger.actor_id, trigger.agent)
    if person != (scene.ana.pk, ""):
        return f"the request is recorded as that of {person}"
    return ""
