"""What each engine can compute: every capability works on every engine, unless a gap here says why not.

definition ──► needs ──► gap? ──► refused before any row is read, with the engine and the reason
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal, TypeAlias

from tenure.define.aggregates import KINDS
from tenure.define.churn import ChurnDefinition
from tenure.define.event_base import Combination, Event, event_kinds, simple_events
from tenure.define.feature import READINGS, Aggregate, Attribute, DatePart, Feature, Ratio, Trend
from tenure.define.naming import Definition, with_place
from tenure.define.project import Project
from tenure.define.shape import ByKind
from tenure.define.source import Source
from tenure.errors import InvalidDefinition
from tenure.sql import DIALECTS, Dialect

Kind: TypeAlias = Literal[
    "aggregate", "window", "reading", "date part", "comparison", "point in time", "churn event", "proof"
]
Capability: TypeAlias = tuple[Kind, str]


@dataclass(frozen=True)
class Unsupported:
    """A capability that an engine lacks, and why."""

    reason: str


#: What each reading of an attribute is, in the order of `READINGS`.
_READINGS = (
    "the newest version's value known before t",
    "whole years since a time",
    "whole days since a time",
    "whole days to the next anniversary of a time",
    "whether any value was known",
)

#: The capabilities of each kind, with what they are.
_WORDS: dict[Kind, dict[str, str]] = {
    "aggregate": {how: re.sub(" (over|in|of)$", "", kind.words) for how, kind in KINDS.items()},
    "window": {
        "days": "`[t − n days, t)`",
        "months": "`[t − n calendar months, t)`",
        "open": "rows open at t, where no window is given",
        "all history": "every row before t",
    },
    "reading": dict(zip(READINGS, _READINGS, strict=True)),
    "date part": {"month_of_year": "the month of the snapshot date, 1 to 12"},
    "comparison": {
        "ratio": "one aggregate over another",
        "trend": "a short window against a long one",
    },
    "point in time": {
        "known_time": "versions of a row: the newest known before t",
        "arrival_delay": "rows known so many days after they happened",
        "ttl": "an attribute's version too old at t is null",
        "composite keys": "customers with a key of several columns",
    },
    "churn event": {
        **{event.__name__: event.what for event in event_kinds()},
        "active=": "asked only of customers active before t",
    },
    "proof": {
        "time travel": "`tenure verify --time-travel`: the future destroyed, every cell compared",
        "two engines": "`tenure verify`: the same tables on both, every cell compared",
    },
}

#: Every capability that a definition or a proof can ask for, with what it is.
CAPABILITIES: dict[Capability, str] = {
    (kind, name): words for kind, described in _WORDS.items() for name, words in described.items()
}

#: What an engine lacks. An entry makes definitions that need it refused on that engine, and stands in docs/engines.md.
GAPS: dict[tuple[Capability, Dialect], Unsupported] = {}


def needs(project: Project, churn: ChurnDefinition | None = None) -> Iterator[tuple[Capability, str]]:
    """Yield each capability that a project's features, and the churn definition if given, need, with who needs it."""
    for view in project.views.values():
        for feature in view.features:
            yield from _asked_by("feature", feature, _of_feature(feature))
        if view.ttl:
            yield from _asked_by("feature view", view, [("point in time", "ttl")])
    for source in project.sources.values():
        yield from _asked_by("source", source, _of_source(source))
    if len(project.entity.keys) > 1:
        yield from _asked_by("entity", project.entity, [("point in time", "composite keys")])
    if churn:
        yield from _asked_by("churn definition", churn, _of_churn(churn))


def _asked_by(
    kind: str, definition: Definition, capabilities: Iterable[Capability]
) -> Iterator[tuple[Capability, str]]:
    """Each capability with the definition that needs it."""
    return zip(capabilities, repeat(with_place(kind, definition)))


def _of_churn(churn: ChurnDefinition) -> Iterator[Capability]:
    for name in _events(churn.event):
        yield "churn event", name
    if churn.active:
        yield "churn event", "active="


