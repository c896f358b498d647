"""Calendar: the months of the demo bank, and days counted from the first of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

#: A day that never comes: later than every calendar, small enough to be added to.
NEVER = 1_000_000

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Calendar:
    """`months` whole months that end with `last`'s; days and seconds are counted from the first midnight.

    The extract is taken at midnight after the last day: nothing is recorded then or later.
    """

    last: date
    months: int

    @property
    def first(self) -> date:
        """The first day of the first month."""
        return self.month(0)

    @property
    def end(self) -> date:
        """The day after the last month, on which the extract is taken."""
        return self.month(self.months)

    @property
    def starts(self) -> Array:
        """The day number at which each month begins, and last that of `end`: months + 1 numbers."""
        return np.array([(self.month(m) - self.first).days for m in range(self.months + 1)])

    @property
    def days(self) -> int:
        """How many days there are."""
        return (self.end - self.first).days

    def month(self, number: int) -> date:
        """Return the first day of a month; 0 is the first, `months` is the one after the last."""
        index = self.last.year * 12 + self.last.month - self.months + number
        return date(index // 12, index % 12 + 1, 1)

    def dates(self, day_numbers: Array) -> Array:
        """Return day numbers as datetime64[D]; NEVER becomes NaT."""
        found = np.datetime64(self.first) + day_numbers.astype("timedelta64[D]")
        return np.where(day_numbers >= NEVER, np.datetime64("NaT"), found)

    def instants(self, seconds: Array) -> Array:
        """Return seconds as datetime64[us]."""
        return np.datetime64(self.first, "us") + seconds.astype("timedelta64[s]")
