"""Staging: raw rows typed, renamed, checked one by one, deduplicated by key, with the span each version was known."""

from __future__ import annotations

from collections.abc import Mapping

from tenure.define.project import Project
from tenure.define.source import Column, Source
from tenure.errors import InvalidDefinition, MissingColumn, choices
from tenure.faults.redact import shape
from tenure.sql import TYPE_NAMES, Dialect, Select, column_list, java_pattern, literal, op, quoted, with_ctes
from tenure.sql.selects import raw_relations
from tenure.tables.finish import finite_or_null, without_sign_of_zero
from tenure.tables.visible import first_counted

_NUMBER = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_INSTANT = _DAY + "([ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?)?"

_END_OF_TIME = "TIMESTAMP '9999-12-31 23:59:59.999999'"

#: The relation that holds a source's typed rows while it is staged.
TYPED = "typed_rows"

#: The reason of a row whose key another row claims too.
RIVAL = "key: claimed by another row"


def raw_rows(source: Source, dialect: Dialect) -> str:
    """Return the source's rows before typing: the bank's own SELECT, or the raw table as it is."""
    if not source.select:
        return f"SELECT * FROM {next(iter(source.raws))}"
    asked_by = f"source '{source.name}' ({source.where_defined})"
    unknown = raw_relations(source.select, dialect, asked_by=asked_by) - set(source.raws)
    if unknown:
        raise InvalidDefinition(
            f"{asked_by} selects from '{min(unknown)}'; its read= has: {choices(source.raws)}.",
            hint="Add the raw table to read={…}, then run 'tenure check'.",
        )
    return source.select.strip().rstrip(";")


def typed_rows(project: Project, source: Source, dialect: Dialect, raw_types: Mapping[str, str]) -> Select:
    """Return every row with its columns typed and `quarantine_reason`, null where nothing is wrong with it.

    `raw_types` tells the raw columns' types, 'text' or another: text is parsed, the rest is cast.
    Raises MissingColumn where a declared column is not among them.
    """
    _check_columns(source, raw_types)
    columns = [(f"{typed_value(source, c, dialect, raw_types)} AS {c.name}", c.doc) for c in source.columns]
    reason = f"{_reason(project, source, dialect, raw_types)} AS quarantine_reason"
    final = (
        f"SELECT\n{column_list([*columns, (reason, 'Why the row is set aside; null where it is not')])}\nFROM raw_rows"
    )
    body = raw_rows(source, dialect)
    text = with_ctes([("raw_rows", f"what {source.name} reads, untyped", body)], final)
    return Select(TYPED, text, tuple(source.raws))


def set_aside_rows(project: Project, source: Source, dialect: Dialect, raw_types: Mapping[str, str]) -> Select:
    """Return the rows with something wrong, as text, and the reason: bad values, and keys that another row claims."""
    string = TYPE_NAMES[dialect]["string"]
    reason = _reason(project, source, dialect, raw_types)
    bad = [f"CAST({quoted(c.raw_name, dialect)} AS {string}) AS {c.name}" for c in source.columns]
    rivals = [f"CAST({c.name} AS {string}) AS {c.name}" for c in source.columns]
    final = (
        f"SELECT\n{column_list([*bad, f'{reason} AS quarantine_reason'])}\nFROM raw_rows\nWHERE {reason} IS NOT NULL\n"
        f"UNION ALL\nSELECT\n{column_list([*rivals, f'{literal(RIVAL, dialect)} AS quarantine_reason'])}\n"
        "FROM claims\nWHERE claim > 1"
    )
    ctes = [("raw_rows", f"what {source.name} reads, untyped", raw_rows(source, dialect)), *_claims(source)]
    return Select(f"{source.name}_set_aside", with_ctes(ctes, final), (*source.raws, TYPED))


