"""Named hooks: how a lower room causes something above it without importing it.

A room above registers a function in its `AppConfig.ready()`; the room below calls the hook.
Nothing about safety hangs on a hook: what matters for safety is read again where it is used.
"""

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


FAILED = object()


class Hook:
    """A list of functions with one signature, called in the order of registration."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._functions: list[Callable[..., Any]] = []

    def register(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Adds a function once; usable as a decorator."""
        if function not in self._functions:
            self._functions.append(function)
        return function

    def call(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Every function's answer. One that fails is logged and left out, the others still run."""
        return [answer for answer in self.answers(*args, **kwargs) if answer is not FAILED]

    def answers(self, *args: Any, **kwargs: Any) -> list[Any]:
        """As call(), with FAILED in the place of what a function that failed would have said."""
        return [self._answer(function, args, kwargs) for function in self._functions]

    def _answer(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:
            logger.exception("hook %s: %s failed", self.name, function.__qualname__)
            return FAILED

    def ask(self, *args: Any, **kwargs: Any) -> list[Any]:
        """As call(), for what has to be whole: a failure is the caller's."""
        return [function(*args, **kwargs) for function in self._functions]


# (user) -> dict[tuple[str, str], int]: the person lost access, in this transaction; end what runs
# in their name. Returns how much of what, with how to say one of it and several.
access_ended = Hook("access_ended")
# (token_id: int) -> int: the API token was revoked; end what waits by it, and tell how much.
token_ended = Hook("token_ended")
# (entity_ids: set[int]) -> None: these entities were added, changed or removed by a sync.
catalog_changed = Hook("catalog_changed")
# (entity_ids: set[int]) -> None: these entities are about to be removed, in this transaction.
catalog_removing = Hook("catalog_removing")
# (place: str, request, objects: list) -> dict[pk, SafeString]: see templatetags/ui.py `panel`.
page_panels = Hook("page_panels")
# () -> list[portal.health.Check]: what /healthz reports.
health_checks = Hook("health_checks")
# (user_ref: str) -> list[str]: what the person is in by the catalog: "team:<ref of a group>".
subjects_of = Hook("subjects_of")
# () -> dict[str, list[str]]: the same of everybody whom the catalog has in a team, by user ref.
subjects_of_all = Hook("subjects_of_all")
# (ref: str) -> list[portal.policy.effects.Place]: everything that permissions are about, as it is
# in this transaction; of one entity, where its ref is given.
policy_places = Hook("policy_places")
# (kind: str) -> list[tuple[value, label]]: what a role mapping's scope may name.
scope_choices = Hook("scope_choices")
# (repository) -> dict[str, str]: annotations that would link an entity to what builds it.
repository_annotations = Hook("repository_annotations")
