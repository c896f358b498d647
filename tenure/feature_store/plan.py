"""The plan of a backfill: which partitions of tiles and features are missing or stale, and why.

A snapshot depends on the definitions, on the SQL compiled from them, and on the rows of each source that arrived or
were replaced before it; each is an ingredient with a digest of its own, stored with the partition.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, pairwise
from typing import Any, Literal, TypeAlias

from tenure.define.aggregates import KINDS
from tenure.define.project import Project
from tenure.define.snapshot import SnapshotPlan
from tenure.errors import InvalidConfig, MissingTable
from tenure.feature_store.routes import route_for
from tenure.feature_store.routes.base import Route, tile_table
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.store.table import Ingredients, TableVersion
from tenure.tiles.features import FeatureSteps

State: TypeAlias = Literal["current", "missing", "stale", "retired"]

#: Dates over which the SQL of any plan is compiled to see whether it changed.
_SAMPLE = (date(2024, 1, 31), date(2024, 2, 29))

#: Ingredient → the reason that it gives; the others are the rows of a source.
_WORDS = {
    "definition": "definitions changed",
    "code": "the code of Tenure changed",
    "sums": "what is summed up changed",
    "grid": "the plan's windows changed",
}


@dataclass(frozen=True)
class Partition:
    """One partition of a table: its state, why it is not current, its ingredients, and how many rows it sums up."""

    table: str
    value: date
    state: State
    why: str
    ingredients: Ingredients
    rows: int = 0

    @property
    def is_due(self) -> bool:
        """Whether it has to be built."""
        return self.state in ("missing", "stale")


@dataclass(frozen=True)
class BackfillPlan:
    """What a backfill would do, and by which route: the partitions of `features`, and of the tiles of the due ones."""

    steps: FeatureSteps | None
    route: Route
    features: tuple[Partition, ...]
    tiles: Mapping[str, tuple[Partition, ...]]

    @property
    def due(self) -> tuple[date, ...]:
        """The snapshots to compute, in order."""
        return due_of(self.features)

    @property
    def retired(self) -> tuple[date, ...]:
        """The stored snapshots that are no longer in the plan."""
        return tuple(partition.value for partition in self.features if partition.state == "retired")

    @property
    def partitions(self) -> list[Partition]:
        """Every partition, in the order in which they are built."""
        return [*chain.from_iterable(self.tiles.values()), *self.features]


def due_of(partitions: Iterable[Partition]) -> tuple[date, ...]:
    """Return those of the partitions that have to be built, in order."""
    return tuple(partition.value for partition in partitions if partition.is_due)


class Arrivals:
    """A source's rows by the day on which they began or ceased to count, as digests over any span of days."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        ordered = sorted(rows, key=lambda row: row["day_start"])
        self._days = [row["day_start"] for row in ordered]
        self._counted = _running(("rows", "arrived", "replaced"), ordered)
        self._tiled = _running(("rows", "tiled"), ordered)
        self._rows = [0]
        for row in ordered:
            self._rows.append(self._rows[-1] + row["rows"])

    def counted(self, start: date | None, t: date) -> str:
        """Return the digest of what arrived or was replaced on the days [start, t): what a snapshot at t sees."""
        return _between(self._counted, *self._span(start, t))

    def tiled(self, start: date | None, end: date) -> str:
        """Return the digest of the rows that arrived on the days [start, end), and until when they count."""
        return _between(self._tiled, *self._span(start, end))

    def rows(self, start: date | None, end: date) -> int:
        """Return how many rows arrived on the days [start, end)."""
        first, last = self._span(start, end)
        return self._rows[last] - self._rows[first]

    def _span(self, start: date | None, end: date) -> tuple[int, int]:
        return (0 if start is None else bisect_left(self._days, start)), bisect_left(self._days, end)


