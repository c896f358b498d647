"""Numbers and dates as banks write them: the same answer on every engine, and null for what is none."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from tenure import Column, Csv, Source
from tenure.errors import InvalidDefinition
from tenure.sql.dialects import literal
from tenure.tables.typed_values import typed_value

EUROPEAN = {"decimal": ",", "thousands": ".", "currency": "€"}
AMERICAN = {"decimal": ".", "thousands": ",", "currency": "$"}

NUMBERS = [
    (EUROPEAN, "decimal", "1.234,50", Decimal("1234.50")),
    (EUROPEAN, "decimal", "1.234.567,5", Decimal("1234567.50")),
    (EUROPEAN, "decimal", "1234,5", Decimal("1234.50")),
    (EUROPEAN, "decimal", "-1.234,50", Decimal("-1234.50")),
    (EUROPEAN, "decimal", "+12,00", Decimal("12.00")),
    (EUROPEAN, "decimal", "(1.234,50)", Decimal("-1234.50")),
    (EUROPEAN, "decimal", "1.234,50-", Decimal("-1234.50")),
    (EUROPEAN, "decimal", "1.234,50 €", Decimal("1234.50")),
    (EUROPEAN, "decimal", "€ 1.234,50", Decimal("1234.50")),
    (EUROPEAN, "decimal", "-€12,30", Decimal("-12.30")),
    (EUROPEAN, "decimal", "(€12,30)", Decimal("-12.30")),
    (EUROPEAN, "decimal", ",50", Decimal("0.50")),
    (EUROPEAN, "decimal", "12,", Decimal("12.00")),
    (EUROPEAN, "decimal", "1.23,50", None),  # no group of three
    (EUROPEAN, "decimal", "1234.567,00", None),
    (EUROPEAN, "decimal", "12.50", None),  # a point is no decimal mark here
    (EUROPEAN, "decimal", "(-12,00)", None),
    (EUROPEAN, "decimal", "-12,00-", None),
    (EUROPEAN, "decimal", "€12€", None),
    (EUROPEAN, "decimal", "12,00 $", None),
    (EUROPEAN, "decimal", "1,2,3", None),
    (EUROPEAN, "decimal", ",", None),
    (EUROPEAN, "decimal", "€", None),
    (EUROPEAN, "integer", "1.234", 1234),
    (EUROPEAN, "integer", "(1.234,00)", -1234),
    (EUROPEAN, "integer", "1.234,50", None),
    (EUROPEAN, "float", "-1.234,125", -1234.125),
    (AMERICAN, "decimal", "$1,234.50", Decimal("1234.50")),
    (AMERICAN, "decimal", "($1,234.50)", Decimal("-1234.50")),
    (AMERICAN, "decimal", "1.234,50", None),
    ({"thousands": " "}, "decimal", "1 234.50", Decimal("1234.50")),
    ({"thousands": "'"}, "decimal", "1'234'567.89", Decimal("1234567.89")),
    ({"decimal": ",", "currency": "EUR"}, "decimal", "EUR 12,5", Decimal("12.50")),
    ({"decimal": ",", "currency": "EUR"}, "decimal", "12,5 eur", None),
]


def typed(engine, column, text):
    source = Source("bookings", read=Csv("bookings.csv"), key="n", event_time="t",
                    columns=[Column("n", type="integer"), Column("t", type="date"), column])  # fmt: skip
    expression = typed_value(source, column, engine.dialect, {column.name: "text"})
    (row,) = engine.run(f"SELECT {expression} AS v FROM (SELECT {literal(text, engine.dialect)} AS x) AS r").to_pylist()
    return row["v"]


def test_numbers_are_read_as_they_are_declared(engine):
    found = [typed(engine, Column("x", type=kind, **marks), text) for marks, kind, text, _ in NUMBERS]
    assert [(case[2], value) for case, value in zip(NUMBERS, found, strict=True)] == [
        (text, right) for _, _, text, right in NUMBERS
    ]


BERLIN = [
    ("2024-01-15 12:00:00", datetime(2024, 1, 15, 11)),
    ("2024-07-15 12:00:00", datetime(2024, 7, 15, 10)),
    ("2024-07-15T12:00:00Z", datetime(2024, 7, 15, 12)),
    ("2024-07-15 12:00:00+05:30", datetime(2024, 7, 15, 6, 30)),
    ("2024-07-15", datetime(2024, 7, 14, 22)),
    ("2024-03-31 01:59:59", datetime(2024, 3, 31, 0, 59, 59)),
    ("2024-03-31 02:00:00", datetime(2024, 3, 31, 1)),  # never came
    ("2024-03-31 02:30:00", datetime(2024, 3, 31, 1, 30)),
    ("2024-03-31 03:00:00", datetime(2024, 3, 31, 1)),
    ("2024-10-27 01:59:59", datetime(2024, 10, 26, 23, 59, 59)),
    ("2024-10-27 02:00:00", datetime(2024, 10, 27, 1)),  # came twice
    ("2024-10-27 02:30:00", datetime(2024, 10, 27, 1, 30)),
    ("2024-10-27 03:00:00", datetime(2024, 10, 27, 2)),
    ("9999-12-31 23:59:59", datetime(9999, 12, 31, 23, 59, 59)),
    ("1900-01-01 00:00:00", datetime(1899, 12, 31, 23)),
]


def of_zone(engine, column, zone, raw, raw_type="text"):
    source = Source("bookings", read=Csv("bookings.csv"), key="n", event_time="t", timezone=zone,
                    columns=[Column("n", type="integer"), Column("t", type="date"), column])  # fmt: skip
    expression = typed_value(source, column, engine.dialect, {column.name: raw_type})
    (row,) = engine.run(f"SELECT {expression} AS v FROM (SELECT {raw} AS x) AS r").to_pylist()
    return row["v"] and row["v"].replace(tzinfo=None)


def test_local_times_are_instants_by_one_rule(engine):
    column = Column("x", type="timestamp")
    found = [(text, of_zone(engine, column, "Europe/Berlin", f"'{text}'")) for text, _ in BERLIN]
    assert found == BERLIN


@pytest.mark.parametrize(("zone", "right"), [
    ("America/New_York", datetime(2024, 11, 3, 6, 30)),
    ("Australia/Lord_Howe", datetime(2024, 11, 2, 14, 30)),
    ("Asia/Kolkata", datetime(2024, 11, 2, 20)),
    ("", datetime(2024, 11, 3, 1, 30)),
])  # fmt: skip
def test_a_format_and_a_typed_time_without_a_zone_are_local_too(engine, zone, right):
    text = Column("x", type="timestamp", format="%d.%m.%Y %H:%M")
    assert of_zone(engine, text, zone, "'3.11.2024 01:30'") == right
    local = "TIMESTAMP '2024-11-03 01:30:00'" if engine.dialect == "duckdb" else "TIMESTAMP_NTZ '2024-11-03 01:30:00'"
    zoned = "TIMESTAMPTZ '2024-11-03 01:30:00+00'" if engine.dialect == "duckdb" else "TIMESTAMP '2024-11-03 01:30:00'"
    assert of_zone(engine, Column("x", type="timestamp"), zone, local, "timestamp[us]") == right
    assert of_zone(engine, Column("x", type="timestamp"), zone, zoned, "timestamp[us]") == datetime(2024, 11, 3, 1, 30)


def test_a_zone_that_there_is_none_of_is_refused_with_those_near_it():
    with pytest.raises(InvalidDefinition, match=r"timezone='Europe/Berlim' .*Europe/Berlin"):
        Source("bookings", read=Csv("b.csv"), key="n", event_time="t", timezone="Europe/Berlim",
               columns=[Column("n", type="integer"), Column("t", type="date")])  # fmt: skip


DATES = [
    ("31/01/2024", date(2024, 1, 31)),
    ("1/2/2024", date(2024, 2, 1)),
    ("2024-01-31", date(2024, 1, 31)),
    ("31/01/24", None),
    ("13/13/2024", None),
    ("00/00/0000", None),
    ("never", None),
]


def test_the_first_format_that_fits_counts(engine):
    column = Column("x", type="date", format=["%d/%m/%Y", "%Y-%m-%d"], null=["never"])
    assert [(text, typed(engine, column, text)) for text, _ in DATES] == DATES


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"type": "string", "decimal": ","}, "column 'x' is a string and can't have decimal=, thousands= or currency="),
        ({"type": "decimal", "decimal": ";"}, "column 'x' has decimal=';', thousands=''"),
        ({"type": "decimal", "thousands": "."}, "and not both the same"),
        ({"type": "decimal", "decimal": ",", "thousands": ","}, "and not both the same"),
        ({"type": "decimal", "currency": "12"}, "column 'x' has currency='12'"),
        ({"type": "decimal", "format": "%Y"}, "can't have a date format"),
        ({"type": "date", "format": []}, "a strptime format, or several"),
    ],
)
def test_a_format_that_is_none_is_refused(declared, said):
    with pytest.raises(InvalidDefinition, match=said):
        Column("x", **declared)
