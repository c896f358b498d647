"""A month against those before it: what is unlike, and what is chance, season or too little to tell."""

from datetime import date, datetime

import pytest

from tenure.checks.history import Months, Shift, shift, swapped, unlike, unlike_delivery, volume

MONTHS = [date(2024, month, 1) for month in range(1, 8)]
NEWEST = MONTHS[-1]


def months(rows=1000, newest=1000):
    return Months(dict.fromkeys(MONTHS[:-1], rows) | {NEWEST: newest})


@pytest.mark.parametrize(
    ("before", "now", "is_unlike"),
    [
        # share by month of 1,000 rows, then the newest
        ([0, 0, 0, 0, 0, 0], 10, True),  # never before, 1 %
        ([0, 0, 0, 0, 0, 0], 3, False),  # a handful
        ([1000] * 6, 990, True),  # always before
        ([100, 105, 98, 102, 101, 99], 300, True),
        ([100, 105, 98, 102, 101, 99], 130, False),  # within five standard errors
        ([100, 105, 98, 300, 101, 99], 320, False),  # a season that was there before
        ([10, 11, 9, 10, 12, 10], 60, True),  # five points of a rare share
        ([500, 510, 490, 505, 495, 500], 0, True),  # gone
    ],
)
def test_a_share_is_unlike_before_or_it_is_not(before, now, is_unlike):
    found = unlike("m", [(count, 1000) for count in before], (now, 1000))
    assert (found is not None) == is_unlike
    if found:
        assert found.share == now / 1000
        assert found.rose == (now / 1000 > found.usual)


def test_the_newest_month_is_judged_and_the_others_judge():
    counted = dict.fromkeys(MONTHS[:-1], 20) | {NEWEST: 400}
    assert shift(months(), "null", counted) == Shift("null", 0.4, 0.02)
    assert shift(months(), "null", dict.fromkeys(MONTHS, 20)) is None


def test_too_few_rows_or_months_are_not_judged():
    assert months().why_not == ""
    assert Months(dict.fromkeys(MONTHS, 49)).why_not == "no month has 50 rows"
    assert Months(dict.fromkeys(MONTHS[:3], 1000)).why_not == "fewer than 3 earlier months have 50 rows"
    assert Months({}).why_not
    assert len(Months({date(2020 + m // 12, m % 12 + 1, 1): 99 for m in range(30)}).earlier) == 12


@pytest.mark.parametrize(
    ("rows", "last_day", "is_unlike"),
    [(1000, 31, False), (450, 31, True), (2100, 31, True), (500, 15, False), (60, 2, False), (200, 15, True)],
)
def test_rows_a_day_are_held_against_those_before(rows, last_day, is_unlike):
    found = volume(months(newest=rows), datetime(2024, 7, last_day), is_cut=True)
    assert (found is not None) == is_unlike


def test_columns_are_swapped_only_if_each_looks_as_the_other_did():
    usual = {"a": {"x": 0.9, "y": 0.1}, "b": {"x": 0.1, "y": 0.9}, "c": {"x": 0.5, "y": 0.5}}
    assert swapped({"a": usual["b"], "b": usual["a"], "c": usual["c"]}, usual) == [("a", "b")]
    assert swapped({"a": usual["b"], "b": usual["b"], "c": usual["c"]}, usual) == []
    assert swapped(usual, usual) == []


def test_a_few_rows_of_a_later_day_do_not_hide_the_month_before():
    stray = Months(dict.fromkeys(MONTHS, 1000) | {date(2024, 8, 1): 49})
    assert stray.newest == NEWEST
    assert Months(dict.fromkeys(MONTHS, 1000) | {date(2024, 8, 1): 50}).newest == date(2024, 8, 1)
    assert volume(stray, datetime(2024, 8, 2), is_cut=True) is None


@pytest.mark.parametrize(
    ("rows", "newest", "is_unlike"),
    [
        # a bank that grows: 520 rows are above 0.6 of January's, and below that of all of April to June
        ([600, 700, 800, 1000, 1050, 1100], 520, True),
        ([600, 700, 800, 1000, 1050, 1100], 800, False),
        # a month that was half of those before was there already
        ([1200, 1250, 1300, 640, 1200, 1260], 600, False),
        # too few to be no chance
        ([60, 70, 80, 100, 105, 110], 52, False),
    ],
)
def test_a_fall_that_never_was_is_told_though_the_first_months_had_as_few(rows, newest, is_unlike):
    known = Months(dict(zip(MONTHS, [*rows, newest], strict=True)))
    assert (volume(known, datetime(2024, 7, 31), is_cut=True) is not None) == is_unlike


@pytest.mark.parametrize(
    ("counted", "now", "is_unlike"),
    [
        (0, (40, 1000), True),  # never before
        (0, (4, 1000), False),
        (5, (80, 1000), True),  # 0.5 % before, 8 % of what came
        (5, (9, 1000), False),
        (5, (0, 1000), False),  # fewer are no fault
        (300, (1000, 1000), False),  # what is common depends on which rows came
        (0, (49, 49), False),  # too few came
    ],
)
def test_what_a_delivery_brought_is_held_against_the_rows_there(counted, now, is_unlike):
    rows = dict.fromkeys(MONTHS, 1000)
    assert (unlike_delivery("m", rows, dict.fromkeys(MONTHS, counted), now) is not None) == is_unlike
    assert unlike_delivery("m", dict.fromkeys(MONTHS[:2], 1000), {}, (40, 1000)) is None
