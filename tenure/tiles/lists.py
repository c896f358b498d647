"""Lists: formulas over floats, whose values are kept: sums of floats depend on the order in which they are added up.

    0.1, 1e16, −1e16 ──(the order is that of the values alone)──► the same bits in every run, route and engine

A formula that reads the days of events gets a list of {x: day, y: value}.
"""

from __future__ import annotations

from collections.abc import Callable

from tenure.define.aggregates import DEVIATION, MEAN, TOTAL, Expression, Formula
from tenure.errors import InvalidDefinition
from tenure.sql import Dialect, op
from tenure.tables.finish import deviation_of_list, mean_of_list, total_of_list


def is_listed(formula: Formula, type_: str) -> bool:
    """Return whether a formula over values of a type is computed of their list."""
    return type_ == "float" and formula.adds_values


def of_list(formula: Formula, values: str, dialect: Dialect) -> str:
    """Return the SQL of a formula over a list of floats; raise InvalidDefinition for one that has no way to it."""
    if formula.of not in _OF_LIST:
        raise InvalidDefinition(
            f"{formula.of} has no way to be computed of floats; allowed: those in tenure/tiles/lists.py."
        )
    return _OF_LIST[formula.of](values, dialect)


#: Formula → its SQL over a list, in any order.
_OF_LIST: dict[Expression, Callable[[str, Dialect], str]] = {
    TOTAL: total_of_list,
    MEAN: mean_of_list,
    DEVIATION: lambda values, dialect: deviation_of_list(op("sorted", dialect, values), dialect),
}
