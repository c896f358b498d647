"""The operations that engines spell differently: one row each.

sqlglot parses and prints within one dialect; it never translates, because it translates some functions
silently wrong (DuckDB's `log` is base 10, Spark's is natural).
"""

from __future__ import annotations

import re
from datetime import date, datetime

from tenure.define.dialect import Dialect
from tenure.define.value_type import ValueType
from tenure.errors import InvalidDefinition

#: The ends of a text that are no part of it, as a pattern: blanks of any script, and signs that nobody sees.
TEXT_ENDS = r"^[\s\p{Z}\p{Cc}\p{Cf}]+|[\s\p{Z}\p{Cc}\p{Cf}]+$"

#: The same in a template, where a brace is written twice.
_ENDS = TEXT_ENDS.replace("{", "{{").replace("}", "}}")

#: DuckDB's pieces of a number with an exponent, {0}: 1.25e-4 has the digits 125, the last of them 6 behind the point.
_MANTISSA = "split_part(lower({0}), 'e', 1)"
_DIGITS = f"regexp_replace({_MANTISSA}, '[^0-9]', '', 'g')"
_LAST_PLACE = f"(TRY_CAST(split_part(lower({{0}}), 'e', 2) AS INTEGER) - strlen(split_part({_MANTISSA}, '.', 2)))"
_FILLED = f"lpad({_DIGITS}, CAST(GREATEST(strlen({_DIGITS}), 1 - {_LAST_PLACE}) AS INTEGER), '0')"

