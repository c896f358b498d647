"""The report's section on further horizons: what it says, and that it is there only where some are declared."""

import re

import pandas as pd
import pytest

from tenure.publish.report import report


def figures(**changed):
    """Figures of 400 rows over 30, 60 and 180 days, the last of which nobody's answer reaches yet."""
    rows = [
        {
            "model_version": "lightgbm-aa", "kind": "lightgbm", "horizon": days, "is_main": days == 60,
            "training_rows": 900, "training_churners": 90, "test_rows": rows, "test_customers": rows,
            "test_churners": churners, "churn_rate": rate, "mean_score_raw": raw, "mean_score_ordered": kept,
            "log_loss_raw": raw and 0.21234, "log_loss_ordered": raw and 0.21222, "log_loss_gain": raw and 0.00012,
            "log_loss_gain_error": raw and 0.0004, "worsened": False, "answers_fell": fell, "rows_scored": 400,
            "rows_out_of_order": 17, "order_rule": "pooled", "is_ordered": True,
        }
        for days, rows, churners, rate, raw, kept, fell in (
            (180, 0, 0, None, None, None, 0), (30, 400, 16, 0.04, 0.052, 0.048, 0), (60, 400, 32, 0.08, 0.09, 0.09, 2),
        )
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changed)


TODAY = pd.DataFrame({"horizon": [30, 60, 180] * 2, "score": [0.02, 0.1, 0.2, 0.06, 0.1, 0.4]})


def text_of(make_input, horizons):
    page = report(make_input(horizons=horizons, horizon_scores=TODAY))
    return re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition('id="horizons"')[2].partition('id="features"')[0])
    )


def test_the_growth_of_the_risk_is_told_in_a_manager_s_words(make_input):
    found = text_of(make_input, figures())
    assert "Of 100 customers in the test, 4.0 left within 30 days and 8.0 left within 60 days" in found
    assert "the scores said 4.8 and 9.0." in found
    assert "4.0 leave within 30 days, 10.0 leave within 60 days and 30.0 leave within 180 days" in found
    assert "The list goes by 60 days." in found
    assert "30 4.0% 4.8% 4.0% 0.2123 0.2122 0.00012 0.00040 400 16" in found
    assert "180 n/a n/a 30.0% n/a n/a n/a n/a 0 0" in found


def test_what_became_of_the_order_is_told(make_input):
    found = text_of(make_input, figures())
    assert "17 of 400 rows of the test a longer horizon had a lower score than a shorter one." in found
    assert "They are put in order: neighbours out of order share their mean." in found
    assert "The list keeps the champion’s own score over 60 days." in found
    raised = text_of(make_input, figures(order_rule="highest"))
    assert "They are put in order: a longer horizon has at least the score of each shorter one." in raised
    assert "No row of the test is answered over 180 days yet, so that scores over 180 days are not judged." in found
    assert "2 rows of the test had come back by the end of 60 days" in found


def test_an_order_that_was_refused_is_told_and_the_scores_are_those_apart(make_input):
    found = text_of(make_input, figures(is_ordered=False, worsened=[False, True, False]))
    assert "They are left so: put in order, the scores over 30 days would be worse" in found
    assert "the scores said 5.2 and 9.0." in found


def test_rows_that_were_in_order_had_nothing_to_change(make_input):
    assert "So nothing had to be put in order." in text_of(make_input, figures(rows_out_of_order=0))


def test_the_chart_says_what_it_shows(make_input):
    page = report(make_input(horizons=figures(), horizon_scores=TODAY))
    assert "within 30 days 4.8% as scored, 4.0% left; within 60 days 9.0% as scored, 8.0% left." in page


@pytest.mark.parametrize("judged", [1, 0])
def test_fewer_than_two_judged_horizons_are_told_without_a_chart(make_input, judged):
    rows = figures()
    rows.loc[rows["horizon"] > (30 if judged else 0), ["test_rows", "churn_rate", "mean_score_ordered"]] = [
        0,
        None,
        None,
    ]
    page = report(make_input(horizons=rows, horizon_scores=TODAY))
    assert "How the risk grows with time" in page
    assert "How many leave, by horizon" not in page
    assert ("in the test," in page) == bool(judged)


def test_a_page_without_further_horizons_has_no_such_section(make_input):
    page = report(make_input())
    assert "How the risk grows" not in page
    assert "Further horizons" not in page
