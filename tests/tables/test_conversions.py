"""The written table of what becomes what: every cell of it, on both engines, against values worked out by hand."""

import random
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure import Column, Csv, Parquet, Source
from tenure.define.source import TYPES
from tenure.intake.plain_parquet import is_plain, write_plain
from tenure.tables.conversions import CONVERSIONS, conversions_reference, kind_of
from tenure.tables.typed_values import cells_of, rounded, typed_value

PAGE = Path(__file__).parents[2] / "docs" / "conversions.md"

D = Decimal
NO = None
INSTANT = datetime(2024, 2, 29, 10, 0, 0, 500000)
MIDNIGHT = datetime(2024, 2, 29)
MOST, BEYOND = float(2**53), float(2**53 + 2)
NONE = [NO, NO, NO]


def refused(**given):
    return {type_: given.get(type_, NONE) for type_ in TYPES}


def whole(*values):
    return {
        "string": [str(v) for v in values],
        "integer": [v if v < 2**63 else NO for v in values],
        "decimal": [D(v) if v < 10**16 else NO for v in values],
        "float": [float(v) for v in values],
        "boolean": [{0: False, 1: True}.get(v) for v in values],
        "date": NONE,
        "timestamp": NONE,
    }


FLOATS = {
    "string": ["1", NO, str(2**53)],
    "integer": [1, NO, 2**53],
    "decimal": [D("1.00"), D("1.13"), NO],  # 2^53 has more places than a float holds
    "float": [1.0, 1.125, MOST],
    "boolean": [True, NO, NO],
    "date": NONE,
    "timestamp": NONE,
}

DAYS = refused(string=["2024-02-29", "1900-01-01", "9999-12-31"],
               date=[date(2024, 2, 29), date(1900, 1, 1), date(9999, 12, 31)],
               timestamp=[MIDNIGHT, datetime(1900, 1, 1), datetime(9999, 12, 31)])  # fmt: skip


def instants(late):
    """What instants of the test become; the last one has a fraction that `late` is."""
    fraction = f"{late.microsecond:06}".rstrip("0")
    text = f"2024-02-29 10:00:00{'.' if fraction else ''}{fraction}"
    return refused(string=["2024-02-29 00:00:00", "1969-12-31 23:59:59", text],
                   date=[date(2024, 2, 29), NO, NO],
                   timestamp=[MIDNIGHT, datetime(1969, 12, 31, 23, 59, 59), late])  # fmt: skip


TIMES = [time(18, 5), time(0, 0), time(23, 59, 59)]
MOMENTS = [MIDNIGHT, datetime(1969, 12, 31, 23, 59, 59), INSTANT]


def in_nanoseconds(zone=None):
    """A midnight, one nanosecond before 1970, and half a second with nanoseconds behind it."""
    of_day = int(datetime(2024, 2, 29).timestamp() - datetime(1970, 1, 1).timestamp()) * 10**9
    return pa.array([of_day, -1, of_day + 36_000_500_000_999], pa.timestamp("ns", zone))


NANOSECONDS = refused(
    string=["2024-02-29 00:00:00", "1969-12-31 23:59:59.999999", "2024-02-29 10:00:00.5"],
    date=[date(2024, 2, 29), NO, NO],
    timestamp=[MIDNIGHT, datetime(1969, 12, 31, 23, 59, 59, 999999), INSTANT],
)