#: One row an operation; {0}, {1} are its operands.
OPERATIONS: dict[str, dict[Dialect, str]] = {
    "days_between": {
        "duckdb": "date_diff('day', {0}, {1})",
        "spark": "CAST(datediff({1}, {0}) AS BIGINT)",
    },
    # The day of a month and a day's number in it; 29 February of a common year is 1 March.
    "day_of": {
        "duckdb": "(make_date({0}, {1}, 1) + CAST({2} - 1 AS INTEGER))",
        "spark": "date_add(make_date({0}, {1}, 1), CAST({2} - 1 AS INT))",
    },
    "seconds": {"duckdb": "CAST(epoch({0}) AS BIGINT)", "spark": "unix_timestamp({0})"},
    "days_later": {
        "duckdb": "({0} + to_days(CAST({1} AS INTEGER)))",
        "spark": "({0} + make_dt_interval(CAST({1} AS INT)))",
    },
    # DuckDB 2.0 takes `t - INTERVAL '3' MONTH` for the common sub-expression `t - INTERVAL '90' DAY`, since the two
    # intervals compare equal; another operator keeps them apart.
    "months_earlier": {"duckdb": "({0} + INTERVAL '-{1}' MONTH)", "spark": "({0} - INTERVAL '{1}' MONTH)"},
    "full_match": {"duckdb": "regexp_full_match({0}, '{1}')", "spark": "{0} RLIKE '^({1})$'"},
    # Neither engine's TRIM takes more than the blank. A pattern takes DuckDB far longer than a look at both ends: of a
    # text that begins and ends with what can be seen of ASCII there is nothing to trim.
    "trimmed": {
        "duckdb": (
            "CASE WHEN CAST({0} AS VARCHAR) >= '!' AND CAST({0} AS VARCHAR) < chr(127) AND CAST({0} AS VARCHAR)[-1] "
            "BETWEEN '!' AND '~' THEN CAST({0} AS VARCHAR) "
            f"ELSE regexp_replace(CAST({{0}} AS VARCHAR), '{_ENDS}', '', 'g') END"
        ),
        "spark": f"regexp_replace({{0}}, '{_ENDS}', '')".replace("\\", "\\\\"),
    },
    # A letter of several signs, such as é of e and its accent, as one: Unicode's NFC. Spark has a function of ours.
    "composed": {"duckdb": "nfc_normalize({0})", "spark": "tenure_nfc({0})"},
    "before_point": {"duckdb": "split_part({0}, '.', 1)", "spark": "substring_index({0}, '.', 1)"},
    # A number's text without its exponent: DuckDB's decimals round or refuse some that have one, Spark's a zero.
    "without_exponent": {
        "duckdb": (
            f"CASE WHEN {{0}} LIKE '-%' THEN '-' ELSE '' END || CASE WHEN {_LAST_PLACE} >= 0 "
            f"THEN {_DIGITS} || repeat('0', CASE WHEN ltrim({_DIGITS}, '0') = '' THEN 0 ELSE {_LAST_PLACE} END) "
            f"ELSE left({_FILLED}, {_LAST_PLACE}) || '.' || right({_FILLED}, -{_LAST_PLACE}) END"
        ),
        "spark": "CASE WHEN {0} RLIKE '^[+-]?[0.]+[eE]' THEN '0' ELSE {0} END",
    },
    # Text with an offset is another instant in UTC; without one it is UTC.
    # In 19 signs, the seconds among them, is no room for an offset; DuckDB reads them faster where it looks for none.
    "instant": {
        "duckdb": (
            "CASE WHEN strlen({0}) = 19 AND {0}[17] = ':' THEN TRY_CAST({0} AS TIMESTAMP) "
            "ELSE CAST(TRY_CAST({0} AS TIMESTAMPTZ) AS TIMESTAMP) END"
        ),
        "spark": "TRY_CAST({0} AS TIMESTAMP)",
    },
    # What clocks of a zone show at an instant.
    "clock": {"duckdb": "timezone('{1}', timezone('UTC', {0}))", "spark": "from_utc_timestamp({0}, '{1}')"},
    # Whether a typed instant came without a zone.
    "is_local": {
        "duckdb": "typeof({0}) LIKE 'TIMESTAMP%' AND typeof({0}) NOT LIKE '%ZONE'",
        "spark": "typeof({0}) = 'timestamp_ntz'",
    },
    # An instant as a number, for structs: Delta keeps naive instants in a later protocol than most readers know.
    "micros": {"duckdb": "epoch_us({0})", "spark": "unix_micros({0})"},
    # Of several values; not the same in both engines, nor promised by DuckDB from version to version.
    "row_hash": {"duckdb": "hash({0})", "spark": "xxhash64({0})"},
    # A value among those of `row_hash`: Spark's passes over nulls, so there a null is a text of its own, and a value
    # stands behind a mark.
    "hashed_cell": {"duckdb": "{0}", "spark": "COALESCE(CONCAT('=', CAST({0} AS STRING)), '')"},
    "sha256": {"duckdb": "sha256({0})", "spark": "sha2({0}, 256)"},
    "parse_time": {"duckdb": "try_strptime({0}, '{1}')", "spark": "try_to_timestamp({0}, '{1}')"},
    # Sets of days or months as the bits of an integer.
    "bit": {"duckdb": "(CAST(1 AS BIGINT) << {0})", "spark": "shiftleft(CAST(1 AS BIGINT), CAST({0} AS INT))"},
    "bits": {"duckdb": "CAST(bit_count({0}) AS BIGINT)", "spark": "CAST(bit_count({0}) AS BIGINT)"},
    "whole_division": {"duckdb": "({0} // {1})", "spark": "({0} div {1})"},
    # Of numbers of up to 38 digits, towards 0; Spark's `div` gives 64 bits.
    "quotient": {"duckdb": "({0} // {1})", "spark": "CAST({0} div {1} AS DECIMAL(38, 0))"},
    # A decimal of up to 38 digits as a whole number of units of its last place, by its text: a product with a power of
    # ten would have more than 38 digits. Spark writes small decimals as 1E-7, but not by a picture of them, {1}.
    "last_places": {
        "duckdb": "CAST(replace(CAST({0} AS VARCHAR), '.', '') AS HUGEINT)",
        "spark": "CAST(replace(to_char({0}, '{1}'), '.', '') AS DECIMAL(38, 0))",
    },
    # The sum of a list of whole numbers, 0 of an empty one.
    "whole_sum": {
        "duckdb": "COALESCE(list_sum({0}), 0)",
        "spark": "aggregate({0}, CAST(0 AS DECIMAL(38, 0)), (acc, el) -> CAST(acc + el AS DECIMAL(38, 0)))",
    },
    # The DOUBLE nearest to a decimal of many digits: DuckDB divides the digits as one, and so may be a bit off.
    "nearest": {"duckdb": "CAST(CAST({0} AS VARCHAR) AS DOUBLE)", "spark": "CAST({0} AS DOUBLE)"},
    # Lists of values: what quantiles and distinct counts are made of.
    "list_of_rows": {"duckdb": "list({0}) FILTER (WHERE ({0}) IS NOT NULL)", "spark": "collect_list({0})"},
    "set_of_rows": {
        "duckdb": "list_distinct(list({0}))",
        "spark": "collect_set({0})",
    },
    "list_of_lists": {"duckdb": "flatten(list({0}))", "spark": "flatten(collect_list({0}))"},
    "or_empty": {"duckdb": "COALESCE({0}, [])", "spark": "COALESCE({0}, array())"},
    "concatenated": {"duckdb": "list_concat({0})", "spark": "concat({0})"},
    "sorted": {"duckdb": "list_sort({0})", "spark": "array_sort({0})"},
    "length": {"duckdb": "len({0})", "spark": "size({0})"},
    # The element at a place counted from 0; null of none.
    "element": {
        "duckdb": "CAST(list_extract({0}, CAST({1} AS BIGINT) + 1) AS DOUBLE)",
        "spark": "CAST(get({0}, CAST({1} AS INT)) AS DOUBLE)",
    },
    "member": {"duckdb": "({0})[{1} + 1]", "spark": "get({0}, {1})"},
    "pair": {"duckdb": "[{0}, {1}]", "spark": "array({0}, {1})"},
    # Structs that compare field by field; {0} of "struct" are fields.
    "field": {"duckdb": "'{0}': {1}", "spark": "'{0}', {1}"},
    "struct": {"duckdb": "{{{0}}}", "spark": "named_struct({0})"},
    "list_of_one": {"duckdb": "[{0}]", "spark": "array({0})"},
    # {2} of each element, called {1}; and all of them folded into {1}, one by one as `el` into `acc`, by {2}.
    "each": {"duckdb": "list_transform({0}, lambda {1}: {2})", "spark": "transform({0}, {1} -> {2})"},
    "folded": {
        "duckdb": "list_reduce({0}, lambda acc, el: {2}, {1})",
        "spark": "aggregate({0}, {1}, (acc, el) -> {2})",
    },
    "list_sum": {
        "duckdb": "list_sum({0})",
        "spark": "aggregate({0}, CAST(0 AS DOUBLE), (acc, el) -> acc + el)",
    },
    # Not by a comparison in DuckDB: it trusts the statistics of Parquet files, which leave NaN out.
    "is_finite": {
        "duckdb": "isfinite({0})",
        "spark": "(NOT isnan({0}) AND ABS({0}) <= CAST('1.7976931348623157e308' AS DOUBLE))",
    },
    "members": {"duckdb": "unnest({0})", "spark": "explode({0})"},
    "days_from_to": {
        "duckdb": "unnest(generate_series({0}, {1} - INTERVAL '1' DAY, INTERVAL '1' DAY))",
        "spark": "explode(sequence({0}, date_sub({1}, 1)))",
    },
}

