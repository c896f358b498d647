"""Names: which identifiers a definition may have, and the file and line where it was written."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Protocol, TypeVar

from tenure.errors import InvalidDefinition


class Named(Protocol):
    """What has a name of its own among others of its kind."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


class Definition(Named, Protocol):
    """What has a name and a place where it is written."""

    @property
    def where_defined(self) -> str:
        """The bank's file and line."""
        ...


N = TypeVar("N", bound=Named)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")

#: Words that some engine reserves: a column so named would need quoting in one engine and not in the other.
RESERVED_WORDS = frozenset(
    "all and any array as asc between both by case cast check column constraint create cross current date "
    "day default desc distinct else end except exists false fetch for from full function grant group having hour in "
    "inner insert intersect interval into is join key keys lateral left like limit minute month natural not null of "
    "offset on only or order outer over overlaps partition primary range references right row rows second select set "
    "some table then time timestamp to trailing true union unique unknown update user using values when where "
    "window with year at show map struct pivot unpivot qualify columns do foreign lambda summarize describe anti semi "
    "asof positional glob ilike similar returning recursive analyze variadic placing initially deferrable analyse "
    "asymmetric authorization collate collation concurrently extract freeze isnull leading none notnull overlay "
    "position symmetric tablesample treat unpack verbose".split()
)

#: Columns that Tenure itself writes; a bank's column may not take their names.
RESERVED_COLUMNS = frozenset(
    "snapshot_date event_time known_time known_until label_start label_end churned split fold seen_in_train "
    "quarantine_reason model_version horizon score score_raw decile base_value rank segment_id claim".split()
)


def check_name(kind: str, name: str, *, reserved: Iterable[str] = (), where: str = "") -> None:
    """Raise InvalidDefinition unless `name` is lower snake case and safe, unquoted, in every engine."""
    place = aside(where)
    if not isinstance(name, str) or not _NAME.match(name):
        called = f"'{name}'" if isinstance(name, str) else f"of type {type(name).__name__}"
        raise InvalidDefinition(
            f"{kind} {called} is not a name: use a-z, 0-9 and _, begin with a letter, at most 63 characters{place}.",
            hint="Rename it; a raw column with another spelling is mapped with Column(name, raw='Its Spelling').",
        )
    if name in RESERVED_WORDS or name in reserved:
        raise InvalidDefinition(
            f"{kind} '{name}' is a reserved word of SQL or of Tenure{place}.",
            hint="Pick another name, for example with a suffix: 'order_code'; map the raw one with Column(raw=…).",
        )


def by_name(things: Iterable[N]) -> dict[str, N]:
    """Return the things by their names, in their order."""
    return {thing.name: thing for thing in things}


def with_place(kind: str, definition: Definition) -> str:
    """Return a definition as messages name it, with its line: source 'accounts' (bank/sources.py:12)."""
    return f"{kind} '{definition.name}' ({definition.where_defined})"


def invalid(kind: str, definition: Definition, says: str, rest: str = "", *, hint: str = "") -> InvalidDefinition:
    """Return the error of what a definition says: <kind> '<name>' <says> (<its line>)<rest>."""
    return InvalidDefinition(f"{kind} '{definition.name}' {says} ({definition.where_defined}){rest}.", hint=hint)


def aside(text: str) -> str:
    """Return a text as it stands behind another: ' (text)', '' of ''."""
    return f" ({text})" if text else ""


def definition_place() -> str:
    """Return 'file.py:line' of the bank's line that makes the current definition, or '' outside a project."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (inspect.stack reads every source file)
    here = str(Path(__file__).parent)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(here) and not file.startswith("<"):
            path = Path(file)
            return f"{path.parent.name}/{path.name}:{frame.f_lineno}"
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return ""