def stored_arrivals(work: Work) -> dict[str, Arrivals]:
    """Return each staged source's arrivals; raise MissingTable if staging did not note them."""
    staged = {name: work.require(name).fingerprint for name in work.project.sources}
    by_source: dict[str, list[dict[str, Any]]] = {name: [] for name in staged}
    for row in work.read("arrivals").to_pylist():
        if staged.get(row["source"]) == row["fingerprint"]:
            by_source[row["source"]].append(row)
    arrivals: dict[str, Arrivals] = {}
    for name, rows in by_source.items():
        if not rows:
            raise MissingTable(f"the arrivals of source '{name}' are not noted.", hint="Run 'tenure staging'.")
        arrivals[name] = Arrivals(rows)
    return arrivals


def plan_backfill(
    work: Work, plan: SnapshotPlan, *, first: date | None = None, last: date | None = None
) -> BackfillPlan:
    """Return what a backfill of the plan's snapshots from `first` to `last` (both included) would do.

    Raises InvalidConfig if the plan has no such snapshot, or if definitions changed and some snapshots would keep
    their old columns; MissingTable if a source is not staged.
    """
    asked = _asked_dates(plan, first, last)
    arrivals, stored = stored_arrivals(work), work.lake.find("features")
    sample, route = FeatureSteps(work.project, work.dialect, _SAMPLE), route_for(work)
    common = {"definition": _definition(work), "code": _code(sample, route)}
    features: list[Partition] = []
    for t in asked:
        ingredients = common | _seen(work.project, arrivals, t)
        features.append(_partition("features", t, ingredients, stored))
    kept = set(map(date.fromisoformat, stored.partitions)) - set(asked) if stored else set()
    if asked == plan.dates():
        features += [Partition("features", t, "retired", "not in the plan", {}) for t in sorted(kept)]
    elif stored:
        _require_common(common, [stored.partitions[str(t)] for t in kept])
    due = due_of(features)
    if not due:
        return BackfillPlan(None, route, tuple(features), {})
    steps = FeatureSteps(work.project, work.dialect, due, plan)
    tiles = {name: _tiles(work, route, steps, sample, plan, name, arrivals[name]) for name in steps.tiled}
    return BackfillPlan(steps, route, tuple(features), tiles)


def _asked_dates(plan: SnapshotPlan, first: date | None, last: date | None) -> tuple[date, ...]:
    """The planned snapshots from `first` to `last`; raises InvalidConfig if there are none."""
    planned = plan.dates()
    asked = tuple(t for t in planned if (first or date.min) <= t <= (last or date.max))
    if not asked:
        raise InvalidConfig(
            f"no snapshot is planned{f' from {first}' if first else ''}{f' to {last}' if last else ''}; the plan has "
            f"{len(planned)} from {planned[0]} to {planned[-1]} ({plan.rule}).",
            hint="Give --from and --to within it, or change [snapshots] in tenure.toml.",
        )
    return asked


def _require_common(common: Ingredients, kept: Sequence[Ingredients]) -> None:
    """Raise InvalidConfig if any stored snapshot that stays has other definitions or other code."""
    if not all(common.items() <= ingredients.items() for ingredients in kept):
        raise InvalidConfig(
            f"definitions changed since {len(kept)} of the snapshots were built that --from and --to leave out; "
            "a table has one set of columns.",
            hint="Run 'tenure backfill' without --from and --to; 'tenure materialize' can follow it.",
        )


def _tiles(
    work: Work,
    route: Route,
    steps: FeatureSteps,
    sample: FeatureSteps,
    plan: SnapshotPlan,
    name: str,
    arrivals: Arrivals,
) -> tuple[Partition, ...]:
    """The partitions of a source's tiles that the due snapshots read."""
    table, grid = tile_table(name), steps.grid
    stored = work.lake.find(table)
    common = {
        "definition": fingerprint([work.project.sources[name], work.project.entity]),
        "sums": fingerprint([sample.dialect, route.code, sample.tiles(name).select()]),
        "grid": fingerprint([plan.rule, *map(str, grid.windows), grid.floor]),
    }
    reads_history = steps.reads_all_history(name)
    tiles: list[Partition] = []
    for start, end in pairwise([None, *grid.periods]):
        if end and (reads_history or end > grid.first_start):
            ingredients = {**common, "rows": arrivals.tiled(start, end)}
            partition = _partition(table, end, ingredients, stored)
            tiles.append(replace(partition, rows=arrivals.rows(start, end)))
    return tuple(tiles)


