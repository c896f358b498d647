"""Staging: raw rows typed, renamed, checked one by one, deduplicated by key, with the span each version was known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.source import Source
from tenure.errors import BadValue, InvalidDefinition, MissingColumn, choices
from tenure.faults.redact import shape
from tenure.sql.dialects import as_text, literal, quoted
from tenure.sql.expressions import (
    after,
    call,
    case,
    cast,
    count_where,
    days_later,
    each_of,
    either,
    is_not_null,
    is_null,
    last_instant_of,
    like,
    listed,
    named,
    over_partitions,
)
from tenure.sql.query import Column, Cte, Join, Query, Select, union_all, with_ctes
from tenure.sql.selects import raw_relations
from tenure.tables.conversions import kind_of
from tenure.tables.refused import telling_columns, without_refused
from tenure.tables.typed_values import article, cells_of, reason_of, rounded, typed_of
from tenure.tables.visible import first_counted, same

_END_OF_TIME = "TIMESTAMP '9999-12-31 23:59:59.999999'"

#: The relation that holds a source's typed rows while it is staged.
TYPED = "typed_rows"

#: The relations of the keys that occur more than once, and of their rows: all others are staged as they come.
REPEATED, CLAIMS = "repeated_keys", "claims"

_CLEAN = is_null("quarantine_reason")

#: The reason of a row whose key another row claims too.
RIVAL = "key: claimed by another row"


def raw_rows(source: Source, dialect: Dialect) -> str:
    """Return the source's rows before typing: the bank's own SELECT, or the raw table as it is."""
    if not source.select:
        return Query(columns=["*"], source=next(iter(source.raws))).on_one_line
    asked_by = f"source '{source.name}' ({source.where_defined})"
    unknown = raw_relations(source.select, dialect, asked_by=asked_by) - set(source.raws)
    if unknown:
        raise InvalidDefinition(
            f"{asked_by} selects from '{min(unknown)}'; its read= has: {choices(source.raws)}.",
            hint="Add the raw table to read={…}, then run 'tenure check'.",
        )
    return source.select.strip().rstrip(";")


def typed_rows(
    project: Project, source: Source, dialect: Dialect, raw_types: Mapping[str, str], *, refused: bool = False
) -> Select:
    """Return every row with its columns typed, `quarantine_reason`, null where nothing is wrong with it, and `rounded`:
    how many of its decimals had more places than are kept.

    `raw_types` tells the raw columns' types, 'text' or another: text is parsed, the rest is cast. If some keys are
    `refused`, their rows are left out.
    Raises MissingColumn where a declared column is not among them.
    """
    _check_columns(source, raw_types)
    _check_kinds(source, raw_types)
    cells = cells_of(source, dialect, raw_types)
    # In steps, each of which reads what the one before made: else an engine would parse a text for every look at it.
    came = [replace(cell, came=f"came_{n}", typed=f"typed_{n}") for n, cell in enumerate(cells)]
    values = Query(
        lines=[Column(cell.came, one.came) for cell, one in zip(cells, came, strict=True)],
        source="raw_rows",
    )
    typed = Query(
        columns=[one.came for one in came],
        lines=[Column(typed_of(source, one, one.came, dialect), one.typed) for one in came],
        source="came",
    )
    rows = Query(
        ctes=[
            _raw_rows(project, source, dialect, refused=refused),
            Cte("came", "values as they came, trimmed, null where a spelling of null stands", values),
            Cte("typed", "the same beside what they are as their columns' types", typed),
        ],
        lines=[
            *(Column(one.typed, one.column.name, one.column.doc) for one in came),
            Column(
                reason_of(project, source, came, dialect),
                "quarantine_reason",
                "Why the row is set aside; null where it is not",
            ),
            Column(rounded(came, dialect), "rounded", "How many decimals had more places than are kept"),
        ],
        source="typed",
    )
    return rows.as_table(TYPED, reads=list(source.raws))


def broken_texts(source: Source) -> Query:
    """Return one row: how many of the typed rows, `broken`, have U+FFFD, which stands for bytes that are no text."""
    texts = [column.name for column in source.columns if column.type == "string"]
    broken = either(*(like(name, "%\ufffd%") for name in texts)) if texts else "FALSE"
    return Query(columns=[named(count_where(broken), "broken")], source=TYPED)


def set_aside_rows(
    project: Project, source: Source, dialect: Dialect, raw_types: Mapping[str, str], *, refused: bool = False
) -> Select:
    """Return the rows with something wrong, as text, and the reason: bad values, and keys that another row claims.

    If some keys are `refused`, their rows are left out.
    """
    reason = reason_of(project, source, cells_of(source, dialect, raw_types), dialect)
    bad = Query(
        lines=[
            *(Column(as_text(quoted(c.raw_name, dialect), dialect), c.name) for c in source.columns),
            Column(reason, "quarantine_reason"),
        ],
        source="raw_rows",
        where=is_not_null(reason),
    )
    rivals = Query(
        lines=[
            *(Column(as_text(name, dialect), name) for name in _names(source)),
            Column(literal(RIVAL, dialect), "quarantine_reason"),
        ],
        source=CLAIMS,
        where="claim > 1",
    )
    text = with_ctes([_raw_rows(project, source, dialect, refused=refused)], union_all([bad, rivals]))
    return Select(f"{source.name}_set_aside", text, (*source.raws, CLAIMS))


def steps(source: Source) -> list[Select]:
    """Return what is computed and kept before `staging` and `rival_rows`, in order, each under its table's name."""
    return [repeated_keys(source), claims(source)]


