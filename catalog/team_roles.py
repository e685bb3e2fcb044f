"""Roles that the owners of a team give on its own services, below the administrators' ceiling.

Only roles that an administrator lets them give, nothing that they do not hold there themselves, and
never to a group that they are in: nobody gives themselves what would outlast their own role. It
ends when the service is another team's (ownership.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from catalog.models import Entity
from catalog.people import subjects_of
from catalog.scopes import Scopes, scopes_of
from portal import audit
from portal.access import fresh_actor
from portal.dry_run import lock
from portal.models import Role, RoleMapping
from portal.policy import NONE, PERMISSIONS, Actor, Decision, Target, decide
from portal.role_mapping_form import choices_of
from portal.subjects import people_of, subject_problem

audit.register("role.give", "gave a role on a team's services")
audit.register("role.take_back", "took back a role on a team's services")

PERMISSION = "role.grant"
OWN_GROUP = (
    "You are in {} yourself. Nobody gives a role to a group that they are in: ask another owner of "
    "the team, or an administrator."
)


@dataclass(frozen=True)
class Wish:
    """What somebody wants to give; checked by problem_of()."""

    group: str
    role: Role
    scope_ref: str  # the team's, or that of one of its services
    environment: str
    note: str


def decide_grant(actor: Actor, team: Entity) -> Decision:
    """May the person give roles here?"""
    return decide(actor, PERMISSION, target_of(team), now=timezone.now())


def services_of(team: Entity) -> list[Entity]:
    """What a role can be given on beside the whole team: the services that it owns now."""
    found = Entity.objects.filter(owner_ref=team.ref, kind="Component")
    return list(found.order_by("name", "ref"))


def roles_here(team: Entity) -> list[RoleMapping]:
    """Every mapping whose scope is the team or one of its services, whoever gave it."""
    refs = [service.ref for service in services_of(team)]
    found = RoleMapping.objects.select_related("role", "by").order_by("scope_ref", "group")
    return [
        *found.filter(scope_kind="team", scope_ref=team.ref),
        *found.filter(scope_kind="service", scope_ref__in=refs),
    ]


def delegable() -> list[Role]:
    """The administrators' ceiling."""
    return list(Role.objects.filter(delegable=True))


def problem_of(wish: Wish, actor: Actor, team: Entity) -> str:
    """Why this can't be given by this person, as a sentence; "" when it can."""
    problem = subject_problem(wish.group, [ref for ref, _ in choices_of("team")])
    if problem:
        return problem
    if not wish.role.delegable:
        return f"Only administrators give the role {wish.role}."
    # The actor knows of teams only where some mapping names one already.
    if wish.group in {*actor.groups, *subjects_of(actor.user_ref)}:
        return OWN_GROUP.format(people_of(wish.group))
    scopes = _scopes(wish.scope_ref, team)
    if scopes is None:
        return f"{wish.scope_ref} does not belong to {team}."
    lacking = lacks(actor, wish.role, scopes, wish.environment)
    if lacking:
        words = ", ".join(PERMISSIONS.get(name, name) for name in lacking)
        return f"Nobody gives more than they hold. There you may not, unconditionally: {words}."
    return ""


def lacks(actor: Actor, role: Role, scopes: Scopes, environment: str) -> list[str]:
    """What the role lets people do there and the actor may not, without any condition."""
    target = Target("", scopes)
    held = {
        permission
        for grant in actor.grants
        if grant.covers(target) and grant.in_environment(environment) and grant.conditions == NONE
        for permission in grant.permissions
    }
    return sorted(set(role.permissions) - held)


def give(user: User, team: Entity, wish: Wish, request: HttpRequest | None = None) -> str:
    """Why it was not given, or ""; both are audited."""
    with transaction.atomic():
        lock()
        _stay(wish.scope_ref)
        actor = fresh_actor(user.pk)
        decision = decide_grant(actor, team)
        wish.role.refresh_from_db()
        refusal = "" if decision.allowed else decision.sentence
        refusal = refusal or problem_of(wish, actor, team) or _save(wish, team, user)
        audit.record(
            "role.give",
            actor=actor,
            target=f"{wish.group}: {wish.role} in {wish.scope_ref}",
            outcome="denied" if refusal else "ok",
            decision=decision,
            reason=refusal or wish.note,
            request=request,
            data={"team": team.ref, "environment": wish.environment},
        )
    return refusal


def take_back(user: User, team: Entity, pk: int, request: HttpRequest | None = None) -> str:
    """Why it was not taken back, or "". What administrators gave is theirs."""
    with transaction.atomic():
        lock()
        actor = fresh_actor(user.pk)
        decision = decide_grant(actor, team)
        found = next((mapping for mapping in roles_here(team) if mapping.pk == pk), None)
        if found is None:
            return "That role is not there any more."
        refusal = "" if decision.allowed else decision.sentence
        if not refusal and found.by_id is None:
            refusal = "An administrator gave this role, so an administrator takes it back."
        audit.record(
            "role.take_back",
            actor=actor,
            target=str(found),
            outcome="denied" if refusal else "ok",
            decision=decision,
            reason=refusal,
            request=request,
            data={"team": team.ref},
        )
        if not refusal:
            found.delete()
    return refusal


def _stay(ref: str) -> None:
    """Until the transaction ends no reading moves the entity to another team: it waits, and then
    ends what was given meanwhile. One that came first is waited for."""
    list(Entity.objects.select_for_update(no_key=True).filter(ref=ref).only("pk"))


def _save(wish: Wish, team: Entity, user: User) -> str:
    kind = "team" if wish.scope_ref == team.ref else "service"
    try:
        with transaction.atomic():
            RoleMapping.objects.create(
                group=wish.group,
                role=wish.role,
                scope_kind=kind,
                scope_ref=wish.scope_ref,
                environment=wish.environment,
                note=wish.note,
                by=user,
                team=team.ref,
            )
    except IntegrityError:
        return "They hold this role there already."
    return ""


def _scopes(ref: str, team: Entity) -> Scopes | None:
    """What covers the team or this service of it; None where it is not the team's."""
    if ref == team.ref:
        return _of_team(scopes_of(team))
    service = next((one for one in services_of(team) if one.ref == ref), None)
    return _of_team(scopes_of(service)) | {("service", ref)} if service else None


def _of_team(scopes: Scopes) -> Scopes:
    """Without tags, labels and systems: whoever edits a descriptor decides about them, and a role
    that is given here stays."""
    return frozenset(scope for scope in scopes if scope[0] in ("everything", "team"))


def target_of(team: Entity) -> Target:
    owners = tuple(_owners(roles_here(team)))
    return Target(str(team), _of_team(scopes_of(team)), helpers=owners)


def _owners(mappings: Iterable[RoleMapping]) -> list[str]:
    """Whose members give roles here, a few."""
    found = [people_of(one.group) for one in mappings if PERMISSION in one.role.permissions]
    return list(dict.fromkeys(found))[:3]
