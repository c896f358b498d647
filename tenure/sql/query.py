"""A table as one SELECT, and how its text is laid out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Select:
    """A table as one SELECT: its name, its text in one dialect, and the relations it reads."""

    table: str
    text: str
    reads: tuple[str, ...]


def indented(lines: Iterable[str], spaces: int = 4) -> str:
    """Return the lines joined, each behind `spaces` blanks."""
    return "\n".join(" " * spaces + line for text in lines for line in text.splitlines())


def column_list(columns: Sequence[str | tuple[str, str]], spaces: int = 4) -> str:
    """Return a SELECT's columns, one a line; of a pair (expression, comment) the comment goes above as a line."""
    lines: list[str] = []
    for number, column in enumerate(columns, start=1):
        expression, comment = (column, "") if isinstance(column, str) else column
        if comment:
            lines.append(f"-- {comment}")
        lines.append(expression + ("," if number < len(columns) else ""))
    return indented(lines, spaces)


def with_ctes(ctes: Sequence[tuple[str, str, str]], final: str) -> str:
    """Return `WITH … final`; each CTE is (name, what its rows are, body)."""
    blocks = [f"-- {comment}\n{name} AS (\n{indented([body])}\n)" for name, comment, body in ctes]
    return "WITH\n" + ",\n".join(blocks) + "\n" + final
