"""A mistyped name leads to the one that was meant."""

import pytest

from pipelines.nearest import MAX_SEARCHES, Nearest


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("acme/chekout", "acme/checkout"),
        ("ACME/Checkout", "acme/checkout"),
        ("acme/checkout-api", "acme/checkout"),
        ("checkout", "acme/checkout"),
        ("acme/ledger", "acme/ledger-v2"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_is_found(wanted, meant):
    names = ["acme/checkout", "acme/ledger-v2", "Globex/Web"]
    assert Nearest(names).to(wanted) == meant


def test_among_thousands_of_similar_names_the_right_one_is_found():
    near = Nearest(f"acme/service-{number}" for number in range(5000))
    assert near.to("acme/servce-4711") == "acme/service-4711"


def test_the_searches_of_one_run_are_bounded():
    near = Nearest(["acme/shop"])
    assert [near.to(f"acme/shop{number}") for number in range(MAX_SEARCHES + 1)][-1] == ""
    assert near.to("ACME/SHOP") == "acme/shop"


def test_no_names_are_near_nothing():
    assert Nearest([]).to("acme/shop") == ""
