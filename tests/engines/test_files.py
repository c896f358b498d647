"""Raw files: their structure, the line in which something is wrong, and text that becomes typed values alike."""

import csv
import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenure.define.churn import ChurnDefinition
from tenure.define.events import Inactivity
from tenure.define.project import Entity, Project
from tenure.define.raw_tables import Csv
from tenure.define.source import Column, Source
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.engines.files import check_structure, csv_header, locate, matching_files
from tenure.errors import MissingColumn, MissingFile, UnreadableFile
from tenure.tables.staging import typed_rows


def write(folder, name, text, encoding="utf-8"):
    file = folder / name
    file.write_bytes(text.encode(encoding))
    return file


def broken(files, raw):
    with pytest.raises(UnreadableFile) as caught:
        check_structure(files, raw)
    assert caught.value.hint
    return caught.value.message


def test_sound_files_pass_the_structure_check(tmp_path):
    one = write(tmp_path, "1.csv", 'id,note\n1,"two\nlines, and ""quotes"""\n\n2,\n')
    two = write(tmp_path, "2.csv", "id,note\n")
    check_structure([one, two], Csv("*.csv"))


def test_row_of_another_width_is_told_with_the_line_it_begins_on(tmp_path):
    file = write(tmp_path, "1.csv", 'id,note\n1,"a\nb\nc"\n2,x,y\n')
    assert broken([file], Csv("1.csv")) == "1.csv, line 5: 3 fields where the header has 2."


def test_first_broken_of_many_files_is_told(tmp_path):
    files = [write(tmp_path, f"{n}.csv", f"id;note\n{n};x\n" + (";;\n" if n > 1 else "")) for n in range(4)]
    assert broken(files, Csv("*.csv", delimiter=";")).startswith("file 3 of 4 that match '*.csv', line 3: 3 fields")


@pytest.mark.parametrize("ending", ['"cut o', '"', '"a ""quote'])
def test_field_that_is_never_closed_is_told_with_where_the_file_was_still_sound(tmp_path, ending):
    file = write(tmp_path, "1.csv", "id,note\n1,a\n2,b\n3," + ending)
    message = broken([file], Csv("1.csv"))
    assert message.startswith("1.csv, after line 3: a quoted field is not closed")
    assert "Nothing of it was loaded" in message


def test_bytes_of_another_encoding_are_unreadable_and_right_ones_are_read(engine, tmp_path):
    file = write(tmp_path, "1.csv", "id,name\n1,Zoë\n", "latin-1")
    with pytest.raises(UnreadableFile):
        check_structure([file], Csv("1.csv"))
    raw = Csv("1.csv", encoding="latin-1")
    check_structure([file], raw)
    engine.read_csv("raw", raw, [file])
    assert engine.run("SELECT name FROM raw").to_pylist() == [{"name": "Zoë"}]


def test_byte_order_mark_is_no_part_of_the_first_name(engine, tmp_path):
    file = write(tmp_path, "1.csv", "\ufeffid,name\n1,a\n")
    assert csv_header([file], Csv("1.csv")) == ["id", "name"]
    engine.read_csv("raw", Csv("1.csv"), [file])
    assert engine.run("SELECT id, name FROM raw").to_pylist() == [{"id": "1", "name": "a"}]


def test_byte_order_mark_may_stand_before_a_quoted_name(engine, tmp_path):
    file = write(tmp_path, "1.csv", '\ufeff"id","name"\r\n"1","a, b"\r\n')
    engine.read_csv("raw", Csv("1.csv"), [file])
    assert engine.run("SELECT id, name FROM raw").to_pylist() == [{"id": "1", "name": "a, b"}]
    assert str(locate("1", [file], Csv("1.csv"), "id")) == "1.csv, line 2"


def test_a_compressed_file_is_refused_by_name(tmp_path):
    file = tmp_path / "1.csv.gz"
    file.write_bytes(gzip.compress(b"id,name\n1,a\n"))
    with pytest.raises(UnreadableFile, match=r"^1\.csv\.gz is compressed with gzip\.$") as caught:
        csv_header([file], Csv("1.csv.gz"))
    assert caught.value.hint == "Unpack it: gunzip 1.csv.gz."


def test_headers_that_differ_name_the_file(tmp_path):
    files = [write(tmp_path, "1.csv", "id,name\n1,a\n"), write(tmp_path, "2.csv", "name,id\na,1\n")]
    with pytest.raises(MissingColumn) as caught:
        csv_header(files, Csv("*.csv"))
    assert caught.value.message == (
        "file 2 of 2 that match '*.csv', line 1: the same 2 columns stand in another order than in the first of these "
        "files."
    )
    assert caught.value.hint