#: Raw column → its three values, and what they become of each type.
CELLS = {
    "bool": (pa.array([True, False, True]),
             refused(string=["true", "false", "true"], boolean=[True, False, True])),
    **{f"int{bits}": (pa.array([0, 1, -7], f"int{bits}"), whole(0, 1, -7)) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (pa.array([0, 1, 200], f"uint{bits}"), whole(0, 1, 200)) for bits in (8, 16, 32, 64)},
    "int64 of 16 digits": (pa.array([10**16, 2**53, 2**63 - 1]), whole(10**16, 2**53, 2**63 - 1)),
    "uint64 of 20 digits": (pa.array([2**64 - 1, 1, 0], "uint64"),
                            whole(2**64 - 1, 1, 0)),
    "decimal without places": (pa.array([D(0), D(1), D(10**17)], pa.decimal128(20, 0)), whole(0, 1, 10**17)),
    "float16": (pa.array([1.0, 1.125, 2048.0], "float16"),
                {**FLOATS, "string": ["1", NO, "2048"], "integer": [1, NO, 2048],
                 "decimal": [D(1), D("1.13"), D(2048)], "float": [1.0, 1.125, 2048.0]}),
    "float32": (pa.array([1.0, 1.125, MOST], "float32"), FLOATS),
    "float64": (pa.array([1.0, 1.125, MOST]), FLOATS),
    "float64 that is no number": (pa.array([float("nan"), float("inf"), float("-inf")]), refused()),
    "float64 beyond": (pa.array([BEYOND, 1e300, -0.0]),
                       {**refused(), "string": [NO, NO, "0"], "integer": [NO, NO, 0], "decimal": [NO, NO, D(0)],
                        "float": [BEYOND, 1e300, 0.0], "boolean": [NO, NO, False]}),
    "float64 of cents": (pa.array([2.675, -1.005, 0.125]),
                         {**refused(), "decimal": [D("2.68"), D("-1.00"), D("0.13")],
                          "float": [2.675, -1.005, 0.125]}),
    "decimal": (pa.array([D("1.000"), D("-1.005"), D("0.125")], pa.decimal128(18, 3)),
                {**refused(), "string": ["1", NO, NO], "integer": [1, NO, NO],
                 "decimal": [D("1.00"), D("-1.01"), D("0.13")], "float": [1.0, -1.005, 0.125],
                 "boolean": [True, NO, NO]}),
    "decimal of 38 digits": (pa.array([D("12345678901234567890.123456789"), D("0.000000001"), D(5)],
                                      pa.decimal128(38, 9)),
                             {**refused(), "string": [NO, NO, "5"], "integer": [NO, NO, 5],
                              "decimal": [NO, D(0), D(5)], "float": [12345678901234567890.123456789, 1e-9, 5.0]}),
    "decimal of 50 digits": (pa.array([D("123456789012345678901234567890123456789.5"), D("1.5"), D("-2.5")],
                                      pa.decimal256(50, 1)),
                             {**refused(), "string": ["123456789012345678901234567890123456789.5", "1.5", "-2.5"],
                              "decimal": [NO, D("1.50"), D("-2.50")], "float": [1.2345678901234568e38, 1.5, -2.5]}),
    "date32": (pa.array([date(2024, 2, 29), date(1900, 1, 1), date(9999, 12, 31)]), DAYS),
    "date64": (pa.array([date(2024, 2, 29), date(1900, 1, 1), date(9999, 12, 31)], pa.date64()), DAYS),
    "timestamp[s]": (pa.array([m.replace(microsecond=0) for m in MOMENTS], pa.timestamp("s")),
                     instants(INSTANT.replace(microsecond=0))),
    "timestamp[ms]": (pa.array(MOMENTS, pa.timestamp("ms")), instants(INSTANT)),
    "timestamp[us]": (pa.array(MOMENTS, pa.timestamp("us")), instants(INSTANT)),
    "timestamp[us, UTC]": (pa.array(MOMENTS, pa.timestamp("us", "UTC")), instants(INSTANT)),
    "timestamp[us, Berlin]": (pa.array(MOMENTS, pa.timestamp("us")).cast(pa.timestamp("us", "Europe/Berlin")),
                              instants(INSTANT)),
    "timestamp[ns]": (in_nanoseconds(), NANOSECONDS),
    "timestamp[ns, Berlin]": (in_nanoseconds("Europe/Berlin"), NANOSECONDS),
    "dictionary of timestamp[ns]": (in_nanoseconds().dictionary_encode(), NANOSECONDS),
    "time32[s]": (pa.array(TIMES, pa.time32("s")), refused(string=["18:05:00", "00:00:00", "23:59:59"])),
    "time32[ms]": (pa.array([*TIMES[:2], time(1, 2, 3, 500000)], pa.time32("ms")),
                   refused(string=["18:05:00", "00:00:00", "01:02:03.5"])),
    "time64[us]": (pa.array([*TIMES[:2], time(1, 2, 3, 40)], pa.time64("us")),
                   refused(string=["18:05:00", "00:00:00", "01:02:03.00004"])),
    "time64[ns]": (pa.array([0, 1, 3_600_000_000_000], pa.time64("ns")),
                   refused(string=["00:00:00", "00:00:00.000000001", "01:00:00"])),
    "duration": (pa.array([0, 90, -1], pa.duration("s")), refused(string=["0s", "90s", "-1s"])),
    "uuid": (pa.array([bytes(range(16)), bytes(16), b"\xff" * 16], pa.uuid()),
             refused(string=["00010203-0405-0607-0809-0a0b0c0d0e0f", "00000000-0000-0000-0000-000000000000",
                             "ffffffff-ffff-ffff-ffff-ffffffffffff"])),
    "null": (pa.nulls(3), refused()),
    "string": (pa.array([" 7 ", "", "x"]), refused(string=["7", NO, "x"], integer=[7, NO, NO], decimal=[D(7), NO, NO],
                                                   float=[7.0, NO, NO])),
    "large_string": (pa.array(["a", "b", "c"], pa.large_string()), refused(string=["a", "b", "c"])),
    "dictionary": (pa.array(["a", "b", "a"]).dictionary_encode(), refused(string=["a", "b", "a"])),
}  # fmt: skip


