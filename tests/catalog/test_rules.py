"""The rules for metadata and for each kind, by example: what passes, what fails, and where."""

from typing import Any

import pytest
import yaml

from catalog.descriptors import DocumentResult, parse
from catalog.rules.kinds import KINDS
from catalog.rules.shapes import clip, quoted, shown

SPECS: dict[str, dict[str, Any]] = {
    "Component": {"type": "service", "lifecycle": "production", "owner": "red"},
    "API": {"type": "openapi", "lifecycle": "production", "owner": "red", "definition": "x"},
    "Resource": {"type": "database", "owner": "red"},
    "System": {"owner": "red"},
    "Domain": {"owner": "red"},
    "Group": {"type": "team", "children": []},
    "User": {"memberOf": []},
    "Location": {},
    "Template": {"type": "service", "steps": [{"action": "fetch:plain"}]},
}
SHORT, LONG, TOO_LONG = "a", "a" * 63, "a" * 64
DOMAIN_253 = ".".join(["a" * 63] * 3 + ["a" * 61])


def check(
    kind: str = "Component", *, root: Any = None, spec: Any = None, **meta: Any
) -> DocumentResult:
    """The verdict on a minimal entity with some fields replaced; a value of ... removes one."""
    version = KINDS[kind].api_versions[0] if kind in KINDS else "backstage.io/v1alpha1"
    document: dict[str, Any] = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "it", **meta},
        "spec": {**SPECS.get(kind, {}), **(spec or {})},
        **(root or {}),
    }
    for part in (document, document["metadata"], document["spec"]):
        if isinstance(part, dict):
            for key in [key for key, value in part.items() if value is ...]:
                del part[key]
    [result] = parse(yaml.safe_dump(document, allow_unicode=True).encode())
    return result


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_the_smallest_entity_of_each_kind_passes(kind: str) -> None:
    result = check(kind)
    assert result.accepted, result.problems
    assert result.ref == f"{kind.lower()}:default/it"


@pytest.mark.parametrize("kind", sorted(set(SPECS) - {"Template"}))
def test_core_kinds_have_two_api_versions(kind: str) -> None:
    assert check(kind, root={"apiVersion": "backstage.io/v1beta1"}).accepted


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, spec in SPECS.items() for field in spec]
)
def test_each_field_of_the_smallest_entity_is_needed(kind: str, field: str) -> None:
    for wrong in (..., None, 7, {"a": 1}):
        assert check(kind, spec={field: wrong}).stage == "kind", wrong


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_spec_itself_is_needed_and_a_mapping(kind: str) -> None:
    entity = {"apiVersion": KINDS[kind].api_versions[0], "kind": kind, "metadata": {"name": "x"}}
    assert parse(yaml.safe_dump(entity).encode())[0].stage == "kind"
    for wrong in ([], None, "text"):
        assert parse(yaml.safe_dump({**entity, "spec": wrong}).encode())[0].stage == "policy"


@pytest.mark.parametrize(
    ("root", "stage"),
    [
        ({"apiVersion": ...}, "envelope"),
        ({"apiVersion": 1}, "envelope"),
        ({"apiVersion": ""}, "envelope"),
        ({"kind": None}, "envelope"),
        ({"metadata": [{"name": "x"}]}, "envelope"),
        ({"metadata": {}}, "envelope"),
        ({"metadata": {"name": ""}}, "envelope"),
        ({"metadata": {"name": 12}}, "envelope"),
        ({"metadata": {"name": "x", "namespace": None}}, "envelope"),
        ({"metadata": {"name": "x", "namespace": ""}}, "envelope"),
        ({"metadata": {"name": "x", "annotations": []}}, "envelope"),
        ({"metadata": {"name": "x", "annotations": "text"}}, "envelope"),
        ({"metadata": {"name": "x", "annotations": None}}, ""),
        ({"apiVersion": "Backstage.io/v1"}, "policy"),
        ({"apiVersion": "backstage.io/v-1"}, "policy"),
        ({"apiVersion": "a/b/c"}, "policy"),
        ({"kind": "Two-Words"}, "policy"),
        ({"kind": "K" * 64}, "policy"),
        ({"kind": "K" * 63}, "kind"),
        ({"relations": []}, "policy"),
        ({"status": {}}, "policy"),
    ],
)
def test_the_envelope(root: dict[str, Any], stage: str) -> None:
    assert check(root=root).stage == stage


@pytest.mark.parametrize("name", [SHORT, LONG, "A", "7", "a-_.b", "Orders_API-v2.1"])
def test_names_that_pass(name: str) -> None:
    assert check(name=name).accepted


@pytest.mark.parametrize(
    "name", [TOO_LONG, "-a", "a.", "a b", "a/b", "a:b", "é", "a\n", "\u212a8s", "\uff11", "a\u200b"]
)
def test_names_that_fail(name: str) -> None:
    assert check(name=name).stage == "policy"


