"""Finish: what partials of any numbers that a type allows end in is the exact number, rounded once or twice."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numbers_at_the_edge import DECIMALS, TYPES, decimal_of, decimals, exact, floats, integers, is_near

from tenure.define.aggregates import DEVIATION, KINDS
from tenure.define.value_type import ValueType
from tenure.sql import op
from tenure.tables.finish import deviation_of_list, mean_of_list, quantile, total_of_list
from tenure.tables.long_decimals import (
    deviation_of_decimals,
    mean_of_decimals,
    quantile_of_decimals,
    total_of_decimals,
)
from tenure.tiles.formulas import printed
from tenure.tiles.partials import Partial, Values

MOST = 2**63 - 1
DRAWS = {"integer": integers, "decimal": decimals, "float": floats}
CHOSEN = {
    "integer": [[MOST] * 1000, [MOST, -MOST - 1] * 200, [MOST, MOST - 1], [0, 1], [-MOST - 1] * 3],
    "decimal": [
        [Decimal("9999999999999999.99")] * 1000,
        [Decimal("9999999999999999.99"), Decimal("-9999999999999999.99")] * 50,
        [Decimal("10000000.00")] * 8 + [Decimal("6.99")],
        [Decimal("9999999999.99"), Decimal("10000000000.00"), Decimal("10000000000.01")],
    ],
    "float": [
        [1e9, 1e9 + 0.5],
        [1e9, 1e9 + 0.5] * 500,
        [1e308, 1.0, -1e308],
        [1e16, 1.0, -1e16, 1e-16],
        [1e308, 1e308, -1e308],
        [1e308] * 5,
        [1.7976931348623157e308, -1.7976931348623157e308],
        [1.7976931348623157e308, -1.7976931348623157e308] + [0.0] * 7,
        [5e-324] * 3,
        [5e-324, -5e-324, 1e-320],
        [0.1] * 10,
        [1.0, 1.0 + 2**-52],
    ],
}
QUANTILES_ASKED = ("p25", "median", "p90")


def finished(type_: ValueType, dialect) -> dict[str, str]:
    """Each aggregate's expression over the partials of a group."""
    ordered = op("sorted", dialect, "list_")
    of_type = quantile_of_decimals if type_.is_long else quantile
    made = {name: of_type(ordered, KINDS[name].computed.share, type_, dialect) for name in QUANTILES_ASKED}
    if type_.is_long:
        return made | {
            "sum": total_of_decimals("list_", type_, dialect),
            "mean": mean_of_decimals("list_", type_, dialect),
            "std": deviation_of_decimals(ordered, type_, dialect),
        }
    if type_.name == "float":
        return made | {
            "sum": total_of_list("list_", dialect),
            "mean": mean_of_list("list_", dialect),
            "std": deviation_of_list(ordered, dialect),
        }
    sums = {kind: f"{kind}_" for kind in ("count", "sum", "squares", "squares_high")}
    std = printed(DEVIATION, sums, type_, dialect)
    return made | {"sum": "CAST(sum_ AS DOUBLE)", "mean": "CAST(sum_ AS DOUBLE) / count_", "std": std}


@pytest.mark.parametrize("type_", list(DRAWS))
@pytest.mark.parametrize("seed", [1, 2])
def test_any_values_end_in_the_exact_number(type_, seed, engine, tmp_path):
    if engine.dialect == "spark" and seed > 1:
        pytest.skip("one seed is enough to know Spark's arithmetic")
    chance = random.Random(seed)  # noqa: S311
    groups = CHOSEN[type_] + [
        [DRAWS[type_](chance) for _ in range(chance.choice([1, 2, 2, 3, 5, 40]))] for _ in range(200)
    ]
    assert wrong_cells(groups, ValueType(type_), TYPES[type_], engine, tmp_path, chance) == []


@pytest.mark.parametrize("name", DECIMALS)
def test_decimals_of_any_digits_end_in_the_exact_number(name, engine, tmp_path):
    type_, chance = DECIMALS[name], random.Random(name)  # noqa: S311
    most = 10**type_.precision - 1
    chosen = [[most] * 300, [most, -most] * 50, [most, -most, 1], [most, most - 1], [-most] * 3, [0, 1], [0]]
    groups = [[decimal_of(units, type_.scale) for units in group] for group in chosen]
    for _ in range(60):
        rows = range(chance.choice([1, 2, 2, 3, 5, 40]))
        groups.append([decimals(chance, type_.precision, type_.scale) for _ in rows])
    arrow = pa.decimal128(type_.precision, type_.scale)
    assert wrong_cells(groups, type_, arrow, engine, tmp_path, chance) == []


def wrong_cells(groups, type_, arrow, engine, tmp_path, chance):
    """The aggregates of groups of values that an engine computes otherwise than in exact fractions."""
    rows = [(number, value) for number, group in enumerate(groups) for value in group]
    chance.shuffle(rows)
    table = pa.table({"g": pa.array([g for g, _ in rows], pa.int64()), "v": pa.array([v for _, v in rows], arrow)})
    pq.write_table(table, tmp_path / "rows.parquet")
    engine.scan("drawn", [tmp_path / "rows.parquet"], table.schema, ())
    kinds = ("list",) if type_.name == "float" or type_.is_long else ("count", "sum", "squares", "squares_high", "list")
    values = Values("v", "", "v", type_, "a test")
    partials = ", ".join(f"{Partial(values, kind).of_rows('v', engine.dialect)} AS {kind}_" for kind in kinds)
    columns = ", ".join(f"{text} AS {name}_" for name, text in finished(type_, engine.dialect).items())
    select = f"SELECT g, {columns} FROM (SELECT g, {partials} FROM drawn GROUP BY g) AS summed ORDER BY g"
    return [
        (name, group[:5], row[f"{name}_"], float(wanted) if wanted is not None else None)
        for group, row in zip(groups, engine.run(select).to_pylist(), strict=True)
        for name in ("sum", "mean", "std", *QUANTILES_ASKED)
        if not is_near(row[f"{name}_"], wanted := exact(name, group), group, name)
    ]


def test_the_order_of_rows_changes_no_bit(engine):
    values = [1e308, -1e308, 0.1, 1e16, 3.3, -1e16, 1e-9, 7.7]
    found = set()
    for seed in range(4):
        random.Random(seed).shuffle(values)  # noqa: S311
        listed = ", ".join(f"CAST('{value!r}' AS DOUBLE)" for value in values)
        array = f"[{listed}]" if engine.dialect == "duckdb" else f"array({listed})"
        (row,) = engine.run(f"SELECT {total_of_list(array, engine.dialect)} AS total").to_pylist()
        found.add(row["total"].hex())
    assert found == {math.fsum([0.1, 3.3, 1e-9, 7.7]).hex()}


def test_a_test_of_nearness_can_fail():
    assert not is_near(1.0, Fraction(1) + Fraction(1, 10**10), [1.0])
    assert not is_near(None, Fraction(1), [1.0])
    assert not is_near(math.inf, None, [1.0])
    assert not is_near(0.0, Fraction(1, 10**300), [1e-300])
