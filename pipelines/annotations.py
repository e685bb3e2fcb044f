"""What an entity's annotations name: pipelines that are known, or problems to show.

Reads a snapshot of servers and pipelines once, so that a whole catalog is looked up without a
query per entity.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.models import Pipeline, Server
from pipelines.nearest import Nearest
from pipelines.providers import PROVIDERS
from pipelines.providers.base import AnnotatedPipeline
from pipelines.providers.errors import ProviderError

MAX_CHILDREN = 50


@dataclass(frozen=True)
class Named:
    """A pipeline that an annotation names."""

    pipeline_id: int
    annotation: str


@dataclass(frozen=True)
class Problem:
    """An annotation that names no pipeline, or one that is gone."""

    annotation: str
    value: str
    message: str
    nearest: str = ""


@dataclass(frozen=True)
class _Row:
    pk: int
    external_id: str
    runnable: bool
    gone: str  # the day it was last seen, "" while it is listed


class Directory:
    """The servers and pipelines as they were known when it was made."""

    def __init__(self) -> None:
        self._known_at = _readings()
        self._servers: dict[str, list[Server]] = {}
        for server in Server.objects.order_by("slug"):
            self._servers.setdefault(server.provider, []).append(server)
        self._rows: dict[int, dict[str, _Row]] = {}
        self._nearest: dict[int, Nearest] = {}

    def is_current(self) -> bool:
        """Whether no server was changed and no list of pipelines was read since."""
        return self._known_at == _readings()

    def look_up(self, annotations: dict[str, str]) -> tuple[list[Named], list[Problem]]:
        """What an entity's annotations name, and what is wrong with them."""
        named: dict[int, Named] = {}
        problems: list[Problem] = []
        for slug, adapter in PROVIDERS.items():
            written = {key: annotations.get(key) for key in adapter.annotation_keys}
            if not any(written.values()):
                continue
            try:
                claims = adapter.parse_annotations(annotations)
            except ProviderError as error:
                key = next(key for key, value in written.items() if value)
                problems.append(Problem(key, str(written[key]), str(error)))
                continue
            for claim in claims:
                found, wrong = self._find(slug, adapter.label, claim)
                for pipeline_id in found:
                    named.setdefault(pipeline_id, Named(pipeline_id, claim.annotation))
                if claim.implied:
                    continue  # nobody said that this vendor builds it
                problems += [Problem(claim.annotation, claim.value, *said) for said in wrong]
        return list(named.values()), problems

    def _find(
        self, provider: str, label: str, claim: AnnotatedPipeline
    ) -> tuple[list[int], list[tuple[str, str]]]:
        """Ids of pipelines and (sentence, nearest) pairs for one claim."""
        all_servers = self._servers.get(provider, [])
        servers = [server for server in all_servers if claim.server in ("", server.slug)]
        if not all_servers:
            return [], [(f"No {label} server is configured, so this can't be found.", "")]
        if not servers:
            slugs = [server.slug for server in all_servers]
            near = Nearest(slugs).to(claim.server)
            return [], [
                (
                    f"No {label} server has the slug “{claim.server}”. There is {_listed(slugs)}.",
                    f"{near}:{claim.pipeline}" if near else "",
                )
            ]
        holders = [server for server in servers if claim.pipeline in self._of(server)]
        # A renamed pipeline may be gone on one server and alive on another.
        living = [s for s in holders if not self._of(s)[claim.pipeline].gone]
        holders = living or holders
        if len(holders) > 1:
            slugs = [server.slug for server in holders]
            near = f"{slugs[0]}:{claim.pipeline}"
            sentence = (
                f"Several {label} servers have “{claim.pipeline}”: {_listed(slugs)}. "
                f"Say which, for example “{near}”."
            )
            return [], [(sentence, near)]
        if not holders:
            return [], [self._not_found(label, servers, claim)]
        return self._on_server(holders[0], claim)

    def _on_server(
        self, server: Server, claim: AnnotatedPipeline
    ) -> tuple[list[int], list[tuple[str, str]]]:
        rows = self._of(server)
        row = rows[claim.pipeline]
        if row.gone:
            # Its last builds stay readable; the entry is stale all the same.
            near = self._near(server).to(claim.pipeline)
            sentence = f"{server.name} no longer has “{claim.pipeline}”, since {row.gone}."
            return [row.pk], [(sentence + _perhaps(near), near)]
        if not row.runnable:
            # A folder or a multibranch project: what can run is inside it.
            inside = claim.pipeline + "/"
            children = [
                child.pk
                for child in rows.values()
                if child.external_id.startswith(inside) and child.runnable and not child.gone
            ]
            if children:
                return children[:MAX_CHILDREN], []
        return [row.pk], []

    def _not_found(
        self, label: str, servers: list[Server], claim: AnnotatedPipeline
    ) -> tuple[str, str]:
        unread = [server.name for server in servers if server.pipelines_read_at is None]
        if unread:
            return (
                f"“{claim.pipeline}” is not known yet: the pipelines of {_listed(unread)} have "
                "not been read so far.",
                "",
            )
        for server in servers:
            near = self._near(server).to(claim.pipeline)
            if near:
                prefix = f"{server.slug}:" if len(servers) > 1 else ""
                sentence = f"{server.name} has no pipeline “{claim.pipeline}”."
                return sentence + _perhaps(near), prefix + near
        names = _listed([server.name for server in servers])
        return (
            f"{names} has no pipeline “{claim.pipeline}”, nor one with a name near it. Either the "
            "catalog entry is stale, or the server's credential may not see the pipeline.",
            "",
        )

    def _of(self, server: Server) -> dict[str, _Row]:
        rows = self._rows.get(server.pk)
        if rows is None:
            found = Pipeline.objects.filter(server=server).values_list(
                "pk", "external_id", "runnable", "gone_at"
            )
            rows = self._rows[server.pk] = {
                name: _Row(pk, name, runnable, f"{gone:%Y-%m-%d}" if gone else "")
                for pk, name, runnable, gone in found.order_by("external_id")
            }
        return rows

    def _near(self, server: Server) -> Nearest:
        nearest = self._nearest.get(server.pk)
        if nearest is None:
            living = (row.external_id for row in self._of(server).values() if not row.gone)
            nearest = self._nearest[server.pk] = Nearest(living)
        return nearest


def _readings() -> list[tuple[object, ...]]:
    fields = ("pk", "slug", "name", "provider", "pipelines_read_at")
    return list(Server.objects.order_by("pk").values_list(*fields))


def _perhaps(near: str) -> str:
    return f" Did you mean “{near}”? Nine times out of ten the catalog entry is stale." * bool(near)


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
