"""The dictionary as files for tools: a workbook, dbt's schema.yml, and one metadata.json a table."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from tenure.errors import MissingDependency, install_hint
from tenure.publish.csv_files import begins_as_formula
from tenure.publish.dictionary.entries import ColumnEntry, Dictionary, TableEntry
from tenure.publish.dictionary.pages import data_words

#: The version of metadata.json's fields: none is renamed, dropped or given another meaning without a new one.
SCHEMA = 1

#: The most signs that a cell of a workbook holds.
_MOST_SIGNS = 32_767

#: The head of a workbook's columns, each with its width.
_WIDTHS = {
    "Table": 18,
    "Column": 34,
    "Meaning": 48,
    "Unit": 8,
    "Type": 24,
    "Formula": 60,
    "Window": 44,
    "Boundary": 34,
    "Empty": 26,
    "Computed from": 40,
    "Raw columns": 40,
    "Holds": 40,
    "Quality": 14,
    "Since": 22,
    "Changes": 30,
    "Defined": 24,
    "SQL": 40,
}


def workbook(dictionary: Dictionary) -> bytes:
    """Return the dictionary as a workbook; every cell is a text, and one that begins as a formula stays one.

    Raises MissingDependency where XlsxWriter is not installed.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingDependency(
            "the workbook of 'tenure docs' needs xlsxwriter.", hint=install_hint("excel")
        ) from error
    content = io.BytesIO()
    as_texts = dict.fromkeys(("strings_to_formulas", "strings_to_urls", "strings_to_numbers"), False)
    book = xlsxwriter.Workbook(content, {**as_texts, "in_memory": True})
    # The same dictionary is the same file.
    book.set_properties(
        {"title": f"{dictionary.project}: data dictionary", "created": datetime(2000, 1, 1, tzinfo=UTC)}
    )
    _sheet(book, "Columns", list(_WIDTHS.values()), [tuple(_WIDTHS), *_column_rows(dictionary)])
    words = [(word.said, ", ".join(word.columns), word.reading) for word in dictionary.words]
    if words:
        _sheet(book, "Words of banks", [48, 60, 60], [("Word", "Columns", "How to read them"), *words])
    book.close()
    return content.getvalue()


def _sheet(book: Any, name: str, widths: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
    sheet = book.add_worksheet(name)
    head, plain = book.add_format({"bold": True}), book.add_format({"valign": "top"})
    # A quoted cell stays a text when somebody edits it; without, '=' would then make it a formula.
    quoted = book.add_format({"valign": "top", "quote_prefix": True})
    for place, width in enumerate(widths):
        sheet.set_column(place, place, width)
    for number, row in enumerate(rows):
        for place, text in enumerate(row):
            style = head if number == 0 else quoted if begins_as_formula(text) else plain
            sheet.write_string(number, place, text[:_MOST_SIGNS], style)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(1, len(rows) - 1), len(widths) - 1)


def _column_rows(dictionary: Dictionary) -> Iterator[Sequence[str]]:
    for table in dictionary.tables:
        for column in table.columns:
            yield (
                table.name,
                column.name,
                column.meaning,
                column.unit,
                data_words(column),
                column.formula,
                column.window,
                column.boundary,
                column.empty,
                ", ".join(column.sources),
                ", ".join(column.raw),
                column.facts_words,
                column.quality_words,
                column.since,
                "; ".join(column.changes),
                column.defined,
                column.sql,
            )


def dbt_schema(dictionary: Dictionary) -> str:
    """Return dbt's schema.yml: the tables as sources, named as the views of `tenure views` name them."""
    schemas: dict[str, list[TableEntry]] = {}
    for table in dictionary.tables:
        schemas.setdefault(table.name.rpartition("/")[0] or "main", []).append(table)
    lines = ["version: 2", "", "sources:"]
    for schema, tables in schemas.items():
        name = "tenure" if schema == "main" else f"tenure_{schema}"
        lines += [f"  - name: {_yaml(name)}", f"    schema: {_yaml(schema)}", "    tables:"]
        for table in tables:
            lines += _dbt_table(table)
    return "\n".join(lines) + "\n"


def _dbt_table(table: TableEntry) -> Iterator[str]:
    yield f"      - name: {_yaml(table.name.rpartition('/')[2])}"
    yield f"        description: {_yaml(table.meaning)}"
    yield "        columns:"
    for column in table.columns:
        yield f"          - name: {_yaml(column.name)}"
        yield f"            description: {_yaml(column.meaning)}"
        if column.type:
            yield f"            data_type: {_yaml(column.type)}"
        known = {name: value for name, value in _meta(column).items() if value}
        if known:
            yield "            meta:"
            yield from (f"              {name}: {_yaml(value)}" for name, value in known.items())
        tests = ["not_null"] if column.name in table.required else []
        tests += ["unique"] if table.keys == (column.name,) else []
        if tests:
            yield "            data_tests:"
            yield from (f"              - {test}" for test in tests)


def _meta(column: ColumnEntry) -> Mapping[str, object]:
    return {
        "unit": column.unit,
        "formula": column.formula,
        "boundary": column.boundary,
        "empty": column.empty,
        "computed_from": list(column.sources),
        "personal": column.personal,
        "quality": column.quality,
    }


def _yaml(value: object) -> str:
    """A value as YAML, as JSON is: without signs that YAML can't hold, and braces that dbt would run as Jinja."""
    text = json.dumps(value, ensure_ascii=False)
    text = re.sub(r"[\x7f-\x9f\ud800-\udfff\ufffe\uffff\ufeff\u2028\u2029]", "?", text)
    return re.sub(r"\{(?=[{%#])", "{ ", text)


def metadata(table: TableEntry, project: str) -> str:
    """Return the metadata.json of a table: what the dictionary says, by the names of its fields."""
    said = {"schema": SCHEMA, "project": project, **_said(asdict(table))}
    said["columns"] = [_said(asdict(column)) for column in table.columns]
    return json.dumps(said, ensure_ascii=False, indent=2) + "\n"


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say anything; False and 0 do."""
    return {name: value for name, value in fields.items() if value not in ("", None, (), {})}
