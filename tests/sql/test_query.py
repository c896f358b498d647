"""A query is printed in the house's layout: one clause a line, joins and conditions below each other."""

from datetime import date

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.define.dialect import DIALECTS
from tenure.sql.dialects import date_literal
from tenure.sql.expressions import all_of, any_of, before, call, each_of, equal, is_null, named
from tenure.sql.query import Column, Cte, Join, Query, column_list, union_all, values, with_ctes, within_parentheses

PAYMENTS = Query(columns=["customer_id"], source="payments")


def test_the_least_query_is_two_lines():
    assert PAYMENTS.text == "SELECT customer_id\nFROM payments"


def test_every_clause_has_its_line_in_the_order_of_sql():
    query = Query(
        comment="what customers paid",
        columns=["r.customer_id", "d.t"],
        lines=[Column("SUM(r.amount)", "paid"), "COUNT(*) AS n"],
        source="payments",
        alias="r",
        joins=[
            Join("dates", alias="d", on=["r.event_time < d.t", "r.known_time < d.t"]),
            Join("closings", on="closings.customer_id = r.customer_id", kind="LEFT"),
        ],
        where=["r.amount > 0", "closings.day IS NULL"],
        group_by=["r.customer_id", "d.t"],
        having="COUNT(*) > 1",
        order_by=["d.t", "r.customer_id"],
        limit=10,
    )
    assert query.text == (
        "-- what customers paid\n"
        "SELECT r.customer_id, d.t,\n"
        "    SUM(r.amount) AS paid,\n"
        "    COUNT(*) AS n\n"
        "FROM payments AS r\n"
        "JOIN dates AS d\n"
        "  ON r.event_time < d.t\n"
        "  AND r.known_time < d.t\n"
        "LEFT JOIN closings\n"
        "  ON closings.customer_id = r.customer_id\n"
        "WHERE r.amount > 0\n"
        "  AND closings.day IS NULL\n"
        "GROUP BY r.customer_id, d.t\n"
        "HAVING COUNT(*) > 1\n"
        "ORDER BY d.t, r.customer_id\n"
        "LIMIT 10"
    )


def test_columns_below_select_stand_alone_with_their_comments_above():
    query = Query(distinct=True, hint="/*+ COALESCE(1) */", lines=[Column("a", comment="the first"), "b"], source="x")
    assert query.text == "SELECT DISTINCT /*+ COALESCE(1) */\n    -- the first\n    a,\n    b\nFROM x"


def test_a_limit_of_none_at_all_is_a_limit():
    assert Query(columns=["a"], source="x", limit=0).text.endswith("\nLIMIT 0")


def test_ctes_are_printed_above_with_what_their_rows_are():
    inner = Query(columns=["customer_id"], source="dates", where="t > 0")
    query = Query(
        ctes=[Cte("then", "customers then", inner), Cte("raw", "as it is", "SELECT 1\nAS one")],
        columns=["customer_id"],
        source="then",
    )
    assert query.text == (
        "WITH\n"
        "-- customers then\n"
        "then AS (\n"
        "    SELECT customer_id\n"
        "    FROM dates\n"
        "    WHERE t > 0\n"
        "),\n"
        "-- as it is\n"
        "raw AS (\n"
        "    SELECT 1\n"
        "    AS one\n"
        ")\n"
        "SELECT customer_id\n"
        "FROM then"
    )


def test_a_query_within_a_query_is_indented_at_every_depth():
    twice = Query(columns=["a"], source=Query(columns=["a"], source=PAYMENTS, alias="x"), alias="y")
    assert twice.text == (
        "SELECT a\n"
        "FROM (\n"
        "    SELECT a\n"
        "    FROM (\n"
        "        SELECT customer_id\n"
        "        FROM payments\n"
        "    ) AS x\n"
        ") AS y"
    )


