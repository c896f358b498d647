"""Whole numbers out of Arrow columns and back, without copying: cents, days, microseconds, bits of days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from threading import Lock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenure.define.aggregates import INSTANT
from tenure.define.value_type import PRECISION
from tenure.tiles.partials import Partial

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

#: Squares are kept in two numbers, `low + 2^40 × high`, as their sums may need more than 63 bits.
LOW_BITS = 40

EPOCH = date(1970, 1, 1)

_LOW_MASK = (1 << LOW_BITS) - 1


#: Numbers of a block: systems back so large ones with large pages.
_BLOCK = 1 << 20


class TooLarge(Exception):
    """Raised where sums of the numbers might not fit 64 bits; the SQL route has wider ones."""


class Room:
    """An allocator of many arrays out of few large blocks, which the system hands out several times quicker."""

    def __init__(self) -> None:
        self._block, self._used, self._lock = np.empty(0, np.int64), 0, Lock()

    def empty(self, length: int) -> Whole:
        """Return an array whose numbers are arbitrary yet."""
        with self._lock:
            if self._used + length > len(self._block):
                self._block, self._used = np.empty(max(_BLOCK, length), np.int64), 0
            self._used += length
            return self._block[self._used - length : self._used]


def whole(column: pa.Array | pa.ChunkedArray) -> Whole:
    """Return a column's numbers (what stands in place of nulls is arbitrary); decimals in units of their last place.

    Raises TypeError for a type that has none, TooLarge for a number that 64 bits can't hold.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type
    if kind.bit_width == 64 and not pa.types.is_floating(kind):
        return _view(column, np.int64)
    if pa.types.is_decimal128(kind):
        low, high = _halves(column)
        if np.any(low >> 63 != high):
            raise TooLarge
        return np.ascontiguousarray(low)
    if kind.bit_width in (16, 32) and not pa.types.is_floating(kind):
        return _view(column, np.int32 if kind.bit_width == 32 else np.int16).astype(np.int64)
    raise TypeError(f"{kind} holds no whole numbers")


def squares(column: pa.Array | pa.ChunkedArray) -> tuple[Whole, Whole]:
    """Return a column of DECIMAL(38, 0) as `low` and `high`. Raises TooLarge."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    low, high = _halves(column)
    require_within(high, 1 << LOW_BITS - 2)
    return low & _LOW_MASK, ((low >> LOW_BITS) & ((1 << 64 - LOW_BITS) - 1)) | (high << 64 - LOW_BITS)


def flags(column: pa.Array) -> Flags | None:
    """Return a column of booleans without nulls; None where all are true."""
    return None if column.true_count == len(column) else _bits(column.buffers()[1], column)


def valid(column: pa.Array | pa.ChunkedArray) -> Flags | None:
    """Return where a column is not null; None where it never is."""
    if column.null_count == 0:
        return None
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return _bits(column.buffers()[0], column)


def require_within(numbers: Whole, most: int) -> None:
    """Raise TooLarge if a number is beyond `most`, or below its negative."""
    if len(numbers) and (numbers.max() > most or numbers.min() < -most):
        raise TooLarge


def arrow(numbers: Sequence[Whole], partial: Partial, filled: Flags | None = None) -> pa.Array:
    """Return a partial's numbers (two for squares), in 64 bits but for squares; null where not `filled`."""
    if partial.sum.piece == "low":
        low, high = numbers
        carried = high + (low >> LOW_BITS)
        pairs = np.empty((len(low), 2), np.int64)
        pairs[:, 0] = (carried << LOW_BITS) | (low & _LOW_MASK)
        pairs[:, 1] = carried >> 64 - LOW_BITS
        return _array(pairs, pa.decimal128(38, 0), len(low), filled)
    is_time = partial.sum.term == INSTANT
    kind = _decimal(partial) if partial.is_money else pa.timestamp("us") if is_time else pa.int64()
    return _array(numbers[0], kind, len(numbers[0]), filled)


