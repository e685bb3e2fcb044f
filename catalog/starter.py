"""Writes a first descriptor for somebody to commit, and judges it by the catalog's own rules."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from django import forms
from django.urls import reverse

from catalog.descriptors import DocumentResult, parse
from catalog.models import Entity
from catalog.sources.tree import FILE_NAMES
from catalog.sources.web_urls import parse_repository

# kind -> the fields of its spec, in the order in which they are written
SPEC_FIELDS = {
    "Component": ("type", "lifecycle", "owner", "system"),
    "API": ("type", "lifecycle", "owner", "system", "definition"),
    "Resource": ("type", "owner", "system"),
    "System": ("owner", "domain"),
    "Domain": ("owner",),
}
TYPES = ("service", "website", "library", "openapi", "asyncapi", "graphql", "grpc", "database")
LIFECYCLES = ("experimental", "production", "deprecated")
DEFAULT_KIND = "Component"
DEFAULT_TYPES = {"Component": "service", "API": "openapi", "Resource": "database"}
# Of a list to pick from; a company has more teams than a list shows well.
MAX_CHOICES = 1000
# YAML 1.2 takes these for numbers and the library, which writes YAML 1.1, does not.
_NUMBERLIKE = re.compile(r"[-+.]?[0-9].*|[-+]?\.(?:inf|nan)", re.IGNORECASE)


class DescriptorForm(forms.Form):
    """What a person may say of the thing; the rules of descriptors judge it, not this form."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in SPEC_FIELDS], initial="Component")
    name = forms.CharField(
        max_length=63,
        required=False,
        help_text="Letters and digits, with - _ . between them. It stays when the title changes.",
    )
    title = forms.CharField(max_length=200, required=False, help_text="What people call it.")
    description = forms.CharField(max_length=1000, required=False)
    type = forms.CharField(max_length=100, required=False, label="Type")
    lifecycle = forms.CharField(max_length=100, required=False)
    owner = forms.CharField(
        max_length=200, required=False, help_text="The team that looks after it."
    )
    system = forms.CharField(max_length=200, required=False)
    domain = forms.CharField(max_length=200, required=False)
    definition = forms.CharField(
        max_length=300,
        required=False,
        label="Definition file",
        help_text="Beside the descriptor, for example ./openapi.yaml.",
    )
    tags = forms.CharField(
        max_length=500, required=False, help_text="Lower case, with spaces between them."
    )
    links = forms.CharField(
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One a line: the address, then a title.",
    )
    # Where it is to be committed, as far as that is known.
    repository = forms.CharField(max_length=500, required=False, widget=forms.HiddenInput)
    branch = forms.CharField(max_length=200, required=False, widget=forms.HiddenInput)
    path = forms.CharField(max_length=300, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        lists = {"type": "types", "lifecycle": "lifecycles", "owner": "teams", "system": "systems"}
        for name, of in {**lists, "domain": "domains"}.items():
            self.fields[name].widget.attrs["list"] = of
        for shown in self.visible_fields():
            if shown.help_text:
                shown.field.widget.attrs["aria-describedby"] = f"{shown.auto_id}_helptext"
        for name in ("name", "owner"):
            self.fields[name].widget.attrs["autocomplete"] = "off"
        # Another kind has other fields: htmx draws the form anew.
        self.fields["kind"].widget.attrs |= {
            "hx-get": reverse("catalog:register_descriptor"),
            "hx-trigger": "change consume",
            "hx-target": "#descriptor-form",
            "hx-include": "closest form",
        }

    @property
    def fitting(self) -> list[forms.BoundField]:
        """The fields that the chosen kind has."""
        kind = self.data.get("kind") or DEFAULT_KIND
        here = SPEC_FIELDS.get(kind, SPEC_FIELDS["Component"])
        every = {name for names in SPEC_FIELDS.values() for name in names}
        return [shown for shown in self.visible_fields() if shown.name not in every - set(here)]


def begin(data: dict[str, Any]) -> dict[str, Any]:
    """The form's data with what is usual for the kind, where nothing or another kind's usual is."""
    kind = data.get("kind") or DEFAULT_KIND
    usual = DEFAULT_TYPES.get(kind, "")
    type_ = data.get("type") or ""
    if not type_ or type_ in DEFAULT_TYPES.values():
        type_ = usual
    return {"lifecycle": "production", **data, "kind": kind, "type": type_}


@dataclass(frozen=True)
class Draft:
    """A descriptor to copy. `warnings` are of what the catalog does not know (yet)."""

    text: str
    path: str
    branch: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    create_url: str = ""
    page_url: str = ""

    @property
    def rows(self) -> int:
        """Of the box that shows it whole."""
        return self.text.count("\n") + 1


def draft_of(data: dict[str, Any]) -> Draft:
    """The descriptor that a form's cleaned data describe."""
    text = written(document_of(data))
    [result] = parse(text.encode(), read=lambda argument: b"to be written")
    problems = list(dict.fromkeys(problem.message for problem in result.problems))
    repository = parse_repository(data.get("repository") or "")
    path, branch = data.get("path") or FILE_NAMES[0], data.get("branch") or ""
    return Draft(
        text=text,
        path=path,
        branch=branch,
        problems=problems,
        warnings=_unknown(result) if result.valid else [],
        create_url=repository.create(branch, path, text) if repository and not problems else "",
        page_url=repository.page(branch, path) if repository else "",
    )


def document_of(data: dict[str, Any]) -> dict[str, Any]:
    """The descriptor as data; what was left empty is left out."""
    kind = data.get("kind") or DEFAULT_KIND
    metadata: dict[str, Any] = {"name": data.get("name") or ""}
    metadata |= {key: data[key] for key in ("title", "description") if data.get(key)}
    if tags := re.split(r"[\s,]+", (data.get("tags") or "").strip()):
        metadata |= {"tags": tags} if tags != [""] else {}
    if links := _links(data.get("links") or ""):
        metadata["links"] = links
    spec: dict[str, Any] = {}
    for key in SPEC_FIELDS[kind]:
        value = data.get(key) or ""
        if key == "definition":
            spec[key] = {"$text": value or "./openapi.yaml"}
        elif value or key in {"type", "lifecycle", "owner"}:
            spec[key] = value
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def written(document: dict[str, Any]) -> str:
    """The document as YAML that reads back as itself, under YAML 1.1 and 1.2 alike."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000, indent=2
    )


def known_refs() -> dict[str, list[str]]:
    """What the form offers: {list: refs as an author would write them}; one query."""
    kinds = {"Group": "teams", "System": "systems", "Domain": "domains"}
    rows = Entity.objects.filter(kind__in=kinds).order_by("name").values_list(
        "kind", "namespace", "name"
    )  # fmt: skip
    found: dict[str, list[str]] = {name: [] for name in kinds.values()}
    for kind, namespace, name in rows[: 3 * MAX_CHOICES]:
        short = name if namespace == "default" else f"{namespace}/{name}"
        found[kinds[kind]].append(short)
    return {**found, "types": list(TYPES), "lifecycles": list(LIFECYCLES)}


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if _NUMBERLIKE.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _links(text: str) -> list[dict[str, str]]:
    found = []
    for line in text.splitlines():
        url, _, title = line.strip().partition(" ")
        if url:
            found.append({"url": url, **({"title": title.strip()} if title.strip() else {})})
    return found


def _unknown(result: DocumentResult) -> list[str]:
    """What the descriptor names and the catalog lacks, and a name that is taken."""
    descriptor = result.descriptor
    if descriptor is None:
        return []
    own = descriptor.ref
    named = {target for source, _, target in descriptor.relations if source == own}
    known = set(Entity.objects.filter(ref__in=[*named, own]).values_list("ref", flat=True))
    found = [
        f"The catalog has no {ref} yet; it is kept as a name without a page."
        for ref in sorted(named - known)
    ]
    if own in known:
        found.insert(0, f"{own} is in the catalog already; only one can have the name.")
    return found
