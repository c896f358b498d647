"""Staging is done again when raw data or their declaration change, and only then."""

import os
from datetime import date

import pytest
from stages.runs import built, edit, ran, versions
from tiny_bank import ASKED, write_raw_files

from tenure.errors import (
    BadValue,
    InvalidDefinition,
    UnreadableFile,
)


def test_changed_raw_data_rebuild_staging_and_everything_after(bank):
    _, work = ran(bank)
    before = versions(work)
    write_raw_files(bank / "data", last_day=date(2024, 6, 20))
    statuses, work = ran(bank)
    assert built(statuses) == list(ASKED)
    assert all(version > before[table] for table, version in versions(work).items() if table != "staging/customers")
    assert work.lake.read("staging/payments")["paid_on"].to_pylist()[-1] <= date(2024, 6, 20)


def test_touched_but_equal_raw_data_are_current(bank):
    ran(bank)
    for file in (bank / "data").iterdir():
        os.utime(file, (1, 1))
    statuses, _ = ran(bank)
    assert built(statuses) == []


def test_select_that_fails_names_its_source(bank):
    edit(
        bank / "sources.py",
        'read=Csv("payments.csv"),',
        'read=Csv("payments.csv"), select="SELECT nope FROM payments",',
    )
    with pytest.raises(InvalidDefinition, match=r"the select of source 'payments'.*can't be run") as caught:
        ran(bank)
    assert "it reads 'nope' of raw table 'payments' (payments.csv), which has no such column" in caught.value.message
    assert "it has: amount, customer_id, paid_on, payment_id." in caught.value.message
    assert "Binder" not in caught.value.message
    assert "take it out of the SELECT" in caught.value.hint


def test_select_that_fails_for_another_reason_says_what_the_engine_says(bank):
    edit(
        bank / "sources.py",
        'read=Csv("payments.csv"),',
        'read=Csv("payments.csv"), select="SELECT p.*, no_such_function(p.amount) AS x FROM payments AS p",',
    )
    with pytest.raises(InvalidDefinition, match=r"'payments'.*can't be run: .*no_such_function"):
        ran(bank)


def test_lines_that_end_in_two_ways_are_told(bank):
    with (bank / "data" / "payments.csv").open("a", newline="") as file:
        file.write("999999,1,2024-06-01,5.00\r\n")
    with pytest.raises(UnreadableFile, match="a CSV file can't be read") as caught:
        ran(bank)
    assert "Lines that end in different ways" in caught.value.hint


def test_events_after_today_are_refused_unless_the_end_is_given(bank):
    with (bank / "data" / "payments.csv").open("a") as file:
        file.write("999999,1,2199-01-01,5.00\n")
    with pytest.raises(BadValue, match="source 'payments' has events up to 2199-01-01, after today") as caught:
        ran(bank)
    assert "[data] end" in caught.value.hint
    assert ran(bank, data={"end": date(2024, 6, 30)})[0]["training_set"] == "built"
