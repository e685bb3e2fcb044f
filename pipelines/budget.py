"""What a vendor allows one credential, and who may have how much of it.

Each request that an adapter sends is counted before it goes out, in the row of each limit that
holds for the credential. Nobody looks: at most a fifth. Somebody looks: four fifths. The last
fifth is for what people ask to be done. Two servers with one credential share its limits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from threading import BoundedSemaphore
from time import sleep
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from pipelines.bounds import NUMBER_MAX
from pipelines.models import Quota, Server
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Limit
from pipelines.providers.errors import BudgetSpent, Unavailable
from pipelines.providers.provider import Provider
from portal.http import SAFE_METHODS, HttpClient, Response, origin


class Purpose(StrEnum):
    """Why a server is asked."""

    ACT = "act"  # a person asked for it to be done, and what became of that
    WATCH = "watch"  # somebody looks
    HINT = "hint"  # nobody does, but a webhook said that something happened
    SWEEP = "sweep"  # nobody does
    LIST = "list"  # nor here; but half a list is none, so it waits for more to be left


# How much of a limit may have been used by all, for one more of this purpose.
SHARES = {
    Purpose.ACT: 1.0,
    Purpose.WATCH: 0.8,
    Purpose.HINT: 0.5,
    Purpose.SWEEP: 0.8,
    Purpose.LIST: 0.8,
}
# Half a fifth of each window: one may follow the other at once, and in no time as long as a window
# is more than a fifth spent.
SWEEP_SHARE = 0.1
# How much has to be left by the vendor's own word, which counts other programs too.
KEPT = {
    Purpose.ACT: 0.0,
    Purpose.WATCH: 0.2,
    Purpose.HINT: 0.5,
    Purpose.SWEEP: 0.5,
    Purpose.LIST: 0.5,
}
UNSEEN = (Purpose.SWEEP, Purpose.LIST)
PATIENCE = 800.0  # seconds in all; less than the lease of who reads a list
# So many threads of a worker wait at once; what people ask for needs the others.
WAITING = BoundedSemaphore(2)
# A vendor that names no limit is not asked without one.
COURTESY = Limit("requests", 600, 60.0)


def key_of(server: Server) -> str:
    """What the limits are counted for."""
    return f"{server.provider} {origin(server.base_url)} {server.credential_ref}"[:300]


class Meter(HttpClient):
    """The HTTP client of one adapter, which counts. Raises BudgetSpent before a request goes out.

    `sent` gets the time of each request; no write goes out after `until`. No row is locked while
    the vendor answers.
    """

    def __init__(
        self,
        http: HttpClient,
        server: Server,
        adapter: type[Provider],
        purpose: Purpose,
        sent: list[datetime],
        *,
        until: datetime | None = None,
    ) -> None:
        self._http = http
        self._server = server
        self._adapter = adapter
        self._purpose = purpose
        self._sent = sent
        self._until = until
        self._quotas: list[Quota] | None = None
        self._patience = PATIENCE if purpose is Purpose.LIST else 0.0

    def request(self, method: str, url: str, **how: Any) -> Response:
        """See HttpClient."""
        now = timezone.now()
        if self._quotas is None:
            self._quotas = quotas_for(self._server, self._adapter.limits)
        of_writes = {rule.name for rule in self._adapter.limits if rule.writes}
        for quota in self._quotas:
            if method in SAFE_METHODS and quota.name in of_writes:
                continue
            while not _take(quota, self._purpose, now):
                self._wait(_spent(self._server, quota, now))
                now = timezone.now()
        if self._until is not None and now >= self._until and method not in SAFE_METHODS:
            # By now it counts as not sent, and its sender as dead.
            raise Unavailable(f"{self._server.name} took too long with what was asked before.")
        self._sent.append(now)
        response = self._http.request(method, url, **how)
        learn(key_of(self._server), self._told(response.headers))
        return response

    def _wait(self, spent: BudgetSpent) -> None:
        """Waits until more is left, where the purpose allows; else raises."""
        seconds = (spent.retry_after or 1.0) + 0.1
        self._patience -= seconds
        if self._patience < 0 or not WAITING.acquire(blocking=False):
            raise spent
        try:
            sleep(seconds)
        finally:
            WAITING.release()

    def _told(self, headers: Mapping[str, str]) -> Sequence[Limit]:
        return [limit for limit in self._adapter.read_limits(headers) if limit.limit > 0]


def quotas_for(server: Server, rules: Sequence[Limit]) -> list[Quota]:
    """The rows that hold for a server's credential: what the vendor told, else the rule."""
    key = key_of(server)
    rules = rules or (COURTESY,)
    rows = {quota.name: quota for quota in Quota.objects.filter(key=key)}
    missing = [rule for rule in rules if rule.name not in rows]
    if missing:
        new = [_row(key, rule) for rule in missing]
        Quota.objects.bulk_create(new, ignore_conflicts=True)
        rows = {quota.name: quota for quota in Quota.objects.filter(key=key)}
    known = {rule.name for rule in rules}
    return [quota for name, quota in rows.items() if name in known or quota.told_at]


def learn(key: str, limits: Sequence[Limit]) -> None:
    """Keeps what an answer told: the vendor's word counts for what others use as well."""
    now = timezone.now()
    for limit in limits:
        values: dict[str, Any] = {"told_at": now, **_rule(limit)}
        if limit.remaining is not None:
            after = limit.seconds if limit.reset_after is None else limit.reset_after
            values["remaining"] = min(max(0, limit.remaining), NUMBER_MAX)
            values["resets_at"] = now + timedelta(seconds=min(max(0, after), limit.seconds))
        rows = Quota.objects.filter(key=key, name=limit.name[:60])
        if not rows.update(**values):
            Quota.objects.bulk_create([_row(key, limit, **values)], ignore_conflicts=True)


