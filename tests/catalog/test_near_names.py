"""What a ref that leads nowhere may have meant."""

import pytest

from catalog.near_names import hints_for, near
from catalog.seen import EVERYTHING
from tests.catalog.trees import component, document, read

KNOWN = ["component:default/payments", "resource:default/ledger", "component:default/payroll"]


def test_the_same_name_of_another_kind_or_namespace_comes_first():
    assert near("component:default/ledger", KNOWN) == ["resource:default/ledger"]
    assert near("component:other/payments", KNOWN)[0] == "component:default/payments"


def test_a_slip_is_found_within_its_kind():
    assert near("component:default/paymnets", KNOWN) == ["component:default/payments"]
    assert near("resource:default/paymnets", KNOWN) == []


@pytest.mark.django_db
def test_hints_cost_one_query_and_none_where_nothing_dangles(tree, django_assert_num_queries):
    tree.write("all.yaml", component("payments"), document("Resource", "ledger", type="db"))
    read(tree.source("all.yaml"))
    refs = ["component:default/ledgre", *(f"component:default/paymen{n}" for n in range(30))]
    with django_assert_num_queries(1):
        hints = hints_for(refs, EVERYTHING)
    assert hints["component:default/paymen1"] == ["component:default/payments"]
    with django_assert_num_queries(0):
        assert hints_for([], EVERYTHING) == {}