def _decimal(partial: Partial) -> pa.DataType:
    """The decimals of a partial of money, as many digits as 64 bits hold where it is a sum."""
    type_ = partial.values.type
    return pa.decimal64(PRECISION if partial.is_added else type_.precision, type_.scale)


def stored(numbers: Sequence[Whole], partial: Partial, filled: Flags | None = None) -> pa.Array:
    """Return a partial's numbers as `arrow` does, but sums in the type that tiles keep them in."""
    if partial.is_count or not partial.is_added or partial.sum.piece == "low":
        return arrow(numbers, partial, filled)
    pairs = np.empty((len(numbers[0]), 2), np.int64)
    pairs[:, 0] = numbers[0]
    pairs[:, 1] = numbers[0] >> 63
    return _array(pairs, pa.decimal128(*partial.sum.digits(partial.values.type)), len(pairs), filled)


def changes(one: Whole, other: Whole) -> Places:
    """Return the places at which another pair begins."""
    if not len(one):
        return np.empty(0, np.intp)
    changed = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    return np.concatenate([np.zeros(1, np.intp), np.flatnonzero(changed) + 1])


def days_of(dates: Sequence[date]) -> Whole:
    """Return dates as days since 1970."""
    return np.array([(day - EPOCH).days for day in dates], np.int64)


def places(rows: Places) -> pa.Array:
    """Return the numbers of rows as Arrow takes them."""
    return _array(rows, pa.int64(), len(rows), None)


def plain(column: pa.Array) -> pa.Array:
    """Return a column whose rows can be taken: Arrow can't take those of texts in views."""
    return column.cast(pa.string()) if column.type == pa.string_view() else column


def structs(fields: Sequence[pa.Array], names: Sequence[str], filled: Flags) -> pa.Array:
    """Return a column of structs, null where not filled."""
    kind = pa.struct([pa.field(name, field.type) for name, field in zip(names, fields, strict=True)])
    bits = pa.py_buffer(np.packbits(filled, bitorder="little"))
    return pa.StructArray.from_buffers(kind, len(filled), [bits], children=list(fields))


def keys_and_days(keys: Whole, days: Whole) -> tuple[pa.Array, pa.Array]:
    """Return keys and days since 1970 as a column of whole numbers and one of dates."""
    return _array(keys, pa.int64(), len(keys), None), _array(days.astype(np.int32), pa.date32(), len(days), None)


def _array(numbers: NDArray[np.int64 | np.int32], kind: pa.DataType, length: int, filled: Flags | None) -> pa.Array:
    # Not pa.array, which loads pandas.
    bits = None if filled is None else pa.py_buffer(np.packbits(filled, bitorder="little"))
    return pa.Array.from_buffers(kind, length, [bits, pa.py_buffer(np.ascontiguousarray(numbers))])


def _halves(column: pa.Array) -> tuple[Whole, Whole]:
    """The low and the high 64 bits of a column of decimals; 0 in place of nulls, where anything may stand."""
    if not len(column):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    pairs = np.frombuffer(column.buffers()[1], np.int64)[2 * column.offset :][: 2 * len(column)].reshape(-1, 2)
    filled = valid(column)
    if filled is not None:
        pairs = pairs * filled[:, None]
    return pairs[:, 0], pairs[:, 1]


def _view(column: pa.Array, kind: type[np.int64 | np.int32 | np.int16]) -> Whole:
    if not len(column):
        return np.empty(0, np.int64)
    return np.frombuffer(column.buffers()[1], kind)[column.offset :][: len(column)]  # type: ignore[return-value]


def _bits(buffer: pa.Buffer, column: pa.Array) -> Flags:
    # Arrow's own way to NumPy loads pandas first.
    bits = np.unpackbits(np.frombuffer(buffer, np.uint8), count=column.offset + len(column), bitorder="little")
    return bits[column.offset :].view(np.bool_)
