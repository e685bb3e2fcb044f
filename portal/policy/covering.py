"""Which of many scopes cover a target, and which let somebody in: for thousands at once."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase

from portal.policy.decision import decide
from portal.policy.facts import Actor, Grant, Target

Scope = tuple[str, str, str]  # kind, ref and environment, as a mapping names them
EVERYTHING = ("everything", "")
ANYWHERE = Target("everything")


def allowed_scopes(actor: Actor, action: str, now: datetime) -> frozenset[tuple[str, str]]:
    """The scopes in which decide() lets the actor do this, where it takes effect in no environment
    and is about no branch: a list shows what one of them covers. `EVERYTHING` stands alone.
    """
    if decide(actor, action, ANYWHERE, now=now).allowed:
        return frozenset({EVERYTHING})

    def holds(grant: Grant) -> bool:
        """As the only one, and for everything: what is asked besides its scope, decide() says."""
        alone = replace(grant, scope_kind="everything", scope_ref="")
        return decide(replace(actor, grants=(alone,)), action, ANYWHERE, now=now).allowed

    having = (grant for grant in actor.grants if action in grant.permissions)
    return frozenset((grant.scope_kind, grant.scope_ref) for grant in having if holds(grant))


class Covering:
    """Which scopes of grants cover a place: by look-up, but for patterns of pipelines."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self._by_scope: dict[tuple[str, str], list[Scope]] = defaultdict(list)
        self._patterns: dict[str, list[Scope]] = defaultdict(list)
        for scope in scopes:
            kind, ref, _ = scope
            if kind == "pipeline":
                self._patterns[ref].append(scope)
            else:
                self._by_scope[kind, ref].append(scope)
        self._matching: dict[str, list[Scope]] = {}

    def of(self, target: Target) -> frozenset[Scope]:
        found = list(self._by_scope.get(("everything", ""), ()))
        for kind, ref in target.scopes:
            if kind == "pipeline":
                found += self._of_pipeline(ref)
            elif kind != "everything":
                found += self._by_scope.get((kind, ref), ())
        return frozenset(scope for scope in found if scope[2] in ("", target.environment))

    def _of_pipeline(self, name: str) -> list[Scope]:
        if name not in self._matching:
            self._matching[name] = [
                scope
                for pattern, scopes in self._patterns.items()
                if fnmatchcase(name, pattern)
                for scope in scopes
            ]
        return self._matching[name]
