"""The report says its numbers, is one file that fetches nothing, and holds on a phone."""

import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from tenure.define.churn import ChurnDefinition
from tenure.define.events import BalanceDecline, Closure, Inactivity, all_of, any_of
from tenure.publish.report import report
from tenure.publish.words import count_word, decimal, event_words, share


class Page(HTMLParser):
    """The page's visible text, its tags, and the attributes by which a browser fetches."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.fetched, self._words = [], [], []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self._words))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [v for k, v in attrs if k in {"src", "href", "xlink:href", "data", "srcset"}]

    def handle_data(self, data):
        if self.tags and self.tags[-1] != "style":
            self._words.append(data)


@pytest.fixture
def page(make_input):
    return Page(report(make_input()))


def test_the_opening_says_who_is_listed_and_how_far_to_trust_it(page):
    assert "Of 1,847 customers at 2024-08-28, 10 can be forecast" in page.text
    assert "customers for 30 days or more and active in the 45 days before" in page.text
    assert "The top tenth, 1 customer, has a mean score of 95.0%; the whole list has 72.5%" in page.text
    assert "In the last three labelled snapshots" in page.text
    assert "3.1 times as many leavers as chance: 31.0% of them left, against 10.0% of all" in page.text
    assert "top 20% of the latest of these snapshots (40 customers) would have earned 1,112 EUR" in page.text


@pytest.mark.parametrize(
    "told",
    [
        "there is no row of logins (app < 3), after a gap of 7 days, within 60 days of the gap",
        "last label ends 2024-04-27, before the first test snapshot 2024-04-28",
        "proof holds",
        "80 times in 100 (95% interval 75 to 85)",
        "Logins: 1 (typical 9)",
        "lower Logins over 30 days (2, all customers 9)",
        "5 fall into one segment of people who are alike; 5 are too unlike",
        "logins 7 app: not an integer They are kept",
        "7 of 5,000 raw rows were set aside",
        "What was done, in 4.75 seconds",
        "Two snapshots without labels",
        "warning payments no row of payments came from 2024-01-03 to 2024-01-20 TEN-I005",
        "1,837 of 1,847 customers are left out today",
        "customers.full_name",
        "trained 2024-09-01 on 400 rows with 40 leavers",
    ],
)  # fmt: skip
def test_a_fact_is_told_where_it_belongs(page, told):
    assert told in re.sub(r" (?=[,.;:)])", "", page.text)


def test_who_has_no_label_is_told_by_reason(make_input):
    lost = "no row of logins came from 2024-01-03 to 2024-02-07"
    ends = [("ended otherwise: deceased", 40), ("ended otherwise: merged", 1), (lost, 1840)]
    rows = [{"snapshot_date": date(2024, 1, 28), "reason": reason, "customers": count} for reason, count in ends]
    inputs = make_input()
    text = Page(report(make_input(unlabelled=pd.concat([inputs.unlabelled, pd.DataFrame(rows)])))).text
    told = " ".join(re.sub(r"\s+(?=[,.;:)])", "", text).split())
    assert (
        "whose horizon it lies in: 40 rows (deceased), 1 row (merged). A score is given that no such end comes." in told
    )
    assert "No row of logins came from 2024-01-03 to 2024-02-07: one snapshot whose horizon it lies in has no" in told
    assert "Two snapshots without labels" in told
    assert "Other ends" not in Page(report(inputs)).text


def test_another_model_that_ranks_the_test_better_is_named(make_input):
    better = make_input()
    better.evaluations.loc[better.evaluations["model_version"] == "rule-bb", "auroc"] = 0.9
    assert "On this test Rule on one feature ranks better" in Page(report(better)).text
    assert "ranks better" not in Page(report(make_input())).text


def test_who_beats_whom_is_told_with_the_interval(page):
    assert "Which model beats which The champion ranks leavers better than Rule on one feature." in page.text
    assert "0.150 0.110 to 0.190 better -0.0200 -0.0500 to 0.0100 unclear" in page.text


def test_models_that_the_test_can_not_tell_apart_are_said_to_be_so(make_input):
    equal = make_input()
    equal.comparisons["verdict"] = "unclear"
    assert (
        "The champion is neither clearly better nor clearly worse than Rule on one feature." in Page(report(equal)).text
    )


def test_one_model_alone_is_compared_with_none(make_input):
    assert "Which model beats which" not in report(make_input(comparisons=make_input().comparisons.head(0)))


def test_few_periods_have_a_range_and_no_interval_over_time(page):
    assert "The test has three snapshots and one independent period: snapshots less than 60 days apart" in page.text
    assert "AUROC lay between 0.771 and 0.823, its log loss between 0.281 and 0.322" in page.text
    assert "Fewer than eight periods are too few" in page.text
    assert page.text.count("2024-05-28 200 60 10.0%") == 1


def test_many_periods_have_an_interval_over_time(make_input):
    steady = make_input()
    steady.back_test[["snapshots", "independent_periods", "periods_low", "periods_high"]] = [9, 9, 0.74, 0.86]
    text = Page(report(steady)).text
    assert "nine snapshots and nine independent periods." in text
    assert "AUROC would lie between 0.740 and 0.860" in text
    assert "too few" not in text


def test_those_who_show_the_sign_stand_apart_with_every_model(page):
    # Active within 45 days and a horizon of 60, but any login counts as activity: the sign is of the whole horizon.
    assert (
        "who were, at the snapshot and in what was known then, without a row of logins (app < 3) in the 60" in page.text
    )
    assert "AUROC, LightGBM AUROC, Rule on one feature" in page.text
    assert "yes 120 60 10.0% 12.0% 2.0% 0.710 0.580 0.300" in page.text
    assert "no 480 60" in page.text


def test_an_event_without_a_sign_is_said_to_have_none(make_input):
    inputs = make_input()
    closing = replace(inputs.churn, event=Closure())
    text = Page(report(replace(inputs, churn=closing, by_group=inputs.by_group.head(0)))).text
    assert "No sign is defined for: the customer closes." in text
    assert "show the sign" not in text


def test_groups_too_small_to_be_shown_are_said_to_be_so(make_input):
    text = Page(report(make_input(by_group=make_input().by_group.head(0)))).text
    assert "No group of the test has 100 customers, so none is shown." in text


def test_how_early_the_list_warns_is_told(page):
    assert "Of the 58 customers of the test who left, 21 had stood in the first tenth of the list before" in page.text
    assert "half of these for 33 days or more, a quarter for less than 11 and a quarter for more than 52" in page.text
    assert "63.8% of the leavers were never in the first tenth in time." in page.text
    assert "no warning could be longer than 120 days" in page.text


def test_a_leaving_without_a_moment_is_bounded(make_input):
    frame = make_input().warning_time.head(1)
    bounds = pd.concat([frame.assign(until="label_start", median=3.0), frame.assign(until="label_end", median=63.0)])
    text = Page(report(make_input(warning_time=bounds))).text
    assert "half of these had 3 days or more to its first day, and 63 or more to its end" in text


def test_where_nobody_left_or_was_listed_no_warning_is_made_up(make_input):
    frame = make_input().warning_time
    nobody = report(make_input(warning_time=frame.assign(churners=0, listed=0)))
    assert "How early" not in nobody
    none = Page(report(make_input(warning_time=frame.assign(listed=0, median=np.nan)))).text
    assert "who left, none had stood in the first tenth of the list before." in none


def test_the_threshold_is_told_with_where_it_comes_from(make_input, page):
    assert "Who scores 25.0% or more counts as a leaver (from there a contact earns more than it costs" in page.text
    assert "30.0% left (precision), and they are 60.0% of all leavers (recall)" in page.text
    declared = Page(report(make_input(threshold_is_declared=True))).text
    assert "counts as a leaver ([evaluate] threshold of tenure.toml)" in declared


def test_a_proof_that_fails_is_not_glossed_over(make_input):
    broken = make_input()
    broken.split_proof["holds"] = False
    text = Page(report(broken)).text
    assert "PROOF DOES NOT HOLD" in text
    assert "proof holds" not in text


def test_the_page_is_one_file_that_fetches_nothing(make_input, page):
    html = report(make_input())
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert "script" not in page.tags
    assert all(target.startswith(("#", "data:")) for target in page.fetched)
    assert len(html.encode()) < 3_000_000


def test_every_chart_is_drawn_named_and_told_in_words(make_input, page):
    html = report(make_input())
    assert page.tags.count("svg") == 10
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for named in re.findall(r'<svg [^>]*aria-labelledby="([^"]+)"', html):
        assert set(named.split()) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)


def test_names_from_the_bank_are_text_and_never_markup(make_input):
    hostile = "<script>alert(1)</script>\"'&"
    inputs = make_input(project=hostile, entity="customer<b>", descriptions={"login_count_30d": hostile})
    inputs.importances["description"] = hostile
    inputs.attrition_list["reason_1"] = hostile
    html = report(inputs)
    assert "<script" not in html
    assert "<b>&" not in html
    assert "customer<b>" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_figures_without_a_value_say_so_and_draw_nothing(make_input):
    inputs = make_input(campaign_value=make_input().campaign_value.head(0), curves=make_input().curves.head(0))
    inputs.evaluations.loc[:, ["auroc", "auroc_low", "auroc_high", "lift_at_10"]] = np.nan
    found = Page(report(inputs))
    assert "n/a" in found.text
    assert "nan" not in found.text.lower().split()
    assert found.tags.count("svg") == 5


def test_one_snapshot_of_each_split_can_be_drawn(make_input):
    few = make_input().population.iloc[[1, 2, 3, 7]].reset_index(drop=True)
    found = Page(report(make_input(population=few)))
    assert "In the last labelled snapshot, which" in found.text
    assert found.tags.count("svg") == 10


def test_whom_the_event_has_no_answer_for_is_said(make_input):
    fell = BalanceDecline("balances", of="amount", below=0.5, baseline=30)
    inputs = make_input()
    assert "or the customer left within the gap) there is no label" in " ".join(Page(report(inputs)).text.split())
    told = Page(report(replace(inputs, churn=replace(inputs.churn, event=fell)))).text
    assert "within the gap, or for customers whose mean amount of balances can't be compared) there is no" in " ".join(
        told.split()
    )


def test_who_ends_otherwise_is_left_out_whatever_other_events_say(make_input):
    inputs = make_input()
    event = any_of(Closure(where="why = 'choice'"), Inactivity("logins"))
    told = Page(report(replace(inputs, churn=replace(inputs.churn, event=event)))).text
    assert "left within the gap, or for customers whose end is not one (why = 'choice')) there" in " ".join(
        told.split()
    )


def test_a_nested_event_is_told_in_brackets():
    event = any_of(Closure(), all_of(Closure(), BalanceDecline("balances", of="amount", below=0.5, baseline=30)))
    fell = "the mean amount of balances falls under 50% of its mean in the 30 days before the snapshot"
    assert event_words(event) == f"the customer closes or (the customer closes and {fell})"
    assert ChurnDefinition("gone", event=event, horizon=1).event is event


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (share(0.1234), "12.3%"),
        (share(np.nan), "n/a"),
        (share(None), "n/a"),
        (decimal(np.float64(1234.5), 2), "1,234.50"),
        (decimal(pd.NA), "n/a"),
        (count_word(3), "three"),
        (count_word(1300), "1,300"),
    ],
)
def test_numbers_are_written_as_people_write_them(told, expected):
    assert told == expected


def compared():
    row = {
        "attribute": "customers.gender", "customers": 1200, "rows": 3600, "churners": 360, "churn_rate": 0.1,
        "mean_score": 0.12, "calibration_gap": 0.02, "auroc": 0.81, "selected": 360, "selection_rate": 0.1,
        "selection_ratio": 0.67, "recall": 0.44,
    }  # fmt: skip
    other = {**row, "value": "male", "selection_rate": 0.15, "selection_ratio": 1.0, "recall": 0.5}
    return pd.DataFrame([{**row, "value": "female"}, other])


def test_groups_of_protected_columns_are_compared_on_the_page(make_input):
    found = Page(report(make_input(protected=("customers.gender", "customers.born"), fairness=compared()))).text
    assert "customers.gender, customers.born are protected: no model reads them." in found
    assert "female 1,200 10.0% 12.0% 2.0% 0.810 10.0% 0.67 44.0%" in found
    assert "male 1,200 10.0% 12.0% 2.0% 0.810 15.0% 1.00 50.0%" in found
    assert "customers.born: no group in the test has 100 customers, so none is shown." in found
    assert "29 CFR 1607.4(D)" in found
    assert "Protected, and read for the section on fairness alone: customers.gender, customers.born." in found


def test_a_page_without_protected_columns_has_no_such_section(page):
    assert "How groups fare" not in page.text
    assert "Protected, and read" not in page.text


def test_features_left_out_are_told_by_reason_without_values(make_input):
    inputs = make_input()
    dropped = {
        "fee": "constant on train: 17.25",
        "branch": "constant on train: Ely",
        "debit_180d": "in 2 of 5 folds: equal to 'debit_90d' on every row",
    }
    page = Page(report(replace(inputs, models=inputs.models.assign(dropped=json.dumps(dropped)))))
    assert (
        "constant on train 2 branch, fee in 2 of 5 folds: equal to 'debit_90d' on every row 1 debit_180d" in page.text
    )
    assert "17.25" not in page.text
    assert "Ely" not in page.text


def test_a_champion_that_left_nothing_out_has_no_table_of_it(page):
    assert "Features left out" not in page.text
