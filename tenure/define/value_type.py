"""Value type: what a column's values are; of a decimal, how many digits it has and how many stand behind the point.

±1234567890123456.78        precision=18, scale=2: what a decimal is where its column says nothing
  └── 18 digits ───┘└ 2
"""

from __future__ import annotations

from dataclasses import dataclass

#: The digits of a decimal where its column says nothing, and those of them behind the point.
PRECISION, SCALE = 18, 2

#: The most digits of a decimal.
MOST_DIGITS = 38

#: The most digits of a decimal whose sums, and those of its squares, 38 digits hold exactly, and the most of them
#: behind the point: Spark takes places away from long results where there are more.
_SHORT, _FEW_PLACES = 18, 6


@dataclass(frozen=True)
class ValueType:
    """The type of a column's values; `precision` and `scale` are those of a decimal."""

    name: str
    precision: int = PRECISION
    scale: int = SCALE

    @property
    def is_decimal(self) -> bool:
        """Whether the values are decimals."""
        return self.name == "decimal"

    @property
    def is_long(self) -> bool:
        """Whether they are decimals of which no engine's numbers hold all sums: these are computed of their list."""
        return self.is_decimal and (self.precision > _SHORT or self.scale > _FEW_PLACES)

    @property
    def is_whole(self) -> bool:
        """Whether they are whole numbers, or whole numbers of units of their last place, which sums hold exactly."""
        return self.name == "integer" or (self.is_decimal and not self.is_long)

    @property
    def places(self) -> int:
        """The digits behind the point that an exact number has: those of a decimal, none of an integer."""
        return self.scale if self.is_decimal else 0

    @property
    def words(self) -> str:
        """The type as a message names it: 'decimal', 'decimal(38, 4)'."""
        is_plain = not self.is_decimal or (self.precision, self.scale) == (PRECISION, SCALE)
        return self.name if is_plain else f"{self.name}({self.precision}, {self.scale})"


#: Whole numbers, as counts are.
INTEGER = ValueType("integer")