@pytest.mark.parametrize(("text", "told"), [("", "no columns"), ("\n", "no columns"), ("id,id\n", "a column twice")])
def test_header_that_names_nothing_or_twice_is_refused(tmp_path, text, told):
    with pytest.raises(UnreadableFile, match=f"1.csv, line 1: the header has {told}"):
        csv_header([write(tmp_path, "1.csv", text)], Csv("1.csv"))


def test_value_is_located_in_its_column_on_the_line_where_its_row_begins(tmp_path):
    file = write(tmp_path, "1.csv", 'id,note,day\n7,"7\n7",x\n8,x, 7 \n')
    assert str(locate("7", [file], Csv("1.csv"), "day")) == "1.csv, line 4"
    assert str(locate("7", [file], Csv("1.csv"), "id")) == "1.csv, line 2"
    assert str(locate("x", [file], Csv("1.csv"), "renamed")) == "1.csv, line 2", (
        "any column, where it is not the file's"
    )
    assert locate("9", [file], Csv("1.csv"), "id") is None


def test_missing_value_is_located_in_its_own_column_alone(tmp_path):
    file = write(tmp_path, "1.csv", "id,note\n1,\n,x\n")
    assert str(locate("", [file], Csv("1.csv"), "id")) == "1.csv, line 3"
    assert locate("", [file], Csv("1.csv"), "renamed") is None


def test_path_may_hold_stars_and_be_absolute(tmp_path):
    for name in ("b.csv", "a.csv", "c.txt"):
        write(tmp_path, name, "id\n")
    found = matching_files("*.csv", tmp_path, asked_by="source 'x'")
    assert [file.name for file in found] == ["a.csv", "b.csv"]
    assert matching_files(str(tmp_path / "c.*"), Path("elsewhere"), asked_by="x") == [tmp_path / "c.txt"]
    with pytest.raises(MissingFile, match=r"source 'x' reads 'd\.csv'.*there are: a\.csv, b\.csv, x\.txt"):
        matching_files("d.csv", tmp_path, asked_by="source 'x'")


def typed(engine, file, raw, columns):
    """The typed rows of a file, with the reason for setting each aside."""
    key = Column("row_id", type="integer", role="key")
    seen_on = Column("seen_on", type="date", role="time")
    source = Source("rows_read", read=raw, key="row_id", event_time="seen_on", columns=[key, seen_on, *columns])
    project = Project(
        name="Files",
        entity=Entity("customer", key="row_id", source="rows_read"),
        sources={"rows_read": source},
        views={},
        churn=ChurnDefinition("quiet", event=Inactivity("rows_read"), horizon=30),
    )
    types = engine.read_csv("rows_read", raw, [file])
    select = typed_rows(project, source, engine.dialect, types).text
    names = ", ".join(c.name for c in columns)
    return engine.run(f"SELECT {names}, quarantine_reason FROM ({select}) AS t ORDER BY row_id").to_pylist()


def spelled(tmp_path, texts, raw_name="value"):
    file = tmp_path / "spelled.csv"
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["row_id", "seen_on", raw_name])
        writer.writerows([n, "2024-01-01", text] for n, text in enumerate(texts))
    return file


def read_as(engine, tmp_path, kind, spellings, null=(), **column):
    """Assert that each spelling becomes its value; the value `...` stands for a refused row."""
    file = spelled(tmp_path, list(spellings))
    rows = typed(engine, file, Csv(file.name, null=null), [Column("value", type=kind, **column)])
    for (text, expected), row in zip(spellings.items(), rows, strict=True):
        if expected is ...:
            assert row["value"] is None, text
            assert row["quarantine_reason"] == f"value: not {article(kind)} {kind}: {text.strip()}"
        else:
            got = row["value"]
            got = got.replace(tzinfo=UTC) if isinstance(got, datetime) else got
            assert got == expected, text
            assert row["quarantine_reason"] is None, text


def article(kind):
    return "an" if kind == "integer" else "a"


def test_two_digit_years_follow_posix(engine, tmp_path):
    spellings = {
        "690101": date(1969, 1, 1),
        "991231": date(1999, 12, 31),
        "000229": date(2000, 2, 29),
        "681231": date(2068, 12, 31),
        "930230": ...,
        "93-1-1": ...,
        "": None,
    }
    read_as(engine, tmp_path, "date", spellings, format="%y%m%d")


