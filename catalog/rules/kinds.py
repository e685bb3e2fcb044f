"""The kinds of entity: what each must say, and which of its fields relate it to others.

The rules are those of Backstage's catalog-model 1.10 and scaffolder-common (Template), as its code
applies them; `dependencyOf` is read although no schema names it.
"""

from dataclasses import dataclass

from catalog.rules.shapes import (
    Shape,
    any_text,
    list_of,
    mapping,
    mapping_or_list_of,
    one_of,
    text,
    text_or_flag,
)

CORE_VERSIONS = ("backstage.io/v1alpha1", "backstage.io/v1beta1")
TEMPLATE_VERSIONS = ("scaffolder.backstage.io/v1beta3",)


@dataclass(frozen=True)
class RelationField:
    """A spec field that holds entity refs. Without a default kind, a ref has to say its own."""

    field: str
    type: str
    inverse: str
    default_kind: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind that Stagedoor knows."""

    name: str
    spec: Shape
    relations: tuple[RelationField, ...] = ()
    api_versions: tuple[str, ...] = CORE_VERSIONS


_texts = list_of(text)
_profile = mapping({"displayName": text, "email": text, "picture": text})
_permissions = mapping({"tags": list_of(any_text)})
_with_permissions = mapping({"backstage:permissions": _permissions})
_decorators = list_of(mapping({"id": any_text, "input": mapping()}))
_step = mapping(
    {
        "id": any_text,
        "name": any_text,
        "action": any_text,
        "input": mapping(),
        "if": text_or_flag,
        "backstage:permissions": _permissions,
    },
    required=("action",),
)
_output_link = mapping(
    {"if": text_or_flag, "url": text, "entityRef": text, "title": text, "icon": text}
)
_output_text = mapping({"if": text_or_flag, "title": text, "icon": text, "content": any_text})
_button_labels = mapping(
    {"backButtonText": any_text, "createButtonText": any_text, "reviewButtonText": any_text}
)
_template = mapping(
    {
        "type": text,
        "owner": text,
        "lifecycle": text,
        "parameters": mapping_or_list_of(_with_permissions),
        "secrets": mapping({"schema": mapping()}),
        "presentation": mapping({"buttonLabels": _button_labels}),
        "EXPERIMENTAL_recovery": mapping({"EXPERIMENTAL_strategy": any_text}),
        "formDecorators": _decorators,
        "EXPERIMENTAL_formDecorators": _decorators,
        "steps": list_of(_step),
        "output": mapping(
            {"links": list_of(_output_link), "text": list_of(_output_text)}, others=any_text
        ),
    },
    required=("type", "steps"),
)

_OWNER = RelationField("owner", "ownedBy", "ownerOf", "Group")
_SYSTEM = RelationField("system", "partOf", "hasPart", "System")
_DEPENDS_ON = RelationField("dependsOn", "dependsOn", "dependencyOf")
_DEPENDENCY_OF = RelationField("dependencyOf", "dependencyOf", "dependsOn")

_ALL = (
    Kind(
        "Component",
        mapping(
            {
                "type": text,
                "lifecycle": text,
                "owner": text,
                "system": text,
                "subcomponentOf": text,
                "providesApis": _texts,
                "consumesApis": _texts,
                "dependsOn": _texts,
            },
            required=("type", "lifecycle", "owner"),
        ),
        (
            _OWNER,
            _SYSTEM,
            RelationField("subcomponentOf", "partOf", "hasPart", "Component"),
            RelationField("providesApis", "providesApi", "apiProvidedBy", "API"),
            RelationField("consumesApis", "consumesApi", "apiConsumedBy", "API"),
            _DEPENDS_ON,
            _DEPENDENCY_OF,
        ),
    ),
    Kind(
        "API",
        mapping(
            {"type": text, "lifecycle": text, "owner": text, "system": text, "definition": text},
            required=("type", "lifecycle", "owner", "definition"),
        ),
        (_OWNER, _SYSTEM),
    ),
    Kind(
        "Resource",
        mapping(
            {"type": text, "owner": text, "system": text, "dependsOn": _texts},
            required=("type", "owner"),
        ),
        (_OWNER, _SYSTEM, _DEPENDS_ON, _DEPENDENCY_OF),
    ),
    Kind(
        "System",
        mapping({"owner": text, "domain": text, "type": text}, required=("owner",)),
        (_OWNER, RelationField("domain", "partOf", "hasPart", "Domain")),
    ),
    Kind(
        "Domain",
        mapping({"owner": text, "subdomainOf": text, "type": text}, required=("owner",)),
        (_OWNER, RelationField("subdomainOf", "partOf", "hasPart", "Domain")),
    ),
    Kind(
        "Group",
        mapping(
            {
                "type": text,
                "profile": _profile,
                "parent": text,
                "children": _texts,
                "members": _texts,
            },
            required=("type", "children"),
        ),
        (
            RelationField("parent", "childOf", "parentOf", "Group"),
            RelationField("children", "parentOf", "childOf", "Group"),
            RelationField("members", "hasMember", "memberOf", "User"),
        ),
    ),
    Kind(
        "User",
        mapping({"profile": _profile, "memberOf": _texts}, required=("memberOf",)),
        (RelationField("memberOf", "memberOf", "hasMember", "Group"),),
    ),
    Kind(
        "Location",
        mapping(
            {
                "type": text,
                "target": text,
                "targets": _texts,
                "presence": one_of("required", "optional"),
            }
        ),
    ),
    Kind("Template", _template, (_OWNER,), TEMPLATE_VERSIONS),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
