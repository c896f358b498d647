"""Features: one row per customer and snapshot, one column per feature, from rows known before the snapshot.

 known_time < t ─────────────────────────────────────┐
   [t − 90d ·················· [t − 30d ·············)┊ t
    └─────── seen by the 90-day window ──────────────┘
                                └─ by the 30-day one ─┘

Each source is read once: its rows meet the snapshots that may see them (`<source>_seen`), are summed up per
customer and snapshot (`<source>_summed`), and join the snapshots, so one row in is one row out.
Sums are exact decimals until the last step, so engines and runs agree to the last bit (but of `float` columns).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from tenure.define.feature import Aggregate, Attribute, ColumnName, Ratio, Trend, Window
from tenure.define.project import Project
from tenure.define.source import Source
from tenure.sql import Dialect, Select, column_list, condition, op, with_ctes
from tenure.tables.visible import dates_relation, days_before, qualified, readable_columns, same, visible_at, within


@dataclass(frozen=True)
class _Part:
    """What one source contributes: its CTEs, the relation to join, and each column's expression over it."""

    ctes: tuple[tuple[str, str, str], ...]
    relation: str
    columns: dict[ColumnName, str]


def features(project: Project, dialect: Dialect, dates: Sequence[date]) -> Select:
    """Return one row per row of snapshots, in its order, with every feature column of the project."""
    parts = [part for name in project.sources for part in _parts(project, name, dialect)]
    keys = project.entity.keys
    row = (*keys, "snapshot_date")
    texts = project.columns
    measured = {name: expression for part in parts for name, expression in part.columns.items()}
    measured |= _history_shares(project)
    joins = "\n".join(f"LEFT JOIN {p.relation}\n  ON {same(row, p.relation, 's')}" for p in parts)
    measured_body = (
        f"SELECT\n{column_list([qualified(row, 's'), *(f'{e} AS {n}' for n, e in measured.items())])}\n"
        f"FROM snapshots AS s\n{joins}"
    )
    compared = _compared(project)
    final_columns = [
        (f"{compared[n]} AS {n}" if n in compared else str(n), f"{d.text}{f' [{d.unit}]' if d.unit else ''}")
        for n, d in texts.items()
    ]
    ctes = [
        (
            "dates",
            "snapshot dates and the instant each begins",
            dates_relation(("snapshot_date", "t"), [(d, d) for d in dates]),
        ),
        *(cte for part in parts for cte in part.ctes),
        ("measured", "every snapshot row with what each source says of it", measured_body),
    ]
    final = f"SELECT\n{column_list([*row, *final_columns])}\nFROM measured\nORDER BY snapshot_date, {', '.join(keys)}"
    reads = ("snapshots", *dict.fromkeys(view.source for view in project.views.values()))
    return Select("features", with_ctes(ctes, final), reads)


def _parts(project: Project, name: str, dialect: Dialect) -> list[_Part]:
    found = [f for view in project.views.values() if view.source == name for f in view.features]
    source = project.sources[name]
    attributes = [f for f in found if isinstance(f, Attribute)]
    aggregates = [f for f in found if isinstance(f, Aggregate)]
    makers: list[tuple[Callable[..., _Part], list[tuple[Aggregate, str]]]] = [
        (_summed, [(f, how) for f in aggregates for how in f.hows if f.windows and how != "days_since_last"]),
        (
            _open,
            [(f, how) for f in aggregates for how in f.hows if not f.windows and how != "days_since_last"],
        ),
        (_newest, [(f, how) for f in aggregates for how in f.hows if how == "days_since_last"]),
    ]
    parts = [make(project, source, wanted, dialect) for make, wanted in makers if wanted]
    return [*([_described(project, source, attributes, dialect)] if attributes else []), *parts]


def _described(project: Project, source: Source, attributes: Sequence[Attribute], dialect: Dialect) -> _Part:
    """The customer's own row as known before t."""
    relation = f"{source.name}_then"
    keys = project.entity.keys
    read = dict.fromkeys(a.of for a in attributes if a.of not in keys)
    body = (
        f"SELECT {qualified((*keys, *read), 'r')}, d.snapshot_date\nFROM {source.name} AS r\n"
        f"JOIN dates AS d\n  ON {visible_at('d.t')}"
    )
    columns = {ColumnName(a.name): _reading(source, a, relation, dialect) for a in attributes}
    return _Part(((relation, f"{source.name} as known before t", body),), relation, columns)


