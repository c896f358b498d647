"""A reason whose own value reads like the typical one is not told; the next strongest takes its place."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from tenure.define.feature import Description
from tenure.insight.cells import reads_alike
from tenure.insight.explain import SHAPExplainabilityService
from tenure.insight.reasons import Teller, telling
from tenure.insight.segment import SegmentationService
from tenure.model.learners.rule import Rule, RuleModel
from tenure.model.select import Columns

NAMES = ["region", "amount_sum_30d", "amount_sum_90d", "logins_count_30d", "has_card"]
#: The typical: south, 0.00, 50.00, 4, yes.
TYPICAL = pd.DataFrame(
    {
        "region": ["south", "south", "north"],
        "amount_sum_30d": [0.0, 0.0, 9.5],
        "amount_sum_90d": [50.0, 50.0, 70.25],
        "logins_count_30d": [4, 4, 9],
        "has_card": [True, True, False],
    }
)


def chosen(cells, values):
    """The features told for one customer, strongest first."""
    tellers = [Teller(name, None, TYPICAL[name]) for name in NAMES]
    rows = pd.DataFrame({name: [cell] for name, cell in zip(NAMES, cells, strict=True)})
    places = telling(rows, np.array([values]), NAMES, {}, tellers)
    return [NAMES[place] for place in places[0] if place >= 0]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (("north", 3.0, 20.0, 1, False), ["region", "amount_sum_30d", "logins_count_30d", "has_card"]),
        (("south", 3.0, 20.0, 1, False), ["amount_sum_30d", "logins_count_30d", "has_card"]),
        # The other window of the same subject takes the place of the one that says nothing.
        (("north", 0.0, 20.0, 1, False), ["region", "amount_sum_90d", "logins_count_30d", "has_card"]),
        # A cent's fraction is read as nothing.
        (("north", -0.0, 50.0, 4, True), ["region"]),
        (("south", 0.0, 50.0, 4, True), []),
        ((None, np.nan, np.nan, np.nan, None), ["region", "amount_sum_30d", "logins_count_30d", "has_card"]),
    ],
)
def test_what_reads_like_the_typical_is_passed_over(cells, told):
    assert chosen(cells, [0.9, 0.8, 0.7, 0.6, 0.5]) == told


def test_a_push_away_from_leaving_never_takes_a_place():
    assert chosen(("south", 3.0, 20.0, 1, False), [0.9, -0.8, -0.7, 0.6, -0.5]) == ["logins_count_30d"]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("4 days", "4.0 days", True),
        ("1 day", "1.0 days", True),
        ("South", "south ", True),
        ("0.00 USD", "0 USD", True),
        ("1,000.00 USD", "1000 USD", True),
        ("4 days", "5 days", False),
        ("0.01 USD", "0.00 USD", False),
        ("none on record", "0", False),
        ("south", "southern", False),
        ("", "", True),
    ],
)
def test_texts_that_are_the_same_to_a_reader(one, other, alike):
    assert reads_alike(one, other) is alike


def test_the_only_feature_of_a_rule_is_not_told_where_it_says_nothing():
    rule = Rule("logins_count_30d", rising=False, edges=(4.0,), rates=(0.6, 0.1), missing_rate=0.2, train_auroc=0.7)
    model = RuleModel(Columns(("customer_id",), ("logins_count_30d",), ()), {}, rule)
    rows = pd.DataFrame({"customer_id": [1, 2], "snapshot_date": date(2024, 1, 31), "logins_count_30d": [4, 1]})
    background = pd.DataFrame({"logins_count_30d": [4, 4, 4, 9, 9]})
    words = {"logins_count_30d": Description("Logins")}
    service = SHAPExplainabilityService(model, "v", words, datetime(2024, 2, 1), background=background)
    reasons = service.explain(rows).reasons
    assert pd.isna(reasons["reason_1"][0])
    assert pd.isna(reasons["reason_1_feature"][0])
    assert pd.isna(reasons["reason_1_shap"][0])
    assert reasons["reason_1"][1] == "Logins: 1 (typical 4)"


def test_what_sets_a_segment_apart_differs_from_everybody_in_words():
    random = np.random.default_rng(0)
    half = np.repeat([0, 1], 150)
    rows = pd.DataFrame(
        {
            "customer_id": np.arange(300),
            "snapshot_date": date(2024, 1, 31),
            "balance": half * 50 + random.normal(size=300),
            "age": half * 30 + 20 + random.normal(size=300),
            # Means differ, medians are 0 in all: nothing that could be told.
            "complaints": np.where((half == 1) & (random.random(300) < 0.3), 1, 0),
        }
    )
    profiles = SegmentationService().segment(rows, ["customer_id"]).profiles
    assert set(profiles["feature"]) >= {"balance", "age"}
    assert not any(reads_alike(r.segment_median, r.population_median) for r in profiles.itertuples())
