"""Bad input: what is wrong is told with its place and what to do, and nothing of it is written.

Each case spoils one thing of a sound bank and runs the real stages.
"""

import re
from collections import Counter

import pytest
from conftest import make_engine
from tiny_bank import write_tiny_bank

from tenure.errors import (
    BadValue,
    CensoredHorizon,
    DuplicateKey,
    EmptyTable,
    InvalidConfig,
    InvalidDefinition,
    MissingColumn,
    MissingFile,
    OneClassTarget,
    UnknownColumn,
    UnknownSource,
    UnreadableFile,
)
from tenure.session.work import Work
from tenure.stages.run import run, stages_between


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.fixture
def duckdb_engine(request):
    made = make_engine("duckdb", request)
    yield made
    made.close()


def ran(folder, engine, *, data=None, last="training_set"):
    work = Work.open(folder, data=data)
    work.use_engine(engine)
    for _ in run(work, stages_between("staging", last)):
        pass
    return work


def refused(kind, folder, engine, *, unwritten, data=None, last="training_set"):
    """Run; return the error, after making sure that no trace of the `unwritten` tables is in the lake."""
    with pytest.raises(kind) as caught:
        ran(folder, engine, data=data, last=last)
    for table in unwritten:
        left = [path for path in (folder / "lake" / table).rglob("*") if path.is_file()]
        assert not left, f"{table} was written"
    assert type(caught.value) is kind
    assert caught.value.hint
    return caught.value


PAYMENTS = ("staging/payments", "quarantine/payments", "snapshots", "features", "labels", "splits", "training_set")
MODELS = ("models", "evaluations", "scores")


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def spoil(bank, line, column, value):
    """Put `value` into a column of payments.csv; lines count from 1, the header's."""
    file = bank / "data" / "payments.csv"
    lines = file.read_text().splitlines()
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    lines[line - 1] = ",".join(cells)
    file.write_text("\n".join(lines) + "\n")
    return len(lines) - 1


def test_missing_file_is_named_with_what_there_is(bank, duckdb_engine):
    (bank / "data" / "payments.csv").rename(bank / "data" / "payment.csv")
    error = refused(MissingFile, bank, duckdb_engine, unwritten=PAYMENTS)
    assert error.message == (
        f"source 'payments' reads 'payments.csv', but no such file is in '{bank / 'data'}'; "
        "there are: payment.csv, xxxxxxxxx.csv."
    )
    assert "--data DIR" in error.hint


def test_missing_column_is_named_with_those_there_are(bank, engine):
    edit(bank / "data" / "payments.csv", "amount", "amout")
    error = refused(MissingColumn, bank, engine, unwritten=PAYMENTS)
    assert "source 'payments' reads column 'amount', which its data lack" in error.message
    assert "they have: amout, customer_id, paid_on, payment_id" in error.message
    assert re.search(r"sources\.py:\d+", error.message)
    assert "tenure check" in error.hint


def test_wrong_type_is_told_with_column_value_file_and_line(bank, duckdb_engine):
    rows = spoil(bank, 12, "amount", "12.50 USD")
    error = refused(BadValue, bank, duckdb_engine, unwritten=PAYMENTS)
    assert "source 'payments', column 'amount': not a decimal: 12.50 USD (payments.csv, line 12)" in error.message
    assert f"1 bad row in all, allowed are 0.0% of {rows:,} rows" in error.message
    assert "Source('payments', quarantine=0.01, …)" in error.hint


@pytest.mark.parametrize("day", ["2024-02-30", "31.12.2023", "20240101", "2024-1-1", "soon"])
def test_unparsable_date_is_told_with_file_line_and_value(bank, duckdb_engine, day):
    spoil(bank, 345, "paid_on", day)
    error = refused(BadValue, bank, duckdb_engine, unwritten=PAYMENTS)
    assert f"column 'paid_on': not a date: {day} (payments.csv, line 345)" in error.message


@pytest.mark.spark
def test_unparsable_date_is_told_on_spark_too(bank, request):
    spoil(bank, 345, "paid_on", "2024-02-30")
    error = refused(BadValue, bank, make_engine("spark", request), unwritten=PAYMENTS)
    assert "column 'paid_on': not a date: 2024-02-30 (payments.csv, line 345)" in error.message


def test_missing_key_is_told(bank, duckdb_engine):
    spoil(bank, 7, "customer_id", "")
    error = refused(BadValue, bank, duckdb_engine, unwritten=PAYMENTS)
    assert "source 'payments', column 'customer_id': missing (payments.csv, line 7); 1 bad row in all" in error.message


def test_duplicate_key_is_told_with_the_key_and_its_place(bank, duckdb_engine):
    spoil(bank, 50, "payment_id", "7")
    error = refused(DuplicateKey, bank, duckdb_engine, unwritten=PAYMENTS)
    claimed = "column 'payment_id': 2 different rows claim the key payment_id=7 (payments.csv, line 9)"
    assert f"source 'payments', {claimed}" in error.message
    assert "1 such key in all" in error.message
    assert re.search(r"they differ in '\w+', '\w+', '\w+'\.$", error.message)
    assert "quarantine=0.01" in error.hint


