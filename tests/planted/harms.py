"""What a fault does to a delivery: a harm rewrites cells, adds, splits, loses or shuffles rows, or harms a file whole.

A harm of rows strikes either every row that it can change, or one row in a hundred of the newest month's, drawn among
those that it can change, and at least one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from planted.delivery import Delivery, Lines, Row


class Harm(Protocol):
    """What is done to a file of a delivery, to this share of its newest month's rows."""

    def do(self, delivery: Delivery, file: str, share: float, chance: Random) -> None: ...


def each(change: Callable[[Row], Row]) -> Callable[[Lines], Callable[[Row], Row]]:
    """A change that looks at one row alone."""
    return lambda _: change


@dataclass(frozen=True)
class Rewrites:
    """Rows with other cells in the columns it touches. `change` may first learn from all lines of the file."""

    touches: tuple[str, ...]
    change: Callable[[Lines], Callable[[Row], Row]]

    def do(self, delivery: Delivery, file: str, share: float, chance: Random) -> None:
        lines = delivery.lines(file)
        struck = strike(lines, delivery.newest(file, lines), self.change(lines), share, chance)
        for place, row in struck.items():
            lines.lines[place] = lines.line(row)
        delivery.put(file, lines.content())


@dataclass(frozen=True)
class Adds:
    """Further rows at the end of the file, each made of one that is there."""

    change: Callable[[Row], Row]

    def do(self, delivery: Delivery, file: str, share: float, chance: Random) -> None:
        lines = delivery.lines(file)
        newest = delivery.newest(file, lines)
        places = drawn(newest, how_many(len(newest), share), chance)
        lines.lines += [lines.line(self.change(lines.row(place))) for place in places]
        delivery.put(file, lines.content())


@dataclass(frozen=True)
class Splits:
    """Rows that became two."""

    change: Callable[[Row], tuple[Row, Row]]

    def do(self, delivery: Delivery, file: str, share: float, chance: Random) -> None:
        lines = delivery.lines(file)
        newest = delivery.newest(file, lines)
        struck = set(drawn(newest, how_many(len(newest), share), chance))
        written = []
        for place, line in enumerate(lines.lines):
            written += map(lines.line, self.change(lines.row(place))) if place in struck else [line]
        delivery.put(file, Lines(lines.header, written).content())


@dataclass(frozen=True)
class Loses:
    """Rows that are missing, of those that `which` names: all of them, or as many as one in a hundred of all rows."""

    which: Callable[[Row], bool]

    def do(self, delivery: Delivery, file: str, share: float, chance: Random) -> None:
        lines = delivery.lines(file)
        newest = delivery.newest(file, lines)
        able = [place for place in newest if self.which(lines.row(place))]
        lost = set(able if share == 1 else drawn(able, how_many(len(newest), share), chance))
        kept = [line for place, line in enumerate(lines.lines) if place not in lost]
        delivery.put(file, Lines(lines.header, kept).content())


@dataclass(frozen=True)
class Shuffles:
    """A column whose values lie in other rows than their own; at least two rows."""

    column: str

    def do(self, delivery: Delivery, file: str, share: float, chance: Random) -> None:
        lines = delivery.lines(file)
        newest = delivery.newest(file, lines)
        places = drawn(newest, max(2, how_many(len(newest), share)), chance)
        values = [lines.row(place)[self.column] for place in places]
        for place, value in zip(places, values[1:] + values[:1], strict=True):
            lines.lines[place] = lines.line({**lines.row(place), self.column: value})
        delivery.put(file, lines.content())


@dataclass(frozen=True)
class LosesLastField:
    """Lines without their last field; where all lost it, so did the header."""

    def do(self, delivery: Delivery, file: str, share: float, chance: Random) -> None:
        lines = delivery.lines(file)
        newest = delivery.newest(file, lines)
        for place in drawn(newest, how_many(len(newest), share), chance):
            lines.lines[place] = lines.lines[place].rpartition(",")[0]
        header = lines.header[:-1] if share == 1 else lines.header
        delivery.put(file, Lines(header, lines.lines).content())


@dataclass(frozen=True)
class Whole:
    """A harm of the file as a whole; it knows no share."""

    harm: Callable[[Delivery, str], None]

    def do(self, delivery: Delivery, file: str, share: float, chance: Random) -> None:
        self.harm(delivery, file)


def how_many(rows: int, share: float) -> int:
    """So many rows of these; at least one."""
    return max(1, round(rows * share))


def drawn(places: Sequence[int], count: int, chance: Random) -> list[int]:
    """So many places, or all, in the order of a draw."""
    return chance.sample(places, min(count, len(places)))


def strike(
    lines: Lines, places: Sequence[int], change: Callable[[Row], Row], share: float, chance: Random
) -> dict[int, Row]:
    """The rows as changed, by place: all that `change` changes, or the first of a draw until there are enough."""
    wanted = how_many(len(places), share)
    struck: dict[int, Row] = {}
    for place in drawn(places, len(places), chance):
        if len(struck) == wanted:
            break
        before = lines.row(place)
        after = change(before)
        if after != before:
            struck[place] = after
    return struck
