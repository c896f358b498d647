"""Lineage: what a column is made of, back to the raw columns, and what reads it, on to the models."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenure.catalog.models import newest_training
from tenure.define.project import Project
from tenure.define.window import ColumnName
from tenure.errors import UnknownColumn, choices
from tenure.session.meaning import LABEL
from tenure.session.origins import Origin, Origins
from tenure.session.work import Work


@dataclass(frozen=True)
class Reader:
    """One thing that reads a column: a feature, a service, a churn definition or a model, with the columns it makes."""

    kind: str
    name: str
    summary: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """A column's way in both directions."""

    origin: Origin
    read_by: tuple[Reader, ...]

    def drawn(self) -> str:
        """Return both directions as trees of text."""
        top = self.origin
        lines = [f"{top.name}  {top.summary}".rstrip(), *_branches(top.upstream)]
        if self.read_by:
            lines += ["", f"read by {len(self.read_by)}"]
            ends = ["├─ "] * (len(self.read_by) - 1) + ["└─ "]
            lines += [f"{end}{_line(reader)}" for end, reader in zip(ends, self.read_by, strict=True)]
        return "\n".join(lines)


def lineage(work: Work, name: str) -> Lineage:
    """Return the lineage of a feature column, of a table's column (`labels.churned`) or a source's (`loans.amount`).

    A name without a table is a feature column, or else that of the first table that has it. Raises UnknownColumn.
    """
    ways = Origins(work.project, work.dialect, work.churn)
    table, column = _place(ways, name)
    return Lineage(ways.origin(table, column), tuple(_readers(work, ways, table, column)))


def _place(ways: Origins, name: str) -> tuple[str, str]:
    project, columns = ways.project, ways.table_columns
    table, _, column = name.rpartition(".")
    table = table.removeprefix("staging/")
    if not table:
        made = [t for t in ("features", *columns) if t not in project.sources and column in columns[t]]
        if made:
            return made[0], column
    elif column in columns.get(table, ()):
        return table, column
    known = [*ways.features, *(f"{t}.{c}" for t, names in columns.items() for c in names)]
    own = [text for text in known if text.rpartition(".")[2] == column]
    near = own[:3] or difflib.get_close_matches(name, known, 3)
    hint = f"near: {', '.join(near)}" if near else f"tables: {choices(columns, 30)}"
    raise UnknownColumn(
        f"'{name}' is no feature column of project '{project.name}', and no column of a table; {hint}.",
        hint="See features with 'tenure features list'; write another table's column as TABLE.COLUMN.",
    )


def _readers(work: Work, ways: Origins, table: str, column: str) -> Iterator[Reader]:
    project = work.project
    if table in project.sources:
        asked = (table, column)
        direct = [n for n in project.columns if any((r.source, r.column) == asked for r in ways.readings_of(n))]
        if any((r.source, r.column) == asked for r in ways.churn_readings()):
            yield Reader("churn definition", work.churn.name, work.churn.where_defined, ("labels.churned",))
    elif table in ("features", "training_set") and column in ways.features:
        direct = [ways.features[column]]
    else:
        return
    compared = [name for name, parts in _comparisons(project).items() if set(parts) & set(direct)]
    yield from _features(ways, [*direct, *compared] if table in project.sources else compared)
    reached = {str(name) for name in (*direct, *compared)}
    for service in project.services.values():
        yield from _using(
            "feature service", service.name, service.where_defined, project.chosen(service.features), reached
        )
    for version, (summary, read) in _models(work).items():
        yield from _using("model", version, summary, read, reached)


def _using(kind: str, name: str, summary: str, read: Iterable[object], reached: set[str]) -> Iterator[Reader]:
    used = tuple(text for text in map(str, read) if text in reached)
    if used:
        yield Reader(kind, name, summary, used)


def _comparisons(project: Project) -> dict[ColumnName, tuple[ColumnName, ColumnName]]:
    return {name: parts for view in project.views.values() for _, name, parts in view.comparisons}


def _features(ways: Origins, names: Sequence[ColumnName]) -> Iterator[Reader]:
    """The definitions of feature columns, each once with its columns."""
    made: dict[str, tuple[str, list[str]]] = {}
    for name in names:
        view, feature, _ = ways.defined[name]
        summary = f"{type(feature).__name__} of view '{view.name}'"
        made.setdefault(f"{feature.name} ({feature.where_defined})", (summary, []))[1].append(str(name))
    for defined, (summary, columns) in made.items():
        yield Reader("feature", defined, summary, tuple(columns))


def _models(work: Work) -> Mapping[str, tuple[str, list[str]]]:
    """The newest training's models by version, the champion first, with the columns that each one reads."""
    if work.lake.find("models") is None:
        return {}
    found: dict[str, tuple[str, list[str]]] = {}
    for row in newest_training(work):
        summary = row["kind"] + (", champion" if row["champion"] else "")
        # A registry of an older Tenure does not say what a model reads.
        read = [name for name in json.loads(row.get("definitions") or "{}") if name != LABEL]
        found[row["model_version"]] = summary, read
    return found


def _branches(origins: Sequence[Origin], indent: str = "") -> Iterator[str]:
    for number, one in enumerate(origins, start=1):
        last = number == len(origins)
        yield f"{indent}{'└─ ' if last else '├─ '}{one.name}  {one.summary}".rstrip()
        yield from _branches(one.upstream, indent + ("   " if last else "│  "))


def _line(reader: Reader) -> str:
    shown = ", ".join(reader.columns[:6])
    rest = len(reader.columns) - 6
    more = f", … ({rest} more)" if rest > 0 else ""
    return f"{reader.kind} {reader.name}, {reader.summary}: {shown}{more}"
