"""Sources: what is kept of a definition, and those that can't stand."""

from __future__ import annotations

import re

import pytest

from tenure import Column, Csv, Parquet, Source
from tenure.define.source import RESERVED_TABLES
from tenure.errors import InvalidDefinition, UnknownColumn

HERE = "define/test_source.py:"


def payments(**changes):
    settings = {
        "read": Csv("payments.csv"),
        "columns": [
            Column("payment_id", role="key"),
            Column("paid_at", type="timestamp"),
            Column("amount", type="decimal", raw="Amount (USD)"),
        ],
        "key": "payment_id",
        "event_time": "paid_at",
    }
    return Source(changes.pop("name", "payments"), **(settings | changes))


def test_one_key_and_one_raw_table_are_read_like_many():
    source = payments()
    assert source.keys == ("payment_id",)
    assert dict(source.raws) == {"payments": Csv("payments.csv")}
    assert source.column("amount").raw_name == "Amount (USD)"
    assert source.column("paid_at").raw_name == "paid_at"
    two = payments(
        read={"a": Csv("a.csv"), "b": Parquet("b.parquet")},
        select="SELECT * FROM a JOIN b USING (payment_id)",
        key=["payment_id", "paid_at"],
    )
    assert two.keys == ("payment_id", "paid_at")
    assert list(two.raws) == ["a", "b"]


def test_the_place_does_not_make_two_sources_differ():
    one = payments()
    other = payments()
    assert one.where_defined == other.where_defined  # both are made in payments()
    assert one.where_defined.startswith(HERE)
    elsewhere = Source("payments", read=one.read, columns=one.columns, key=one.keys, event_time="paid_at")
    assert elsewhere.where_defined != one.where_defined
    assert elsewhere == one
    assert repr(elsewhere) == repr(one)


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        ({"name": "Payments"}, ["source 'Payments' is not a name"]),
        ({"columns": [*payments().columns, Column("amount")]}, ["source 'payments' declares column 'amount' twice"]),
        ({"event_time": "amount"}, ["'payments' uses 'amount' as a time", "a decimal", "allowed: date, timestamp"]),
        ({"known_time": "payment_id"}, ["uses 'payment_id' as a time", "a string", "allowed: date, timestamp"]),
        ({"ends": "amount"}, ["uses 'amount' as a time"]),
        ({"read": {"a": Csv("a.csv"), "b": Csv("b.csv")}}, ["'payments' reads 2 tables and has no select="]),
        ({"quarantine": 1.0}, ["'payments' has quarantine=1.0", "share in [0, 1)"]),
        ({"quarantine": -0.1}, ["'payments' has quarantine=-0.1"]),
        ({"arrival_delay": -1}, ["'payments' has", "arrival_delay=-1", "0 to 3660"]),
    ],
)
def test_a_source_that_cant_stand_is_refused_where_it_is_made(changes, fragments, told):
    with pytest.raises(InvalidDefinition) as caught:
        payments(**changes)
    told(caught.value, HERE, *fragments)


@pytest.mark.parametrize("name", sorted(RESERVED_TABLES))
def test_a_source_may_not_take_the_name_of_a_table(name):
    with pytest.raises(InvalidDefinition, match=f"source '{name}' is a reserved word of SQL or of Tenure"):
        payments(name=name)


@pytest.mark.parametrize("changes", [{"key": "id"}, {"event_time": "id"}, {"known_time": "id"}, {"ends": "id"}])
def test_a_key_or_time_that_is_no_column_is_told_with_the_columns(changes, told):
    with pytest.raises(UnknownColumn) as caught:
        payments(**changes)
    told(caught.value, HERE, "source 'payments' has no column 'id'", "columns: amount, paid_at, payment_id")
    assert "tenure check" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "fragments"),
    [
        ({"type": "money"}, ["column 'amount' has type 'money'", "allowed: string, integer, decimal"]),
        ({"role": "secret"}, ["column 'amount' has role 'secret'", "allowed: key, attribute, measure"]),
        ({"type": "decimal", "format": "%Y"}, ["column 'amount' is a decimal and can't have a date format"]),
    ],
)
def test_a_column_that_cant_stand_is_refused_where_it_is_made(settings, fragments, told):
    with pytest.raises(InvalidDefinition) as caught:
        Column("amount", **settings)
    told(caught.value, HERE, *fragments)


@pytest.mark.parametrize("options", [{"delimiter": "||"}, {"encoding": "utf-16"}])
def test_csv_options_that_no_engine_reads_alike_are_refused(options):
    with pytest.raises(InvalidDefinition, match=r"Csv\('rows.csv'\) has .*allowed: one character, and utf-8, latin-1"):
        Csv("rows.csv", **options)


def test_an_end_that_arrives_late_needs_a_known_time():
    columns = [
        Column("id", type="integer", role="key"),
        Column("began", type="date", role="time"),
        Column("ended", type="date", role="time"),
    ]
    with pytest.raises(InvalidDefinition, match="source 'loans' has ends='ended' and an arrival_delay") as caught:
        Source("loans", read=Csv("r.csv"), columns=columns, key="id", event_time="began", ends="ended", arrival_delay=3)
    assert "known_time" in caught.value.hint


def test_a_decimal_has_the_digits_that_its_column_says():
    plain, fine = Column("amount", type="decimal"), Column("rate", type="decimal", scale=4)
    assert (plain.precision, plain.scale, plain.value_type.words) == (18, 2, "decimal")
    assert (fine.precision, fine.scale, fine.value_type.words) == (18, 4, "decimal(18, 4)")
    assert Column("tiny", type="decimal", precision=38, scale=38).value_type.scale == 38
    assert (Column("n", type="integer").precision, Column("n", type="integer").scale) == (None, None)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            {"type": "decimal", "precision": 39},
            "has precision=39 (define/test_source.py:PLACE); allowed: a whole number, 1 to 38",
        ),
        (
            {"type": "decimal", "precision": 0},
            "has precision=0 (define/test_source.py:PLACE); allowed: a whole number, 1 to 38",
        ),
        ({"type": "decimal", "precision": 18.0}, "has precision=18.0 (define/test_source.py:PLACE); allowed: a whole"),
        ({"type": "decimal", "precision": True}, "has precision=True (define/test_source.py:PLACE); allowed: a whole"),
        ({"type": "decimal", "scale": -1}, "has scale=-1 (define/test_source.py:PLACE); allowed: a whole number, 0 to"),
        (
            {"type": "decimal", "precision": 4, "scale": 5},
            "has precision=4, scale=5 (define/test_source.py:PLACE): of its 4 digits 5 can't stand behind the point",
        ),
        ({"type": "decimal", "precision": 1}, "has precision=1 (define/test_source.py:PLACE): of its 1 digits 2"),
        (
            {"type": "float", "scale": 4},
            "is of type float and can't have scale=4 (define/test_source.py:PLACE); allowed: of type decimal",
        ),
        ({"precision": 18}, "is of type string and can't have precision=18 (define/test_source.py:PLACE); allowed: of"),
    ],
)
def test_digits_that_no_decimal_has_are_refused_with_their_place(column, said):
    with pytest.raises(InvalidDefinition) as refused:
        Column("amount", **column)
    place = re.search(r"test_source.py:(\d+)", refused.value.message)[1]
    assert f"column 'amount' {said.replace('PLACE', place)}" in refused.value.message
