"""The forms of environments and freezes in the administration: a typo would protect nothing."""

import re
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from pipelines.environments import globs_of
from pipelines.freezes import is_in_force, utc
from pipelines.inputs import BRANCH_MAX
from pipelines.models import Environment, Freeze
from portal.role_mapping_form import OF_ENTITIES, ProposingInput, scope_problem, scope_proposals

ENDS_NOW = (
    "To end it early, write a time that has passed: it ends once that is saved, or confirmed."
)
MAX_APPROVALS = 10
MAX_AT_ONCE = 100
MAX_MINUTES = 30 * 24 * 60
# A glob of branches; what git lets no branch be called can't match, and would protect nothing.
_GLOB = re.compile(r"[^\x00-\x20\x7f~^:\\]+")


class EnvironmentForm(forms.ModelForm):
    class Meta:
        model = Environment
        fields = [
            "name",
            "slug",
            "rank",
            "approvals",
            "approver_role",
            "approval_minutes",
            "protected_branches",
            "allow_unpinned",
            "concurrency",
        ]

    def clean_approvals(self) -> int:
        return _at_most(self.cleaned_data["approvals"], MAX_APPROVALS, "approvals")

    def clean_approval_minutes(self) -> int:
        minutes = self.cleaned_data["approval_minutes"]
        if not minutes:
            raise ValidationError("A request needs at least a minute.")
        return _at_most(minutes, MAX_MINUTES, "minutes, which is 30 days")

    def clean_concurrency(self) -> int | None:
        number = self.cleaned_data["concurrency"]
        if number == 0:
            raise ValidationError("With 0 nothing would ever run. Set a freeze to stop all runs.")
        return None if number is None else _at_most(number, MAX_AT_ONCE, "at once")

    def clean_protected_branches(self) -> str:
        globs = globs_of(self.cleaned_data["protected_branches"])
        for glob in globs:
            if not _GLOB.fullmatch(glob) or len(glob) > BRANCH_MAX or glob.startswith("refs/"):
                raise ValidationError(
                    f'No branch is called "{glob}". Write branches as people call them, '
                    'for example "main, release/*".'
                )
        return ", ".join(dict.fromkeys(globs))


class FreezeForm(forms.ModelForm):
    """Its times are UTC, as its labels say."""

    class Meta:
        model = Freeze
        fields = ["environment", "scope_kind", "scope_ref", "starts_at", "ends_at", "reason"]
        labels = {"starts_at": "From (UTC)", "ends_at": "Until (UTC)"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "scope_ref" in self.fields:  # not on a page that is only looked at
            self.fields["scope_ref"].widget = ProposingInput(scope_proposals(), attrs={"size": 50})
            self.fields["environment"].empty_label = "every environment"
            for name in ("starts_at", "ends_at"):
                self._label_parts(name)
            if self._is_in_force(timezone.now()):
                self.fields["ends_at"].help_text = ENDS_NOW

    def _label_parts(self, name: str) -> None:
        """The admin's date and time stand beside words that are no labels."""
        field = self.fields[name]
        for part, word in zip(getattr(field.widget, "widgets", ()), ("date", "time"), strict=False):
            part.attrs["aria-label"] = f"{field.label}, {word}"

    def clean_reason(self) -> str:
        reason = " ".join(self.cleaned_data["reason"].split())
        if len(reason) < 5:
            raise ValidationError("Say why: whom it stops has only this to go by.")
        return reason

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind, ref = data.get("scope_kind", ""), (data.get("scope_ref") or "").strip()
        data["scope_ref"] = ref = ref.lower() if kind in OF_ENTITIES else ref
        problem = scope_problem(kind, ref) if kind else ""
        if problem:
            self.add_error("scope_ref", problem)
        starts, ends = data.get("starts_at"), data.get("ends_at")
        if starts and ends:
            data["ends_at"] = self._end(starts, ends, timezone.now())
        return data

    def _is_in_force(self, now: datetime) -> bool:
        return self.instance.pk is not None and is_in_force(self.instance, now)

    def _end(self, starts: datetime, ends: datetime, now: datetime) -> datetime:
        """A time that has passed ends what is in force at once, however long it took to confirm."""
        if ends <= starts:
            self.add_error("ends_at", f"It has to end after it begins, on {utc(starts)}.")
        elif ends <= now and self._is_in_force(now):
            return now
        elif ends <= now:
            self.add_error("ends_at", f"This time has passed: it is {utc(now)}.")
        return ends


def _at_most(value: int, most: int, words: str) -> int:
    if value > most:
        raise ValidationError(f"At most {most} {words}.")
    return value
