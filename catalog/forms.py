"""The catalog's filters: read from the URL, written back into it."""

from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.http import QueryDict

# The kinds that have a meaning here, with the word for many of them; others are kept, marked as
# unsupported and shown plainly.
KINDS = {
    "Component": "components",
    "API": "APIs",
    "Resource": "resources",
    "System": "systems",
    "Domain": "domains",
    "Group": "groups",
    "User": "users",
    "Template": "templates",
    "Location": "locations",
}
# Of these nothing is built: their lists have no state column.
WITHOUT_BUILDS = {"Group", "User", "Domain", "Location"}
DEFAULT_KIND = "Component"
ANY_KIND = "any"
MISSING, UNSUPPORTED = "missing", "unsupported"  # as in Entity.State
PROBLEMS = "problems"  # Entity.has_issues
STATES = (MISSING, PROBLEMS, UNSUPPORTED)
OWNED, STARRED = "owned", "starred"
MULTIPLE = ("type", "owner", "lifecycle", "tag", "system", "namespace", "state")
MAX_VALUES = 20  # of one filter; more come from a broken link, not from a person


class FilterForm(forms.Form):
    """What a person may type; a bad field is named and left out, the others still filter."""

    q = forms.CharField(
        max_length=200,
        required=False,
        error_messages={"max_length": "Search text can have 200 characters at most."},
    )
    kind = forms.CharField(max_length=63, required=False)
    show = forms.ChoiceField(
        choices=[(OWNED, OWNED), (STARRED, STARRED)],
        required=False,
        error_messages={"invalid_choice": "There is nothing to show as “%(value)s”."},
    )


@dataclass(frozen=True)
class Filters:
    """The list's filters: one of the values of each, and all of the `tag`s; "" and () are any.

    `show` is what the person has to do with it, and stands beside `owner`: neither undoes the
    other.
    """

    q: str = ""
    show: str = ""
    kind: str = DEFAULT_KIND
    type: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    lifecycle: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()
    state: tuple[str, ...] = ()

    @property
    def is_default(self) -> bool:
        """Nothing was asked for, so an empty list means an empty catalog."""
        return self == Filters()

    def query(self, **more: Any) -> str:
        """The query string, without what is empty or the default; "" for the plain list."""
        data = QueryDict(mutable=True)
        for name in ("q", "show"):
            if value := getattr(self, name):
                data[name] = value
        if self.kind != DEFAULT_KIND:
            data["kind"] = self.kind
        for name in MULTIPLE:
            data.setlist(name, list(getattr(self, name)))
        for name, value in more.items():
            data[name] = str(value)
        return f"?{data.urlencode()}" if data else "?"

    @property
    def wants_unsupported(self) -> bool:
        """Unsupported entities stand outside every list but the ones that ask for them."""
        return UNSUPPORTED in self.state or self.kind not in (ANY_KIND, *KINDS)

    def without(self, name: str, value: str = "") -> "Filters":
        """These filters with one value taken away."""
        left: Any = DEFAULT_KIND if name == "kind" else ""
        if name in MULTIPLE:
            left = tuple(one for one in getattr(self, name) if one != value)
        return replace(self, **{name: left})

    def with_kind(self, kind: str, *state: str) -> "Filters":
        """Another kind; states, types and lifecycles are another kind's words, so they go."""
        return replace(self, kind=kind, state=state, type=(), lifecycle=())

    def showing(self, show: str) -> "Filters":
        """The same of what the person owns or has starred; "" of everything."""
        return replace(self, show=show)


def read_filters(data: QueryDict) -> tuple[Filters, list[str]]:
    """The filters in a query string, and a sentence for each that could not be used."""
    form = FilterForm(data)
    form.is_valid()
    problems = [f"{error} It was left out." for errors in form.errors.values() for error in errors]
    many: dict[str, tuple[str, ...]] = {}
    for name in MULTIPLE:
        values = [v.strip() for v in data.getlist(name) if v.strip() and "\x00" not in v]
        if len(values) > MAX_VALUES:
            problems.append(f"Only the first {MAX_VALUES} values of “{name}” are used.")
        many[name] = tuple(dict.fromkeys(values[:MAX_VALUES]))
    odd = [value for value in many["state"] if value not in STATES]
    problems += [f"There is no state “{value}” to filter by. It was left out." for value in odd]
    many["state"] = tuple(value for value in many["state"] if value in STATES)
    return (
        Filters(
            q=form.cleaned_data.get("q", ""),
            show=form.cleaned_data.get("show", ""),
            kind=_kind(form.cleaned_data.get("kind", "")),
            **many,
        ),
        problems,
    )


def _kind(word: str) -> str:
    """The kind as the catalog writes it, whatever its case in the URL."""
    folded = word.lower()
    if folded == ANY_KIND:
        return ANY_KIND
    return next((kind for kind in KINDS if kind.lower() == folded), word or DEFAULT_KIND)