#: A quote inside a text.
_QUOTE: dict[Dialect, str] = {"duckdb": "''", "spark": "\\'"}

#: Tenure's column type → the engine's; a decimal's is that of a column that does not say its digits.
TYPE_NAMES: dict[Dialect, dict[str, str]] = {
    "duckdb": {
        "string": "VARCHAR",
        "integer": "BIGINT",
        "decimal": "DECIMAL(18, 2)",
        "float": "DOUBLE",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    },
    "spark": {
        "string": "STRING",
        "integer": "BIGINT",
        "decimal": "DECIMAL(18, 2)",
        "float": "DOUBLE",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    },
}

#: The type in which whole numbers of up to 38 digits are calculated with.
WHOLE: dict[Dialect, str] = {"duckdb": "HUGEINT", "spark": "DECIMAL(38, 0)"}

#: Whether bytes that are no text are read as texts, with U+FFFD in their place.
READS_BROKEN_TEXT: dict[Dialect, bool] = {"duckdb": False, "spark": True}

#: Whether a row can be joined with the newest one before it by ASOF JOIN; else that row is carried by a window.
JOINS_AS_OF: dict[Dialect, bool] = {"duckdb": True, "spark": False}

#: strptime directive → Java's DateTimeFormatter letter, for Spark, and the fewest and most digits that it reads.
_DIRECTIVES = {
    "%Y": ("y", 4, 4),
    "%y": ("y", 2, 2),
    "%m": ("M", 1, 2),
    "%d": ("d", 1, 2),
    "%H": ("H", 1, 2),
    "%M": ("m", 1, 2),
    "%S": ("s", 1, 2),
    "%f": ("S", 6, 6),
    "%j": ("D", 3, 3),
}

#: The one directive that is no number: a month such as Jan.
_MONTH, _MONTH_PATTERN = "%b", "[A-Z][a-z]{2}"


def op(name: str, dialect: Dialect, *operands: object) -> str:
    """Return the operation `name` on `operands`, as `dialect` spells it."""
    return OPERATIONS[name][dialect].format(*operands)


