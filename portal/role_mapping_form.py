"""The form of a role mapping: what it names must exist, since a typo would grant nothing silently.

What exists is known by the rooms above; they answer through the hook `scope_choices`.
"""

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal import hooks
from portal.models import RoleMapping
from portal.policy import SCOPE_KINDS, Conditions
from portal.subjects import origins, subject_problem

# More are still accepted, only not proposed while typing.
MAX_PROPOSALS = 500
# Scopes that name an entity, whose ref is lower case; tags, labels and pipelines are as written.
OF_ENTITIES = frozenset({"team", "system", "service"})
CONDITIONS = ("branches", "parameters", "hours")


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
    """Refuses a group that nobody can be in, a scope or environment that nobody knows, and
    conditions that can't be read."""

    class Meta:
        model = RoleMapping
        fields = ["group", "role", "scope_kind", "scope_ref", "environment", *CONDITIONS, "note"]
        widgets: ClassVar = {
            "branches": forms.Textarea(attrs={"rows": 2, "cols": 60}),
            "parameters": forms.Textarea(attrs={"rows": 3, "cols": 60}),
            "hours": forms.TextInput(attrs={"size": 60}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].widget = ProposingInput(group_proposals(), attrs={"size": 50})
        self.fields["scope_ref"].widget = ProposingInput(scope_proposals(), attrs={"size": 50})
        environments = choices_of("environment")
        if environments:
            self.fields["environment"] = forms.ChoiceField(
                choices=[("", "any environment"), *self._with_current(environments)],
                required=False,
                help_text="Where a build takes effect, by the environment rules.",
            )

    def clean_group(self) -> str:
        group = str(self.cleaned_data["group"]).strip()
        problem = subject_problem(group, [ref for ref, _ in choices_of("team")])
        if problem:
            raise ValidationError(problem)
        return group

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind, ref = data.get("scope_kind", ""), (data.get("scope_ref") or "").strip()
        data["scope_ref"] = ref = ref.lower() if kind in OF_ENTITIES else ref
        problem = scope_problem(kind, ref) if kind else ""
        if problem:
            self.add_error("scope_ref", problem)
        texts = {name: (data.get(name) or "").strip() for name in CONDITIONS}
        for name, sentence in Conditions(**texts).faults().items():
            self.add_error(name, sentence)
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
    matching = kind == "pipeline" and any(fnmatchcase(value, ref) for value in known)
    # Without a room that knows any, nothing can be said against it.
    if not known or ref in known or matching:
        return ""
    return _unknown(kind, ref, known)


def _unknown(kind: str, ref: str, known: list[str]) -> str:
    near = get_close_matches(ref, known, n=1, cutoff=0.5)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    if kind == "pipeline":
        return f'No pipeline\'s name matches "{ref}": write it as server:pattern.{hint}'
    if kind == "server":
        return f'There is no CI server "{ref}".{hint}'
    return f'The catalog has no {kind} "{ref}".{hint}'


def group_proposals() -> list[tuple[str, str]]:
    """Groups that have arrived from any origin, then the catalog's teams."""
    arrived = Q()
    for prefix in origins():
        arrived |= Q(name__startswith=prefix)
    known = Group.objects.filter(arrived).order_by("name").values_list("name", flat=True)
    teams = [(f"team:{ref}", name) for ref, name in choices_of("team")]
    room = max(MAX_PROPOSALS - len(teams), MAX_PROPOSALS // 2)
    slug = settings.OIDC_ISSUER_SLUG
    names = {f"{slug}:{sent}": name for sent, name in settings.OIDC_GROUP_NAMES.items()}
    return [*((group, names.get(group, "")) for group in known[:room]), *teams]


def never_seen(group: str) -> tuple[str, str] | None:
    """A group that nobody ever arrived with, and what was probably meant, "" if nothing is near.

    That is no mistake where roles are given before the first person signs in; often it is one.
    """
    if group.startswith("team:") or Group.objects.filter(name=group).exists():
        return None
    seen = Group.objects.values_list("name", flat=True)
    return group, next(iter(get_close_matches(group, seen, n=1, cutoff=0.8)), "")


def scope_proposals() -> list[tuple[str, str]]:
    """What scopes of any kind may name, to be proposed while somebody types: of each kind the
    first, so that many services leave room for the others."""
    kinds = [kind for kind in SCOPE_KINDS if kind != "everything"]
    each = MAX_PROPOSALS // len(kinds)
    return [choice for kind in kinds for choice in choices_of(kind)[:each]]


def choices_of(kind: str) -> list[tuple[str, str]]:
    """(value, label) of everything that a scope of this kind, or "environment", may name."""
    return [choice for answer in hooks.scope_choices.call(kind) for choice in answer or ()]