def staging(project: Project, source: Source) -> Select:
    """Return the staged table: one row a key and known time, sorted by month of arrival, customer and event time.

    Adds event_time, known_time (plus the arrival delay where the source has no known time of its own) and
    known_until: a version is visible at t if known_time < t <= known_until.
    """
    names = ", ".join(c.name for c in source.columns)
    versions = (
        f"SELECT {names}, event_time, known_time,\n"
        f"    LEAD(known_time) OVER (PARTITION BY {', '.join(source.keys)} ORDER BY known_time) AS known_until\n"
        "FROM claims\nWHERE claim = 1"
    )
    ctes = [*_claims(source), ("versions", "each key's versions with the time the next one became known", versions)]
    # By month, so that an engine that reads statistics of files can pass over old rows; then by customer.
    order = [f"DATE_TRUNC('month', {first_counted('versions')})"]
    order += [k for k in project.entity.keys if k in {c.name for c in source.columns}]
    order += ["event_time", *(k for k in source.keys if k not in order), "known_time"]
    final = f"SELECT {names}, event_time, known_time, known_until\nFROM versions\nORDER BY {', '.join(order)}"
    return Select(source.name, with_ctes(ctes, final), (TYPED,))


def rival_rows(source: Source) -> Select:
    """Return the keys that two different rows claim, with how many do."""
    once = ", ".join([*source.keys, *([source.known_time] if source.known_time else [])])
    names = ", ".join(c.name for c in source.columns)
    body = f"SELECT DISTINCT {names} FROM {TYPED} WHERE quarantine_reason IS NULL"
    final = f"SELECT {once}, COUNT(*) AS claims\nFROM clean_rows\nGROUP BY {once}\nHAVING COUNT(*) > 1\nORDER BY {once}"
    text = with_ctes([("clean_rows", "rows with nothing wrong, exact duplicates once", body)], final)
    return Select(f"{source.name}_rivals", text, (TYPED,))


def _claims(source: Source) -> list[tuple[str, str, str]]:
    """The CTEs that end in `claims`: clean rows, numbered within the key (and version) that they claim."""
    names = ", ".join(c.name for c in source.columns)
    known = source.known_time or source.event_time
    known_time = f"CAST({known} AS TIMESTAMP)"
    if source.arrival_delay:
        # An open end, 9999-12-31, stays one: no engine's dates are read beyond it.
        known_time = f"LEAST({known_time} + INTERVAL '{source.arrival_delay}' DAY, {_END_OF_TIME})"
    once = ", ".join([*source.keys, *(["known_time"] if source.known_time else [])])
    # Engines put nulls at different ends unless told.
    order = ", ".join(f"{c.name} ASC NULLS LAST" for c in source.columns)
    clean = (
        f"SELECT DISTINCT\n    {names},\n    CAST({source.event_time} AS TIMESTAMP) AS event_time,\n"
        f"    {known_time} AS known_time\nFROM {TYPED}\nWHERE quarantine_reason IS NULL"
    )
    claims = (
        f"SELECT {names}, event_time, known_time,\n"
        f"    ROW_NUMBER() OVER (PARTITION BY {once} ORDER BY {order}) AS claim\nFROM clean_rows"
    )
    return [
        ("clean_rows", "rows with nothing wrong, exact duplicates once", clean),
        ("claims", "rows numbered within the key that they claim", claims),
    ]


def _check_columns(source: Source, raw_types: Mapping[str, str]) -> None:
    for column in source.columns:
        if column.raw_name not in raw_types:
            raise MissingColumn(
                f"source '{source.name}' reads column '{column.raw_name}', which its data lack; "
                f"{_columns_in_words(source, raw_types)} ({source.where_defined}).",
                hint="Mend Column(raw=…) or the file, then run 'tenure check'.",
            )


def _columns_in_words(source: Source, raw_types: Mapping[str, str]) -> str:
    """The names that the data have; by their shape if none is declared, since a row may stand where the header should.

    Columns of a select are named by the bank's own definition.
    """
    if source.select or {column.raw_name for column in source.columns} & set(raw_types):
        return f"they have: {choices(raw_types, 30)}"
    return f"they have none that it declares, but: {choices(map(shape, raw_types), 30)}; is the header missing"