def test_text_within_parentheses_keeps_its_lines():
    query = Query(columns=["a"], source=within_parentheses(union_all([PAYMENTS, PAYMENTS])), alias="both")
    assert query.text == (
        "SELECT a\nFROM (\nSELECT customer_id\nFROM payments\nUNION ALL\nSELECT customer_id\nFROM payments\n) AS both"
    )


def test_a_small_query_fits_on_one_line():
    query = Query(distinct=True, columns=["a", "b"], source="x", where=is_null("c"))
    assert query.on_one_line == "SELECT DISTINCT a, b FROM x WHERE c IS NULL"


def test_literal_rows_stand_one_a_line():
    assert values([["1", "'a'"], ["2", "'b'"]]) == "(VALUES\n    (1, 'a'),\n    (2, 'b')\n)"


def test_a_table_counts_each_relation_that_it_reads_once():
    made = PAYMENTS.as_table("labels", reads=["snapshots", "payments", "snapshots"])
    assert (made.table, made.text, made.reads) == ("labels", PAYMENTS.text, ("snapshots", "payments"))


def test_pairs_and_columns_are_the_same_list():
    assert column_list([("a AS b", "why"), "c"]) == column_list([Column("a", "b", "why"), Column("c")])


def test_a_cte_may_be_a_plain_triple():
    assert with_ctes([("x", "rows", "SELECT 1 AS a")], "SELECT a\nFROM x") == (
        "WITH\n-- rows\nx AS (\n    SELECT 1 AS a\n)\nSELECT a\nFROM x"
    )


NAMES = st.sampled_from(["a", "b", "snapshot_date", "event_time"])
CONDITIONS = st.recursive(
    st.builds(equal, NAMES, st.integers()) | st.builds(is_null, NAMES) | st.builds(before, NAMES, NAMES),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda parts: any_of(*parts)),
    max_leaves=6,
)
SOURCES = st.deferred(lambda: st.just("x") | QUERIES)
QUERIES = st.builds(
    Query,
    columns=st.lists(NAMES, min_size=1, max_size=3),
    lines=st.lists(st.builds(Column, NAMES, st.just("made"), st.sampled_from(["", "why"])), max_size=2),
    source=SOURCES,
    alias=st.just("q"),
    joins=st.lists(st.builds(Join, st.just("y"), st.lists(CONDITIONS, min_size=1, max_size=2)), max_size=1),
    where=st.lists(CONDITIONS, max_size=3),
    order_by=st.lists(NAMES, max_size=2),
    limit=st.none() | st.integers(0, 5),
    distinct=st.booleans(),
    ctes=st.lists(st.builds(Cte, st.just("z"), st.just("rows"), st.just("SELECT 1 AS a")), max_size=1),
)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None, max_examples=60)
@given(query=QUERIES)
def test_whatever_is_printed_is_one_select_with_all_that_was_asked(dialect, query):
    (tree,) = sqlglot.parse(query.text, read=dialect)
    assert isinstance(tree, sqlglot.exp.Select)
    assert len(tree.selects) == len(query.columns) + len(query.lines)
    assert len(tree.args.get("joins") or []) == len(query.joins)
    assert bool(tree.args.get("where")) == bool(query.where)
    assert bool(tree.args.get("limit")) == (query.limit is not None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_literal_rows_are_read_under_their_names(dialect):
    query = Query(columns=["t"], source=values([[date_literal(date(2024, 2, 29))]]), alias=call("dates", "t"))
    (tree,) = sqlglot.parse(query.text, read=dialect)
    assert tree.args["from_"].this.alias_column_names == ["t"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("keys", [("customer_id",), ("branch", "number")])
def test_a_composite_key_joins_on_every_part(dialect, keys):
    on = all_of(*map(equal, each_of("a", keys), each_of("b", keys)))
    query = Query(columns=[named("a.x", "y")], source="t", alias="a", joins=[Join("u", on, alias="b")])
    (tree,) = sqlglot.parse(query.text, read=dialect)
    assert len(list(tree.find_all(sqlglot.exp.EQ))) == len(keys)
