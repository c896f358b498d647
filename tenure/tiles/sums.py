"""Sums: each kind of number that is kept of rows, and how those of two spans of time come together.

    rows of a customer and interval ──► one number a kind ──(merge)──► of a band, of a window

SQL (`partials.py`) and arrays (`tenure/arrays`) read this one table, so both know the same kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tenure.define.aggregates import (
    DAY,
    INSTANT,
    KINDS,
    VALUE,
    Count,
    Formula,
    Max,
    Min,
    Sum,
    Summed,
    Term,
    sums_of,
)
from tenure.define.naming import by_name
from tenure.define.value_type import ValueType

#: How the numbers of two spans come together; `bits` are days, each once, and `months` months.
Merge: TypeAlias = Literal["add", "smallest", "largest", "bits", "months", "lists", "sets"]


@dataclass(frozen=True)
class SumKind:
    """One kind of number kept of rows.

    `term` is what each row gives; None is no term: the row itself, its place in time, its day as a bit. A square is
    kept in two pieces, as its sum may have more digits than a number holds. `is_wide` is what takes much room.
    """

    name: str
    merge: Merge
    term: Term | None = None
    piece: Literal["", "low", "high"] = ""
    is_wide: bool = False

    @property
    def reads_value(self) -> bool:
        """Whether a row's number is made of its value, and so is null where that is."""
        return self.name in ("list", "set") or (self.term is not None and "value" in self.term.factors)

    @property
    def is_one_rows(self) -> bool:
        """Whether it is the value of one row, the first or the last."""
        return self.term is None and self.merge in ("smallest", "largest")

    @property
    def is_product(self) -> bool:
        """Whether it adds up a term that reads the day."""
        return self.term is not None and "day" in self.term.factors

    def is_whole(self, type_: ValueType) -> bool:
        """Return whether its numbers are whole: of any rows, or of rows whose values of `type_` are."""
        if self.merge in ("months", "lists", "sets"):
            return False
        return not self.reads_value or type_.is_whole

    def digits(self, type_: ValueType) -> tuple[int, int]:
        """Return the digits in which a sum is kept, and those behind the point: room for 10⁹ of the largest values."""
        if self.term == VALUE and type_.is_decimal:
            return 28, type_.scale
        return (38, 0) if self.piece == "low" or self.is_product else (28, 0)


_SQUARE = VALUE * VALUE

_OWN = (
    SumKind("count", "add"),
    SumKind("sum", "add", VALUE),
    SumKind("squares", "add", _SQUARE, "low"),
    SumKind("squares_high", "add", _SQUARE, "high"),
    SumKind("min", "smallest", VALUE),
    SumKind("max", "largest", VALUE),
    SumKind("first", "smallest", is_wide=True),
    SumKind("last", "largest", is_wide=True),
    SumKind("newest", "largest", INSTANT),
    SumKind("oldest", "smallest", INSTANT),
    SumKind("days", "bits"),
    SumKind("months", "months"),
    SumKind("list", "lists", is_wide=True),
    SumKind("dated_list", "lists", is_wide=True),
    SumKind("set", "sets"),
)

#: The kinds of those sums of formulas that have a name of their own; any other is named after its term.
_NAMES: dict[Summed, tuple[str, ...]] = {
    Count(): ("count",),
    Sum(VALUE): ("sum",),
    Sum(_SQUARE): ("squares", "squares_high"),
    Min(VALUE): ("min",),
    Max(VALUE): ("max",),
    Min(INSTANT): ("oldest",),
    Max(INSTANT): ("newest",),
}


def kinds_of(summed: Summed) -> tuple[str, ...]:
    """Return the kinds of number in which a formula's sum is kept, by their names."""
    if summed in _NAMES:
        return _NAMES[summed]
    return (_named(summed).name,)


def _named(summed: Summed) -> SumKind:
    """A sum that is named after its term, such as day_value_sum."""
    if not isinstance(summed, Sum) or DAY.factors[0] not in summed.of.factors:
        raise NotImplementedError(f"no kind of sum keeps {summed}; kept are {', '.join(map(str, _NAMES))}")
    return SumKind("_".join([*summed.of.factors, "sum"]), "add", summed.of)


def _of_formulas() -> list[SumKind]:
    """The sums of all formulas that have no name of their own, each once."""
    summed: dict[Summed, None] = {}
    for kind in KINDS.values():
        if isinstance(kind.computed, Formula):
            summed |= dict.fromkeys(sums_of(kind.computed.of))
    return [_named(part) for part in summed if part not in _NAMES]


#: Kind → what is known of it.
SUMS: dict[str, SumKind] = by_name((*_OWN, *_of_formulas()))