def _partition(table: str, value: date, ingredients: Ingredients, stored: TableVersion | None) -> Partition:
    before = stored.partitions.get(str(value)) if stored else None
    if before is None:
        return Partition(table, value, "missing", "not built yet", ingredients)
    if before == ingredients:
        return Partition(table, value, "current", "", ingredients)
    differing = [name for name in {**ingredients, **before} if before.get(name) != ingredients.get(name)]
    # Definitions change the SQL too, and one reason is enough.
    named = differing[:1] if differing[0] in _WORDS else differing
    return Partition(table, value, "stale", ", ".join(map(_reason, named)), ingredients)


def _reason(ingredient: str) -> str:
    """Why a partition is stale of which an ingredient differs."""
    if ingredient in _WORDS:
        return _WORDS[ingredient]
    return "rows changed" if ingredient == "rows" else f"rows of {ingredient} changed"


def _seen(project: Project, arrivals: Mapping[str, Arrivals], t: date) -> dict[str, str]:
    """The digest of what a snapshot at t sees of each source that features or snapshots read."""
    read = dict.fromkeys([project.entity.source])
    read |= dict.fromkeys(project.viewed)
    return {name: arrivals[name].counted(_first_seen(project, name, t), t) for name in read}


def _first_seen(project: Project, source: str, t: date) -> date | None:
    """The first day of arrivals that can matter at t; None where all history does."""
    views = [view for view in project.views.values() if view.source == source]
    if source == project.entity.source or any(view.attributes for view in views):
        return None
    if any(source in ledger.reads for ledger in project.reconciling):
        return None
    starts = [t]
    for aggregate in chain.from_iterable(view.aggregates for view in views):
        if not aggregate.windows or any(KINDS[how].reads_all_history for how in aggregate.hows):
            return None
        starts += [window.start(t) for window in aggregate.windows]
    return min(starts)


def outdated_features(work: Work, dates: Sequence[date]) -> list[date]:
    """Return those of the snapshots whose features are not stored, or are of other rows or definitions.

    The engine that computed them does not count, nor does the code of Tenure.
    """
    stored, arrivals = work.require("features").partitions, stored_arrivals(work)
    common = {"definition": _definition(work)}
    outdated: list[date] = []
    for t in dates:
        wanted = common | _seen(work.project, arrivals, t)
        if not wanted.items() <= stored.get(str(t), {}).items():
            outdated.append(t)
    return outdated


def _definition(work: Work) -> str:
    """The digest of the columns in their order and of their meanings; a changed `doc` or `unit` makes nothing stale."""
    project, meant = work.project, work.meanings
    columns = [(name, meant[str(name)]) for name in project.columns]
    return fingerprint([project.entity.keys, *columns])


def _code(sample: FeatureSteps, route: Route) -> str:
    """The digest of the SQL, and of the code that computes next to it: the arrays, by the number that they declare."""
    texts = [select.text for select in (*sample.cached, *sample.ranged(), sample.final())]
    return fingerprint([sample.dialect, route.code, *texts])


def _running(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The digests of the first n days: the digest of a span is the exclusive or of two of them."""
    running = [0]
    for row in rows:
        text = "|".join(str(row[name]) for name in ("day_start", *columns))
        of_day = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        running.append(running[-1] ^ of_day)
    return running


def _between(running: Sequence[int], first: int, last: int) -> str:
    return f"{running[first] ^ running[last]:016x}"
