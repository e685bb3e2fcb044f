"""The base of the admin pages that say who may do what: a change is shown before it is saved.

The form's values go through the step and back as they were typed; what is saved is what was shown,
or it is shown again. Nobody gives themselves anything here: a second person has to confirm that.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from portal import policy_changes
from portal.audited_admin import AuditedModelAdmin
from portal.dry_run import DryRun, Unseen, lock, try_out
from portal.effect_rows import told

SHOWN, BACK = "_shown", "_back"
# Fields of the page that are none of the form's.
OURS = ("csrfmiddlewaretoken", SHOWN, BACK)


class PolicyAdmin(AuditedModelAdmin):
    """Adds the step to each save that concerns policy, and to each deletion."""

    deletion_is_shown = True

    def concerns_policy(self, form: Any) -> bool:
        """Whether what is new in a valid form is about who may do what."""
        return True

    def follow(self, obj: Any, changed: Collection[str]) -> None:
        """What else the database holds differently once these fields of it are saved."""

    def unseen(self, obj: Any, form: Any) -> Unseen | None:
        """What of a change is not to be seen beforehand; without a form `obj` is deleted."""
        return None

    def never_seen(self, form: Any) -> tuple[str, str] | None:
        """A group of a valid form that nobody ever arrived with, and what was probably meant."""
        return None

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponseBase:
        if request.method == "POST" and BACK not in request.POST:
            obj = self.get_object(request, unquote(object_id)) if object_id else None
            if self._is_allowed(request, obj, object_id):
                save = super().changeform_view
                return self._shown_first(
                    request, obj, lambda: save(request, object_id, form_url, extra_context)
                )
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponseBase:
        obj = self.get_object(request, unquote(object_id))
        if (
            obj is None
            or not self.deletion_is_shown
            or not self.has_delete_permission(request, obj)
            or self._is_held(request, obj)
        ):
            return super().delete_view(request, object_id, extra_context)
        delete = super().delete_view
        return self._shown_first(
            request, obj, lambda: delete(request, object_id, extra_context), deletes=True
        )

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kw: Any
    ) -> Any:
        """Coming back from the step, one that keeps what was typed and saves nothing."""
        base = super().get_form(request, obj, change=change, **kw)
        if BACK not in request.POST:
            return base
        return type("Unsaved", (base,), {"is_valid": lambda form: False})

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Deleting several would show nothing of what each of them does.
        found = super().get_actions(request)
        if self.deletion_is_shown:
            found.pop("delete_selected", None)
        return found

    def would_give(self, request: HttpRequest, change: Any) -> bool:
        """Whether a change that goes no other way would give something to who makes it."""
        return try_out(change).gives(request.user.pk)

    def _is_allowed(self, request: HttpRequest, obj: Any, object_id: str | None) -> bool:
        if object_id is None:
            return self.has_add_permission(request)
        return obj is not None and self.has_change_permission(request, obj)

    def _is_changed(self, request: HttpRequest, obj: Any) -> bool:
        """Whether the form is valid and says anything new of policy; else Django answers."""
        form = self.bound_form(request, obj, request.POST)
        new = form.is_valid() and (form.has_changed() or obj is None)
        return bool(new and self.concerns_policy(form))

    def _is_held(self, request: HttpRequest, obj: Any) -> bool:
        """Whether something else keeps it from being deleted; Django's page lists that."""
        *_, lacking, protected = self.get_deleted_objects([obj], request)
        return bool(lacking or protected)

    def bound_form(self, request: HttpRequest, obj: Any, data: QueryDict) -> Any:
        """The page's own form, with these values, of the row as it is now."""
        current = type(obj)._default_manager.get(pk=obj.pk) if obj else None
        fields = flatten_fieldsets(self.get_fieldsets(request, current))
        form = self.get_form(request, current, change=obj is not None, fields=fields)
        return form(data, instance=current)

    def try_change(self, request: HttpRequest, obj: Any, data: QueryDict | None) -> DryRun:
        """What saving these values would do; without any, what deleting would."""
        if data is None:
            dry = try_out(lambda: type(obj)._default_manager.get(pk=obj.pk).delete())
            return replace(dry, unseen=self.unseen(obj, None))
        form = self.bound_form(request, obj, data)
        unseen = self.unseen(obj, form) if form.is_valid() else None

        def save() -> None:
            again = self.bound_form(request, obj, data)
            self.follow(again.save(), again.changed_data)

        return replace(try_out(save), unseen=unseen)

    def needs_second(self, request: HttpRequest, dry: DryRun) -> bool:
        """What gives its author something always does; what may, where there is somebody."""
        if dry.gives(request.user.pk):
            return True
        return dry.may_give(request.user.pk) and bool(policy_changes.others(request.user))

    def _shown_first(
        self, request: HttpRequest, obj: Any, do: Any, *, deletes: bool = False
    ) -> HttpResponseBase:
        data = None if deletes else request.POST
        with transaction.atomic():
            shown = request.POST.get(SHOWN, "")
            if shown or not (deletes or self._is_changed(request, obj)):
                lock()
                # Compared again now that nobody else saves, and saved before anybody does.
                if not (deletes or self._is_changed(request, obj)):
                    return do()
            dry = self.try_change(request, obj, data)
            again = shown not in ("", dry.digest)
            if shown == dry.digest:
                if not self.needs_second(request, dry):
                    return do()
                change = policy_changes.propose(self, request, obj, values_of(data), dry)
                return redirect(reverse("admin:portal_policychange_change", args=[change.pk]))
        return self._step(request, obj, dry, deletes=deletes, again=again)

    def _never_seen(self, request: HttpRequest, obj: Any) -> tuple[str, str] | None:
        form = self.bound_form(request, obj, request.POST)
        return self.never_seen(form) if form.is_valid() else None

    def _step(
        self, request: HttpRequest, obj: Any, dry: DryRun, *, deletes: bool, again: bool
    ) -> HttpResponseBase:
        kept = [
            (name, value) for name, values in values_of(request.POST).items() for value in values
        ]
        if deletes:
            kept = [("post", "yes")]
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        if obj is not None:
            page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            back = reverse(page, args=[obj.pk])
        context = {
            **self.admin_site.each_context(request),
            "title": f"Delete {obj}?" if deletes else "Before it is saved",
            "opts": self.opts,
            "original": obj,
            "told": told(dry.lines),
            "never_seen": None if deletes else self._never_seen(request, obj),
            "shown": dry.digest,
            "kept": kept,
            "again": again,
            "deletes": deletes,
            "back": back,
            "gives": dry.gives(request.user.pk),
            "unseen": dry.unseen.why if dry.unseen else "",
            "may_give": dry.may_give(request.user.pk),
            "second": self.needs_second(request, dry),
            "alone": not policy_changes.others(request.user),
        }
        return TemplateResponse(request, "admin/policy_step.html", context)


def values_of(data: QueryDict | None) -> dict[str, list[str]]:
    """What was typed, to be kept; empty for a deletion."""
    lists = dict(data.lists()) if data is not None else {}
    return {name: list(values) for name, values in lists.items() if name not in OURS}


def admin_of(site: Any, model: type[Model]) -> PolicyAdmin | None:
    """The page where rows of this kind are edited, if it has the step."""
    found = site._registry.get(model)
    return found if isinstance(found, PolicyAdmin) else None