def _reading(source: Source, attribute: Attribute, relation: str, dialect: Dialect) -> str:
    value, day = f"{relation}.{attribute.of}", f"CAST({relation}.{attribute.of} AS DATE)"
    if attribute.how == "days_since":
        return op("days_between", dialect, day, "s.snapshot_date")
    if attribute.how == "years_since":
        before_birthday = f"MONTH(s.snapshot_date) * 100 + DAY(s.snapshot_date) < MONTH({day}) * 100 + DAY({day})"
        years = f"YEAR(s.snapshot_date) - YEAR({day}) - CASE WHEN {before_birthday} THEN 1 ELSE 0 END"
        return f"CAST({years} AS BIGINT)"
    return f"CAST({value} AS DOUBLE)" if source.column(attribute.of).type == "decimal" else value


def _summed(project: Project, source: Source, wanted: Sequence[tuple[Aggregate, str]], dialect: Dialect) -> _Part:
    """Rows inside the windows, each window's share of them summed up."""
    windows = sorted({w for f, _ in wanted for w in f.windows})
    longest = windows[-1]
    seen, summed = f"{source.name}_seen", f"{source.name}_summed"
    values = _values(source, wanted, dialect)
    flags = [f"r.event_time >= {days_before('d.t', w.days)} AS in_{w}" for w in windows[:-1]]
    seen_body = (
        f"SELECT\n{column_list([qualified(project.entity.keys, 'r'), 'd.snapshot_date', *flags, *values.values()])}\n"
        f"FROM {source.name} AS r\nJOIN dates AS d\n"
        f"  ON {within(days_before('d.t', longest.days), 'd.t')}\n  AND {visible_at('d.t')}"
    )
    sums: dict[str, str] = {}
    columns: dict[ColumnName, str] = {}
    for feature, how in wanted:
        for window in feature.windows:
            value = _value_name(feature, values)
            inside = value if window == longest else f"CASE WHEN in_{window} THEN {value} END"
            columns[ColumnName(feature.name, how, window)] = _aggregated(
                how, _type_of(source, feature), value, inside, f"_{window}", sums, summed
            )
    summed_body = _grouped(project, sums, seen)
    return _Part(
        (
            (
                seen,
                f"{source.name} at every snapshot that may read them: known before t, at most {longest.days} days old",
                seen_body,
            ),
            (summed, f"{source.name} summed up per customer and snapshot", summed_body),
        ),
        summed,
        columns,
    )


def _open(project: Project, source: Source, wanted: Sequence[tuple[Aggregate, str]], dialect: Dialect) -> _Part:
    """Rows that had begun and not ended before t."""
    relation, summed = f"{source.name}_open", f"{source.name}_open_summed"
    values = _values(source, wanted, dialect)
    not_ended = f"\n  AND (r.{source.ends} IS NULL OR r.{source.ends} >= d.t)" if source.ends else ""
    body = (
        f"SELECT\n{column_list([qualified(project.entity.keys, 'r'), 'd.snapshot_date', *values.values()])}\n"
        f"FROM {source.name} AS r\nJOIN dates AS d\n  ON r.event_time < d.t\n  AND {visible_at('d.t')}{not_ended}"
    )
    sums: dict[str, str] = {}
    columns = {}
    for feature, how in wanted:
        value = _value_name(feature, values)
        columns[ColumnName(feature.name, how)] = _aggregated(
            how, _type_of(source, feature), value, value, "", sums, summed
        )
    return _Part(
        (
            (relation, f"{source.name} that had begun and not ended before t", body),
            (summed, f"{source.name} open at t, summed up per customer", _grouped(project, sums, relation)),
        ),
        summed,
        columns,
    )


def _newest(project: Project, source: Source, wanted: Sequence[tuple[Aggregate, str]], dialect: Dialect) -> _Part:
    """The newest event of all history known before t."""
    relation = f"{source.name}_newest"
    values = _values(source, wanted, dialect, time=True)
    newest = {
        feature: f"MAX({values[_value_key(feature)].rsplit(' AS ', 1)[0]}) AS newest_{number}"
        for number, (feature, _) in enumerate(wanted)
    }
    body = (
        f"SELECT {qualified(project.entity.keys, 'r')}, d.snapshot_date,\n    "
        + ",\n    ".join(newest.values())
        + f"\nFROM {source.name} AS r\nJOIN dates AS d\n  ON r.event_time < d.t\n  AND {visible_at('d.t')}\n"
        f"GROUP BY {qualified(project.entity.keys, 'r')}, d.snapshot_date"
    )
    columns = {
        ColumnName(feature.name, how): op(
            "days_between", dialect, f"CAST({relation}.newest_{number} AS DATE)", "s.snapshot_date"
        )
        for number, (feature, how) in enumerate(wanted)
    }
    return _Part(((relation, f"the newest of {source.name} known before t", body),), relation, columns)


