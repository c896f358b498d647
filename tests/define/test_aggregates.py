"""The table of aggregates: one row is all that is known of one, and no other module lists them."""

from __future__ import annotations

import ast
import math
from fractions import Fraction
from pathlib import Path
from typing import get_args

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tenure
from tenure.define.aggregates import (
    DAY,
    DEVIATION,
    KINDS,
    MEAN,
    VALUE,
    Arithmetic,
    AtLeast,
    Count,
    Expression,
    Formula,
    How,
    Max,
    Min,
    NullIfZero,
    Number,
    Scatter,
    Sqrt,
    Sum,
    sums_of,
)
from tenure.define.value_type import INTEGER, ValueType
from tenure.errors import InvalidDefinition
from tenure.tiles.formulas import printed
from tenure.tiles.lists import of_list
from tenure.tiles.sums import SUMS, kinds_of

HOUSE = Path(tenure.__file__).parent

#: Where aggregates may be listed: their table, the oracle that shares nothing with it, and what banks write.
LISTS = ("define/aggregates.py", "proofs/oracle/", "templates/")


def modules():
    for path in sorted(HOUSE.rglob("*.py")):
        place = path.relative_to(HOUSE).as_posix()
        if not place.startswith(LISTS):
            yield place, ast.parse(path.read_text(encoding="utf-8"))


def lists_of_aggregates(tree):
    """The lines of a module on which aggregates are listed, or one is told from the others by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            items = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Set | ast.Tuple | ast.List):
            items = node.elts
        elif isinstance(node, ast.Compare) and getattr(node.left, "attr", getattr(node.left, "id", "")) in (
            "how",
            "aggregate",
        ):
            if any(isinstance(side, ast.Constant) and side.value in KINDS for side in node.comparators):
                yield node.lineno
            continue
        else:
            continue
        names = [item.value for item in items if isinstance(item, ast.Constant)]
        if len(names) > 1 and len(names) == len(items) and all(name in KINDS for name in names):
            yield node.lineno


def test_the_type_of_how_names_the_rows_of_the_table_in_their_order():
    assert get_args(How) == tuple(KINDS)


def test_no_other_module_lists_aggregates():
    assert [f"{place}:{line}" for place, tree in modules() for line in lists_of_aggregates(tree)] == []


@pytest.mark.parametrize(
    "text",
    [
        'A = {"count": 1, "mean": 2}',
        'A = frozenset({"median", "p90"})',
        'A = how in ("mode", "entropy")',
        'A = self.how == "std"',
        'A = name.aggregate != "sum"',
    ],
)
def test_a_list_of_aggregates_would_be_found(text):
    assert list(lists_of_aggregates(ast.parse(text))) == [1]


def test_the_oracle_reads_no_formula():
    """What it shares with the table is the names alone; a formula that is wrong must show as a cell that differs."""
    for path in (HOUSE / "proofs" / "oracle").glob("*.py"):
        modules = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
        assert "tenure.define.aggregates" not in modules, path.name


def test_the_sums_of_a_formula_come_once_and_in_the_order_in_which_it_reads_them():
    assert sums_of(MEAN) == (Sum(VALUE), Count())
    assert sums_of(DEVIATION) == (Count(), Sum(VALUE), Sum(VALUE * VALUE))
    assert [kind for part in sums_of(DEVIATION) for kind in kinds_of(part)] == [
        "count",
        "sum",
        "squares",
        "squares_high",
    ]


def test_factors_of_a_term_have_no_order():
    assert VALUE * DAY == DAY * VALUE
    assert kinds_of(Sum(VALUE * DAY)) == ("day_value_sum",)


def test_every_sum_of_a_formula_has_a_kind():
    formulas = [kind.computed for kind in KINDS.values() if isinstance(kind.computed, Formula)]
    assert {name for formula in formulas for part in sums_of(formula.of) for name in kinds_of(part)} <= set(SUMS)


class Unheard(Expression):
    """Of no kind that the printer knows."""


def test_a_part_of_a_formula_that_nothing_prints_is_refused():
    with pytest.raises(InvalidDefinition, match="'Unheard' is no part of a formula that Tenure knows"):
        printed(Unheard(), {}, INTEGER, "duckdb")


def test_a_formula_that_adds_unlike_units_is_refused():
    with pytest.raises(InvalidDefinition, match="adds numbers that are not in one unit"):
        printed(Scatter(VALUE, VALUE) + Count(), {"count": "n"}, INTEGER, "duckdb")


def test_a_formula_with_no_way_over_a_list_of_floats_is_refused():
    with pytest.raises(InvalidDefinition, match=r"no way to be computed of floats; .*tenure/tiles/lists.py"):
        of_list(Formula(Sum(VALUE) - Sum(VALUE)), "list_", ValueType("float"), "duckdb")


SUMMED = st.sampled_from([Count(), Sum(VALUE), Min(VALUE), Max(VALUE)])
FORMULAS = st.recursive(
    st.one_of(SUMMED, st.integers(1, 9).map(Number)),
    lambda below: st.one_of(
        st.builds(Arithmetic, st.sampled_from("+-*/"), below, below.map(NullIfZero)),
        below.map(NullIfZero),
    ),
    max_leaves=6,
)


def worked_out(part, values):
    """What a formula comes to, in exact fractions; null where a part is."""
    match part:
        case Count():
            return Fraction(len(values))
        case Sum():
            return Fraction(sum(values))
        case Min():
            return Fraction(min(values))
        case Max():
            return Fraction(max(values))
        case Number(number):
            return Fraction(number)
        case NullIfZero(of):
            return worked_out(of, values) or None
        case AtLeast(rows, of):
            return worked_out(of, values) if len(values) >= rows else None
        case Arithmetic(operator, left, right):
            a, b = worked_out(left, values), worked_out(right, values)
            if a is None or b is None:
                return None
            return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[operator]


@settings(deadline=None, max_examples=60)
@given(formula=FORMULAS, values=st.lists(st.integers(-9, 9), min_size=1, max_size=4), rows=st.integers(1, 4))
def test_a_printed_formula_comes_to_what_it_says(formula, values, rows):
    sums = {"count": "COUNT(v)", "sum": "SUM(v)", "min": "MIN(v)", "max": "MAX(v)"}
    text = printed(AtLeast(rows, formula), sums, INTEGER, "duckdb")
    listed = ", ".join(f"({value})" for value in values)
    ((found,),) = duckdb.sql(f"SELECT {text} FROM (VALUES {listed}) AS t(v)").fetchall()
    wanted = worked_out(AtLeast(rows, formula), values)
    assert (found is None) == (wanted is None)
    assert wanted is None or math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-9)


def test_a_root_is_printed_as_one():
    assert printed(Sqrt(Count()), {"count": "n"}, INTEGER, "duckdb") == "SQRT(n)"