def test_empty_table_is_refused(bank, duckdb_engine):
    (bank / "data" / "payments.csv").write_text("payment_id,customer_id,paid_on,amount\n")
    error = refused(EmptyTable, bank, duckdb_engine, unwritten=PAYMENTS)
    assert error.message == "source 'payments' has no rows (payments.csv)."


def test_file_without_a_header_is_unreadable(bank, duckdb_engine):
    (bank / "data" / "payments.csv").write_text("")
    error = refused(UnreadableFile, bank, duckdb_engine, unwritten=PAYMENTS)
    assert error.message == "source 'payments': payments.csv, line 1: the header has no columns."


def test_row_of_another_width_is_told_with_its_line(bank, duckdb_engine):
    spoil(bank, 20, "amount", "1,50")
    error = refused(UnreadableFile, bank, duckdb_engine, unwritten=PAYMENTS)
    assert "payments.csv, line 20: 5 fields where the header has 4" in error.message


def test_other_encoding_is_told(bank, duckdb_engine):
    file = bank / "data" / "customers.csv"
    file.write_bytes(file.read_bytes().replace(b"north", "nørth".encode("latin-1"), 1))
    error = refused(UnreadableFile, bank, duckdb_engine, unwritten=("staging/customers", *PAYMENTS))
    assert "customers.csv" in error.message
    assert "encoding='latin-1'" in error.hint


TRUNCATED = """
from tenure import Column, Csv, Entity, Source

customer = Entity("customer", key="account_id", source="accounts")
accounts = Source(
    "accounts",
    read=Csv("berka/account.asc", delimiter=";"),
    key="account_id",
    event_time="opened_on",
    columns=[
        Column("account_id", type="integer", role="key"),
        Column("opened_on", type="date", format="%y%m%d", role="time", raw="date"),
    ],
)
payments = Source(
    "payments",
    read=Csv("berka/trans_truncated_3MiB.asc", delimiter=";"),
    key="payment_id",
    event_time="paid_on",
    quarantine=0.9,
    columns=[
        Column("payment_id", type="integer", role="key", raw="trans_id"),
        Column("account_id", type="integer", role="key"),
        Column("paid_on", type="date", format="%y%m%d", role="time", raw="date"),
        Column("amount", type="decimal", role="measure"),
    ],
)
"""


def test_file_cut_off_in_a_quoted_field_loads_nothing_whatever_the_quarantine(bank, engine, real_data):
    (bank / "sources.py").write_text(TRUNCATED)
    paid = bank / "features" / "paid.py"
    paid.write_text(re.sub(r"^who = .*$", "", paid.read_text(), flags=re.MULTILINE))
    error = refused(UnreadableFile, bank, engine, unwritten=PAYMENTS, data=real_data)
    whole = (real_data / "berka" / "trans_truncated_3MiB.asc").read_text().count("\n")
    assert re.search(rf"trans_truncated_3MiB\.asc, (after line {whole}|line {whole + 1})\b", error.message)
    assert "a quoted field is not closed" in error.message
    assert "Nothing of it was loaded" in error.message
    assert "Fetch the file again" in error.hint


def test_unknown_column_of_a_feature_stops_before_anything_runs(bank, duckdb_engine):
    edit(bank / "features" / "paid.py", 'of="amount"', 'of="amout"')
    error = refused(UnknownColumn, bank, duckdb_engine, unwritten=("",))
    assert "feature 'amount' reads 'amout' of source 'payments'" in error.message
    assert "columns: amount, customer_id, paid_on, payment_id" in error.message
    assert re.search(r"features/paid\.py:\d+", error.message)
    assert "tenure check" in error.hint


def test_unknown_column_in_a_condition_is_told_with_its_feature(bank, duckdb_engine):
    edit(bank / "features" / "paid.py", "amount > 50", "amout > 50")
    error = refused(UnknownColumn, bank, duckdb_engine, unwritten=("features", "training_set"))
    assert "feature 'large'" in error.message
    assert "reads 'amout' in where='amout > 50'" in error.message


def test_unknown_source_of_a_view_is_told(bank, duckdb_engine):
    edit(bank / "features" / "paid.py", 'source="payments"', 'source="payment"')
    error = refused(UnknownSource, bank, duckdb_engine, unwritten=("",))
    assert "feature view 'paid'" in error.message
    assert "reads source 'payment'; sources: customers, payments" in error.message