def test_two_digit_years_of_timestamps_follow_posix(engine, tmp_path):
    spellings = {
        "931107 00:00:00": datetime(1993, 11, 7, tzinfo=UTC),
        "681231 23:59:59": datetime(2068, 12, 31, 23, 59, 59, tzinfo=UTC),
        "931107": ...,
    }
    read_as(engine, tmp_path, "timestamp", spellings, format="%y%m%d %H:%M:%S")


def test_offsets_of_timestamps_end_in_utc(engine, tmp_path):
    spellings = {
        "2024-03-01T00:30:00+02:00": datetime(2024, 2, 29, 22, 30, tzinfo=UTC),
        "2024-03-01 00:30:00-09:30": datetime(2024, 3, 1, 10, 0, tzinfo=UTC),
        "2024-03-01T00:30:00Z": datetime(2024, 3, 1, 0, 30, tzinfo=UTC),
        "2024-03-01 00:30:00.000001": datetime(2024, 3, 1, 0, 30, 0, 1, tzinfo=UTC),
        "2024-03-01": datetime(2024, 3, 1, tzinfo=UTC),
        "2024-03-01 00:30:00-0930": ...,
        "2024-03-01 25:00:00": ...,
        "1 March 2024": ...,
    }
    read_as(engine, tmp_path, "timestamp", spellings)


def test_dates_are_iso_and_exist(engine, tmp_path):
    spellings = {
        "2024-02-29": date(2024, 2, 29),
        " 2024-12-31 ": date(2024, 12, 31),
        "2023-02-29": ...,
        "2024-1-1": ...,
        "20240101": ...,
        "2024-01-01 10:00:00": ...,
    }
    read_as(engine, tmp_path, "date", spellings)


def test_decimals_are_exact(engine, tmp_path):
    spellings = {
        "0.1": Decimal("0.10"),
        "-1234567890123456.78": Decimal("-1234567890123456.78"),
        "+7": Decimal("7.00"),
        ".5": Decimal("0.50"),
        "8033.00": Decimal("8033.00"),
        "1,50": ...,
        "12345678901234567": ...,
        "NaN": ...,
        "$3": ...,
    }
    read_as(engine, tmp_path, "decimal", spellings)


def test_integers_may_carry_the_point_that_spreadsheets_leave(engine, tmp_path):
    spellings = {"007": 7, "17850.0": 17850, "-3": -3, "1.5": ..., "1e3": ..., "9223372036854775808": ...}
    read_as(engine, tmp_path, "integer", spellings)


def test_booleans_have_their_usual_spellings(engine, tmp_path):
    true = dict.fromkeys(("true", "T", "Yes", "y", "1"), True)
    false = dict.fromkeys(("FALSE", "f", "no", "N", "0"), False)
    read_as(engine, tmp_path, "boolean", true | false | {"maybe": ..., "": None})


def test_null_has_the_spellings_that_the_source_lists(engine, tmp_path):
    spellings = {"": None, " ": None, "?": None, "n/a": None, " ? ": None, "??": "??", "0": "0", " a ": "a"}
    read_as(engine, tmp_path, "string", spellings, null=("?", "n/a"))


VALUES = st.fixed_dictionaries(
    {
        "note": st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1),
        "pieces": st.none() | st.integers(-(2**63), 2**63 - 1),
        "amount": st.none() | st.decimals("-9999999999999999.99", "9999999999999999.99", places=2),
        "rate": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "vip": st.none() | st.booleans(),
        "born_on": st.none() | st.dates(),
        "booked_at": st.none() | st.datetimes(timezones=st.just(UTC)),
    }
)
KINDS = {
    "note": "string",
    "pieces": "integer",
    "amount": "decimal",
    "rate": "float",
    "vip": "boolean",
    "born_on": "date",
    "booked_at": "timestamp",
}


@pytest.fixture(scope="module")
def duckdb_engine():
    made = DuckDBEngine(EngineSettings(memory="1GB", threads=1))
    yield made
    made.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=st.lists(VALUES, min_size=1, max_size=8))
def test_typed_values_survive_being_written_as_text(duckdb_engine, tmp_path, rows):
    file = tmp_path / "values.csv"
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["row_id", "seen_on", *KINDS])
        for number, row in enumerate(rows):
            writer.writerow([number, "2024-01-01", *("" if row[n] is None else str(row[n]) for n in KINDS)])
    found = typed(duckdb_engine, file, Csv(file.name), [Column(n, type=kind) for n, kind in KINDS.items()])
    for row, got in zip(rows, found, strict=True):
        at = got["booked_at"]
        assert {**got, "booked_at": at and at.replace(tzinfo=UTC)} == {**row, "quarantine_reason": None}