def full_match(text: str, pattern: str, dialect: Dialect) -> str:
    """Return whether a whole text is of a regular expression, which may hold quotes but no backslashes."""
    return op("full_match", dialect, text, pattern.replace("'", _QUOTE[dialect]))


def type_name(type_: ValueType, dialect: Dialect) -> str:
    """Return the engine's type of a column's values."""
    return f"DECIMAL({type_.precision}, {type_.scale})" if type_.is_decimal else TYPE_NAMES[dialect][type_.name]


def as_text(expression: str, dialect: Dialect) -> str:
    """Return an expression as text."""
    return f"CAST({expression} AS {TYPE_NAMES[dialect]['string']})"


def quoted(name: str, dialect: Dialect) -> str:
    """Return a raw column's name, quoted for the dialect."""
    mark = '"' if dialect == "duckdb" else "`"
    return mark + name.replace(mark, mark * 2) + mark


def literal(text: str, dialect: Dialect) -> str:
    """Return `text` as a SQL string; Spark also reads backslashes as escapes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'") if dialect == "spark" else text.replace("'", "''")
    return f"'{escaped}'"


def date_literal(day: date) -> str:
    """Return a date as SQL."""
    return f"DATE '{day.isoformat()}'"


def instant_literal(instant: datetime) -> str:
    """Return an instant without a zone as SQL, to the microsecond."""
    return f"TIMESTAMP '{instant.isoformat(' ', 'microseconds')}'"


def midnight_literal(day: date) -> str:
    """Return the instant at which `day` begins, as SQL."""
    return f"TIMESTAMP '{day.isoformat()} 00:00:00'"


def parsed_time(text: str, format_: str, type_name: str, dialect: Dialect, *, asked_by: str) -> str:
    """Return a text of a strptime format as a date or an instant, null where it is none.

    Which texts are of the format is decided by one pattern on every engine: engines read '1/2/24' by '%d/%m/%Y' as the
    year 24, as 2024 or not at all. Raises InvalidDefinition, in either dialect, for a directive that one of them lacks.
    """
    parts = _format_parts(format_, asked_by=asked_by)
    pattern = "".join(java for java, _ in parts).replace("''", "\\'")
    digits = "".join(accepted for _, accepted in parts)
    is_of_format = op("full_match", dialect, text, digits)
    parsed = f"CAST({op('parse_time', dialect, text, format_ if dialect == 'duckdb' else pattern)} AS {type_name})"
    if dialect == "spark" and "%y" in format_:
        # Java reads every two-digit year as 20yy; POSIX reads 69-99 as 19yy.
        earlier = f"CAST({parsed} - INTERVAL '100' YEAR AS {type_name})"
        parsed = f"CASE WHEN YEAR({parsed}) >= 2069 THEN {earlier} ELSE {parsed} END"
    return f"CASE WHEN {is_of_format} THEN {parsed} END"


def java_pattern(format_: str, *, asked_by: str) -> str:
    """Return the Java pattern of a strptime format; raise InvalidDefinition for a directive it lacks."""
    return "".join(java for java, _ in _format_parts(format_, asked_by=asked_by))


def _format_parts(format_: str, *, asked_by: str) -> list[tuple[str, str]]:
    """The parts of a strptime format: Java's pattern of each, and the regular expression of what it reads."""
    pieces = re.findall("%.?|[^%]", format_, re.DOTALL)
    parts: list[tuple[str, str]] = []
    for place, piece in enumerate(pieces):
        if piece in _DIRECTIVES:
            letter, fewest, most = _DIRECTIVES[piece]
            neighbours = pieces[max(0, place - 1) : place] + pieces[place + 1 : place + 2]
            if any(other in _DIRECTIVES for other in neighbours):
                fewest = most  # nothing stands between them to tell where one ends
            parts.append((letter * fewest, f"[0-9]{{{fewest},{most}}}"))
        elif piece == _MONTH:
            parts.append(("MMM", _MONTH_PATTERN))
        elif piece.startswith("%"):
            allowed = ", ".join([*_DIRECTIVES, _MONTH])
            raise InvalidDefinition(
                f"{asked_by} has format '{format_}' with the directive '{piece}'; allowed: {allowed}."
            )
        elif piece in "-/:.,_ ":
            parts.append((piece, f"[{piece}]"))
        elif piece.isalpha():
            parts.append((f"''{piece}''", piece))
        else:
            raise InvalidDefinition(f"{asked_by} has format '{format_}' with '{piece}'; allowed: letters and -/:.,_")
    return parts
