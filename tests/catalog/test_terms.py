"""What a document may make of the API's terms."""

from catalog.terms import MAX_SIZE, terms_of


def size(document):
    return sum(map(len, terms_of(document)))


def test_values_items_and_keys_without_a_value_are_terms():
    found = terms_of({"kind": "API", "metadata": {"tags": ["Go"], "uid": "x"}, "spec": {"x": None}})
    tags = ["metadata.tags", "metadata.tags.go", "metadata.tags.go=true", "metadata.tags=go"]
    assert found == ["kind", "kind=api", *tags, "spec.x"]


def test_a_small_document_never_makes_large_terms():
    long = {"kind": "X", "k" * 201: {str(n): n for n in range(1_000)}}
    assert terms_of(long) == ["kind", "kind=x"]
    deep = here = {}
    for _ in range(90):
        here["x"] = 1
        here["k" * 50] = here = {}
    assert size(deep) < 2_000
    assert size({"k" * 190: {str(n): n for n in range(50_000)}}) <= MAX_SIZE
    assert size({"k": ["v" * 199]}) < 300
