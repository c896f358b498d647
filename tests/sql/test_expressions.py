"""Expressions read like SQL: each prints what it says, and means the same in an engine."""

import duckdb
import pytest
import sqlglot

from tenure.define.dialect import DIALECTS
from tenure.sql import expressions as sql

PRINTED = {
    "s.t": sql.of("s", "t"),
    "s.a, s.b": sql.listed(sql.each_of("s", ("a", "b"))),
    "a AS b": sql.named("a", "b"),
    "SUM(a)": sql.call("SUM", "a"),
    "ROUND(a, 2)": sql.call("ROUND", "a", 2),
    "CAST(a AS DATE)": sql.cast("a", "DATE"),
    "TRY_CAST(a AS DATE)": sql.try_cast("a", "DATE"),
    "COALESCE(a, 0)": sql.coalesce("a", 0),
    "NULLIF(a, 0)": sql.null_if("a", 0),
    "a || '/' || b": sql.concatenated(["a", "b"], "/"),
    "a || b": sql.concatenated(["a", "b"]),
    "t + INTERVAL '3' DAY": sql.days_later("t", 3),
    "t - INTERVAL '3' DAY": sql.days_earlier("t", 3),
    "a * 2": sql.times("a", 2),
    "a = 1": sql.equal("a", 1),
    "a < b": sql.before("a", "b"),
    "a <= b": sql.at_most("a", "b"),
    "a >= b": sql.at_least("a", "b"),
    "a > b": sql.after("a", "b"),
    "a BETWEEN 1 AND 2": sql.between("a", 1, 2),
    "a IN ('x', 'y')": sql.is_in("a", map(sql.text_literal, "xy")),
    "a IS NULL": sql.is_null("a"),
    "a IS NOT NULL": sql.is_not_null("a"),
    "a AND (b OR c)": sql.all_of("a", sql.any_of("b", "c")),
    "CASE WHEN a THEN 1 END": sql.case(when="a", then=1),
    "CASE WHEN a THEN 1 ELSE 0 END": sql.case(when="a", then=1, otherwise=0),
    "CASE WHEN a THEN 1 WHEN b THEN 2 END": sql.cases([("a", "1"), ("b", "2")]),
    "CASE\n    WHEN a THEN 1\n    ELSE 2\nEND": sql.cases_in_lines([("a", "1")], otherwise=2),
    "COUNT(CASE WHEN a THEN 1 END)": sql.count_where("a"),
    "LEAD(t) OVER (PARTITION BY a, b ORDER BY t)": sql.over_partitions("LEAD(t)", ["a", "b"], ["t"]),
    "ROW_NUMBER() OVER (ORDER BY a, b)": sql.over_all("ROW_NUMBER()", ["a", "b"]),
    "CASE a WHEN 'x' THEN 0 WHEN 'y' THEN 1 ELSE 2 END": sql.simple_case(
        "a", [("'x'", "0"), ("'y'", "1")], otherwise=2
    ),
}


@pytest.mark.parametrize("expected", PRINTED)
def test_an_expression_prints_what_it_says(expected):
    assert PRINTED[expected] == expected


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("expected", PRINTED)
def test_what_is_printed_is_one_expression_of_both_dialects(dialect, expected):
    assert sqlglot.parse_one(f"SELECT {expected}", read=dialect).selects


def test_a_case_within_a_case_keeps_its_own_end():
    inner = sql.case(when="a", then=1, otherwise=0)
    lines = sql.cases_in_lines([("x", inner)], otherwise=inner)
    assert lines.splitlines() == ["CASE", f"    WHEN x THEN {inner}", f"    ELSE {inner}", "END"]


def value(expression):
    with duckdb.connect() as connection:
        (row,) = connection.execute(f"SELECT {expression}").fetchall()
    return row[0]


def test_a_null_is_neither_equal_nor_unequal_and_alone_is_null():
    assert value(sql.equal("NULL", "NULL")) is None
    assert value(sql.is_null("NULL")) is True
    assert value(sql.is_not_null("NULL")) is False
    assert value(sql.null_if("0", 0)) is None
    assert value(sql.coalesce("NULL", 7)) == 7


def test_a_case_without_otherwise_is_null_and_an_otherwise_of_nought_is_nought():
    assert value(sql.case(when="FALSE", then=1)) is None
    assert value(sql.case(when="FALSE", then=1, otherwise=0)) == 0


def test_any_of_holds_together_within_all_of():
    assert value(sql.all_of("FALSE", sql.any_of("FALSE", "TRUE"))) is False
    assert value(sql.all_of(sql.any_of("TRUE", "FALSE"), "TRUE")) is True
    assert value(sql.all_of(sql.any_of("TRUE", "FALSE"), "FALSE")) is False
