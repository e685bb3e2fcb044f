"""Changes of policy that give their author something: a second person confirms or refuses them.

A row is decided by one conditional UPDATE, in the transaction that applies it: of two people who
confirm at once one does. It is applied only to what it was made for, and only as it was shown.
"""

import json
from datetime import datetime
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from portal import audit
from portal.dry_run import DryRun, lock
from portal.effect_rows import day_and_time, told
from portal.models import PolicyChange

audit.register("policy.propose", "asked for a change of policy that gives them something")
audit.register("policy.confirm", "confirmed another person's change of policy")
audit.register("policy.refuse", "refused another person's change of policy")
audit.register("policy.withdraw", "took back a change of policy that they had asked for")

State = PolicyChange.State
NOT_WAITING = "It was decided in the meantime."
CHANGED = "What it is about has changed since it was asked for, so it can't be applied any more."
NOT_SHOWN = "What it would do has changed since you saw it. Look at it again, then decide."
OWN = "Nobody confirms what they asked for themselves."
INVALID = "It can't be saved any more as it was asked for: {}"
FORBIDDEN = "You may not change this yourself."


class Refusal(Exception):
    """Why a word on a change was not taken, as a sentence."""


def propose(
    page: Any, request: HttpRequest, obj: Any, values: dict[str, list[str]], dry: DryRun
) -> PolicyChange:
    """Keeps the change until somebody else confirms it; `values` are empty for a deletion."""
    label = f"{'Change' if values else 'Delete'} {page.opts.verbose_name}: {obj}"
    if obj is None:
        new = page.bound_form(request, None, _data(values)).save(commit=False)
        label = f"Add {page.opts.verbose_name}: {new}"
    change = PolicyChange.objects.create(
        model=page.opts.label_lower,
        object_pk=str(obj.pk) if obj is not None else "",
        label=label[:300],
        before=page.snapshot(type(obj)._default_manager.get(pk=obj.pk)) if obj is not None else {},
        after=values,
        effects=[row.kept() for row in told(dry.lines).rows],
        author=request.user,
    )
    _audit("policy.propose", change, request)
    return change


def others(user: Any) -> list[User]:
    """Administrators beside this one."""
    people = User.objects.filter(is_active=True, is_staff=True, is_superuser=True)
    return list(people.exclude(pk=user.pk)[:5])


def try_again(change: PolicyChange, request: HttpRequest) -> tuple[DryRun | None, str]:
    """What it would do by now, or why it can't be applied any more."""
    page = _page(change)
    obj = _object(change)
    if page is None or (change.object_pk and obj is None):
        return None, CHANGED
    if obj is not None and page.snapshot(obj) != change.before:
        return None, CHANGED
    problem = _forbidden(page, request, obj, change) or _invalid(page, request, obj, change)
    if problem:
        return None, problem
    return page.try_change(request, obj, _data(change.after) if change.after else None), ""


def values_shown(change: PolicyChange, request: HttpRequest) -> list[tuple[str, Any, str]]:
    """Of each field that would change: its name, what it was, and what was asked for."""
    page = _page(change)
    if page is None or not change.after:
        return []
    form = page.bound_form(request, _object(change), _data(change.after))
    given = {name: form[name].value() for name in form.fields}
    names = form.changed_data if change.object_pk else [name for name in given if given[name]]
    return [
        (
            str(form.fields[name].label or name),
            *_shown(
                form.fields[name],
                change.before.get(name, form.initial.get(name, "")),
                given[name],
            ),
        )
        for name in names
    ]


def _shown(field: Any, before: Any, after: Any) -> tuple[str, str]:
    """Of a list that changes only what comes and goes: nobody finds one word among twenty."""
    if not (isinstance(before, list) and isinstance(after, list)):
        return _words(field, before), _words(field, after)
    goes = [item for item in before if item not in after]
    comes = [item for item in after if item not in before]
    parts = ("also ", comes), ("no longer ", goes)
    said = (word + _words(field, items) for word, items in parts if items)
    return "what is not named here stays", "; ".join(said)


def _words(field: Any, value: Any) -> str:
    """A value as people read it: choices by their names, times in one way."""
    if isinstance(field, forms.SplitDateTimeField):
        return _time(field, value)
    if isinstance(value, bool) or (isinstance(field, forms.BooleanField) and value is None):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(_words(field, item) for item in value)
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    choices = getattr(field, "choices", ())
    found = (str(label) for key, label in choices if str(key) == str(value))
    return next(found, "" if value is None else str(value))


