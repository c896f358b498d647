"""SQL text: the bank's conditions are checked and qualified, texts and names survive, engines agree on operations."""

from datetime import date, datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.errors import InvalidDefinition
from tenure.sql import (
    DIALECTS,
    OPERATIONS,
    TYPE_NAMES,
    date_literal,
    java_pattern,
    literal,
    midnight_literal,
    op,
    quoted,
)
from tenure.sql.dialects import WHOLE, parsed_time

NASTY = [
    "it's",
    "a\\b",
    "\\'",
    "'; DROP TABLE t; --",
    "\\u0041",
    "new\nline",
    "${env:HOME}",
    "%_{0}",
    '`"',
    "Zoë €",
    "",
]


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        yield opened


@settings(deadline=None)
@given(text=st.text())
def test_literal_is_the_same_text_in_duckdb(connection, text):
    assert connection.execute(f"SELECT {literal(text, 'duckdb')}").fetchone() == (text,)


@settings(deadline=None)
@given(name=st.text(min_size=1))
def test_quoted_is_the_same_name_in_duckdb(connection, name):
    assert connection.execute(f"SELECT 1 AS {quoted(name, 'duckdb')}").description[0][0] == name


def test_nasty_texts_and_names_survive_in_every_engine(engine):
    texts = ", ".join(f"{literal(text, engine.dialect)} AS t{number}" for number, text in enumerate(NASTY))
    (row,) = engine.run(f"SELECT {texts}").to_pylist()
    assert list(row.values()) == NASTY
    names = [text for text in NASTY if text]
    columns = ", ".join(f"1 AS {quoted(name, engine.dialect)}" for name in names)
    assert engine.run(f"SELECT {columns}").column_names == names


def test_every_operation_and_type_is_spelled_for_every_dialect():
    assert [name for name, row in OPERATIONS.items() if set(row) != set(DIALECTS)] == []
    assert set(TYPE_NAMES) == set(DIALECTS)
    assert {frozenset(row) for row in TYPE_NAMES.values()} == {frozenset(TYPE_NAMES["duckdb"])}


