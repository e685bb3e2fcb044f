"""The base of every admin page of ours: who changed what, before and after, goes into the trail."""

import json
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.http import HttpRequest

from portal import audit


class AuditedModelAdmin(admin.ModelAdmin):
    """Records each add, change and delete in the transaction that does it.

    Values under a secret's name are redacted by the trail itself; `unaudited_fields` leaves out
    what changes by itself, such as times.
    """

    unaudited_fields: tuple[str, ...] = ()

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        if change:
            stored = type(obj)._base_manager.get(pk=obj.pk)
            _before(request)[(type(obj), obj.pk)] = self.snapshot(stored)
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self.record("admin.add", request, obj, {"after": self.snapshot(obj)})
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        before = _before(request).pop((type(obj), obj.pk), None)
        if before is None:  # not through the form: Django's page for a new password
            self.record("admin.change", request, obj, {"what": message})
            return super().log_change(request, obj, message)
        after = self.snapshot(type(obj)._base_manager.get(pk=obj.pk))
        names = [name for name, value in after.items() if before.get(name) != value]
        related = [part for part in message or () if _is_related(part)]
        if names or related:
            data = {
                "before": {name: before.get(name) for name in names},
                "after": {name: after[name] for name in names},
            }
            self.record("admin.change", request, obj, {**data, **_also(related)})
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        # Django calls this before it deletes, from the page as well as from the list's action.
        for obj in queryset:
            self.record("admin.delete", request, obj, {"before": self.snapshot(obj)})
        return super().log_deletions(request, queryset)

    def record(self, action: str, request: HttpRequest, obj: Model, data: dict[str, Any]) -> None:
        """One event about `obj`, in the words of the admin."""
        audit.record(
            action,
            user=request.user,
            request=request,
            target=f"{self.opts.verbose_name}: {obj}",
            data={"model": self.opts.label_lower, "pk": str(obj.pk), **data},
        )

    def snapshot(self, obj: Model) -> dict[str, Any]:
        """{field: plain JSON value}; a relation is shown as people read it."""
        values: dict[str, Any] = {}
        for field in self.opts.concrete_fields:
            if field.name in self.unaudited_fields:
                continue
            value = getattr(obj, field.name) if field.is_relation else field.value_from_object(obj)
            values[field.name] = str(value) if isinstance(value, Model) else value
        for field in self.opts.many_to_many:
            values[field.name] = sorted(str(item) for item in getattr(obj, field.name).all())
        return json.loads(json.dumps(values, cls=_Encoder))


class ReadOnlyAdmin(AuditedModelAdmin):
    """Looked at, changed by nobody here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:
            return str(o)


def _before(request: HttpRequest) -> dict[Any, dict[str, Any]]:
    if not hasattr(request, "audited_before"):
        request.audited_before = {}  # type: ignore[attr-defined]
    return request.audited_before  # type: ignore[attr-defined]


def _is_related(part: Any) -> bool:
    """Whether a part of Django's change message is about a row of an inline."""
    return isinstance(part, dict) and any("name" in detail for detail in part.values())


def _also(related: list[dict[str, Any]]) -> dict[str, Any]:
    return {"related": related} if related else {}
