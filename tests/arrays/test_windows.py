"""Windows in arrays: of any tiles, at any snapshots, what plain Python makes of the bookings in those each one sees."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.arrays.numbers import TooLarge
from tenure.arrays.windows import SourceWindows, Spine, with_older
from tenure.define.value_type import ValueType
from tenure.define.window import Window
from tenure.tiles.grid import Grid
from tenure.tiles.partials import Partial, Values

DATES = (date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31))
WINDOWS = (Window(10), Window(30), Window(1, "m"), Window(60))
GRID = Grid.of(DATES, WINDOWS)
STARTS = [start for start, _ in GRID.intervals]
ENDS = [end for _, end in GRID.intervals]
CUSTOMERS = range(5, 9)
MICROSECOND = timedelta(microseconds=1)

VALUES = Values("tx", "", "amount", ValueType("decimal"), "a test")
TYPES = {
    "count": pa.int64(),
    "sum": pa.decimal128(28, 2),
    "squares": pa.decimal128(38, 0),
    "squares_high": pa.decimal128(28, 0),
    "min": pa.decimal64(18, 2),
    "max": pa.decimal64(18, 2),
    "newest": pa.timestamp("us"),
    "days": pa.int64(),
    "first": pa.struct([("at", pa.int64()), ("k0", pa.int64()), ("v", pa.string())]),
    "last": pa.struct([("at", pa.int64()), ("k0", pa.int64()), ("v", pa.string())]),
}
ASKED = [*((Partial(VALUES, kind), window) for kind in TYPES for window in WINDOWS), (Partial(VALUES, "newest"), None)]
SCHEMA = pa.schema(
    [("customer_no", pa.int64()), ("interval_start", pa.date32())]
    + [(Partial(VALUES, kind).name, type_) for kind, type_ in TYPES.items()]
)
LATE = pa.schema([*SCHEMA, ("seen_from", pa.date32()), ("seen_to", pa.date32())])


class Booking(NamedTuple):
    at: datetime
    number: int
    cents: int


class Tile(NamedTuple):
    customer: int
    interval: int
    bookings: tuple[Booking, ...]
    seen_from: date | None = None
    seen_to: date | None = None

    def is_seen(self, t: date) -> bool:
        return (self.seen_from is None or t >= self.seen_from) and (self.seen_to is None or t <= self.seen_to)

    def row(self) -> dict[str, object]:
        told = made_of(self.bookings) | {"days": None}
        for booking in self.bookings:
            told["days"] = (told["days"] or 0) | 1 << (booking.at.date() - STARTS[self.interval]).days
        own = {"customer_no": self.customer, "interval_start": STARTS[self.interval]}
        bounds = {"seen_from": self.seen_from, "seen_to": self.seen_to}
        return own | bounds | {Partial(VALUES, kind).name: told[kind] for kind in TYPES}


def made_of(bookings) -> dict[str, object]:
    """What each partial is of some bookings."""
    amounts = [Decimal(b.cents).scaleb(-2) for b in bookings]
    ordered = sorted(bookings)
    ends = [{"at": (b.at - datetime(1970, 1, 1)) // MICROSECOND, "k0": b.number, "v": f"v{b.number}"} for b in ordered]
    return {
        "count": len(amounts),
        "sum": sum(amounts, Decimal("0.00")),
        "squares": Decimal(sum(b.cents**2 % 10**24 for b in bookings)),
        "squares_high": sum(b.cents**2 // 10**24 for b in bookings),
        "min": min(amounts, default=None),
        "max": max(amounts, default=None),
        "newest": ordered[-1].at if ordered else None,
        "days": len({b.at.date() for b in bookings}),
        "first": ends[0] if ends else None,
        "last": ends[-1] if ends else None,
    }


@st.composite
def worlds(draw):
    """Tiles, at most one of rows in time a customer and interval; and who has a row at each snapshot."""
    places = st.tuples(st.sampled_from(CUSTOMERS), st.integers(0, len(STARTS) - 1))
    number = 0
    made = []
    in_time = draw(st.sets(places, max_size=14))
    late = draw(st.lists(places, max_size=5))
    for place, is_late in [*((p, False) for p in sorted(in_time)), *((p, True) for p in late)]:
        customer, interval = place
        days = st.integers(0, min(3, (ENDS[interval] - STARTS[interval]).days - 1))
        bookings = []
        for cents, day in draw(st.lists(st.tuples(st.integers(-(2**44), 2**44), days), max_size=3)):
            number += 1
            at = datetime.combine(STARTS[interval], datetime.min.time()) + timedelta(days=day)
            bookings.append(Booking(at, number, cents))
        seen_from, seen_to = None, None
        if is_late:
            seen_from = ENDS[interval] + timedelta(days=draw(st.integers(0, 60)))
            seen_to = draw(st.none() | st.integers(0, 60).map(lambda n, day=seen_from: day + timedelta(days=n)))
        made.append(Tile(customer, interval, tuple(bookings), seen_from, seen_to))
    present = sorted(draw(st.sets(st.tuples(st.integers(0, len(DATES) - 1), st.sampled_from(CUSTOMERS)))))
    return made, present


def spine_of(present) -> Spine:
    snapshots, customers = zip(*present, strict=True) if present else ((), ())
    columns = {"snapshot_no": pa.array(snapshots, pa.int64()), "customer_no": pa.array(customers, pa.int64())}
    return Spine.of(pa.table(columns), len(DATES))


def table(tiles, schema=SCHEMA) -> pa.Table:
    return pa.Table.from_pylist([{name: tile.row()[name] for name in schema.names} for tile in tiles], schema=schema)


def expected(tiles, present, partial, window):
    told = []
    for snapshot, customer in present:
        t = DATES[snapshot]
        start = window.start(t) if window else date.min
        seen = [
            b
            for tile in tiles
            if tile.customer == customer and tile.is_seen(t)
            if ENDS[tile.interval] <= t and (STARTS[tile.interval] >= start or window is None)
            for b in tile.bookings
        ]
        value = made_of(seen)[partial.kind]
        told.append({"v": value["v"]} if isinstance(value, dict) else value)
    return told


@settings(deadline=None, max_examples=200)
@given(world=worlds(), threads=st.sampled_from([1, 2]))
def test_every_window_is_what_python_makes_of_the_bookings_that_its_snapshot_sees(world, threads):
    tiles, present = world
    spine = spine_of([(s, c) for s, c in present if any(t.customer == c for t in tiles)])
    present = [(s, c) for s, c in present if any(t.customer == c for t in tiles)]
    inside = {c for _, c in present}
    tiles = [tile for tile in tiles if tile.customer in inside]
    in_time = table([tile for tile in tiles if tile.seen_from is None])
    late = table([tile for tile in tiles if tile.seen_from is not None], LATE)
    made = dict(SourceWindows("bank", GRID, spine, ASKED, in_time, late).columns(threads))
    for partial, window in ASKED:
        got = made[f"bank__{partial.name}_{window or 'ever'}"].to_pylist()
        assert got == expected(tiles, present, partial, window), (partial.kind, window)


def test_tiles_older_than_all_windows_count_for_all_history_alone():
    booking = Booking(datetime(2020, 5, 1), 1, 100)
    old = pa.table(
        {
            "customer_no": pa.array([5], pa.int64()),
            "interval_start": pa.array([STARTS[0]], pa.date32()),
            "tx__newest": pa.array([booking.at], pa.timestamp("us")),
        }
    )
    recent = Tile(6, len(STARTS) - 1, (Booking(datetime.combine(STARTS[-1], datetime.min.time()), 2, 200),))
    tiles = with_older(table([recent]), old, ASKED)
    spine = spine_of([(2, 5), (2, 6)])
    made = dict(SourceWindows("bank", GRID, spine, ASKED, tiles, table([], LATE)).columns(1))
    assert made["bank__tx__newest_ever"].to_pylist()[0] == booking.at
    assert made["bank__tx__count_60d"].to_pylist() == [0, 1]
    assert made["bank__tx__min_60d"].to_pylist() == [None, Decimal("2.00")]
    assert made["bank__tx__last_60d"].to_pylist() == [None, {"v": "v2"}]


def test_sums_that_might_not_fit_are_left_to_sql():
    tile = Tile(5, 2, (Booking(datetime.combine(STARTS[2], datetime.min.time()), 1, 9 * 10**17),))
    asked = [(Partial(VALUES, "sum"), WINDOWS[0])]
    tiles = table([tile])
    with pytest.raises(TooLarge):
        dict(SourceWindows("bank", GRID, spine_of([(0, 5)]), asked, tiles, table([], LATE)).columns(1))