def source_of(name, type_):
    columns = [Column("n", type="integer"), Column("t", type="date"), Column("x", type=type_, raw=name)]
    return Source("payments", read=Csv("payments.csv"), key="n", event_time="t", columns=columns)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """All raw columns in one file, plain as a reader would land it."""
    folder = tmp_path_factory.mktemp("rows")
    pq.write_table(pa.table({name: values for name, (values, _) in CELLS.items()}), folder / "raw.parquet")
    write_plain(folder / "raw.parquet", folder / "plain.parquet", {})
    return folder / "plain.parquet"


def test_every_cell_becomes_what_the_table_says(engine, rows):
    engine.read_parquet("raw_cells", Parquet("plain.parquet"), [rows])
    types = {
        f.name: "text" if pa.types.is_string(f.type) else str(f.type) for f in engine.schema("SELECT * FROM raw_cells")
    }
    cells = [(name, type_) for name in CELLS for type_ in TYPES]
    made = []
    for number, (name, type_) in enumerate(cells):
        source = source_of(name, type_)
        made.append(f"{typed_value(source, source.column('x'), engine.dialect, types)} AS c{number}")
    found = engine.run(f"SELECT {', '.join(made)} FROM raw_cells")
    wrong = {}
    for number, (name, type_) in enumerate(cells):
        right, got = CELLS[name][1][type_], found[f"c{number}"].to_pylist()
        got = [value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in got]
        if got != right or list(map(type, got)) != list(map(type, right)):
            wrong[name, type_] = (got, right)
    assert not wrong


def test_every_kind_of_the_table_stands_in_a_cell_or_is_refused(rows):
    kinds = {kind_of(str(field.type)) for field in pq.read_schema(rows)}
    assert set(CONVERSIONS) - kinds <= {"several", "bytes", "time of day"}
    assert all(one.refuses_all for kind in ("several", "bytes") for one in CONVERSIONS[kind].values())


@pytest.mark.parametrize(
    ("raw_type", "kind"),
    [("bigint", "whole number"), ("decimal(20,0)", "whole number"), ("decimal(18,2)", "decimal"), ("double", "float"),
     ("timestamp_ntz", "timestamp"), ("array<string>", "several"), ("void", "text"), ("interval day", "bytes")],
)  # fmt: skip
def test_the_types_of_spark_are_of_the_same_kinds(raw_type, kind):
    assert kind_of(raw_type) == kind


def test_only_files_with_such_types_are_landed(rows):
    assert is_plain(pq.read_schema(rows))
    special = {name for name, (values, _) in CELLS.items() if not is_plain(pa.schema([(name, values.type)]))}
    assert special == {
        "float16", "decimal of 50 digits", "timestamp[ns]", "timestamp[ns, Berlin]", "dictionary of timestamp[ns]",
        "time32[s]", "time32[ms]", "time64[us]", "time64[ns]", "duration", "uuid",
    }  # fmt: skip


def test_the_page_is_the_table():
    assert PAGE.read_text() == conversions_reference()


NULLS = [
    ("integer", pa.array([9999, 1]), ["9999"], [None, 1]),
    ("float", pa.array([float("nan"), 1.0]), ["NaN"], [None, 1.0]),
    ("float", pa.array([-99.5, 1.0]), ["-99.5"], [None, 1.0]),
    ("decimal", pa.array([D("9.99"), D("1.00")]), ["9.99"], [None, D("1.00")]),
    ("date", pa.array([date(1900, 1, 1), date(2024, 1, 1)]), ["1900-01-01"], [None, date(2024, 1, 1)]),
    ("date", pa.array([datetime(1900, 1, 1), datetime(2024, 1, 1)]), ["1900-01-01 00:00:00"], [None, date(2024, 1, 1)]),
    ("boolean", pa.array([0, 9]), ["9"], [False, None]),
    ("integer", pa.array([1, 2]), ["none", "'"], [1, 2]),
]