def _time(field: forms.Field, value: Any) -> str:
    """As it was kept, or as it was typed, which is a day and a time."""
    try:
        moment = field.clean(value) if isinstance(value, list) else datetime.fromisoformat(value)
    except (TypeError, ValueError, ValidationError):
        return " ".join(value) if isinstance(value, list) else str(value or "")
    return f"{day_and_time(moment)} UTC" if moment else ""


def confirm(change: PolicyChange, request: HttpRequest, *, shown: str, operator: str = "") -> None:
    """Applies it. Raises Refusal. `operator` is whoever confirms it on the server's own console:
    then the request is the author's, and nobody of the portal has decided."""
    if not operator and request.user.pk == change.author_id:
        raise Refusal(OWN)
    with transaction.atomic():
        lock()
        by = None if operator else request.user
        _settle(change, State.APPLIED, by, f"by {operator}, on the server" if operator else "")
        dry, problem = try_again(change, request)
        if dry is None:
            raise Refusal(problem)
        if not operator and dry.digest != shown:
            raise Refusal(NOT_SHOWN)
        _apply(change, request)
        _audit("policy.confirm", change, request, operator=operator)


def refuse(change: PolicyChange, request: HttpRequest, comment: str = "") -> None:
    """Raises Refusal."""
    if request.user.pk == change.author_id:
        raise Refusal(OWN)
    page, obj = _page(change), _object(change)
    if page is not None and (problem := _forbidden(page, request, obj, change)):
        raise Refusal(problem)
    with transaction.atomic():
        _settle(change, State.REFUSED, request.user, comment)
        _audit("policy.refuse", change, request)


def withdraw(change: PolicyChange, request: HttpRequest) -> None:
    """Raises Refusal."""
    if request.user.pk != change.author_id:
        raise Refusal("Only whoever asked for it takes it back.")
    with transaction.atomic():
        _settle(change, State.WITHDRAWN, request.user, "")
        _audit("policy.withdraw", change, request)


def _settle(change: PolicyChange, state: str, by: Any, comment: str) -> None:
    waiting = PolicyChange.objects.filter(pk=change.pk, state=State.WAITING)
    if state != State.WITHDRAWN and by is not None:
        waiting = waiting.exclude(author=by)
    values = {"state": state, "decided_by": by, "comment": comment[:300]}
    if not waiting.update(decided_at=timezone.now(), **values):
        raise Refusal(NOT_WAITING)
    change.refresh_from_db()


def _apply(change: PolicyChange, request: HttpRequest) -> None:
    """As the page's own save would, its audit events and history included."""
    page, obj = _page(change), _object(change)
    if not change.after:
        page.log_deletions(request, type(obj)._default_manager.filter(pk=obj.pk))
        page.delete_model(request, obj)
        return
    form = page.bound_form(request, obj, _data(change.after))
    form.is_valid()
    saved = page.save_form(request, form, change=obj is not None)
    page.save_model(request, saved, form, obj is not None)
    page.save_related(request, form, [], obj is not None)
    message = page.construct_change_message(request, form, [], obj is None)
    log = page.log_addition if obj is None else page.log_change
    log(request, saved, message)


def _page(change: PolicyChange) -> Any:
    return admin.site._registry.get(apps.get_model(change.model))


def _object(change: PolicyChange) -> Any:
    model = apps.get_model(change.model)
    return model._default_manager.filter(pk=change.object_pk).first() if change.object_pk else None


def _forbidden(page: Any, request: HttpRequest, obj: Any, change: PolicyChange) -> str:
    if not change.object_pk:
        allowed = page.has_add_permission(request)
    elif change.after:
        allowed = page.has_change_permission(request, obj)
    else:
        allowed = page.has_delete_permission(request, obj)
    return "" if allowed else FORBIDDEN


def _invalid(page: Any, request: HttpRequest, obj: Any, change: PolicyChange) -> str:
    if not change.after:
        *_, protected = page.get_deleted_objects([obj], request)
        return INVALID.format("something else needs it.") if protected else ""
    form = page.bound_form(request, obj, _data(change.after))
    if form.is_valid():
        return ""
    return INVALID.format(" ".join(text for texts in form.errors.values() for text in texts))


def _data(values: dict[str, list[str]]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, items in values.items():
        data.setlist(name, items)
    return data


def _audit(action: str, change: PolicyChange, request: HttpRequest, operator: str = "") -> None:
    audit.record(
        action,
        user=None if operator else request.user,
        on_behalf_of=str(change.author) if action == "policy.confirm" else "",
        request=None if operator else request,
        target=change.label,
        reason=change.comment,
        data={"change": change.pk, "effects": change.effects},
    )
