"""The form of a role mapping: what it names must exist, since a typo would grant nothing silently.

What exists is known by the rooms above; they answer through the hook `scope_choices`.
"""

from difflib import get_close_matches
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal import hooks
from portal.identities import prefix
from portal.models import RoleMapping
from portal.policy import SCOPE_KINDS

# More are still accepted, only not proposed while typing.
MAX_PROPOSALS = 500


class ProposingInput(forms.TextInput):
    """A text field with proposals in a <datalist>; works without JavaScript."""

    def __init__(self, proposals: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.proposals = proposals[:MAX_PROPOSALS]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        list_id = f"{name}-proposals"
        field = super().render(name, value, {**(attrs or {}), "list": list_id}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self.proposals)
        return format_html('{}<datalist id="{}">{}</datalist>', field, list_id, options)


class RoleMappingForm(forms.ModelForm):
    """Refuses a group without the provider's prefix and a scope or environment nobody knows."""

    class Meta:
        model = RoleMapping
        fields = ["group", "role", "scope_kind", "scope_ref", "environment", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Group.objects.filter(name__startswith=prefix()).order_by("name")
        groups = [(name, "") for name in known.values_list("name", flat=True)[:MAX_PROPOSALS]]
        self.fields["group"].widget = ProposingInput(groups, attrs={"size": 50})
        self.fields["scope_ref"].widget = ProposingInput(scope_proposals(), attrs={"size": 50})
        environments = choices_of("environment")
        if environments:
            self.fields["environment"] = forms.ChoiceField(
                choices=[("", "any environment"), *self._with_current(environments)],
                required=False,
                help_text="Where a build takes effect, by the environment rules.",
            )

    def clean_group(self) -> str:
        group = self.cleaned_data["group"].strip()
        if not group.removeprefix(prefix()) or not group.startswith(prefix()):
            raise ValidationError(
                f'Groups of the identity provider begin with "{prefix()}": '
                f'write "{prefix()}{group.rpartition(":")[2] or "payments-deployers"}".'
            )
        return group

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind, ref = data.get("scope_kind", ""), (data.get("scope_ref") or "").strip().lower()
        data["scope_ref"] = ref
        problem = scope_problem(kind, ref) if kind else ""
        if problem:
            self.add_error("scope_ref", problem)
        return data

    def _with_current(self, environments: list[tuple[str, str]]) -> list[tuple[str, str]]:
        current = self.instance.environment
        if not current or current in dict(environments):
            return environments
        return [*environments, (current, f"{current} (no such environment any more)")]


def scope_problem(kind: str, ref: str) -> str:
    """What is wrong with a scope as it is written, "" if nothing is."""
    if kind == "everything":
        return 'Leave this empty, or choose another scope: "everything".' if ref else ""
    if not ref:
        return f"Say which: the scope is {SCOPE_KINDS[kind]}."
    known = [value for value, _ in choices_of(kind)]
    # Without a room that knows any, nothing can be said against it.
    if not known or ref in known:
        return ""
    near = get_close_matches(ref, known, n=1, cutoff=0.5)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    return f'The catalog has no {kind} "{ref}".{hint}'


def scope_proposals() -> list[tuple[str, str]]:
    """All that scopes of any kind may name, to be proposed while somebody types."""
    return [choice for kind in SCOPE_KINDS if kind != "everything" for choice in choices_of(kind)]


def choices_of(kind: str) -> list[tuple[str, str]]:
    """(value, label) of everything that a scope of this kind, or "environment", may name."""
    return [choice for answer in hooks.scope_choices.call(kind) for choice in answer or ()]