def _text(source: Source, column: Column, dialect: Dialect) -> str:
    """The raw text, trimmed, with the spellings of null turned to null."""
    nulls = dict.fromkeys(["", *(spelling for raw in source.raws.values() for spelling in raw.null)])
    trimmed = f"TRIM({quoted(column.raw_name, dialect)})"
    for spelling in nulls:
        trimmed = f"NULLIF({trimmed}, {literal(spelling, dialect)})"
    return trimmed


def typed_value(source: Source, column: Column, dialect: Dialect, raw_types: Mapping[str, str]) -> str:
    """Return a raw column as its type, null where it is not of it."""
    type_name = TYPE_NAMES[dialect][column.type]
    raw_type = raw_types[column.raw_name]
    if raw_type != "text":
        raw = quoted(column.raw_name, dialect)
        cast = _number(f"TRY_CAST({raw} AS {type_name})", column.type, dialect)
        # A fraction is no integer; engines would round or cut it, each in its own way.
        is_fractional = raw_type.startswith(("double", "float", "halffloat", "decimal"))
        return f"CASE WHEN {raw} = FLOOR({raw}) THEN {cast} END" if column.type == "integer" and is_fractional else cast
    return _parsed(column, _text(source, column, dialect), type_name, dialect, source)


def _number(cast: str, type_: str, dialect: Dialect) -> str:
    """A cast to a number: of floats only those that are numbers, and 0 without a sign."""
    return finite_or_null(without_sign_of_zero(cast), dialect) if type_ == "float" else cast


def _parsed(column: Column, text: str, type_name: str, dialect: Dialect, source: Source) -> str:
    if column.type == "string":
        return text
    if column.type == "boolean":
        return (
            f"CASE WHEN LOWER({text}) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
            f"WHEN LOWER({text}) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END"
        )
    if column.format:
        return _parsed_time(column, text, dialect, source)
    pattern = {"integer": "[+-]?[0-9]+([.]0*)?", "date": _DAY, "timestamp": _INSTANT}.get(column.type, _NUMBER)
    value = op("before_point", dialect, text) if column.type == "integer" else text
    if column.type == "timestamp":
        cast = op("instant", dialect, value)
    else:
        cast = _number(f"TRY_CAST({value} AS {type_name})", column.type, dialect)
    return f"CASE WHEN {op('full_match', dialect, text, pattern)} THEN {cast} END"


def _parsed_time(column: Column, text: str, dialect: Dialect, source: Source) -> str:
    type_name = TYPE_NAMES[dialect][column.type]
    asked_by = f"column '{column.name}' of source '{source.name}'"
    pattern = java_pattern(column.format, asked_by=asked_by).replace("''", "\\'")
    if dialect == "duckdb":
        return f"CAST({op('parse_time', dialect, text, column.format)} AS {type_name})"
    parsed = f"CAST({op('parse_time', dialect, text, pattern)} AS {type_name})"
    if "%y" not in column.format:
        return parsed
    # Java reads every two-digit year as 20yy; POSIX reads 69-99 as 19yy.
    return (
        f"CASE WHEN YEAR({parsed}) >= 2069 THEN CAST({parsed} - INTERVAL '100' YEAR AS {type_name}) ELSE {parsed} END"
    )


def _reason(project: Project, source: Source, dialect: Dialect, raw_types: Mapping[str, str]) -> str:
    times = {source.event_time, source.known_time} - {""}
    needed = {*source.keys, *project.entity.keys, *times}
    cases: list[str] = []
    string = TYPE_NAMES[dialect]["string"]
    for column in source.columns:
        is_text = raw_types[column.raw_name] == "text"
        raw = _text(source, column, dialect) if is_text else quoted(column.raw_name, dialect)
        if column.required or column.name in needed:
            cases.append(f"WHEN {raw} IS NULL THEN '{column.name}: missing'")
        if column.type != "string":
            typed = typed_value(source, column, dialect, raw_types)
            cases.append(
                f"WHEN {raw} IS NOT NULL AND {typed} IS NULL "
                f"THEN '{column.name}: not {_article(column.type)} {column.type}: ' || CAST({raw} AS {string})"
            )
    return "CASE " + "\n        ".join(cases) + " END" if cases else f"CAST(NULL AS {string})"


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
