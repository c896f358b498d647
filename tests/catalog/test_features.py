"""Looking features up: list, search and describe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tenure
from tenure.catalog.features import entries, search
from tenure.cli import app
from tenure.errors import UnknownColumn

TEMPLATE = Path(tenure.__file__).parent / "templates" / "bank"


@pytest.fixture(scope="module")
def pack():
    return tenure.load_project(TEMPLATE, "Demo Bank")


def told(*words):
    result = CliRunner().invoke(app, ["features", *words, "-p", str(TEMPLATE)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_every_column_has_an_entry_with_its_view_source_and_place(pack):
    found = entries(pack)
    assert [entry.name for entry in found] == [str(name) for name in pack.columns]
    own = [entry for entry in found if not entry.name.startswith("history_share")]
    assert [e.name for e in own if not (e.view in pack.views and e.source in pack.sources and e.reads)] == []
    assert {entry.where_defined.partition(":")[0] for entry in own} >= {"features/money.py", "features/account.py"}


def test_a_view_a_service_and_a_column_are_listed(pack):
    assert [e.name for e in entries(pack, ["profile"])] == [str(name) for name in pack.views["profile"].columns]
    assert len(entries(pack, ["contact"])) == len(pack.chosen(["contact"]))
    (entry,) = entries(pack, ["spent_groceries_sum_30d"])
    assert (entry.view, entry.source, entry.reads, entry.unit) == ("habits", "transactions", "amount", "USD")
    assert entry.where == "(direction = 'debit') AND category = 'groceries'"
    assert entries(pack, ["debit_to_credit_ratio_30d"])[0].reads == "debit_amount_sum_30d, credit_amount_sum_30d"


def test_a_name_that_is_none_is_refused_with_those_near_it(pack):
    with pytest.raises(UnknownColumn) as caught:
        entries(pack, ["spent_grocery_sum_30d"])
    assert "'spent_grocery_sum_30d' is no feature column" in caught.value.message
    assert "spent_groceries_sum_30d" in caught.value.message
    assert caught.value.hint == "See them with 'tenure features list'."


def test_search_puts_the_best_first_and_forgives_a_typo(pack):
    assert search(pack, "groceries spent 30d")[0].name.startswith("spent_groceries")
    assert search(pack, "complants")[0].name.startswith("complaints")
    assert search(pack, "zebra") == []


def test_the_command_prints_what_the_catalog_says(pack):
    assert len(told("list").splitlines()) == len(pack.columns)
    assert "spent_groceries_sum_30d" in told("search", "groceries")
    assert "event_time in [t − 30d, t), known_time < t" in told("describe", "spent_groceries_sum_30d")
    assert json.loads(told("describe", "age", "--json"))["unit"] == "years"
    assert told("search", "zebra") == "No feature column fits 'zebra'; see all with 'tenure features list'.\n"
