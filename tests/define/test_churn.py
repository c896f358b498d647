"""Churn definitions: the events they are made of, and those that can't stand."""

from __future__ import annotations

import pytest

from tenure import Activity, BalanceDecline, ChurnDefinition, Closure, Inactivity, ProductClosure, all_of, any_of
from tenure.errors import InvalidDefinition

HERE = "define/test_churn.py:"


def test_nested_events_are_listed_in_reading_order():
    quiet, poorer = Inactivity("payments"), BalanceDecline("balances", of="balance")
    churn = ChurnDefinition("gone", event=any_of(Closure(), all_of(quiet, poorer), quiet), horizon=90)
    assert churn.events == (Closure(), quiet, poorer, quiet)


@pytest.mark.parametrize("combine", [any_of, all_of])
@pytest.mark.parametrize("events", [[], [Closure()]])
def test_a_combination_is_of_two_events_or_more(combine, events, told):
    with pytest.raises(InvalidDefinition) as caught:
        combine(*events)
    told(caught.value, HERE, "combine two events or more")


@pytest.mark.parametrize("settings", [{"below": 0}, {"below": 1}, {"below": -0.5}, {"baseline": 0}])
def test_a_decline_without_a_share_or_a_baseline_is_refused(settings, told):
    with pytest.raises(InvalidDefinition) as caught:
        BalanceDecline("balances", of="balance", **settings)
    (name, value), *_ = settings.items()
    told(caught.value, HERE, f"{name}={value}", "share in (0, 1)", "1 to 3660")


@pytest.mark.parametrize("settings", [{"horizon": 0}, {"horizon": 30, "gap": -1}, {"horizon": 30, "min_tenure": -1}])
def test_a_time_out_of_range_is_refused(settings, told):
    with pytest.raises(InvalidDefinition) as caught:
        ChurnDefinition("gone", event=Closure(), **settings)
    name, value = list(settings.items())[-1]
    told(
        caught.value,
        HERE,
        "churn definition 'gone'",
        f"{name}={value}",
        "horizon 1 to 3660, gap and wait 0 to 3660, min_tenure 0 to 36600",
    )


def test_a_name_is_checked():
    with pytest.raises(InvalidDefinition, match="churn definition 'Left!' is not a name"):
        ChurnDefinition("Left!", event=Closure(), horizon=30)


@pytest.mark.parametrize("within", [0, -3, 30.5, 5000])
def test_activity_looks_back_whole_days(within):
    with pytest.raises(InvalidDefinition, match=f"Activity has within={within}"):
        Activity("payments", within=within)


@pytest.mark.parametrize("horizon", [30.5, 9_000_000])
def test_a_horizon_is_whole_days_and_at_most_ten_years(horizon):
    with pytest.raises(InvalidDefinition, match=f"horizon={horizon}"):
        ChurnDefinition("gone", event=Closure(), horizon=horizon)


@pytest.mark.parametrize(("fields", "told_as"), [({"source": ""}, "source=''"), ({"where": None}, "where=None")])
def test_a_product_closure_of_a_wrong_shape_is_refused(fields, told_as, told):
    with pytest.raises(InvalidDefinition) as caught:
        ProductClosure(**{"source": "accounts"} | fields)
    told(caught.value, HERE, f"ProductClosure has {told_as}", "allowed: text")


def test_a_product_closure_says_what_it_reads_and_whom_it_is_asked_of():
    event = ProductClosure("accounts", where="kind = 'share_draft'")
    assert (event.reads, event.bounds) == (("accounts",), ())
    of_kind = "accounts (kind = 'share_draft')"
    assert event.words == f"the customer has no open row of {of_kind} any more, and stays a customer"
    assert event.asks_only == f"with an open row of {of_kind}"
    assert event.leaves_out == "customers who leave altogether before the horizon ends"
    assert [rows.before_snapshot for rows in event.rows] == [True, False]


def test_a_definition_leaves_out_who_ends_in_a_way_that_no_closure_counts_whatever_else_happens():
    chosen, moved = Closure(where="why = 'choice'"), Closure(where="why = 'moved'")
    fell = BalanceDecline("logins", of="amount", below=0.5, baseline=30)
    left_out = {
        any_of(chosen, Inactivity("logins")): "customers whose end is not one (why = 'choice')",
        any_of(chosen, moved): "customers whose end is not one (why = 'choice') or (why = 'moved')",
        any_of(chosen, Closure()): "",
        any_of(chosen, fell): "customers whose end is not one (why = 'choice') and for customers whose mean amount of "
        "logins can't be compared, unless another event happens",
    }
    for event, words in left_out.items():
        assert ChurnDefinition("gone", event=event, horizon=30).leaves_out == words