def require_supported(project: Project, dialect: Dialect, churn: ChurnDefinition | None = None) -> None:
    """Raise InvalidDefinition for the first definition that needs what the engine lacks."""
    for capability, asked_by in needs(project, churn):
        require(capability, dialect, asked_by=asked_by)


def require(capability: Capability, dialect: Dialect, *, asked_by: str) -> None:
    """Raise InvalidDefinition, with the engine and the reason, if the engine lacks a capability."""
    gap = GAPS.get((capability, dialect))
    if gap is None:
        return
    able = [other for other in DIALECTS if (capability, other) not in GAPS]
    kind, name = capability
    raise InvalidDefinition(
        f"{asked_by} needs the {kind} '{name}', which engine {dialect} can't compute: {gap.reason}.",
        hint=f"Run it with --engine {able[0]}, or change the definition." if able else "Change the definition.",
    )


def engines_reference(gaps: Mapping[tuple[Capability, Dialect], Unsupported] = GAPS) -> str:
    """Return docs/engines.md: every capability by engine."""
    lines = [
        "# What each engine can do",
        "",
        "One set of definitions runs on DuckDB and on Spark. `yes` means that the tests compute it on that engine and",
        "compare it cell by cell with a plain Python oracle or with hand-worked tables, and that the engines agree;",
        "numbers agree to the last bit (of whole numbers beyond 2⁵³ but for it); floats are added up in order of size.",
        "",
        "A gap would say why here. A definition that needs what the project's engine lacks is refused with",
        "`InvalidDefinition` by `tenure check` and before a run's first stage; no row is read.",
        "",
        "This page is written from `tenure/tiles/support.py`; a test compares them.",
    ]
    engines = [_ENGINES[dialect] for dialect in DIALECTS]
    rule = ["---"] * (2 + len(engines))
    for kind, described in _WORDS.items():
        lines += ["", f"## {_HEADINGS[kind]}", "", _row(kind, "what", *engines), _row(*rule)]
        for name, words in described.items():
            cells = [_cell(gaps.get(((kind, name), dialect))) for dialect in DIALECTS]
            lines.append(_row(f"`{name}`", words, *cells))
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


_ENGINES: dict[Dialect, str] = {"duckdb": "DuckDB", "spark": "Spark"}
_HEADINGS: dict[Kind, str] = {
    "aggregate": "Aggregates",
    "window": "Windows",
    "reading": "Readings of an attribute",
    "date part": "Parts of the snapshot date",
    "comparison": "Comparisons",
    "point in time": "Point-in-time joins",
    "churn event": "Churn events",
    "proof": "Proofs",
}


def _cell(gap: Unsupported | None) -> str:
    return f"Unsupported: {gap.reason}" if gap else "yes"


def _of_feature(feature: Feature) -> Iterator[Capability]:
    yield from _CAPABILITIES_OF.of(feature)(feature)


def _of_aggregate(feature: Aggregate) -> Iterator[Capability]:
    for how in feature.hows:
        yield "aggregate", how
        for window in feature.windows_of(how):
            if KINDS[how].reads_all_history:
                yield "window", "all history"
            else:
                yield "window", {"d": "days", "m": "months"}[window.unit] if window else "open"


_CAPABILITIES_OF: ByKind[Callable[[Any], Iterable[Capability]]] = ByKind(
    "feature",
    {
        Attribute: lambda feature: [("reading", feature.how)],
        DatePart: lambda feature: [("date part", feature.how)],
        Aggregate: _of_aggregate,
        Ratio: lambda _: [("comparison", "ratio")],
        Trend: lambda _: [("comparison", "trend")],
    },
)


def _of_source(source: Source) -> Iterator[Capability]:
    if source.known_time:
        yield "point in time", "known_time"
    if source.arrival_delay:
        yield "point in time", "arrival_delay"


def _events(event: Event) -> Iterator[str]:
    simple_events(event)  # refuses one that Tenure does not know
    yield type(event).__name__
    if isinstance(event, Combination):
        for part in event.events:
            yield from _events(part)
