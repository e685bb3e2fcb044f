"""Calls of the API that say somebody else sends them, in each place where a call can say anything.

`forge()` makes one; `found()` sends it by the token of Ana's agent through the API's own way in
and tells what went wrong. tests/pipelines/test_forged_actors.py sends hundreds,
tests/bench/forgeries.py thousands.
"""

import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from pipelines.models import PipelineLink, Trigger
from pipelines.providers.labels import UNSAFE
from pipelines.triggers import request as ask
from portal.api_gate import _answer
from portal.api_tokens import create, digest_of
from portal.models import AuditEvent
from portal.policy import PEOPLE_ONLY, PERMISSIONS
from tests.pipelines.forgeries import FIELDS, HEADERS
from tests.pipelines.four_eyes import COMMIT

AGENT = "Claude"
MORE_HEADERS = (
    "Cookie", "Idempotency-Key", "X-HTTP-Method-Override", "X-API-Key", "X-Auth-Token", "X-Agent",
    "Proxy-Authorization", "Remote_User", "HTTP_AUTHORIZATION", "Host", "Sec-Fetch-Mode",
)  # fmt: skip
# Where other APIs take a token or a person from.
QUERY = (*FIELDS, "access_token", "token", "api_key", "private_token", "_method", "Authorization")
TYPES = (
    "application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "text/plain", "application/xml",
    "application/merge-patch+json",     "application/json, multipart/form-data", "",
)  # fmt: skip
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Call:
    """One request, as its bytes say it; headers and the query may repeat themselves."""

    path: str
    query: str
    headers: Pairs
    body: bytes
    key: uuid.UUID
    taken: bool  # nothing in it is wrong, so it is to be recorded, as Ana's agent's


@dataclass(frozen=True)
class Callers:
    """Ana's agent may start a build; the boss may do everything, and asked for one herself."""

    link: PipelineLink
    ana: User
    secret: str  # of Ana's agent
    boss: User
    digest: str  # as the database holds the boss's token
    session: str  # of the boss's browser, which is signed in
    asked: Trigger  # by the boss


def make_callers(link: PipelineLink, ana: User, boss: User) -> Callers:
    end, page = timezone.now() + timedelta(days=1), RequestFactory().get("/")
    given = sorted(set(PERMISSIONS) - PEOPLE_ONLY)
    _, secret = create(ana, "robot", given, end, page, agent=AGENT)
    _, other = create(boss, "robot", given, end, page)
    browser = Client()
    browser.force_login(boss)
    session = str(browser.session.session_key)
    about = {"entity": link.entity, "pipeline": link.pipeline, "commit": COMMIT}
    asked = ask(boss, "start", **about, branch="main", request_id=uuid.uuid4()).trigger
    assert asked is not None
    return Callers(link, ana, secret, boss, digest_of(other), session, asked)


def forge(chance: random.Random, callers: Callers) -> Call:
    boss = callers.boss
    names = [
        "boss", str(boss.pk), "boss@x.example", "user:default/boss", "idp:bosses", "true", "PUT",
        callers.digest, f"sd_{callers.digest}", f"Bearer sd_{callers.digest}", "Basic Ym9zczpw",
        f"{settings.SESSION_COOKIE_NAME}={callers.session}", str(callers.asked.request_id),
        json.dumps({"id": boss.pk, "name": "boss"}),
    ]  # fmt: skip
    key = uuid.uuid4() if chance.random() < 0.9 else callers.asked.request_id
    headers: Pairs = [
        (name, chance.choice(names)) for name in _some(chance, (*HEADERS, *MORE_HEADERS), 8)
    ]
    headers += [
        ("Content-Type", chance.choice(TYPES)),
        ("Idempotency-Key", str(key)),
        ("Cookie", f"{settings.SESSION_COOKIE_NAME}={callers.session}; user=boss"),
    ]
    own = chance.random() < 0.9
    if own:
        headers.append(("Authorization", f"Bearer {callers.secret}"))
    if not own or chance.random() < 0.1:
        headers.append(("Authorization", chance.choice(names)))
    chance.shuffle(headers)
    query = [(name, chance.choice(names)) for name in _some(chance, QUERY, 4)]
    body, clean = _body(chance, callers, names)
    path = "/api/pipelines/triggers"
    if chance.random() < 0.1:
        path, clean = f"{path}/{callers.asked.request_id}/withdraw", False
    said = [name for name, _ in headers]
    once = all(said.count(name) == 1 for name in ("Authorization", "Idempotency-Key"))
    taken = clean and own and once and key != callers.asked.request_id
    return Call(path, urlencode(query), headers, body, key, taken)


