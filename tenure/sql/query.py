"""A table as one SELECT: data (columns, source, joins, where) until it is printed, in the house's one layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

#: Several expressions or conditions; not a plain text, which is a sequence of its letters.
Texts: TypeAlias = tuple[str, ...] | list[str]


@dataclass(frozen=True)
class Select:
    """A table as one SELECT: its name, its text in one dialect, and the relations it reads."""

    table: str
    text: str
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column on a line of its own, below its comment if it has one."""

    expression: str
    name: str = ""
    comment: str = ""

    def __str__(self) -> str:
        return f"{self.expression} AS {self.name}" if self.name else self.expression


class Cte(NamedTuple):
    """A named sub-query with what its rows are, which is printed above it."""

    name: str
    comment: str
    query: str | Query


@dataclass(frozen=True)
class Join:
    """A join on one or more conditions, all of which hold; `kind` is what stands before JOIN, such as LEFT."""

    relation: str
    on: str | Texts
    alias: str = ""
    kind: str = ""
    comment: str = ""

    def __str__(self) -> str:
        comment = [f"-- {self.comment}"] if self.comment else []
        return "\n".join([*comment, self._joined, "  " + _conditions("ON ", self.on)])

    @property
    def on_one_line(self) -> str:
        """The join on one line, without its comment."""
        return self._joined + " " + _conditions("ON ", self.on)

    @property
    def _joined(self) -> str:
        return f"{self.kind} JOIN ".lstrip() + _aliased(self.relation, self.alias)


@dataclass(frozen=True, kw_only=True)
class Query:
    """A SELECT, printed by `text`.

    `columns` stand on the line of SELECT, `lines` below it, each on a line of its own. Of several conditions in
    `where` all hold. A Query as `source` is printed indented; text is printed as it is.
    """

    columns: Texts = ()
    lines: Sequence[str | Column] = ()
    source: str | Query
    alias: str = ""
    joins: Sequence[Join] = ()
    where: str | Texts = ()
    group_by: Texts = ()
    having: str = ""
    order_by: Texts = ()
    limit: int | None = None
    distinct: bool = False
    hint: str = ""
    comment: str = ""
    ctes: Sequence[Cte] = ()

    @property
    def text(self) -> str:
        """The query as SQL, one clause a line."""
        body = "\n".join(self._clauses(map(str, self.joins)))
        return with_ctes(self.ctes, body) if self.ctes else body

    @property
    def on_one_line(self) -> str:
        """The query as SQL on one line, as small ones within another are printed."""
        return " ".join(self._clauses(join.on_one_line for join in self.joins))

    def as_table(self, name: str, *, reads: Iterable[str]) -> Select:
        """Return the query as the one that makes a table; each relation of `reads` counts once."""
        return Select(name, self.text, tuple(dict.fromkeys(reads)))

    def _clauses(self, joins: Iterable[str]) -> Iterator[str]:
        if self.comment:
            yield f"-- {self.comment}"
        yield self._selected()
        source = within_parentheses(indented([self.source.text])) if isinstance(self.source, Query) else self.source
        yield "FROM " + _aliased(source, self.alias)
        yield from joins
        if self.where:
            yield _conditions("WHERE ", self.where)
        if self.group_by:
            yield "GROUP BY " + ", ".join(self.group_by)
        if self.having:
            yield f"HAVING {self.having}"
        if self.order_by:
            yield "ORDER BY " + ", ".join(self.order_by)
        if self.limit is not None:
            yield f"LIMIT {self.limit}"

    def _selected(self) -> str:
        words = ["SELECT", *(["DISTINCT"] if self.distinct else []), *([self.hint] if self.hint else [])]
        beside = " ".join([*words, *([", ".join(self.columns)] if self.columns else [])])
        if not self.lines:
            return beside
        return beside + ("," if self.columns else "") + "\n" + column_list(self.lines)


def union_all(queries: Iterable[Query]) -> str:
    """Return the rows of all queries, one below the other."""
    return "\nUNION ALL\n".join(query.text for query in queries)


def within_parentheses(text: str) -> str:
    """Return a sub-query as it stands after FROM: its lines as they are, between parentheses."""
    return f"(\n{text}\n)"


def values(rows: Sequence[Sequence[str]]) -> str:
    """Return literal rows as they stand after FROM, one a line."""
    lines = ",\n".join("(" + ", ".join(row) + ")" for row in rows)
    return f"(VALUES\n{indented([lines])}\n)"


def indented(lines: Iterable[str], spaces: int = 4) -> str:
    """Return the lines joined, each behind `spaces` blanks."""
    return "\n".join(" " * spaces + line for text in lines for line in text.splitlines())


def column_list(columns: Sequence[str | Column | tuple[str, str]], spaces: int = 4) -> str:
    """Return a SELECT's columns, one a line; of a Column or a pair (expression, comment) the comment goes above it."""
    lines: list[str] = []
    for number, column in enumerate(columns, start=1):
        expression, comment = _with_comment(column)
        if comment:
            lines.append(f"-- {comment}")
        lines.append(expression + ("," if number < len(columns) else ""))
    return indented(lines, spaces)


def with_ctes(ctes: Sequence[tuple[str, str, str | Query]], final: str) -> str:
    """Return `WITH … final`; each CTE is (name, what its rows are, query)."""
    blocks = [f"-- {comment}\n{name} AS (\n{indented([_printed(query)])}\n)" for name, comment, query in ctes]
    return "WITH\n" + ",\n".join(blocks) + "\n" + final


def _printed(query: str | Query) -> str:
    return query.text if isinstance(query, Query) else query


def _with_comment(column: str | Column | tuple[str, str]) -> tuple[str, str]:
    if isinstance(column, str):
        return column, ""
    return (str(column), column.comment) if isinstance(column, Column) else column


def _aliased(relation: str, alias: str) -> str:
    return f"{relation} AS {alias}" if alias else relation


def _conditions(word: str, conditions: str | Texts) -> str:
    """The conditions behind WHERE or ON, each on a line of its own."""
    return word + (conditions if isinstance(conditions, str) else "\n  AND ".join(conditions))
