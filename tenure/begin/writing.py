"""Writing: the project's files as text, each guess with what was seen of it, and the open questions at the end."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from tenure.begin.bank import Bank
from tenure.begin.planned import PlannedColumn, PlannedSource
from tenure.define.raw_tables import Csv, JsonLines, Parquet, Postgres, RawTable

_WIDTH = 120

#: A line of SQL longer than this is broken.
_LONG_SQL = 80


def sources_text(bank: Bank, origin: str) -> str:
    """Return sources.py."""
    shared = shared_raws(bank)
    sources = "\n".join(_source(one, shared) for one in bank.sources.values())
    raws = "".join(f"{name}_table = {raw_text(raw)}\n" for name, raw in shared.items())
    used = {type(raw).__name__ for source in bank.sources.values() for raw in source.reads.values()}
    imports = ", ".join(sorted({"Column", "Entity", "Source", *used}))
    return (
        f"{header_text(origin)}from tenure import {imports}\n\n{raws}{chr(10) if raws else ''}"
        f'customer = Entity("customer", key="{bank.customer_key}", source="customers")\n\n'
        f"{sources}\n{questions_text(bank.questions)}"
    )


def header_text(origin: str) -> str:
    """Return how sources.py begins."""
    found_in = _in_triple_quotes(on_one_line(origin))
    return (
        f'"""The bank\'s raw tables; each line is a guess, with its evidence.\n\nFound in {found_in}.\n'
        'Edit what is wrong, answer the questions at the end, then run: tenure check\n"""\n\n'
    )


def shared_raws(bank: Bank) -> dict[str, RawTable]:
    """Return the raw tables that several sources read, by their names: they are written once."""
    seen: dict[str, RawTable] = {}
    shared: dict[str, RawTable] = {}
    for source in bank.sources.values():
        for name, raw in source.reads.items():
            if name in seen:
                shared[name] = raw
            seen[name] = raw
    return shared


def raw_text(raw: RawTable) -> str:
    """Return a raw table's declaration as Python."""
    parts = [text(raw.path)] if not isinstance(raw, Postgres) else [text(raw.query)]
    if isinstance(raw, Csv):
        parts += [f"delimiter={text(raw.delimiter)}"] if raw.delimiter != "," else []
        parts += [f"encoding={text(raw.encoding)}"] if raw.encoding != "utf-8" else []
    if isinstance(raw, Csv | JsonLines) and raw.null:
        parts.append(f"null={_texts(raw.null)}")
    if isinstance(raw, Postgres):
        parts.append(f"dsn={text(raw.dsn)}")
    kind = next(one for one in (Csv, JsonLines, Parquet, Postgres) if isinstance(raw, one))
    return f"{kind.__name__}({', '.join(parts)})"


def text(value: str) -> str:
    """Return a text as Python writes it, in double quotes: names of files and columns are others' words, never code."""
    return json.dumps(value, ensure_ascii=False)


def _in_triple_quotes(value: str) -> str:
    """A text as it stands between triple quotes, which it can't end."""
    return value.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def on_one_line(comment: str) -> str:
    """Return a comment without any break, so that all of it stays one."""
    return " ".join(comment.split())


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(map(text, values))}]"


def _source(source: PlannedSource, shared: dict[str, RawTable]) -> str:
    reads = {name: f"{name}_table" if name in shared else raw_text(raw) for name, raw in source.reads.items()}
    lines = [f"{source.name} = Source(", f"    {text(source.name)},"]
    lines += [f"    # {on_one_line(why)}" for why in source.why]
    if len(reads) == 1 and not source.select:
        lines.append(f"    read={next(iter(reads.values()))},")
    else:
        lines.append("    read={")
        lines += [f"        {text(name)}: {read}," for name, read in reads.items()]
        lines.append("    },")
    if source.select:
        indented = textwrap.indent(_in_triple_quotes(_broken(source.select)), " " * 8)
        lines += ['    select="""', indented, '    """,']
    lines += ["    columns=["]
    for column in source.columns:
        lines += column_lines(column)
    lines += ["    ],"]
    keys = text(source.key[0]) if len(source.key) == 1 else f"({', '.join(map(text, source.key))})"
    lines += _with_comment(f"    key={keys},", source.key_why)
    lines += [f"    event_time={text(source.event_time)},"]
    lines += [f"    known_time={text(source.known_time)},"] if source.known_time else []
    lines += [f"    ends={text(source.ends)},"] if source.ends else []
    lines += [f"    quarantine={source.quarantine:g},  # see the questions at the end"] if source.quarantine else []
    lines += [f"    unmatched={source.unmatched:g},  # see the questions at the end"] if source.unmatched else []
    lines += [")"]
    return "\n".join(lines) + "\n"


def _broken(select: str) -> str:
    """A SELECT with each long line broken before its clauses."""
    lines = []
    for line in select.splitlines():
        indent = _indent(line)
        clauses = r" (?=(?:FROM|JOIN|LEFT JOIN|WHERE|GROUP BY) )(?<!LEFT )"
        lines += re.sub(clauses, f"\n{indent}", line).splitlines() if len(line) > _LONG_SQL else [line]
    return "\n".join(lines)


def column_lines(column: PlannedColumn) -> Iterator[str]:
    """Yield the lines of a column, its evidence behind or above it."""
    parts = [text(column.name)]
    parts += [f"type={text(column.type)}"] if column.type != "string" else []
    parts += [f"role={text(column.role)}"] if column.role != "attribute" else []
    parts += [f"raw={text(column.raw)}"] if column.raw and column.raw != column.name else []
    written = column.seen.format if column.seen else None
    if written and written.formats and column.type in ("date", "timestamp"):
        formats = written.formats
        parts.append(f"format={text(formats[0]) if len(formats) == 1 else _texts(formats)}")
    if written and column.type in ("integer", "decimal", "float"):
        for name in ("decimal", "thousands", "currency"):
            value = getattr(written, name)
            parts += [f"{name}={text(value)}"] if value else []
    if written and column.type == written.type == "decimal" and written.precision is not None:
        parts += [f"precision={written.precision}", f"scale={written.scale}"]
    if written and written.null and column.type == written.type:
        parts.append(f"null={_texts(written.null)}")
    parts += [f"unit={text(column.unit)}"] if column.unit else []
    parts += ["planned=True"] if column.planned else []
    yield from _with_comment(f"        Column({', '.join(parts)}),", "; ".join(column.why))


def _with_comment(line: str, comment: str) -> list[str]:
    """A line with its comment behind it, or above it where both are too long for one line."""
    comment = on_one_line(comment)
    if not comment:
        return [line]
    if len(line) + len(comment) + 4 <= _WIDTH:
        return [f"{line}  # {comment}"]
    indent = _indent(line)
    above = textwrap.wrap(comment, _WIDTH - len(indent) - 2)
    return [*(f"{indent}# {one}" for one in above), line]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def questions_text(questions: Sequence[str]) -> str:
    """Return the open questions as comments."""
    asked = list(dict.fromkeys(map(on_one_line, questions)))
    if not asked:
        return "# Nothing was left to ask.\n"
    lines = ["# What the tables could not tell:"]
    for number, question in enumerate(asked, start=1):
        wrapped = textwrap.wrap(f"{number}. {question}", _WIDTH - 2, subsequent_indent="   ")
        lines += [f"# {line}" for line in wrapped]
    return "\n" + "\n".join(lines) + "\n"