@pytest.mark.parametrize(("type_", "values", "null", "right"), NULLS)
def test_a_typed_value_may_be_a_spelling_of_null(engine, tmp_path, type_, values, null, right):
    pq.write_table(pa.table({"x": values}), tmp_path / "rows.parquet")
    engine.read_parquet("raw_nulls", Parquet("rows.parquet"), [tmp_path / "rows.parquet"])
    column = Column("x", type=type_, null=null)
    source = Source("payments", read=Csv("payments.csv"), key="n", event_time="t",
                    columns=[Column("n", type="integer"), Column("t", type="date"), column])  # fmt: skip
    types = {"x": str(engine.schema("SELECT * FROM raw_nulls").field("x").type)}
    found = engine.run(f"SELECT {typed_value(source, column, engine.dialect, types)} AS v FROM raw_nulls")
    assert found["v"].to_pylist() == right


def test_a_day_in_digits_is_read_by_its_format(engine, tmp_path):
    pq.write_table(pa.table({"x": pa.array([20240229, 20240230, 0])}), tmp_path / "rows.parquet")
    engine.read_parquet("raw_days", Parquet("rows.parquet"), [tmp_path / "rows.parquet"])
    column = Column("x", type="date", format="%Y%m%d", null=["0"])
    source = Source("payments", read=Csv("payments.csv"), key="n", event_time="t",
                    columns=[Column("n", type="integer"), Column("t", type="date"), column])  # fmt: skip
    found = engine.run(f"SELECT {typed_value(source, column, engine.dialect, {'x': 'int64'})} AS v FROM raw_days")
    assert found["v"].to_pylist() == [date(2024, 2, 29), None, None]


#: Digits and places of decimals; by hand, what rounds up to more digits than there are is refused.
DIGITS = [(5, 0), (4, 4), (18, 3), (18, 4), (19, 4), (38, 0), (38, 4), (38, 20), (38, 38)]


def whole_texts(chance):
    """Texts of numbers: of many digits and of few, halves between two, with exponents, and of more than 38 digits."""
    halves = ["0.00005", "-0.00005", "0.5", "-1.5", "99999.5", "99999.4", "0.99995", "-0.99994", "0.000149999999999999"]
    exponents = ["1e3", "1.25e-4", "5e-5", "-4.9999e-5", "12345e-4", "1.00001e4", "1e37", "1E38", "1e-45"]
    exponents += [
        "99999999999999999999e-10",
        "0.0000000000000000000001e22",
        "+1.5E+3",
        "-.5e1",
        "5.e0",
        "0e9999",
        "1e9999",
    ]
    long = ["9" * 38, "9" * 34 + ".99994", "9" * 34 + ".99995", "0." + "3" * 60, "-" + "9" * 39, "." + "9" * 38]
    drawn = [
        f"{chance.randrange(-(10**n), 10**n)}.{chance.randrange(10**m):0{m}}"
        for n in range(1, 38, 3)
        for m in (1, 4, 5, 21)
    ]
    return [*halves, *exponents, *long, *drawn]


def decimals_drawn(chance):
    units = [chance.randrange(-(10**n), 10**n) for n in range(1, 39) for _ in range(3)]
    return [D((int(u < 0), tuple(map(int, str(abs(u)))), -10)) for u in [*units, 10**38 - 1, 1 - 10**38, 50_000, 5, 0]]


def floats_drawn(chance):
    drawn = [chance.uniform(-(10.0**n), 10.0**n) for n in range(-6, 20) for _ in range(4)]
    return [*drawn, *(round(value, 4) for value in drawn), 0.0, 0.5, 2.675, -1.005, 1e300, 12345678901.1234]


RAW = {
    "text": lambda chance: pa.array(whole_texts(chance)),
    "int64": lambda chance: pa.array([0, 7, -12345, 99999, 100000, 2**63 - 1, -(2**63), 10**14, 10**14 - 1]),
    "uint64": lambda chance: pa.array([0, 2**64 - 1, 10**18], "uint64"),
    "decimal": lambda chance: pa.array(decimals_drawn(chance), pa.decimal128(38, 10)),
    "double": lambda chance: pa.array(floats_drawn(chance)),
}


