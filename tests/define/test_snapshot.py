"""Snapshot plans: the dates of each calendar, both ends included."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.define.snapshot import FREQUENCIES, SnapshotPlan
from tenure.errors import InvalidConfig


def planned(every, first, last):
    plan = SnapshotPlan(every=every, first=date.fromisoformat(first), last=date.fromisoformat(last))
    return [day.isoformat() for day in plan.dates()]


@pytest.mark.parametrize(
    ("every", "first", "last", "dates"),
    [
        ("month-end", "2024-01-31", "2024-04-30", ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("month-end", "2023-02-01", "2023-03-30", ["2023-02-28"]),
        ("month-end", "1900-02-01", "1900-02-28", ["1900-02-28"]),
        ("month-end", "2000-02-01", "2000-02-29", ["2000-02-29"]),
        ("month-start", "2024-01-01", "2024-03-01", ["2024-01-01", "2024-02-01", "2024-03-01"]),
        ("month-start", "2024-01-02", "2024-02-29", ["2024-02-01"]),
        ("quarter-end", "2023-12-31", "2024-06-30", ["2023-12-31", "2024-03-31", "2024-06-30"]),
        ("quarter-end", "2024-01-01", "2024-06-29", ["2024-03-31"]),
        ("week", "2024-02-26", "2024-03-11", ["2024-02-26", "2024-03-04", "2024-03-11"]),
        ("week", "2024-02-28", "2024-03-11", ["2024-02-28", "2024-03-06"]),
        ("day", "2024-02-28", "2024-03-01", ["2024-02-28", "2024-02-29", "2024-03-01"]),
        ("day", "2024-02-28", "2024-02-28", ["2024-02-28"]),
    ],
)
def test_the_dates_of_a_calendar(every, first, last, dates):
    assert planned(every, first, last) == dates


@given(st.sampled_from(FREQUENCIES), st.dates(date(1990, 1, 1), date(2060, 1, 1)), st.integers(92, 800))
def test_a_plan_misses_no_date_and_leaves_its_span_by_none(every, first, length):
    last = first + timedelta(days=length)
    dates = SnapshotPlan(every=every, first=first, last=last).dates()
    assert list(dates) == sorted(set(dates))
    assert first <= dates[0]
    assert dates[-1] <= last
    tomorrow = timedelta(days=1)
    falls = {
        "day": lambda day: True,
        "week": lambda day: day.weekday() == first.weekday(),
        "month-start": lambda day: day.day == 1,
        "month-end": lambda day: (day + tomorrow).day == 1,
        "quarter-end": lambda day: (day + tomorrow).day == 1 and (day + tomorrow).month in (1, 4, 7, 10),
    }[every]
    assert set(dates) == {day for n in range(length + 1) if falls(day := first + n * tomorrow)}


@pytest.mark.parametrize(
    ("every", "first", "last"),
    [
        ("month-end", "2024-02-01", "2024-02-28"),
        ("month-start", "2024-02-02", "2024-02-29"),
        ("quarter-end", "2024-01-01", "2024-03-30"),
        ("week", "2024-03-02", "2024-03-01"),
        ("day", "2024-03-02", "2024-03-01"),
    ],
)
def test_a_plan_without_a_date_is_refused(every, first, last):
    with pytest.raises(InvalidConfig) as caught:
        planned(every, first, last)
    assert caught.value.message == f"[snapshots] every = '{every}' has no date from {first} to {last}."
    assert "[snapshots] first and last in tenure.toml" in caught.value.hint
