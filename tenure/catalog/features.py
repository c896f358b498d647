"""The catalog of features: find one, and read what it means, what it reads and where it is defined."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from tenure.define.feature import Feature
from tenure.define.project import Project
from tenure.define.window import ColumnName
from tenure.session.origins import Defined, defined_columns


@dataclass(frozen=True)
class Entry:
    """One feature column, in words."""

    name: str
    view: str
    source: str
    text: str
    unit: str
    boundary: str
    empty: str
    reads: str
    where: str
    where_defined: str
    services: str


def entries(project: Project, names: Sequence[str] = ()) -> list[Entry]:
    """Return the columns of the views, services and columns in `names`, or all; raise UnknownColumn for others."""
    chosen = project.chosen(names) if names else tuple(project.columns)
    services = {s.name: set(project.chosen(s.features)) for s in project.services.values()}
    defined = defined_columns(project)
    found = []
    for column in chosen:
        among = [name for name, columns in services.items() if column in columns]
        found.append(_entry(project, column, defined.get(column), among))
    return found


def search(project: Project, words: str, most: int = 20) -> list[Entry]:
    """Return the columns that fit the words best, the best first: in the name, then in the text; typos are forgiven."""
    asked = re.findall("[a-z0-9]+", words.lower())
    fitting = []
    for entry in entries(project):
        fit = sum(_fit(word, entry) for word in asked)
        if fit > 0:
            fitting.append((-fit, entry.name, entry))
    best = sorted(fitting, key=itemgetter(0, 1))
    return [entry for _, _, entry in best[:most]]


def _fit(word: str, entry: Entry) -> float:
    """How well a word fits a feature: 3 in its name, 2 in its text, 1 with a typo, else 0."""
    name, text = entry.name.split("_"), re.findall("[a-z0-9]+", f"{entry.text} {entry.view} {entry.source}".lower())
    if word in name:
        return 3.0
    if word in text:
        return 2.0
    return 1.0 if difflib.get_close_matches(word, [*name, *text], 1, 0.8) else 0.0


def _entry(project: Project, column: ColumnName, defined: Defined | None, services: Sequence[str]) -> Entry:
    described = project.columns[column]
    part = defined.part if defined else None
    return Entry(
        name=str(column),
        view=defined.view.name if defined else "",
        source=defined.view.source if defined else "snapshots",
        text=described.text,
        unit=described.unit,
        boundary=described.boundary,
        empty=described.empty,
        reads=_reads(column, part),
        where=getattr(part, "where", ""),
        where_defined=part.where_defined if part else "by Tenure itself",
        services=", ".join(services),
    )


def _reads(column: ColumnName, part: Feature | None) -> str:
    """The upstream of a feature: the source's column, or the features' columns that it compares."""
    parts = getattr(part, "parts", {})
    if column in parts:
        return ", ".join(map(str, parts[column]))
    return getattr(part, "of", "") or ("tenure_days" if part is None else "rows")