def exhaust(server: Server, until: datetime) -> None:
    """The vendor said "too often": nothing goes out before then, whatever was counted."""
    Quota.objects.filter(key=key_of(server)).update(remaining=0, resets_at=until)


def sweep_pace(server: Server, rules: Sequence[Limit], now: datetime) -> int:
    """How many requests that nobody waits for may go out until the next tick, so that they are
    spread evenly over the window."""
    period = settings.TICK_SECONDS
    paces = []
    for quota in quotas_for(server, [rule for rule in rules if not rule.writes]):
        if _told_left(quota, now) <= KEPT[Purpose.SWEEP] * quota.limit:
            return 0
        elapsed = (now - quota.window_started_at).total_seconds()
        begins = not quota.used or elapsed >= quota.seconds
        share = _cap(quota, SWEEP_SHARE) * ((0 if begins else elapsed) + period) / quota.seconds
        # The first request opens the window.
        paces.append(max(1, int(share)) if begins else int(share) - quota.swept)
    return max(0, min(paces))


def list_pause(server: Server, rules: Sequence[Limit], cost: int) -> timedelta:
    """How seldom a list that takes so many requests is read, to leave the other half of what
    nobody waits for to the builds."""
    seconds = (
        cost * quota.seconds / (_cap(quota, SWEEP_SHARE) / 2)
        for quota in quotas_for(server, [rule for rule in rules if not rule.writes])
    )
    return timedelta(seconds=max(seconds, default=0))


def shortages(servers: Sequence[Server], now: datetime) -> dict[int, Quota]:
    """The limits that keep builds from being read for those who look, by server; one query."""
    by_key: dict[str, list[Quota]] = {}
    keys = {server.pk: key_of(server) for server in servers}
    # A limit of writes keeps nobody from reading.
    of_writes = {
        rule.name for adapter in PROVIDERS.values() for rule in adapter.limits if rule.writes
    }
    found = Quota.objects.filter(key__in=set(keys.values())).exclude(name__in=of_writes)
    for quota in found.order_by("name"):
        by_key.setdefault(quota.key, []).append(quota)
    short = {
        key: next((quota for quota in rows if _is_short(quota, now)), None)
        for key, rows in by_key.items()
    }
    return {pk: quota for pk, key in keys.items() if (quota := short.get(key)) is not None}


def left(quota: Quota, now: datetime) -> int:
    """How many requests are left: by the vendor's word where it holds, and by our own count."""
    used = 0 if _ends_at(quota) <= now else quota.used
    return int(max(0, min(quota.limit - used, _told_left(quota, now))))


def until(quota: Quota, now: datetime) -> datetime:
    """When more will be left."""
    if quota.remaining is not None and quota.resets_at and quota.resets_at > now:
        return quota.resets_at
    return max(now, _ends_at(quota))


def _take(quota: Quota, purpose: Purpose, now: datetime) -> bool:
    """Counts one request if the purpose has any left: one conditional UPDATE, two when a window
    begins."""
    swept = int(purpose in UNSEEN)
    opened_before = now - timedelta(seconds=quota.seconds)
    # A window that begins in the future was begun before the clock was set back.
    ahead = now + timedelta(seconds=quota.seconds)
    row = _by_vendor(quota, purpose, now)
    room = Q(used__lt=_cap(quota, SHARES[purpose]))
    if swept:
        room &= Q(swept__lt=_cap(quota, SWEEP_SHARE))
    running = row.filter(room, window_started_at__gt=opened_before, window_started_at__lte=ahead)
    over = row.filter(Q(window_started_at__lte=opened_before) | Q(window_started_at__gt=ahead))
    count = {"used": F("used") + 1, "swept": F("swept") + swept}
    return bool(
        running.update(**count)
        or over.update(window_started_at=now, used=1, swept=swept)
        # Another worker may have begun the window in between.
        or running.update(**count)
    )


def _by_vendor(quota: Quota, purpose: Purpose, now: datetime) -> QuerySet[Quota]:
    kept = int(quota.limit * KEPT[purpose])
    free = Q(remaining=None) | Q(resets_at=None) | Q(resets_at__lte=now) | Q(remaining__gt=kept)
    return Quota.objects.filter(free, pk=quota.pk)


def _cap(quota: Quota, share: float) -> int:
    return max(1, int(quota.limit * share))


def _ends_at(quota: Quota) -> datetime:
    return quota.window_started_at + timedelta(seconds=quota.seconds)


def _told_left(quota: Quota, now: datetime) -> float:
    holds = quota.remaining is not None and quota.resets_at and quota.resets_at > now
    return float(quota.remaining or 0) if holds else float("inf")


def _is_short(quota: Quota, now: datetime) -> bool:
    """Whether those who look get nothing more."""
    used = 0 if _ends_at(quota) <= now else quota.used
    told = _told_left(quota, now) <= int(quota.limit * KEPT[Purpose.WATCH])
    return told or used >= _cap(quota, SHARES[Purpose.WATCH])


def _spent(server: Server, quota: Quota, now: datetime) -> BudgetSpent:
    quota.refresh_from_db()
    at = until(quota, now)
    return BudgetSpent(
        f"{server.name} is not asked before {at:%H:%M:%S} UTC: {left(quota, now)} of "
        f"{quota.limit} requests are left, and they are kept for something else.",
        max(1.0, (at - now).total_seconds()),
    )


def _row(key: str, rule: Limit, **values: Any) -> Quota:
    return Quota(key=key, name=rule.name[:60], **{**_rule(rule), **values})


def _rule(limit: Limit) -> dict[str, Any]:
    return {"limit": min(limit.limit, NUMBER_MAX), "seconds": max(1.0, limit.seconds)}
