"""Findings of drift over profiles: which column, which kind, which words, and what is not judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from tenure.checks.drift import quantiles
from tenure.checks.drift_findings import NOT_YET, Profile, findings

MONTHS = [date(2022 + n // 12, n % 12 + 1, 1) - timedelta(days=1) for n in range(1, 32)]
ROWS = 4_000


def numbers(cells, missing=0):
    return Profile("number", len(cells) + missing, missing, cells.mean(), cells.std(ddof=1), quantiles(np.sort(cells)))


def profiles(months=31):
    """A column of money, one of flags, one of categories, and a personal one, in which nothing moves."""
    rng = np.random.default_rng(5)
    found = {}
    for day in MONTHS[:months]:
        held = int(rng.binomial(ROWS, 0.3))
        missing = int(rng.binomial(ROWS, 0.1))
        age = 50 + rng.standard_normal() * 15 / ROWS**0.5
        found[day] = {
            "amount": numbers(np.exp(rng.standard_normal(ROWS - missing) + 4), missing),
            "enrolled": Profile("flag", ROWS, 0, counts={"false": ROWS - held, "true": held}),
            "region": Profile("category", ROWS, 0, counts={"north": held, "south": ROWS - held}),
            "age": Profile("number", ROWS, 0, mean=age, deviation=15.0),
        }
    return found


@pytest.fixture(scope="module")
def quiet():
    return profiles()


def alarms(found, day=MONTHS[-1]):
    return {(one.column_name, one.kind): one for one in found if one.is_alarm and one.snapshot_date == day}


def changed(quiet, column, profile, day=MONTHS[-1]):
    return {**quiet, day: {**quiet[day], column: profile}}


def test_nothing_alarms_where_nothing_moves(quiet):
    found = findings(quiet, 0.02)
    assert [one for one in found if one.is_alarm] == []
    tested = {(one.column_name, one.kind) for one in found if one.deviate is not None}
    assert tested == {
        ("", "volume"),
        *(("amount", kind) for kind in ("mean", "spread", "shape", "missing")),
        *((column, kind) for column in ("enrolled", "region") for kind in ("category", "missing")),
        *(("age", kind) for kind in ("mean", "missing")),
    }


def test_the_first_year_and_a_half_is_not_judged(quiet):
    found = findings(quiet, 0.02)
    assert min(one.snapshot_date for one in found if one.column_name and one.deviate is not None) == MONTHS[18]
    rows = [one for one in found if one.kind == "volume"]
    assert [one.words for one in rows[:13]] == [NOT_YET] * 13
    assert rows[13].deviate is not None


def test_a_shift_names_its_column_and_both_means(quiet):
    cells = np.exp(np.random.default_rng(8).standard_normal(ROWS - 400) + 4.3)
    found = alarms(findings(changed(quiet, "amount", numbers(cells, 400)), 0.02))
    assert {column for column, _ in found} == {"amount"}
    one = found["amount", "mean"]
    before = quiet[MONTHS[-13]]["amount"]
    assert one.words == (
        f"amount has moved: mean {cells.mean():,.4g}, sd {cells.std(ddof=1):,.4g} now; "
        f"mean {before.mean:,.4g}, sd {before.deviation:,.4g} a year before"
    )
    assert one.deviate is not None
    assert one.limit is not None
    assert one.deviate > one.limit
    assert one.stability_index is not None
    assert one.stability_index > 0.05


def test_a_month_that_was_wrong_alarms_once_more_a_year_later_and_says_so(quiet):
    wrong = Profile("category", ROWS, 0, counts={"north": 2_000, "south": 2_000})
    found = findings(changed(quiet, "region", wrong, MONTHS[18]), 0.02)
    assert {one.snapshot_date for one in found if one.is_alarm} == {MONTHS[18], MONTHS[30]}
    first, again = (alarms(found, day)["region", "category"].words for day in (MONTHS[18], MONTHS[30]))
    assert again.endswith("; it alarmed then")
    assert "alarmed" not in first


def test_missing_cells_are_told_in_points(quiet):
    profile = replace(quiet[MONTHS[-1]]["amount"], missing=700)
    found = alarms(findings(changed(quiet, "amount", profile), 0.02))
    assert set(found) == {("amount", "missing")}
    assert found["amount", "missing"].words.startswith("amount is missing in 17.5% of the rows, in ")
    assert found["amount", "missing"].words.endswith(" are usual")


def test_a_known_value_that_is_held_more_often_is_named(quiet):
    profile = Profile("category", ROWS, 0, counts={"north": 1_500, "south": 2_500})
    found = alarms(findings(changed(quiet, "region", profile), 0.02))
    assert set(found) == {("region", "category")}
    assert "37.5% of the rows" in found["region", "category"].words or "62.5%" in found["region", "category"].words


def test_a_value_that_no_snapshot_held_is_named(quiet):
    counts = {"north": 1_200, "south": 2_780, "Zed": 20}
    found = alarms(findings(changed(quiet, "region", Profile("category", ROWS, 0, counts=counts)), 0.02))
    assert set(found) == {("region", "unseen value")}
    assert found["region", "unseen value"].words == (
        "region holds what no earlier snapshot held: 'Zed' in 20 rows (0.50% of the rows)"
    )


def test_an_unseen_value_in_few_rows_is_a_note(quiet):
    counts = {"north": 1_200, "south": 2_797, "Zed": 3}
    found = findings(changed(quiet, "region", Profile("category", ROWS, 0, counts=counts)), 0.02)
    (note,) = [one for one in found if one.kind == "unseen value"]
    assert not note.is_alarm
    assert "'Zed' in 3 rows" in note.words


def test_a_value_that_stood_in_a_few_rows_alarms_once_it_stands_in_many(quiet):
    few = Profile("category", ROWS, 0, counts={"north": 1_200, "south": 2_797, "Zed": 3})
    many = Profile("category", ROWS, 0, counts={"north": 1_200, "south": 2_760, "Zed": 40})
    found = alarms(findings(changed(changed(quiet, "region", few, MONTHS[-2]), "region", many), 0.02))
    assert found["region", "unseen value"].words == (
        "region holds more than any earlier snapshot of: 'Zed' in 40 rows (never in more than 3) (1.00% of the rows)"
    )
    some = Profile("category", ROWS, 0, counts={"north": 1_200, "south": 2_791, "Zed": 9})
    found = findings(changed(changed(quiet, "region", few, MONTHS[-2]), "region", some), 0.02)
    assert [one.snapshot_date for one in found if one.kind == "unseen value"] == [MONTHS[-2]]


def test_an_unseen_value_alarms_in_the_second_snapshot():
    both = profiles(2)
    counts = {"north": 1_200, "south": 2_700, "Zed": 100}
    found = alarms(
        findings(changed(both, "region", Profile("category", ROWS, 0, counts=counts), MONTHS[1]), 0.02), MONTHS[1]
    )
    assert set(found) == {("region", "unseen value")}


def test_a_value_that_was_never_counted_is_not_called_unseen(quiet):
    # A column had too many values to count before.
    before = {day: {**part, "region": Profile("category", ROWS, 0)} for day, part in quiet.items()}
    last = changed(before, "region", quiet[MONTHS[-1]]["region"])
    assert [one for one in findings(last, 0.02) if one.kind == "unseen value"] == []


def test_a_personal_column_is_judged_by_its_mean(quiet):
    found = alarms(findings(changed(quiet, "age", Profile("number", ROWS, 0, mean=54.0, deviation=15.0)), 0.02))
    assert set(found) == {("age", "mean")}


def test_customers_that_are_gone_are_volume(quiet):
    rng = np.random.default_rng(1)
    rows = [int(ROWS * 1.01**n + rng.integers(-10, 10)) for n in range(len(MONTHS))]
    counted = [{"known": Profile("flag", number, 0, counts={"true": number})} for number in rows]
    by_day = dict(zip(MONTHS, counted, strict=True))
    assert alarms(findings(by_day, 0.02)) == {}
    fewer = Profile("flag", rows[-1] - 300, 0, counts={"true": rows[-1] - 300})
    found = alarms(findings(changed(by_day, "known", fewer), 0.02))
    assert set(found) == {("", "volume")}
    assert found["", "volume"].words.endswith("since the snapshot before; usual is +1.0%")


def test_a_column_that_is_new_or_gone_is_not_judged(quiet):
    new = {day: {**part, "late": part["amount"]} if day > MONTHS[25] else part for day, part in quiet.items()}
    gone = {day: {name: one for name, one in part.items() if name != "amount"} for day, part in new.items()}
    assert "late" not in {one.column_name for one in findings(new, 0.02) if one.deviate is not None}
    without = {**new, MONTHS[-1]: gone[MONTHS[-1]]}
    assert "amount" not in {one.column_name for one in findings(without, 0.02) if one.snapshot_date == MONTHS[-1]}