def _value_key(feature: Aggregate) -> tuple[str, str]:
    return feature.where, feature.of


def _values(
    source: Source, wanted: Sequence[tuple[Aggregate, str]], dialect: Dialect, *, time: bool = False
) -> dict[tuple[str, str], str]:
    """Each distinct (where, column) once: the value where the condition holds, else null."""
    names = readable_columns(source)
    values: dict[tuple[str, str], str] = {}
    # Aliases stand beside the keys and the window flags, whose names they must not take.
    taken = {*(c.name for c in source.columns), "snapshot_date"}
    for feature, _ in wanted:
        key = _value_key(feature)
        if key in values:
            continue
        label = feature.name if feature.name not in taken else f"{feature.name}__{len(values)}"
        taken.add(label)
        asked_by = f"feature '{feature.name}' ({feature.where_defined})"
        value = "r.event_time" if time else f"r.{feature.of}" if feature.of else "1"
        tests = [condition(feature.where, names, dialect, relation="r", asked_by=asked_by)] if feature.where else []
        if time and feature.of:
            tests.append(f"r.{feature.of} IS NOT NULL")
        value = f"CASE WHEN {' AND '.join(f'({test})' for test in tests)} THEN {value} END" if tests else value
        values[key] = f"{value} AS {label}"
    return values


def _value_name(feature: Aggregate, values: dict[tuple[str, str], str]) -> str:
    return values[_value_key(feature)].rsplit(" AS ", 1)[1]


def _type_of(source: Source, feature: Aggregate) -> str:
    return source.column(feature.of).type if feature.of else "integer"


def _aggregated(how: str, type_: str, value: str, inside: str, suffix: str, sums: dict[str, str], relation: str) -> str:
    """Add the sums that `how` needs to `sums` (name → expression); return the column's expression over them."""

    def needed(kind: str, expression: str) -> str:
        name = f"{value}__{kind}{suffix}"
        sums[name] = f"{expression} AS {name}"
        return f"{relation}.{name}"

    if how == "count":
        return f"COALESCE({needed('count', f'COUNT({inside})')}, 0)"
    if how in ("min", "max"):
        return f"CAST({needed(how, f'{how.upper()}({inside})')} AS DOUBLE)"
    total = f"CAST({needed('sum', f'SUM({inside})')} AS DOUBLE)"
    if how == "sum":
        return f"COALESCE({total}, 0)"
    rows = needed("count", f"COUNT({inside})")
    if how == "mean":
        return f"{total} / NULLIF({rows}, 0)"
    if type_ == "float":
        return needed("std", f"STDDEV_SAMP({inside})")
    # Exact until the root: n·Σx² and (Σx)² are far larger than their difference, which doubles would round away.
    exact = f"CAST({inside} AS DECIMAL(18, 2))"
    squares, exact_total = needed("squares", f"SUM({exact} * {exact})"), needed("exact_sum", f"SUM({exact})")
    spread = f"CAST({rows} * {squares} - {exact_total} * {exact_total} AS DOUBLE)"
    return f"CASE WHEN {rows} > 1 THEN SQRT({spread} / {rows} / ({rows} - 1)) END"


def _grouped(project: Project, sums: dict[str, str], relation: str) -> str:
    row = ", ".join((*project.entity.keys, "snapshot_date"))
    return f"SELECT\n{column_list([row, *sums.values()])}\nFROM {relation}\nGROUP BY {row}"


def _history_shares(project: Project) -> dict[ColumnName, str]:
    """Tells 'too young for the window' from 'no activity in it'."""
    return {
        ColumnName("history", "share", w): f"CAST(LEAST({w.days}, s.tenure_days) AS DOUBLE) / {w.days}"
        for w in project.windows
    }


def _compared(project: Project) -> dict[ColumnName, str]:
    """The expressions of ratios and trends over the measured columns."""
    expressions: dict[ColumnName, str] = {}
    for view in project.views.values():
        for feature in view.features:
            if isinstance(feature, Ratio):
                for name, (top, bottom) in feature.parts.items():
                    expressions[name] = f"CAST({top} AS DOUBLE) / NULLIF(CAST({bottom} AS DOUBLE), 0)"
            elif isinstance(feature, Trend):
                for name, (short, long) in feature.parts.items():
                    expressions[name] = f"{_per_day(short)} / NULLIF({_per_day(long)}, 0)"
    return expressions


def _per_day(name: ColumnName) -> str:
    window = name.window or Window(1)
    per_day = f" / {window.days}" if name.aggregate in ("count", "sum") else ""
    return f"(CAST({name} AS DOUBLE){per_day})"