def repeated_keys(source: Source) -> Select:
    """Return the keys that more than one of the clean rows has: as versions, as duplicates or as rivals."""
    repeated = Query(
        columns=[*source.keys],
        source=TYPED,
        where=_CLEAN,
        group_by=[*source.keys],
        having="COUNT(*) > 1",
    )
    return repeated.as_table(REPEATED, reads=[TYPED])


def claims(source: Source) -> Select:
    """Return the clean rows of repeated keys, exact duplicates once, with `claim`: each one's number within its key.

    Where the source has a known time, rows are numbered within the key and that.
    """
    names = [*_names(source), "event_time", "known_time"]
    distinct = Query(
        distinct=True,
        columns=each_of("c", names),
        source="clean_rows",
        alias="c",
        joins=[Join(REPEATED, alias="k", kind="SEMI", on=same(source.keys, "c", "k"))],
    )
    once = [*source.keys, *(["known_time"] if source.known_time else [])]
    # Engines put nulls at different ends unless told.
    order = [f"{name} ASC NULLS LAST" for name in _names(source)]
    numbered = Query(
        ctes=[
            _clean_rows(source),
            Cte("claiming_rows", "those of repeated keys, exact duplicates once", distinct),
        ],
        columns=names,
        lines=[Column(over_partitions(call("ROW_NUMBER"), once, order), "claim")],
        source="claiming_rows",
    )
    return numbered.as_table(CLAIMS, reads=[TYPED, REPEATED])


def staging(project: Project, source: Source) -> Select:
    """Return the staged table: one row a key and known time, sorted by month of arrival, customer and event time.

    Adds event_time, known_time (plus the arrival delay where the source has no known time of its own; the end of the
    day where it is a date) and known_until: a version is visible at t if known_time < t <= known_until.
    """
    ordered = Query(
        columns=[*_names(source), "known_until"],
        source="versions",
        order_by=in_order(project, source),
    )
    staged = Query(
        ctes=[
            *_versions(source),
            Cte(
                "ordered",
                "both in order; their times are told from their columns again, so that less is sorted",
                ordered,
            ),
        ],
        lines=[listed(_names(source)), *_times(source), "known_until"],
        source="ordered",
    )
    return staged.as_table(source.name, reads=[TYPED, REPEATED, CLAIMS])


def unordered(source: Source) -> Select:
    """Return the rows of the staged table in any order, as they are cached."""
    columns = [*_names(source), "event_time", "known_time", "known_until"]
    rows = Query(ctes=_versions(source), columns=columns, source="versions")
    return rows.as_table(source.name, reads=[TYPED, REPEATED, CLAIMS])


def _versions(source: Source) -> list[Cte]:
    columns = [*_names(source), "event_time", "known_time"]
    single = Query(
        columns=each_of("c", columns),
        lines=[Column(cast("NULL", "TIMESTAMP"), "known_until")],
        source="clean_rows",
        alias="c",
        joins=[Join(REPEATED, alias="k", kind="ANTI", on=same(source.keys, "c", "k"))],
    )
    known_until = over_partitions(call("LEAD", "known_time"), source.keys, ["known_time"])
    versions = Query(
        columns=columns,
        lines=[Column(known_until, "known_until")],
        source=CLAIMS,
        where="claim = 1",
    )
    return [
        _clean_rows(source),
        Cte(
            "versions",
            "rows whose key is theirs alone, and each other key's with the time the next one became known",
            union_all([single, versions]),
        ),
    ]


