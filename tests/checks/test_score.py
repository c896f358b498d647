"""The score of data quality, worked by hand."""

import pytest

from tenure.checks.score import Score, scores


def row(column, dimension, share=0.0, outcome="", severity="warning"):
    return {
        "column_name": column,
        "dimension": dimension,
        "share": share,
        "outcome": outcome or ("failed" if share else "passed"),
        "severity": severity,
    }


def test_the_lowest_of_a_dimension_counts_and_then_the_means():
    found = scores(
        [
            row("amount", "validity", 0.5),
            row("amount", "validity", 0.1),
            row("amount", "completeness"),
            row("kind", "validity"),
            row("", "volume", 1.0),
        ]
    )
    assert found == [
        Score("", pytest.approx((75 + 100 + 0) / 3), 5, 3),
        Score("amount", pytest.approx(75.0), 3, 2),
        Score("kind", pytest.approx(100.0), 1, 0),
    ]


def test_what_is_within_its_tolerance_counts_as_passed():
    assert scores([row("kind", "completeness", 0.4, outcome="passed")])[0].score == 100


def test_what_is_not_applicable_and_notes_do_not_count():
    assert scores([row("kind", "validity", 1.0, severity="note"), row("", "volume", outcome="not applicable")]) == []
