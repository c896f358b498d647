"""The dictionary as pages: Markdown that pastes into Confluence, and one HTML page with its own search."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from tenure.publish.dictionary.entries import ColumnEntry, Dictionary, TableEntry

#: The head of a table's columns in Markdown, and of each the cell.
_HEADS = (
    "Column",
    "Meaning",
    "Unit",
    "Formula",
    "Window",
    "Empty",
    "Computed from",
    "Data",
    "Holds",
    "Quality",
    "Since",
)

#: Signs that Markdown, or the HTML in it, would take for its own.
_MARKS = re.compile(r"([\\`*_{}\[\]<>|#])")


def markdown(dictionary: Dictionary) -> str:
    """Return the dictionary as one page of Markdown tables."""
    lines = [f"# {_text(dictionary.project)}: data dictionary", ""]
    lines += [
        f"{len(dictionary.tables)} tables. SQL: `tenure sql STAGE`; of one feature it stands in the HTML page.",
        "",
    ]
    if dictionary.words:
        lines += ["## In the words of banks", "", *_table(("Word", "Columns", "How to read them"), _words(dictionary))]
    for table in dictionary.tables:
        lines += _section(table)
    return "\n".join(lines) + "\n"


def html(dictionary: Dictionary) -> str:
    """Return the dictionary as one HTML page that asks nothing of the network."""
    pages = Environment(
        loader=PackageLoader("tenure", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("dictionary.html.j2").render(dictionary=dictionary)


def _section(table: TableEntry) -> Iterator[str]:
    built = f"Version {table.version}, {table.rows:,} rows." if table.version is not None else "Not built yet."
    facts = [table.meaning, built, f"Key: {', '.join(table.keys) or 'none'}."]
    facts += [f"Data quality: {table.quality:.1f} of 100."] if table.quality is not None else []
    facts += [f"Partitioned by {', '.join(table.partition_by)}."] if table.partition_by else []
    yield from ("", f"## {_text(table.name)}", "", " ".join(map(_text, filter(None, facts))), "")
    yield from _table(_HEADS, [_cells(column) for column in table.columns])
    for title, rows in (("Every row meets", table.rules), ("Columns of older versions", table.dropped)):
        if rows:
            yield from ("", f"{title}:", "", *(f"- {_text(row)}" for row in rows))


def _cells(column: ColumnEntry) -> Sequence[str]:
    since = "; ".join(filter(None, [column.since, *column.changes]))
    return (
        column.name,
        column.meaning,
        column.unit,
        column.formula,
        column.window,
        column.empty,
        ", ".join(column.sources or column.raw),
        data_words(column),
        column.facts_words,
        column.quality_words,
        since,
    )


def data_words(column: ColumnEntry) -> str:
    """Return a column's type with its role, and whether it is personal: 'string, attribute, personal'."""
    return ", ".join(filter(None, [column.type, column.role, "personal" if column.personal else ""]))


def _words(dictionary: Dictionary) -> list[Sequence[str]]:
    return [(word.said, ", ".join(word.columns), word.reading) for word in dictionary.words]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(map(_text, row))} |"


def _text(text: str) -> str:
    """A text as Markdown shows it: on one line, every mark escaped."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