def exact_decimal(value, precision, scale):
    """A raw value as a decimal by Python's own: rounded half away from 0, None where it has too many digits."""
    with localcontext() as exact:
        exact.prec = 11_000
        number, unit = D(value), D((0, (1,), -scale))
        if isinstance(value, float):
            units = D(value * float(f"1e{scale}"))
            units = units.quantize(D(1), ROUND_HALF_UP) if abs(units) <= 2**53 + 1 else units
            if abs(units) > 2**53:
                return None
            number = units * unit
        rounded = number.quantize(unit, ROUND_HALF_UP)
        return rounded if abs(rounded) < D(10) ** (precision - scale) else None


@pytest.mark.parametrize("raw", RAW)
def test_decimals_of_any_digits_are_those_of_python_and_their_roundings_are_counted(raw, engine, tmp_path):
    values = RAW[raw](random.Random(raw))  # noqa: S311
    pq.write_table(pa.table({raw: values, "n": pa.array(range(len(values)), pa.int64())}), tmp_path / "raw.parquet")
    write_plain(tmp_path / "raw.parquet", tmp_path / "plain.parquet", {})
    engine.read_parquet("raw_cells", Parquet("plain.parquet"), [tmp_path / "plain.parquet"])
    types = {
        f.name: "text" if pa.types.is_string(f.type) else str(f.type) for f in engine.schema("SELECT * FROM raw_cells")
    }
    made = []
    for number, (precision, scale) in enumerate(DIGITS):
        column = Column("x", type="decimal", raw=raw, precision=precision, scale=scale)
        source = Source("payments", read=Csv("payments.csv"), key="n", event_time="t",
                        columns=[Column("n", type="integer"), Column("t", type="date", raw="n"), column])  # fmt: skip
        (cell,) = [cell for cell in cells_of(source, engine.dialect, types) if cell.column == column]
        made += [f"{cell.typed} AS c{number}", f"{rounded([cell], engine.dialect)} AS r{number}"]
    found = engine.run(f"SELECT {', '.join(made)} FROM raw_cells ORDER BY n")
    wrong = []
    for number, (precision, scale) in enumerate(DIGITS):
        assert found.schema.field(f"c{number}").type == pa.decimal128(precision, scale)
        for value, got, counted in zip(
            values.to_pylist(), found[f"c{number}"].to_pylist(), found[f"r{number}"].to_pylist(), strict=True
        ):
            right = exact_decimal(value, precision, scale)
            if got != right or (right is not None and counted != is_off(value, right, scale)):
                wrong.append((precision, scale, value, got, right, counted))
    assert wrong == [], "\n".join(map(str, wrong))


NUMBERS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    st.from_regex(r"[0-9]{1,40}([.][0-9]{0,45})?|[.][0-9]{1,45}", fullmatch=True),
    st.one_of(st.just(""), st.from_regex(r"[eE][+-]?[0-9]{1,2}", fullmatch=True)),
)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        yield opened


@settings(deadline=None, max_examples=200)
@given(text=NUMBERS, digits=st.sampled_from(DIGITS))
def test_any_text_of_a_number_is_the_decimal_of_python_or_refused(connection, text, digits):
    column = Column("x", type="decimal", precision=digits[0], scale=digits[1])
    source = Source("payments", read=Csv("payments.csv"), key="n", event_time="t",
                    columns=[Column("n", type="integer"), Column("t", type="date"), column])  # fmt: skip
    typed = typed_value(source, column, "duckdb", {"x": "text"})
    (found,) = connection.execute(f"SELECT {typed} FROM (SELECT '{text}' AS x) AS r").fetchone()
    assert found == exact_decimal(text, *digits)


def is_off(value, right, scale):
    """Whether a value was rounded; a float but for the bits in which it differs from the decimal that it stands for.

    So it is with a text that has an exponent, whose value is compared as a float.
    """
    if isinstance(value, str) and "e" in value.lower():
        return abs(D(value) - right) > abs(D(value)) * D("1e-15")
    if isinstance(value, float):
        return abs(value - float(right)) > max(10.0 ** -(scale + 3), abs(value) * 1e-15)
    return D(value) != right
