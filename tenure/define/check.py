"""Check: what staged rows are judged by; the codes of Tenure's own checks, a bank's own check, and what came of one.

rows about to be staged ──► counted in one scan ──► share of failing rows > tolerance ──► failed: stops, or is noted
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from tenure.define.naming import check_name, definition_place
from tenure.define.shape import NAME, TEXT, Allowed, check_shape, named, one_of

Severity: TypeAlias = Literal["error", "warning", "note"]
Verdict: TypeAlias = Literal["passed", "failed", "not applicable"]

SEVERITIES = ("error", "warning", "note")
VERDICTS = ("passed", "failed", "not applicable")

#: What a check is about; a score is made of these.
DIMENSIONS = ("completeness", "uniqueness", "validity", "consistency", "freshness", "volume", "distribution")


@dataclass(frozen=True)
class Code:
    """One of Tenure's own checks: its code, what it is about, how grave it is, and what fails it, in words."""

    code: str
    dimension: str
    severity: Severity
    title: str

    @property
    def anchor(self) -> str:
        """Where the docs explain it."""
        return f"docs/checks.md#{self.code.lower()}"


_CODES = (
    Code("TEN-Q001", "completeness", "error", "more nulls than the contract allows"),
    Code("TEN-Q002", "validity", "error", "values outside the contract's range"),
    Code("TEN-Q003", "validity", "error", "values that the contract does not list"),
    Code("TEN-Q004", "consistency", "error", "rows without their row in another table"),
    Code("TEN-Q005", "freshness", "error", "rows that arrived later than the contract allows"),
    Code("TEN-Q010", "validity", "warning", "texts damaged by an encoding"),
    Code("TEN-Q011", "validity", "warning", "dates before 1900 or after 2100"),
    Code("TEN-Q012", "validity", "warning", "negative values unlike before"),
    Code("TEN-Q013", "validity", "warning", "sizes unlike before, as of cents taken for units"),
    Code("TEN-Q014", "validity", "warning", "values never seen before"),
    Code("TEN-Q015", "consistency", "warning", "two columns look swapped"),
    Code("TEN-Q016", "completeness", "warning", "nulls unlike before"),
    Code("TEN-Q017", "distribution", "warning", "values distributed unlike before"),
    Code("TEN-Q018", "uniqueness", "warning", "rows alike but for their key, unlike before"),
    Code("TEN-Q019", "freshness", "warning", "rows arrive later than they used to"),
    Code("TEN-Q020", "volume", "warning", "rows a day unlike before"),
    Code("TEN-Q021", "consistency", "warning", "rows that were staged before have other values"),
    Code("TEN-Q022", "validity", "warning", "events further from their arrival than before"),
    Code("TEN-Q023", "uniqueness", "warning", "keys come again with other values, unlike before"),
    Code("TEN-Q024", "validity", "warning", "rows set aside unlike before"),
)

#: Tenure's own checks by code. What staging finds beside them has the codes TEN-I001 and on.
CODES: Mapping[str, Code] = MappingProxyType({one.code: one for one in _CODES})

_SHARE = Allowed(
    "a share in [0, 1]",
    lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
)


@dataclass(frozen=True)
class Check:
    """A bank's own check: `where` is what every row of a source must meet, in portable SQL on that row alone.

    As in a CHECK of SQL, a row of which it is unknown, since a value is null, meets it. With severity "error" staging
    stops, with nothing of the source written, where a larger share of rows than `tolerance` does not; "warning" and
    "note" are kept and go on.
    """

    name: str
    source: str = field(kw_only=True)
    where: str = field(kw_only=True)
    severity: Severity = field(default="error", kw_only=True)
    tolerance: float = field(default=0.0, kw_only=True)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "where_defined", definition_place())
        check_shape(
            named("check", self.name),
            self,
            source=NAME,
            where=NAME,
            severity=one_of(SEVERITIES),
            tolerance=_SHARE,
            doc=TEXT,
        )
        check_name("check", self.name, where=self.where_defined)


@dataclass(frozen=True, kw_only=True)
class RowCheck:
    """A check of single rows, ready to be counted: `failing` is true of a row that fails it, over the alias `r`.

    `columns` are those that it looks at, of which an example is shown. `why_not` says why it can't be applied, '' if
    it can.
    """

    code: str
    source: str
    column: str
    columns: tuple[str, ...]
    dimension: str
    severity: Severity
    title: str
    tolerance: float
    failing: str
    why_not: str = ""


@dataclass(frozen=True)
class Measure:
    """What is counted of a column month by month and held against earlier months: rows of which `failing` is true.

    `code` is the check that a share unlike those of earlier months fails. The column is '' of whole rows.
    """

    code: str
    column: str
    name: str
    failing: str


@dataclass(frozen=True, kw_only=True)
class CheckOutcome:
    """What came of a check: how many of the rows failed it, whether that is more than the tolerance, and an example."""

    source: str
    code: str
    column: str
    dimension: str
    severity: Severity
    title: str
    rows: int
    failing: int
    tolerance: float
    verdict: Verdict
    reason: str = ""
    example: str = ""

    @property
    def share(self) -> float:
        """The share of the rows that failed."""
        return self.failing / self.rows if self.rows else 0.0

    @property
    def stops(self) -> bool:
        """Whether nothing of the source may be staged."""
        return self.verdict == "failed" and self.severity == "error"

    @property
    def words(self) -> str:
        """The outcome as a sentence, without its source."""
        place = f"column '{self.column}': " if self.column else ""
        if self.verdict == "not applicable":
            return f"{place}{self.title} ({self.code}): not applicable, {self.reason}"
        counted = f"{self.failing:,} of {self.rows:,} {'row' if self.rows == 1 else 'rows'} ({self.share:.2%})"
        example = f", for example {self.example}" if self.example else ""
        allowed = f"; allowed are {self.tolerance:.2%}" if self.severity == "error" or self.tolerance else ""
        more = f"; {self.reason}" if self.reason else ""
        return f"{place}{self.title} ({self.code}): {counted}{example}{allowed}{more}"
