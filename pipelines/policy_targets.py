"""What permissions of this room are about: every service with its pipelines, in each environment
that they reach (hook `policy_places`).

What keeps everybody out for a while is left aside: a server that is switched off, a build's state.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from django.utils import timezone

from catalog.models import Entity
from catalog.policy_places import entity_scopes
from catalog.scopes import Scopes
from pipelines.approvers import role_of
from pipelines.environments import Rules, globs_of, read_rules
from pipelines.freezes import concerns, not_over
from pipelines.models import Environment, Freeze, Pipeline, PipelineLink
from pipelines.scopes import link_scopes, scopes_of_pipeline
from pipelines.targets import PERMISSIONS
from portal.policy import Target
from portal.policy.effects import Place
from portal.policy.periods import Periods, joined

SEEN = frozenset({"build.view", "log.view"})
RUN = frozenset({*PERMISSIONS.values(), "trigger.settle"})
GLASS = frozenset({"glass.break"})
LINK = frozenset({"link.confirm"})
OF_SERVICE = frozenset({"build.view", *LINK})
APPROVE = frozenset({"trigger.approve"})


def policy_places(ref: str = "") -> list[Place]:
    """Six queries and the catalog's two, whatever the number of services."""
    rules = read_rules()
    freezes = list(not_over(timezone.now()))
    approvers = {
        environment.pk: role_of(environment)
        for environment in Environment.objects.select_related("approver_role")
    }
    links = _links(ref)
    return [
        place
        for entity, scopes in entity_scopes(ref)
        if entity.kind == "Component" or entity.pk in links
        for place in _Service(entity, scopes, rules, freezes, approvers).places(
            links.get(entity.pk, ())
        )
    ]


def _links(ref: str) -> dict[int, list[PipelineLink]]:
    found: dict[int, list[PipelineLink]] = {}
    links = PipelineLink.objects.select_related("pipeline__server").order_by("pk")
    for link in links.filter(entity__ref=ref) if ref else links:
        found.setdefault(link.entity_id, []).append(link)
    return found


class _Service:
    """One service, with what decides about every service."""

    def __init__(
        self,
        entity: Entity,
        scopes: Scopes,
        rules: Rules,
        freezes: Sequence[Freeze],
        approvers: dict[int, str],
    ) -> None:
        self.ref, self.label = entity.ref, str(entity)
        self.scopes = scopes
        self.rules = rules
        self.freezes = freezes
        self.approvers = approvers

    def places(self, links: Iterable[PipelineLink]) -> Iterator[Place]:
        """Only confirmed links let anybody run a pipeline; the others are read."""
        label, target = self.label, Target(self.label, self.scopes)
        yield Place(("service", self.ref), label, OF_SERVICE, target, about_no_build=True)
        links = list(links)
        reached: dict[str, Environment | None] = {}
        for link in links:
            pipeline = link.pipeline
            named = label if len(links) == 1 else f"{label}: {pipeline}"
            target = Target(named, self.scopes | scopes_of_pipeline(pipeline))
            key = (self.ref, f"{pipeline.server.slug}:{pipeline.external_id}")
            yield Place(("seen", *key), named, SEEN, target)
            # With the service's own place, what linking.py asks of who gives a link.
            lent = Target(f"{pipeline} on {pipeline.server}", link_scopes(self.scopes, pipeline)[1])
            yield Place(("link", *key), lent.label, LINK, lent, about_no_build=True)
            if link.status != PipelineLink.Status.CONFIRMED:
                continue
            for environment in self._reachable(pipeline):
                slug = environment.slug if environment else ""
                reached[slug] = environment
                yield from self._runs((*key, slug), target, environment)
        for slug in reached:
            target = Target(label, self.scopes, environment=slug)
            yield Place(("glass", self.ref, slug), label, GLASS, target, about_no_build=True)

    def _reachable(self, pipeline: Pipeline) -> Sequence[Environment | None]:
        return self.rules.reachable(pipeline) or [None]

    def _runs(
        self, key: tuple[str, ...], target: Target, environment: Environment | None
    ) -> Iterator[Place]:
        target = replace(target, environment=environment.slug if environment else "")
        approvals = environment.approvals if environment else 0
        yield Place(
            ("run", *key),
            target.label,
            RUN,
            replace(target, approvals_needed=approvals),
            branches=" ".join(globs_of(environment.protected_branches)) if environment else "",
            frozen=self._frozen(target),
        )
        role = self.approvers.get(environment.pk, "") if environment else ""
        yield Place(("approve", *key), target.label, APPROVE, replace(target, role=role))

    def _frozen(self, target: Target) -> Periods:
        concerning = (freeze for freeze in self.freezes if concerns(freeze, target))
        return joined((freeze.starts_at, freeze.ends_at) for freeze in concerning)