def test_a_look_alike_character_is_named() -> None:
    assert "U+0435" in check(name="s\u0435rvice").problems[0].message


@pytest.mark.parametrize(
    ("namespace", "passes"),
    [("a", True), (LONG, True), ("a--b", True), ("2026", True), (TOO_LONG, False)]
    + [(wrong, False) for wrong in ("A", "a.b", "a_b", "-a", "a-", "a\n")],
)
def test_namespaces(namespace: str, passes: bool) -> None:
    assert check(namespace=namespace).stage == ("" if passes else "policy")


@pytest.mark.parametrize(
    ("field", "value", "passes"),
    [
        ("title", "Any ✓", True),
        ("title", "", False),
        ("title", 2026, False),
        ("description", "", True),
        ("description", None, False),
        ("uid", "x", True),
        ("uid", 7, False),
        ("etag", "", False),
        ("anything", {"else": [1]}, True),
        ("labels", None, False),
        ("labels", ["a"], False),
        ("tags", None, False),
        ("tags", "java", False),
        ("tags", [], True),
        ("tags", ["java", "c++", "c#", "lang:go", "a-b", LONG], True),
        ("tags", [""], False),
        ("tags", [1], False),
        ("tags", ["node.js"], False),
        ("tags", ["Java"], False),
        ("tags", ["a--b"], False),
        ("tags", ["a_b"], False),
        ("tags", [TOO_LONG], False),
        ("links", None, False),
        ("links", [{"title": "no url"}], False),
        ("links", ["https://example.com"], False),
    ],
)
def test_other_metadata(field: str, value: Any, passes: bool) -> None:
    assert check(**{field: value}).stage == ("" if passes else "policy")


@pytest.mark.parametrize(
    ("key", "passes"),
    [
        ("tier", True),
        ("Tier_1.x", True),
        ("example.com/tier", True),
        (f"{DOMAIN_253}/tier", True),
        (f"{DOMAIN_253}a/tier", False),
        (f"{TOO_LONG}.com/tier", False),
        (f"example.com/{TOO_LONG}", False),
        ("Example.com/tier", False),
        ("/tier", False),
        ("example.com/", False),
        ("a/b/c", False),
        ("größe", False),
        ("", False),
    ],
)
def test_keys_of_labels_and_annotations(key: str, passes: bool) -> None:
    assert check(labels={key: "x"}).stage == ("" if passes else "policy")
    assert check(annotations={key: "x"}).stage == ("" if passes else "policy")


@pytest.mark.parametrize(
    ("value", "as_label", "as_annotation"),
    [
        ("", True, True),
        (LONG, True, True),
        (TOO_LONG, False, True),
        ("two words", False, True),
        ("x-", False, True),
        ("équipe 🧀", False, True),
        (1, False, False),
        (True, False, False),
        (None, False, False),
        (["a/b"], False, False),
    ],
)
def test_values_of_labels_and_annotations(value: Any, as_label: bool, as_annotation: bool) -> None:
    assert check(labels={"a": value}).accepted == as_label
    assert check(annotations={"a": value}).accepted == as_annotation


@pytest.mark.parametrize(
    ("url", "passes"),
    [
        ("https://example.com/a b?c=d#e", True),
        ("mailto:red@example.com", True),
        ("localhost:3000", True),  # a scheme, to WHATWG
        ("javascript:alert(1)", True),  # pages must not make a link of it
        ("HTTPS://EXAMPLE.com", True),
        ("https:example.com", True),
        ("/docs", False),
        ("example.com/docs", False),
        ("https://", False),
        ("https://example.com:99999", False),
        ("https://a b.example.com", False),
        ("http://[::1", False),
        ("//example.com", False),
    ],
)
def test_links_are_urls_as_browsers_read_them(url: str, passes: bool) -> None:
    assert check(links=[{"url": url}]).stage == ("" if passes else "policy")


