"""What the report says at its edges: the cut of its lists, singulars, figures that do not exist, empty tables."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tenure.publish.report import FEATURES, LIST_ROWS, report


def text(inputs):
    """What a reader sees: the page with neither style nor tags, spaces as one."""
    html = re.sub(r"<style>.*?</style>", "", report(inputs), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def longer(frame, rows):
    """The frame with its rows repeated to a length, and ranks that count them."""
    again = pd.concat([frame] * rows, ignore_index=True).head(rows)
    return again.assign(rank=range(1, rows + 1))


def test_the_page_shows_the_first_rows_of_a_long_list_and_no_more(make_input):
    listed = longer(make_input().attrition_list, 35)
    listed["customer_id"] = [f"C{n:03}" for n in range(1, 36)]
    found = text(make_input(attrition_list=listed))
    assert f"first {LIST_ROWS} of 35" in found
    assert re.findall(r"\bC\d{3}\b", found) == [f"C{n:03}" for n in range(1, 21)]


def test_only_the_strongest_features_are_drawn(make_input):
    told = longer(make_input().importances, 30)
    told["description"] = [f"Habit {n:02}" for n in range(1, 31)]
    found = text(make_input(importances=told))
    assert set(re.findall(r"Habit \d{2}", found)) == {f"Habit {n:02}" for n in range(1, FEATURES + 1)}


def test_the_same_inputs_give_the_same_bytes(make_input):
    assert report(make_input()) == report(make_input())


def test_one_of_a_kind_is_told_in_the_singular(make_input):
    few = make_input().population.iloc[[1, 2, 3, 7]].reset_index(drop=True)
    found = text(make_input(population=few))
    assert "The top tenth, 1 customer, has" in found
    assert "In the last labelled snapshot, which" in found


def test_a_documentation_that_ends_its_sentence_gets_no_second_stop(make_input):
    churn = replace(make_input().churn, doc="No login for 60 days.")
    assert "No login for 60 days. " in text(make_input(churn=churn))
    assert ".." not in text(make_input(churn=churn))


def test_a_test_of_one_class_is_not_summed_up_in_figures(make_input):
    inputs = make_input()
    inputs.evaluations.loc[:, ["auroc", "auroc_low", "auroc_high", "lift_at_10"]] = np.nan
    opening = text(inputs).split("customers on the list")[0]
    assert "nobody left or everybody did" in opening
    assert "n/a" not in opening


@pytest.mark.parametrize(
    "name",
    [
        "attrition_list",
        "curves",
        "campaign_value",
        "importances",
        "segments",
        "segment_profiles",
        "latencies",
    ],
)
def test_an_empty_table_leaves_the_other_sections_standing(make_input, name):
    found = text(make_input(**{name: getattr(make_input(), name).iloc[:0]}))
    assert "proof holds" in found
    assert "Glossary" in found


def test_a_definition_without_a_gap_speaks_of_none(make_input):
    churn = replace(make_input().churn, gap=0)
    assert "within the gap" in text(make_input())
    assert "no answer (the horizon ends after the data) there is no label" in text(make_input(churn=churn))
