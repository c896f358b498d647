"""The bank pack: what `tenure init` writes covers what an attrition team asks of a bank's tables."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import tenure
from tenure.define.feature import READINGS
from tenure.define.window import AGGREGATES

TEMPLATE = Path(tenure.__file__).parent / "templates" / "bank"
PAGE = Path(__file__).parents[2] / "docs" / "bank_pack.md"
ACCOUNT_VIEWS = ("customer", "profile", "accounts", "closings", "account_use", "balances")


@pytest.fixture(scope="module")
def pack():
    return tenure.load_project(TEMPLATE, "Demo Bank")


def test_the_pack_has_156_customer_and_account_features_and_220_in_all(pack):
    counts = {name: len(view.columns) for name, view in pack.views.items()}
    assert sum(counts[name] for name in ACCOUNT_VIEWS) >= 156
    assert sum(counts.values()) >= 220


def test_every_column_says_what_it_is_what_it_reads_and_what_nothing_gives(pack):
    assert [str(n) for n, d in pack.columns.items() if not (d.text and d.boundary and d.empty)] == []
    texts = Counter(description.text for description in pack.columns.values())
    assert [text for text, times in texts.items() if times > 1] == []


def test_every_window_of_the_pack_is_there(pack):
    wanted = tenure.days(7, 30, 60, 90, 180, 365) + tenure.months(1, 3, 6, 12)
    assert set(pack.windows) == set(wanted)


def test_every_kind_of_feature_occurs_in_the_pack(pack):
    features = [feature for view in pack.views.values() for feature in view.features]
    assert {type(f) for f in features} == {tenure.Attribute, tenure.Aggregate, tenure.Ratio, tenure.Trend}
    hows = {how for view in pack.views.values() for aggregate in view.aggregates for how in aggregate.hows}
    assert set(AGGREGATES) - hows == {"p25", "p75", "ratio", "share", "slope"}
    read = {a.how for view in pack.views.values() for a in view.attributes}
    # The season takes two years of history to learn, which nobody knows that a bank has.
    assert set(READINGS) - read == {"days_to_anniversary"}


def test_money_has_a_unit(pack):
    sums = [name for name in pack.columns if "amount" in name.subject and name.aggregate == "sum" and not name.over]
    assert sums
    assert {pack.columns[name].unit for name in sums} == {"USD"}


def test_the_services_name_columns_that_there_are(pack):
    assert len(pack.chosen(["contact"])) > len(pack.views["interactions"].columns)
    assert len(pack.chosen(["contact", "interactions"])) == len(pack.chosen(["contact"]))


def test_the_page_has_the_counts_of_the_code(pack):
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [(name, str(len(view.columns)), view.source) for name, view in pack.views.items()]
    counts = [len(view.columns) for view in pack.views.values()]
    own = sum(len(pack.views[name].columns) for name in ACCOUNT_VIEWS)
    for told in (f"{sum(counts)} features", f"{own} of them", f"{len(pack.columns)} feature columns"):
        assert told in PAGE.read_text()