def test_definition_that_does_not_run_is_told_with_its_line(bank, duckdb_engine):
    edit(bank / "churn.py", "horizon=30", "horizont=30")
    with pytest.raises(InvalidDefinition) as caught:
        ran(bank, duckdb_engine)
    error = caught.value
    assert re.search(r"churn\.py:\d+: TypeError: .*horizont", error.message)
    assert not (bank / "lake").exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('every = "month-end"', 'evry = "month-end"', "unknown key [snapshots] evry; allowed: every, first, last"),
        ("[splits]", "[split]", "unknown key [split]; allowed: "),
        ("test_snapshots = 1", "test_snapshots = 0", "[splits] test_snapshots = 0: "),
        ('every = "month-end"', 'every = "monthly"', "[snapshots] every = 'monthly': "),
    ],
)
def test_config_key_that_is_unknown_or_wrong_stops_before_anything_runs(bank, duckdb_engine, old, new, told):
    edit(bank / "tenure.toml", old, new)
    error = refused(InvalidConfig, bank, duckdb_engine, unwritten=("",))
    assert error.message.startswith("tenure.toml has ")
    assert told in error.message
    assert "docs/config.md" in error.hint


def test_horizon_longer_than_the_data_leaves_no_label(bank, duckdb_engine):
    edit(bank / "churn.py", "horizon=30", "horizon=300")
    error = refused(CensoredHorizon, bank, duckdb_engine, unwritten=("labels", "splits", "training_set"))
    assert "churn definition 'quiet' looks 0 + 300 days ahead" in error.message
    assert "the first snapshot is 2024-01-31: every label would be censored" in error.message
    assert re.search(r"churn\.py:\d+", error.message)
    assert "Shorten the horizon" in error.hint


def test_target_that_everybody_meets_is_refused_with_its_rate(bank, duckdb_engine):
    edit(bank / "churn.py", 'Inactivity("payments")', 'Inactivity("payments", where="amount < 0")')
    error = refused(OneClassTarget, bank, duckdb_engine, unwritten=MODELS, last="train")
    assert "churn definition 'quiet' can't be learned" in error.message
    assert "everybody churns; the churn rate is 100.0%" in error.message
    assert "churn.py: change the event or horizon" in error.hint


def test_target_that_nobody_meets_is_refused_with_its_rate(bank, duckdb_engine):
    file = bank / "data" / "customers.csv"
    file.write_text(file.read_text().replace("2024-05-15", ""))
    (bank / "churn.py").write_text(
        "from tenure import ChurnDefinition, Closure\nchurn = ChurnDefinition('closed', event=Closure(), horizon=30)\n"
    )
    edit(bank / "tenure.toml", "[snapshots]\n", "[data]\nend = 2024-06-30\n\n[snapshots]\n")
    error = refused(OneClassTarget, bank, duckdb_engine, unwritten=MODELS, last="train")
    assert "nobody churns; the churn rate is 0.0% (0 of" in error.message


def test_quarantine_keeps_bad_rows_with_their_reasons_and_the_counts_add_up(bank, duckdb_engine):
    edit(bank / "sources.py", 'read=Csv("payments.csv"),', 'read=Csv("payments.csv"),\n    quarantine=0.05,')
    spoil(bank, 12, "amount", "twelve")
    spoil(bank, 13, "amount", "12.x")
    spoil(bank, 345, "paid_on", "2024-02-30")
    spoil(bank, 50, "payment_id", "7")
    rows = spoil(bank, 400, "customer_id", "")
    file = bank / "data" / "payments.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[20], lines[20], lines[30]]) + "\n")
    work = ran(bank, duckdb_engine, last="staging")

    kept = work.lake.read("quarantine/payments").to_pylist()
    assert Counter(row["quarantine_reason"] for row in kept) == {
        "amount: not a decimal: twelve": 1,
        "amount: not a decimal: 12.x": 1,
        "paid_on: not a date: 2024-02-30": 1,
        "customer_id: missing": 1,
        "key: claimed by another row": 1,
    }
    assert next(row for row in kept if row["amount"] == "twelve")["payment_id"] == lines[11].split(",")[0]
    facts = {row["source"]: row for row in work.lake.read("intake").to_pylist()}["payments"]
    assert facts["rows_read"] == rows + 3
    assert facts["duplicates_dropped"] == 3
    assert facts["rows_quarantined"] == len(kept) == 5
    assert facts["rows_staged"] == work.lake.require("staging/payments").rows
    assert facts["rows_read"] == facts["rows_staged"] + facts["duplicates_dropped"] + facts["rows_quarantined"]
    assert facts["reasons"] == (
        "amount: not a decimal (2); customer_id: missing (1); key: claimed by another row (1); paid_on: not a date (1)"
    )


def test_one_bad_row_more_than_the_quarantine_takes_is_refused(bank, duckdb_engine):
    rows = len((bank / "data" / "payments.csv").read_text().splitlines()) - 1
    share = 2 / rows
    edit(bank / "sources.py", 'read=Csv("payments.csv"),', f'read=Csv("payments.csv"),\n    quarantine={share},')
    spoil(bank, 12, "amount", "x")
    spoil(bank, 13, "amount", "x")
    assert ran(bank, duckdb_engine, last="staging").lake.require("quarantine/payments").rows == 2
    spoil(bank, 14, "amount", "x")
    with pytest.raises(BadValue, match="3 bad rows in all"):
        ran(bank, duckdb_engine, last="staging")