def test_texts_of_links_are_not_blank() -> None:
    for field, value in (("title", " "), ("icon", "\ufeff"), ("type", ""), ("title", None)):
        assert check(links=[{"url": "https://example.com", field: value}]).stage == "policy"
    assert check(links=[{"url": "https://example.com", "type": " ", "more": 1}]).accepted


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Component", {"dependsOn": "resource:db"}),
        ("Component", {"dependsOn": [""]}),
        ("Component", {"system": ""}),
        ("Component", {"subcomponentOf": None}),
        ("API", {"definition": ""}),
        ("Resource", {"dependsOn": [7]}),
        ("System", {"domain": ["a"]}),
        ("Domain", {"subdomainOf": ""}),
        ("Group", {"members": None}),
        ("Group", {"profile": {"email": ""}}),
        ("User", {"profile": "Ada"}),
        ("Location", {"presence": "maybe"}),
        ("Location", {"targets": "./a.yaml"}),
        ("Template", {"steps": [{"id": "x"}]}),
        ("Template", {"steps": [{"action": "a", "if": 1}]}),
        ("Template", {"parameters": "text"}),
        ("Template", {"parameters": [7]}),
        ("Template", {"output": {"links": [{"url": ""}]}}),
        ("Template", {"output": {"remote": 7}}),
    ],
)
def test_fields_of_kinds_that_fail(kind: str, spec: dict[str, Any]) -> None:
    assert check(kind, spec=spec).stage == "kind"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Component", {"type": "anything at all", "tier": {"own": ["field"]}}),
        ("Group", {"profile": {"email": "no e-mail", "picture": "javascript:x"}}),
        ("Location", {"presence": "optional", "targets": []}),
        ("Template", {"parameters": {"properties": {}}, "output": {"remoteUrl": "x"}}),
        ("Template", {"steps": [], "lifecycle": "experimental", "owner": "red"}),
        ("Template", {"steps": [{"action": "a", "if": False, "input": {"x": 1}}]}),
    ],
)
def test_fields_of_kinds_that_pass(kind: str, spec: dict[str, Any]) -> None:
    result = check(kind, spec=spec)
    assert result.accepted, result.problems


@pytest.mark.parametrize(
    ("kind", "spec", "edges"),
    [
        ("Component", {"subcomponentOf": "p"}, {("partOf", "component:default/p")}),
        ("Component", {"providesApis": ["a"]}, {("providesApi", "api:default/a")}),
        ("Component", {"consumesApis": ["x/a"]}, {("consumesApi", "api:x/a")}),
        ("Component", {"dependsOn": ["Resource:DB"]}, {("dependsOn", "resource:default/db")}),
        ("Resource", {"dependencyOf": "component:w"}, {("dependencyOf", "component:default/w")}),
        (
            "Component",
            {"dependencyOf": [{"kind": "API", "name": "a"}]},
            {("dependencyOf", "api:default/a")},
        ),
        ("Component", {"dependencyOf": 0}, set()),
        ("System", {"domain": "d"}, {("partOf", "domain:default/d")}),
        ("Domain", {"subdomainOf": "d"}, {("partOf", "domain:default/d")}),
        ("Group", {"parent": "g"}, {("childOf", "group:default/g")}),
        ("Group", {"children": ["g"]}, {("parentOf", "group:default/g")}),
        ("Group", {"members": ["u"]}, {("hasMember", "user:default/u")}),
        ("User", {"memberOf": ["g"]}, {("memberOf", "group:default/g")}),
        ("Template", {"owner": "user:u"}, {("ownedBy", "user:default/u")}),
    ],
)
def test_relations(kind: str, spec: dict[str, Any], edges: set[tuple[str, str]]) -> None:
    result = check(kind, spec=spec)
    assert result.descriptor is not None, result.problems
    relations = result.descriptor.relations
    found = {(edge, target) for source, edge, target in relations if source == result.ref}
    assert found - {("ownedBy", "group:default/red")} == edges
    assert len(relations) == 2 * len(found)  # each with its inverse


@pytest.mark.parametrize(
    "spec",
    [
        {"owner": "infra/"},
        {"owner": ":x"},
        {"dependsOn": ["no-kind"]},
        {"dependencyOf": [5]},
        {"dependencyOf": [["component:a"]]},
        {"dependencyOf": {"name": "a"}},
        {"dependencyOf": {}},
        {"dependencyOf": [""]},
    ],
)
def test_refs_that_fail(spec: dict[str, Any]) -> None:
    assert check(spec=spec).stage == "relation"


@pytest.mark.parametrize(
    "meta",
    [
        {"labels": {"Tier": "a", "tier": "b"}},
        {"Name": "other"},
        {"deep": {"a": [{"Key": 1}, {"key": 2}]}},
        {"a.B": 1, "a": {"b": 2}},
        {"annotations": {"backstage.io/Managed-By-Location": "x"}},
    ],
)
def test_keys_that_differ_by_case_only_fail(meta: dict[str, Any]) -> None:
    assert check(**meta).stage == "stitch"


def test_items_and_values_that_differ_by_case_pass() -> None:
    assert check(own=["Red", "red"], labels={"a": "Red", "b": "red"}).accepted


def test_paths_and_values_are_written_for_people() -> None:
    assert shown(("spec", "dependsOn", 0)) == "spec.dependsOn[0]"
    assert clip("a\n\u200b\0") == "a\\n\\u200b\\x00"
    assert len(clip("x" * 1_000)) == 80
    assert quoted("plain") == '"plain"'