def _some(chance: random.Random, of: tuple[str, ...], most: int) -> list[str]:
    """Each at most twice."""
    return chance.sample(of * 2, chance.randint(0, most))


def _body(chance: random.Random, callers: Callers, names: list[str]) -> tuple[bytes, bool]:
    """With what is wrong with it, in half of the cases nothing."""
    link, name = callers.link, chance.choice(names)
    right: dict[str, Any] = {
        "entity": link.entity.ref,
        "pipeline": f"{link.pipeline.server.slug}:{link.pipeline.external_id}",
        "action": "start",
        "commit": COMMIT,
        "note": chance.choice(names),  # may say what it likes
    }
    field = chance.choice(FIELDS)
    variable = field.removeprefix("parameter:")
    if chance.random() < 0.2 and variable.upper() not in {*UNSAFE, "STAGEDOOR_PERSON"}:
        right["parameters"] = {variable: name}  # the build's, and none that a machine relies on
    if chance.random() < 0.5:
        return json.dumps(right).encode(), True
    inner = {chance.choice(FIELDS): name}
    wrongs: list[Callable[[], Any]] = [
        lambda: {
            **right,
            field: chance.choice([name, callers.boss.pk, True, None, inner, [inner]]),
        },
        lambda: {**right, **dict.fromkeys(_some(chance, FIELDS, 6) or [field], name)},
        lambda: {**right, "parameters": {"STAGEDOOR_PERSON": name}},
        lambda: {**right, "parameters": {"STAGEDOOR_PERSON": inner}},
        lambda: {**right, chance.choice(("entity", "note", "branch")): inner},
        lambda: {"trigger": right, **inner},
        lambda: [right, inner],
        lambda: {**right, "__proto__": inner, "constructor": inner},
    ]
    if chance.random() < 0.8:
        return json.dumps(chance.choice(wrongs)()).encode(), False
    return _no_object(chance, right, field, name), False


def _no_object(chance: random.Random, right: dict[str, Any], field: str, name: str) -> bytes:
    """What other parsers might take for the same request, and one that names a field twice."""
    texts = [
        json.dumps(right)[:-1] + f", {json.dumps(field)}: 1, {json.dumps(field)}: null}}",
        json.dumps(right).encode("utf-16").decode("latin-1"),
        urlencode({**right, field: name}),
        json.dumps(right) + json.dumps({field: name}),
        f'--x\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{name}\r\n--x--\r\n',
        f"<start><{field}>{name}</{field}></start>",
        "",
    ]
    return chance.choice(texts).encode("latin-1", "replace")


def found(callers: Callers, call: Call) -> str:
    """Sends it; what is wrong with what was recorded, "" where nothing is."""
    last = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": call.path,
        "query_string": call.query.encode(),
        "headers": [(n.lower().encode(), v.encode()) for n, v in call.headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    status = _answer(scope, call.body)[1].status_code
    if status >= 500 or (status == 201) != call.taken:
        return f"it was answered {status}"
    return _wrong_events(callers, last) or _wrong_requests(callers, call)


def _wrong_events(callers: Callers, last: int) -> str:
    right = (callers.ana.pk, f"{AGENT} (agent)", "Ana")
    for event in AuditEvent.objects.filter(pk__gt=last):
        who = (event.actor_id, event.actor, event.on_behalf_of)
        if who != right:
            return f"{event.action} is recorded of {who}"
    return ""


def _wrong_requests(callers: Callers, call: Call) -> str:
    found = Trigger.objects.get(pk=callers.asked.pk)
    if (found.state, found.actor_id, found.agent) != (callers.asked.state, callers.boss.pk, ""):
        return f"the boss's own request is {found.state}, of {found.actor} by {found.agent!r}"
    ours = Trigger.objects.filter(request_id=call.key).exclude(pk=found.pk)
    people = [(trigger.actor_id, trigger.agent) for trigger in ours]
    if people != ([(callers.ana.pk, AGENT)] if call.taken else []):
        return f"requests are recorded of {people}"
    return ""