OPERATION_ANSWERS = {
    "day_of": [
        (("2024", "2", "29"), date(2024, 2, 29)),
        (("2023", "2", "29"), date(2023, 3, 1)),
        (("2023", "12", "31"), date(2023, 12, 31)),
    ],
    "days_between": [
        (("DATE '2024-02-28'", "DATE '2024-03-01'"), 2),
        (("DATE '2024-03-01'", "DATE '2024-02-28'"), -2),
        (("CAST(NULL AS DATE)", "DATE '2024-03-01'"), None),
    ],
    "seconds": [
        (("TIMESTAMP '1970-01-02 00:00:01'",), 86401),
        (("TIMESTAMP '1969-12-31 23:59:00'",), -60),
        (("CAST(NULL AS TIMESTAMP)",), None),
    ],
    "days_later": [
        (("TIMESTAMP '2024-02-28 06:30:00'", "2"), datetime(2024, 3, 1, 6, 30)),
        (("TIMESTAMP '2024-02-28 06:30:00'", "CAST(NULL AS INT)"), None),
    ],
    "months_earlier": [
        (("TIMESTAMP '2024-03-31 06:30:00'", "1"), datetime(2024, 2, 29, 6, 30)),
        (("TIMESTAMP '2024-03-15 00:00:00'", "15"), datetime(2022, 12, 15)),
    ],
    "full_match": [
        (("'2024'", "[0-9]{{4}}"), True),
        (("'x2024'", "[0-9]{{4}}"), False),
        (("'20245'", "[0-9]{{4}}"), False),
        (("'b'", "a|b"), True),
        (("'ab'", "a|b"), False),
        (("CAST(NULL AS {string})", "a"), None),
    ],
    "trimmed": [
        (("' a b '",), "a b"),
        (("'\t\u00a0a\u3000\u200b\ufeff'",), "a"),
        (("'\u2003\n'",), ""),
        (("CAST(NULL AS {string})",), None),
    ],
    "before_point": [(("'12.00'",), "12"), (("'12'",), "12"), (("'-0.5'",), "-0"), (("''",), "")],
    "without_exponent": [],  # as decimals, in tables/test_conversions.py
    "composed": [
        (("'Jose\u0301'",), "Jos\u00e9"),
        (("'plain'",), "plain"),
        (("CAST(NULL AS {string})",), None),
    ],
    "clock": [
        (("TIMESTAMP '2024-07-01 10:00:00'", "Europe/Berlin"), datetime(2024, 7, 1, 12)),
        (("TIMESTAMP '2024-01-01 10:00:00'", "America/New_York"), datetime(2024, 1, 1, 5)),
    ],
    "is_local": [],  # with the zones of tables/test_bank_formats.py
    "sha256": [(("'abc'",), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")],
    "instant": [
        (("'2024-02-29 23:30:00'",), datetime(2024, 2, 29, 23, 30)),
        (("'2024-02-29T23:30:00.123456Z'",), datetime(2024, 2, 29, 23, 30, 0, 123456)),
        (("'2024-02-29 23:30:00-01:00'",), datetime(2024, 3, 1, 0, 30)),
        (("'29 February'",), None),
    ],
    "parse_time": [],  # below, with its formats
    "bit": [(("0",), 1), (("3",), 8), (("60",), 2**60), (("CAST(NULL AS INT)",), None)],
    "bits": [(("11",), 3), (("0",), 0), (("CAST(NULL AS BIGINT)",), None)],
    "whole_division": [(("7", "2"), 3), (("6", "2"), 3)],
    "quotient": [(("7", "2"), 3), (("6", "3"), 2)],
    "last_places": [
        (("CAST('-0.0000012' AS DECIMAL(38, 10))", f"MI{'0' * 28}D{'0' * 10}"), -12_000),
        (("CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0))", f"MI{'0' * 38}"), 10**38 - 1),
        (("CAST('-0.5' AS DECIMAL(38, 38))", f"MI0D{'0' * 38}"), -5 * 10**37),
        (("CAST(NULL AS DECIMAL(20, 2))", f"MI{'0' * 18}D00"), None),
    ],
    "whole_sum": [
        (("{whole_list}",), 2 * (10**37) + 1),
        (("{no_whole_list}",), 0),
    ],
    "nearest": [
        (("CAST('0.1' AS DECIMAL(38, 20))",), 0.1),
        (("CAST('12345678901234567890.123456789' AS DECIMAL(38, 9))",), 12345678901234567890.123456789),
        (("CAST(NULL AS DECIMAL(20, 2))",), None),
    ],
    "member": [(("{list}", "0"), 3.0), (("{list}", "2"), 2.0), (("{one}", "1"), None)],
    "pair": [(("5.0", "6.5"), [5.0, 6.5])],
    "list_of_one": [(("5",), [5])],
    "each": [(("{list}", "v", "v + 1"), [4.0, 2.0, 3.0])],
    "folded": [(("{list}", "CAST(10 AS DOUBLE)", "acc - el"), 4.0)],
    "list_sum": [(("{list}",), 6.0)],
    "is_finite": [
        (("CAST(1 AS DOUBLE)",), True),
        (("CAST('NaN' AS DOUBLE)",), False),
        (("CAST('-Infinity' AS DOUBLE)",), False),
        (("CAST('1.7976931348623157e308' AS DOUBLE)",), True),
    ],
    "list_of_rows": [(("CAST(NULL AS INT)",), []), (("5",), [5])],
    "set_of_rows": [(("5",), [5])],
    "list_of_lists": [(("{list}",), [3.0, 1.0, 2.0])],
    "or_empty": [(("{list}",), [3.0, 1.0, 2.0]), (("{no_list}",), [])],
    "concatenated": [(("{list}, {list}",), [3.0, 1.0, 2.0, 3.0, 1.0, 2.0])],
    "sorted": [(("{list}",), [1.0, 2.0, 3.0])],
    "length": [(("{list}",), 3)],
    "element": [(("{list}", "0"), 3.0), (("{list}", "FLOOR(1.9)"), 1.0), (("{list}", "2"), 2.0)],
    "list_std": [(("{list}",), 1.0), (("{equal_list}",), 0.0), (("{one}",), None)],
    "members": [(("{one}",), 0.1)],
    "micros": [(("TIMESTAMP '1970-01-02 00:00:00.000001'",), 86_400_000_001), (("CAST(NULL AS TIMESTAMP)",), None)],
    "hashed_cell": [],  # below, within a hash
    "field": [],  # below, within a struct
    "struct": [],
    "row_hash": [(("1, 'a'",), "1, 'a'"), (("1, 'b'",), None)],
    "days_from_to": [(("DATE '2024-02-29'", "DATE '2024-03-01'"), date(2024, 2, 29))],
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_gives_one_answer_on_every_engine(engine, name):
    spelled = LISTS[engine.dialect] | {"string": TYPE_NAMES[engine.dialect]["string"]}
    for operands, answer in OPERATION_ANSWERS[name]:
        text = op(name, engine.dialect, *(operand.format(**spelled) for operand in operands))
        (row,) = engine.run(f"SELECT {text} AS x").to_pylist()
        if name == "list_of_rows" and answer == []:
            assert not row["x"]  # null in DuckDB, which `or_empty` makes the empty list
        elif name == "row_hash":  # a number of each engine's own: equal for equal values
            (other,) = engine.run(f"SELECT {op(name, engine.dialect, answer or '1, NULL')} AS x").to_pylist()
            assert (row["x"] == other["x"]) is (answer is not None)
        elif name == "days_from_to":
            assert str(row["x"])[:10] == str(answer)  # midnights in DuckDB, dates in Spark
        else:
            assert _naive(row["x"]) == answer, operands


def test_a_null_is_a_value_where_rows_are_hashed(engine):
    def hashed(*cells):
        return op("row_hash", engine.dialect, ", ".join(op("hashed_cell", engine.dialect, cell) for cell in cells))

    null = f"CAST(NULL AS {TYPE_NAMES[engine.dialect]['string']})"
    pairs = {
        "same": (("'a'", null), ("'a'", null)),
        "moved": (("'a'", null), (null, "'a'")),
        "empty": ((null,), ("''",)),
    }
    columns = ", ".join(f"{hashed(*one)} = {hashed(*other)} AS {name}" for name, (one, other) in pairs.items())
    assert engine.run(f"SELECT {columns}").to_pylist() == [{"same": True, "moved": False, "empty": False}]


def test_a_struct_has_its_fields_and_compares_by_the_first(engine):
    def struct(a, b):
        fields = ", ".join([op("field", engine.dialect, "a", a), op("field", engine.dialect, "b", b)])
        return op("struct", engine.dialect, fields)

    (row,) = engine.run(f"SELECT {struct(1, 9)} AS x, {struct(1, 9)} < {struct(2, 0)} AS is_less").to_pylist()
    assert row == {"x": {"a": 1, "b": 9}, "is_less": True}


def _naive(value):
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def _list(dialect, *values):
    cells = ", ".join(f"CAST({value} AS DOUBLE)" for value in values)
    return f"[{cells}]" if dialect == "duckdb" else f"array({cells})"


def _whole_list(dialect, *values):
    cells = ", ".join(f"CAST('{value}' AS {WHOLE[dialect]})" for value in values)
    return f"CAST([{cells}] AS HUGEINT[])" if dialect == "duckdb" else f"CAST(array({cells}) AS ARRAY<DECIMAL(38, 0)>)"


LISTS = {
    dialect: {
        "list": _list(dialect, 3, 1, 2),
        "equal_list": _list(dialect, 0.1, 0.1, 0.1),
        "one": _list(dialect, 0.1),
        "whole_list": _whole_list(dialect, 10**37, 1, 10**37),
        "no_whole_list": _whole_list(dialect),
        "no_list": f"CASE WHEN 1 = 0 THEN {_list(dialect, 1)} END",
    }
    for dialect in DIALECTS
}


FORMATS = [
    ("%Y-%m-%d", "2024-02-29", datetime(2024, 2, 29)),
    ("%d.%m.%Y %H:%M:%S", "29.02.2024 23:59:58", datetime(2024, 2, 29, 23, 59, 58)),
    ("%Y-%m-%dT%H:%M:%S.%f", "2024-02-29T23:59:58.123456", datetime(2024, 2, 29, 23, 59, 58, 123456)),
    ("%d-%b-%Y", "29-Feb-2024", datetime(2024, 2, 29)),
    ("%Y%m%d", "20240229", datetime(2024, 2, 29)),
    ("%Y/%j", "2024/060", datetime(2024, 2, 29)),
    ("%Y-%m-%d", "2023-02-29", None),
    ("%Y-%m-%d", "29.02.2024", None),
    ("%d/%m/%Y", "1/2/2024", datetime(2024, 2, 1)),
    ("%d/%m/%Y", "01/02/24", None),
    ("%d/%m/%Y", "01/02/20245", None),
    ("%d.%m.%y", "1.2.68", datetime(2068, 2, 1)),
    ("%d.%m.%y", "1.2.69", datetime(1969, 2, 1)),
    ("%y%m%d", "930101", datetime(1993, 1, 1)),
    ("%y%m%d", "93011", None),
    ("%d-%b-%Y", "29-FEB-2024", None),
    ("%H:%M:%S", "", None),
]


def test_time_format_reads_the_same_on_every_engine(engine):
    for format_, text, answer in FORMATS:
        parsed = parsed_time(f"'{text}'", format_, "TIMESTAMP", engine.dialect, asked_by="column 'booked_on'")
        (row,) = engine.run(f"SELECT {parsed} AS x").to_pylist()
        assert _naive(row["x"]) == answer, (format_, text)


def test_java_pattern_is_spelled_for_java():
    assert java_pattern("%Y-%m-%d %H:%M:%S", asked_by="x") == "yyyy-M-d H:m:s"
    assert java_pattern("%d.%m.%yT%j", asked_by="x") == "d.M.yy''T''DDD"


@pytest.mark.parametrize("format_", ["%Q", "%Y-%", "%A %Y"])
def test_java_pattern_refuses_directives_it_lacks(format_):
    with pytest.raises(InvalidDefinition, match=r"column 'booked_on' has format .* with the directive .*allowed: %Y, "):
        java_pattern(format_, asked_by="column 'booked_on'")


def test_day_is_a_date_in_every_engine(engine):
    day = date(2024, 2, 29)
    found = engine.run(f"SELECT {date_literal(day)} AS d, {midnight_literal(day)} AS t").to_pylist()[0]
    assert found["d"] == day
    assert _naive(found["t"]) == datetime(2024, 2, 29)


@pytest.mark.parametrize("sign", ["'", "[", "{", "#"])
def test_date_format_with_a_sign_that_java_reads_otherwise_is_refused(sign):
    with pytest.raises(InvalidDefinition, match="allowed: letters and"):
        java_pattern(f"%Y{sign}%m", asked_by="column 'day'")