def in_order(project: Project, source: Source) -> list[str]:
    """Return the order of staged rows: by month, so that engines can pass over old files; then by customer."""
    # A day takes less room in what is sorted than an instant, and the source's own times, in whose order those are
    # that Tenure adds, none that they don't take already.
    month = cast(call("DATE_TRUNC", "'month'", first_counted("versions")), "DATE")
    keys = [k for k in project.entity.keys if k in _names(source)]
    order = [month, *keys, source.event_time, *source.keys, source.known_time]
    return [name for name in dict.fromkeys(order) if name]


def rival_rows(source: Source) -> Select:
    """Return the keys that two different rows claim, with how many do."""
    once = [*source.version_key]
    rivals = Query(
        columns=[*once, "COUNT(*) AS claims"],
        source=CLAIMS,
        group_by=once,
        having="COUNT(*) > 1",
        order_by=once,
    )
    return rivals.as_table(f"{source.name}_rivals", reads=[CLAIMS])


def rival_columns(source: Source) -> Query:
    """Return one row: of how many keys that different rows claim these differ in a column, by the column's name."""
    once = [*source.version_key]
    others = [name for name in _names(source) if name not in once]
    by_key = Query(
        columns=[named(count_of_values(name), name) for name in others],
        source=CLAIMS,
        group_by=once,
        having="COUNT(*) > 1",
    )
    return Query(
        columns=[named(count_where(after(name, 1)), name) for name in others], source=by_key, alias="rivals_by_key"
    )


def count_of_values(column: str) -> str:
    """Return how many values the rows of a group have in a column, null among them."""
    return f"COUNT(DISTINCT {column}) + MAX({case(when=is_null(column), then=1, otherwise=0)})"


def _names(source: Source) -> list[str]:
    return [column.name for column in source.columns]


def _raw_rows(project: Project, source: Source, dialect: Dialect, *, refused: bool) -> Cte:
    rows, words = raw_rows(source, dialect), f"what {source.name} reads, untyped"
    if refused:
        columns = telling_columns(project, source)
        rows, words = without_refused(source, dialect, rows, columns), f"{words}, but for customers who were forgotten"
    return Cte("raw_rows", words, rows)


def _clean_rows(source: Source) -> Cte:
    clean = Query(
        lines=[listed(_names(source)), *_times(source)],
        source=TYPED,
        where=_CLEAN,
    )
    return Cte("clean_rows", "rows with nothing wrong", clean)


def _times(source: Source) -> list[Column]:
    """When a row happened and when it was known, of its columns."""
    return [Column(cast(source.event_time, "TIMESTAMP"), "event_time"), Column(_known_time(source), "known_time")]


def _known_time(source: Source) -> str:
    """When a row was known, a TIMESTAMP: a date is known when its day is over.

    ──┊ 31 March ······· asked at 09:00: not yet ·······▌┊ 1 April, 00:00: known ───►
    """
    declared = source.known_time or source.event_time
    known_time = cast(declared, "TIMESTAMP")
    if source.known_by_day:
        known_time = last_instant_of(known_time)
    if not source.arrival_delay:
        return known_time
    # An open end, 9999-12-31, stays one: no engine's dates are read beyond it.
    return call("LEAST", days_later(known_time, source.arrival_delay), _END_OF_TIME)


def _check_columns(source: Source, raw_types: Mapping[str, str]) -> None:
    for column in source.columns:
        if column.raw_name not in raw_types:
            raise MissingColumn(
                f"source '{source.name}' reads column '{column.raw_name}', which its data lack; "
                f"{_columns_in_words(source, raw_types)} ({source.where_defined}).",
                hint="Fix Column(raw=…) or the file, then run 'tenure check'.",
            )


def _check_kinds(source: Source, raw_types: Mapping[str, str]) -> None:
    """Raise BadValue for a column whose raw values are lists, structs or bytes: no declared type says what they are."""
    for column in source.columns:
        raw_type = raw_types[column.raw_name]
        if kind_of(raw_type) in ("several", "bytes"):
            raise BadValue(
                f"source '{source.name}' reads column '{column.raw_name}' as {article(column.type)} {column.type}, "
                f"but its data have it as {raw_type} ({source.where_defined}).",
                hint="Leave the column out, or make one value of it in select=.",
            )


def _columns_in_words(source: Source, raw_types: Mapping[str, str]) -> str:
    """The names that the data have; by their shape if none is declared, since a row may stand where the header should.

    Columns of a select are named by the bank's own definition.
    """
    if source.select or {column.raw_name for column in source.columns} & set(raw_types):
        return f"they have: {choices(raw_types, 30)}"
    return f"they have none that it declares, but: {choices(map(shape, raw_types), 30)}; is the header missing"
