"""What Tenure's own columns mean: a table's own words before those of every table, and '' where there are none."""

from __future__ import annotations

from tenure.define.column_words import _WORDS, column_words
from tenure.define.stage import TABLES


def test_a_table_s_own_words_come_before_those_of_every_table():
    assert column_words("scores", "rank") == "the place by score, 1 the likeliest to leave"
    assert column_words("importances", "rank") == "the place by weight, 1 the heaviest"
    assert column_words("scores", "colour") == ""


def test_the_reasons_of_a_score_are_numbered():
    assert column_words("reasons", "reason_2") == (
        "the reason at place 2 why the score is high; empty where there are fewer"
    )
    assert "its feature column" in column_words("reasons", "reason_4_feature")
    assert column_words("reasons", "reason_10") == ""


def test_every_table_with_words_is_one_that_there_is():
    assert set(_WORDS) <= TABLES
