"""Descriptor files: what a document becomes, and that a broken one hides no other."""

import json
from collections.abc import Callable

import pytest

from catalog.descriptors import (
    MAX_PROBLEMS,
    STAGES,
    DocumentResult,
    ReadError,
    parse,
    rejects_file,
)

COMPONENT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: service
  lifecycle: production
  owner: team-red
"""


def component(name: str = "checkout", more: str = "") -> str:
    return COMPONENT.format(name=name) + more


def only(text: str, read: Callable[[str], bytes] | None = None) -> DocumentResult:
    [result] = parse(text.encode(), read=read)
    return result


def files(**texts: str) -> Callable[[str], bytes]:
    """A `read` for placeholders: names with "_" for "." are what exists."""

    def read(argument: str) -> bytes:
        name = argument.removeprefix("./").replace(".", "_")
        if name not in texts:
            raise ReadError("there is no such file.")
        return texts[name].encode()

    return read


def test_a_valid_document_becomes_a_descriptor() -> None:
    text = component("Checkout", "  system: shop\n").replace(
        "spec:", "  annotations:\n    a/b: c\nspec:"
    )
    result = only("# owned by red\n" + text)
    descriptor = result.descriptor
    assert descriptor is not None
    assert (result.valid, result.accepted, result.stage, result.line) == (True, True, "", 2)
    assert (descriptor.kind, descriptor.namespace, descriptor.name) == (
        "Component",
        "default",
        "Checkout",
    )
    assert descriptor.ref == result.ref == "component:default/checkout"
    assert descriptor.api_version == "backstage.io/v1alpha1"
    assert descriptor.annotation_lines == {"a/b": 7}
    assert descriptor.document["spec"]["system"] == "shop"
    assert type(descriptor.document["metadata"]) is dict  # plain data, not the reader's
    assert descriptor.relations == (
        ("component:default/checkout", "ownedBy", "group:default/team-red"),
        ("component:default/checkout", "partOf", "system:default/shop"),
        ("group:default/team-red", "ownerOf", "component:default/checkout"),
        ("system:default/shop", "hasPart", "component:default/checkout"),
    )


def test_refs_inherit_the_namespace_of_their_entity() -> None:
    text = component().replace("  name:", "  namespace: shop\n  name:") + "  system: default/core\n"
    descriptor = only(text).descriptor
    assert descriptor is not None
    targets = {target for _, relation, target in descriptor.relations if relation != "ownerOf"}
    assert targets == {"group:shop/team-red", "system:default/core", "component:shop/checkout"}


def test_one_broken_document_hides_no_other() -> None:
    broken = [
        "a: [",
        'a: "never closed',
        "\tb: 1",
        "just a text",
        "- a\n- list",
        "kind: Component",
        component(more="  owner: twice\n"),
        component("not a name"),
    ]
    stream = "\n---\n".join([component("first"), *broken, component("last")])
    results = parse(stream.encode())
    assert [result.valid for result in results] == [True, *[False] * len(broken), True]
    assert results[-1].ref == "component:default/last"
    for result in results[1:-1]:
        assert result.problems[0].line >= result.line
        assert result.problems[0].message.endswith((".", ";"))


def test_empty_documents_give_no_result_and_keep_their_number() -> None:
    results = parse(f"---\n---\n{component()}---\n# end\n".encode())
    assert [result.index for result in results] == [1]
    assert parse(b"") == []


def test_stages_follow_the_order_of_backstage() -> None:
    wrong = {
        "parse": "- a",
        "envelope": component().replace("name: checkout", "name: 7"),
        "placeholder": component(more="  x: {$text: ./none}\n"),
        "policy": component("a b"),
        "kind": component().replace("type: service", "type: ''"),
        "relation": component().replace("team-red", "infra/"),
        "stitch": component(more="  tier: 1\n  Tier: 2\n"),
    }
    read = files()
    assert {stage: only(text, read).stage for stage, text in wrong.items()} == {
        stage: stage for stage in wrong
    }
    assert set(wrong) | {"read", "rules"} == set(STAGES)


@pytest.mark.parametrize("stage", ["parse", "envelope", "rules"])
def test_what_backstage_charges_to_the_file_rejects_it(stage: str) -> None:
    bad = {
        "parse": "- a",
        "envelope": "kind: X",
        "rules": component().replace("Component", "Domain"),
    }[stage]
    results = parse(
        f"{component('one')}---\n{bad}".encode(), allowed_kinds=frozenset({"Component"})
    )
    assert [result.valid for result in results] == [True, False]
    assert results[1].stage == stage
    assert rejects_file(results)


def test_what_backstage_charges_to_one_entity_does_not_reject_the_file() -> None:
    results = parse(f"{component('one')}---\n{component('a b')}".encode())
    assert not rejects_file(results)


def test_allowed_kinds_are_compared_without_regard_to_case() -> None:
    [result] = parse(component().encode(), allowed_kinds=frozenset({"component"}))
    assert result.accepted


def test_all_problems_of_a_document_are_told_each_at_its_place() -> None:
    text = component("a b", "  providesApis: orders\n").replace("owner: team-red", "owner: 7")
    problems = only(text).problems
    assert [(problem.stage, problem.line, problem.column) for problem in problems] == [
        ("policy", 4, 9),
        ("kind", 8, 10),
        ("kind", 9, 17),
    ]


def test_a_missing_field_is_told_at_what_lacks_it() -> None:
    [problem] = only(component().replace("  owner: team-red\n", "")).problems
    assert problem.message.startswith("spec.owner is missing")
    assert (problem.line, problem.column) == (5, 1)


def test_problems_are_counted_only_so_far() -> None:
    tags = "".join(f"  - Tag {number}\n" for number in range(500))
    result = only(component().replace("spec:", f"  tags:\n{tags}spec:"))
    assert len(result.problems) == MAX_PROBLEMS + 1
    assert "more than" in result.problems[-1].message


@pytest.mark.parametrize(
    ("kind", "version", "hint"),
    [
        ("Widget", "example.com/v1", "known are Component"),
        ("component", "backstage.io/v1alpha1", 'write "Component"'),
        ("Component", "backstage.io/v2", "backstage.io/v1beta1"),
        ("Template", "backstage.io/v1alpha1", "scaffolder.backstage.io/v1beta3"),
    ],
)
def test_an_unknown_kind_is_kept_and_not_accepted(kind: str, version: str, hint: str) -> None:
    text = component().replace("Component", kind).replace("backstage.io/v1alpha1", version)
    result = only(text)
    assert result.descriptor is not None
    assert (result.descriptor.supported, result.descriptor.relations) == (False, ())
    assert (result.valid, result.accepted, result.stage) == (True, False, "kind")
    assert hint in result.problems[0].message


def test_an_unknown_kind_needs_no_spec() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
    assert only(text).ref == "pod:default/web"


def test_a_ref_described_twice_in_a_file_is_refused_the_second_time() -> None:
    results = parse(f"{component('Checkout')}---\n{component('checkout')}".encode())
    assert [result.valid for result in results] == [True, False]
    assert "line 1" in results[1].problems[0].message
    assert (results[1].stage, results[1].problems[0].line) == ("policy", 10)


def test_a_broken_description_does_not_take_the_name() -> None:
    results = parse(f"{component(more='  type2: {}: 1')}\n---\n{component()}".encode())
    assert [result.valid for result in results] == [False, True]


def test_unknown_tags_warn_and_accept() -> None:
    result = only(component(more="  note: !!python/object/apply:os.system [x]\n"))
    assert result.accepted
    assert [problem.severity for problem in result.problems] == ["warning"]


@pytest.mark.parametrize(
    ("value", "words"),
    [('"a\\0b"', "U+0000"), ('"a\\ud800"', "surrogate"), ('{"k\\0": 1}', "U+0000")],
)
def test_text_that_cannot_be_stored_is_refused(value: str, words: str) -> None:
    result = only(component(more=f"  note: {value}\n"))
    assert result.stage == "policy"
    assert words in result.problems[0].message
    assert result.problems[0].line == 9


def test_the_document_is_json_whatever_the_numbers() -> None:
    descriptor = only(component(more="  a: .inf\n  b: .nan\n  c: 1e999\n  d: 9e99\n")).descriptor
    assert descriptor is not None
    spec = json.loads(json.dumps(descriptor.document, allow_nan=False))["spec"]
    assert (spec["a"], spec["b"], spec["c"], spec["d"]) == (None, None, None, 9e99)


def test_an_endless_alias_fails_its_document_only() -> None:
    results = parse(f"{component(more='  loop: &l [*l]')}\n---\n{component('b')}".encode())
    assert [result.stage for result in results] == ["placeholder", ""]
    assert (results[0].problems[0].line, results[0].problems[0].column) == (9, 13)


def test_a_document_grown_by_aliases_is_refused() -> None:
    text = component(more=f"  base: &b {'x' * 1_000_000}\n  uses: [{'*b, ' * 40}]\n")
    result = only(text)
    assert (result.valid, result.stage) == (False, "policy")
    assert "larger" in result.problems[0].message


def test_a_file_too_large_is_one_clear_problem() -> None:
    [result] = parse(b"a: " + b"x" * 10_000_000)
    assert "10,000,003 bytes" in result.problems[0].message
    assert rejects_file([result])


@pytest.mark.parametrize(
    "data", [b"\xff\xfea\0:\0", b"\x00" * 100, b"\x89PNG\r\n\x1a\n\0\0", b"<html>", b"\x80"]
)
def test_what_is_no_descriptor_gives_problems_and_no_exception(data: bytes) -> None:
    results = parse(data)
    assert results
    assert not any(result.valid for result in results)


def test_a_very_long_word_is_cut_in_messages_and_not_taken_for_a_ref() -> None:
    result = only(component("x" * 1_000_000))
    assert (result.ref, result.kind) == ("", "Component")
    assert len(result.problems[0].message) < 1_000


def test_a_location_says_where_its_targets_stand() -> None:
    text = (
        "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec:\n"
        "  target: ./a.yaml\n  targets:\n    - ./b.yaml\n    - ./a.yaml\n"
    )
    descriptor = only(text).descriptor
    assert descriptor is not None
    assert descriptor.targets == (("./a.yaml", 5, 11), ("./b.yaml", 7, 7))


def test_placeholders_take_the_place_of_what_they_read() -> None:
    text = component(
        more="  a: {$text: ./a.txt}\n  b: [{$json: b.json}]\n  c:\n    $yaml: c.yaml\n"
    )
    read = files(a_txt="plain: text\n", b_json='{"x": [1, null]}', c_yaml="no: {$text: a.txt}")
    descriptor = only(text, read).descriptor
    assert descriptor is not None
    spec = descriptor.document["spec"]
    assert spec["a"] == "plain: text\n"
    assert spec["b"] == [{"x": [1, None]}]
    assert spec["c"] == {"no": {"$text": "a.txt"}}  # what was read is not read again


@pytest.mark.parametrize(
    "value", ["{$text: ./a, more: 1}", "{$openapi: ./a}", "{$x: {$text: ./a}}"]
)
def test_what_is_no_placeholder_is_left_as_it_stands(value: str) -> None:
    result = only(component(more=f"  x: {value}\n"), files())
    assert result.accepted


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{$text: ./none.txt}", "there is no such file"),
        ("{$text: [a]}", "as a text"),
        ("{$json: ./bad}", "could not understand"),
        ("{$json: ./nan}", "NaN"),
        ("{$json: ./deep}", "deep"),
        ("{$yaml: ./two}", "exactly one document"),
        ("{$yaml: ./bad}", "line 2, column 1"),
        ("{$yaml: ./loop}", "anchor"),
    ],
)
def test_a_placeholder_that_fails_says_why_and_where(value: str, words: str) -> None:
    read = files(bad="{oops", nan="NaN", deep="[" * 3_000, two="a: 1\n---\nb: 1", loop="&a [*a]")
    result = only(component(more=f"  x: {value}\n"), read)
    assert (result.stage, result.problems[0].line) == ("placeholder", 9)
    assert words in result.problems[0].message


def test_without_a_reader_placeholders_are_refused() -> None:
    assert only(component(more="  x: {$text: ./a}\n")).stage == "placeholder"


def test_a_definition_needs_text_not_data() -> None:
    text = component(more="  definition: {$json: ./api.json}\n").replace("Component", "API")
    result = only(text, files(api_json='{"openapi": "3.1.0"}'))
    assert (result.stage, result.problems[0].line) == ("kind", 9)
