"""Entity refs are taken apart and put together as Backstage does."""

import pytest

from catalog.refs import EntityRef, RefError, parse_ref


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("checkout", "group:shop/checkout"),
        ("user:ada", "user:shop/ada"),
        ("infra/checkout", "group:infra/checkout"),
        ("component:infra/checkout", "component:infra/checkout"),
        # the first colon ends the kind, one behind the slash belongs to the name
        ("api:orders:v2", "api:shop/orders:v2"),
        ("infra/orders:v2", "group:infra/orders:v2"),
        ("api:infra/orders/v2", "api:infra/orders/v2"),
        # the parts are not names yet: such a ref points at nothing, and may
        ("Team Red", "group:shop/team red"),
        ("@acme/red", "group:@acme/red"),
    ],
)
def test_missing_parts_take_their_defaults(text: str, ref: str) -> None:
    assert str(parse_ref(text, default_kind="Group", default_namespace="shop")) == ref


@pytest.mark.parametrize(
    "text", ["", ":x", "group:", "/x", "shop/", "group:/x", "group:shop/", "/"]
)
def test_an_empty_part_is_an_error(text: str) -> None:
    with pytest.raises(RefError, match=r"empty"):
        parse_ref(text, default_kind="Group")


def test_a_kind_that_nobody_supplies_is_an_error() -> None:
    with pytest.raises(RefError, match="component:orders-db"):
        parse_ref("orders-db")


def test_parts_keep_their_case_and_the_ref_does_not() -> None:
    ref = parse_ref("Component:Shop/Checkout-API")
    assert ref == EntityRef("Component", "Shop", "Checkout-API")
    assert str(ref) == "component:shop/checkout-api"


def test_a_long_text_is_cut_in_the_message() -> None:
    with pytest.raises(RefError) as caught:
        parse_ref("x" * 1_000_000)
    assert len(str(caught.value)) < 400
