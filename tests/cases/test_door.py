"""What became another value at the door, without a word: each case with its right value, on both engines.

Rebuilt from reports of other tools, such as duckdb/duckdb#10431, OpenRefine#5246, pandas#32084, apache/spark#10262.
"""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stages.runs import edit
from tiny_bank import write_tiny_bank

from tenure import FeatureStore
from tenure.catalog.check import check
from tenure.engines.base import Engine
from tenure.errors import BadValue, MissingColumn, UnreadableFile
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

TEXT_KEYS = ('Column("customer_id", type="integer", role="key")', 'Column("customer_id", role="key")')

#: Blanks that TRIM leaves: a tab, no-break spaces, an ideographic one, a zero-width one, a byte order mark.
BLANKS = ["\t", "\u00a0", "\u202f", "\u3000", "\u200b", "\ufeff", " \u00a0\t "]

#: Keys whose text says more than the number that they could be read as.
NO_INTEGERS = ("007", "+7", "-007", "00")

TYPES = {"payment_id": pa.int64(), "customer_id": pa.int64(), "paid_on": pa.date32(), "amount": pa.float64()}


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def staged(bank: Path, engine: Engine | None = None, last: str = "staging") -> Work:
    work = Work.open(bank, engine=engine.dialect if engine else "", overrides={"verify": {"customers": 0}})
    if engine:
        work.use_engine(engine)
    list(run(work, stages_between("staging", last)))
    return work


def rows_of(work: Work, source: str) -> list[dict]:
    return work.read(source).to_pylist()


def as_text(bank: Path) -> None:
    """Declare the customers' keys as texts, in both sources."""
    sources = (bank / "sources.py").read_text()
    assert sources.count(TEXT_KEYS[0]) == 2
    (bank / "sources.py").write_text(sources.replace(*TEXT_KEYS))


def in_parquet(bank: Path, *files: pa.Table, folders: tuple[str, ...] = ()) -> None:
    """Let the bank's payments be Parquet files."""
    pattern = f"payments/{'*/' if folders else ''}*.parquet"
    edit(bank / "sources.py", 'Csv("payments.csv")', f'Parquet("{pattern}")')
    edit(bank / "sources.py", "import Column, Csv,", "import Column, Csv, Parquet,")
    for number, rows in enumerate(files):
        folder = bank / "data" / "payments" / (folders[number] if folders else "")
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, folder / f"{number}.parquet")


def payments(**columns) -> pa.Table:
    """Two payments of the first customer, but for the columns given."""
    rows = {"payment_id": [1, 2], "customer_id": [1, 1], "paid_on": [date(2024, 3, 1)] * 2, "amount": [1.5, 2.5]}
    plain = {name: pa.array(values, TYPES[name]) for name, values in rows.items()}
    return pa.table(plain | columns)


# Keys


def test_a_text_is_the_same_key_whatever_its_blanks_and_however_composed_and_keeps_its_zeros(bank, engine, tmp_path):
    as_text(bank)
    composed, parts = "Jos\u00e9", "Jose\u0301"
    lines = [f'{990_900 + number},"{blank}1{blank}",2024-03-01,7.77' for number, blank in enumerate(BLANKS)]
    with (bank / "data" / "customers.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{key},north,2023-01-01,\n" for key in (composed, *NO_INTEGERS))
    with (bank / "data" / "payments.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in (*lines, f"990999,{parts},2024-03-15,7.78"))
    work = staged(bank, engine, last="features" if engine.dialect == "duckdb" else "staging")
    paid = [(float(row["amount"]), row["customer_id"]) for row in rows_of(work, "payments")]
    assert [key for amount, key in paid if amount == 7.77] == ["1"] * len(BLANKS)
    assert [key for amount, key in paid if amount == 7.78] == [composed]
    assert {composed, *NO_INTEGERS} <= {row["customer_id"] for row in rows_of(work, "customers")}
    if engine.dialect == "duckdb":
        spine = tmp_path / "spine.csv"
        spine.write_text(f"customer_id,event_timestamp\n{parts},2024-03-31\n", encoding="utf-8")
        with FeatureStore(work) as store:
            assert store.get_historical_features(spine, ["payment_count_30d"]).unmatched() == (0, 0)


def test_a_number_with_leading_zeros_or_a_sign_is_no_integer_key_and_a_text_is_the_cure(bank, engine):
    with (bank / "data" / "customers.csv").open("a") as file:
        file.writelines(f"{key},north,2024-01-01,\n" for key in NO_INTEGERS)
    with pytest.raises(BadValue, match=r"'customer_id': not a plain integer: .*0?7.*; 4 bad rows in all") as refused:
        staged(bank, engine)
    assert "Column('customer_id', type='string', role='key')" in refused.value.hint


def test_whole_keys_of_a_float_are_the_texts_of_whole_numbers(bank, engine):
    as_text(bank)
    in_parquet(bank, payments(customer_id=pa.array([1.0, 2.0])))
    assert {row["customer_id"] for row in rows_of(staged(bank, engine), "payments")} == {"1", "2"}


@pytest.mark.parametrize("declared", ["integer", "text"])
def test_a_float_that_is_no_whole_number_for_sure_is_no_key(bank, engine, declared):
    if declared == "text":
        as_text(bank)
    in_parquet(bank, payments(customer_id=pa.array([1.5, 2.0**53 + 2])))
    with pytest.raises(BadValue, match=r"column 'customer_id': not a plain integer: .*; 2 bad rows in all"):
        staged(bank, engine)


@pytest.mark.parametrize("key", [2.0**53 + 2, 1e18])
def test_a_float_beyond_its_whole_numbers_is_no_key_of_a_spine(bank, key):
    with staged(bank, last="features") as work, FeatureStore(work) as store:
        rows = pa.table({"customer_id": pa.array([1.0, key]), "event_timestamp": [datetime(2024, 3, 31)] * 2})
        with pytest.raises(BadValue, match=r"row 1 \(counted from 0\) is beyond 2\^53"):
            store.get_historical_features(rows, ["payment_count_30d"]).to_arrow()


def test_a_spine_in_csv_comes_back_as_it_went_in(bank, tmp_path):
    spine = tmp_path / "spine.csv"
    spine.write_text(
        "customer_id,event_timestamp,branch,country,note\n2,2024-03-31,007,NA,null\n2,2024-03-31,1e5,DE,true\n"
    )
    with staged(bank, last="features") as work, FeatureStore(work) as store:
        rows = store.get_historical_features(spine, ["payment_count_30d"]).to_arrow().to_pylist()
    assert [row["branch"] for row in rows] == ["007", "1e5"]
    assert [row["country"] for row in rows] == ["NA", "DE"]
    assert [row["note"] for row in rows] == ["null", "true"]


@pytest.mark.parametrize("key", ["NA", "NULL", "null", "0017", "1 "])
def test_a_key_of_a_spine_in_csv_is_the_text_that_stands_there(bank, tmp_path, key):
    as_text(bank)
    with (bank / "data" / "customers.csv").open("a") as file:
        file.write(f"{key},north,2023-01-01,\n" if key != "1 " else "")
    with (bank / "data" / "payments.csv").open("a") as file:
        file.write(f"990901,{key},2024-03-15,1.00\n")
    spine = tmp_path / "spine.csv"
    spine.write_text(f"customer_id,event_timestamp\n{key},2024-03-31\n")
    with staged(bank, last="features") as work, FeatureStore(work) as store:
        job = store.get_historical_features(spine, ["payment_count_30d"])
        (row,) = job.to_arrow().to_pylist()
        assert job.unmatched() == (0, 0)
    assert row["customer_id"] == key
    assert row["payment_count_30d"] >= 1


@pytest.mark.parametrize("key", ["007", "+7", "1.0", "x"])
def test_a_spine_whose_integer_keys_are_written_otherwise_is_refused(bank, tmp_path, key):
    spine = tmp_path / "spine.csv"
    spine.write_text(f"customer_id,event_timestamp\n1,2024-03-31\n{key},2024-03-31\n")
    with staged(bank, last="features") as work, FeatureStore(work) as store:
        with pytest.raises(BadValue, match=r"can't be read as a plain integer: the value in row 1") as refused:
            store.get_historical_features(spine, ["payment_count_30d"])
        assert "type='string'" in refused.value.hint


# Files of one source


# Told from the files' own schemas, before an engine reads them.
@pytest.mark.thorough_on_spark
@pytest.mark.parametrize(
    ("second", "told"),
    [
        (payments().drop_columns(["amount"]), "it lacks column 'amount' of the first"),
        (payments().append_column("more", pa.array([1, 2])), "it has a column 'more' that is not in the first"),
        (payments(amount=pa.array([1, 2])), "column 'amount' is int64, and double in the first"),
        (payments(paid_on=pa.array([datetime(2024, 3, 1)] * 2)), r"column 'paid_on' is timestamp\[us\], and date32"),
    ],
)
def test_files_of_one_source_have_the_same_columns_and_types(bank, engine, second, told):
    in_parquet(bank, payments(), second)
    with pytest.raises(MissingColumn, match=f"file 2 of 2 .*: {told}"):
        staged(bank, engine)


def test_a_column_whose_texts_one_file_keeps_as_a_dictionary_is_the_same_column(bank):
    texts = pa.array(["a", "b"])
    rows = payments(channel=texts), payments(channel=texts.dictionary_encode(), payment_id=pa.array([3, 4]))
    in_parquet(bank, *rows)
    assert len(rows_of(staged(bank), "payments")) == 4


# Told from the files' own schemas.
@pytest.mark.thorough_on_spark
def test_a_folder_that_tells_another_value_than_the_file_is_refused(bank, engine):
    late = payments(paid_on=pa.array([datetime(2024, 2, 28, 7, 4)] * 2))
    in_parquet(bank, late, folders=("paid_on=2024-02-29",))
    with pytest.raises(MissingColumn, match="column 'paid_on' stands in the file, and in the name of its folder"):
        staged(bank, engine)


# Values


# Of what Spark says itself: an integer, and what it would make a text of without a word.
@pytest.mark.thorough_on_spark("of a date", "of an integer", "of bytes")
@pytest.mark.parametrize(
    ("column", "declared", "values", "told"),
    [
        ("paid_on", "", pa.array([datetime(2024, 3, 1), datetime(2024, 3, 1, 18, 5)]), "not a date: 2024-03-01 18:05"),
        ("flag", 'Column("flag", type="boolean")', pa.array([1, 2]), "not a boolean: 2"),
        ("flag", 'Column("flag", type="boolean")', pa.array([0.0, 0.5]), "not a boolean: 0.5"),
        ("tags", 'Column("tags")', pa.array([["a"], ["b"]]), "reads column 'tags' as a string, but its data have it"),
        ("tags", 'Column("tags")', pa.array([b"a", b"b"]), "reads column 'tags' as a string, but its data have it"),
        ("tags", 'Column("tags")', pa.array([{"a": 1}, {"a": 2}]), "reads column 'tags' as a string, but its data"),
    ],
    ids=["of a date", "of an integer", "of a float", "of a list", "of bytes", "of a struct"],
)
def test_a_value_that_would_be_cut_or_guessed_is_refused(bank, engine, column, declared, values, told):
    if declared:
        edit(bank / "sources.py", '        Column("paid_on"', f'        {declared},\n        Column("paid_on"')
    in_parquet(bank, payments(**{column: values}))
    with pytest.raises(BadValue, match=told):
        staged(bank, engine)


@pytest.mark.parametrize(("early", "seen"), [(-1000, 1), (-1, 1), (0, 0), (1, 0), (999, 0)])
def test_a_row_known_some_nanoseconds_before_an_instant_or_after_it(bank, early, seen):
    """In Parquet and in the spine alike; the spine's instant is a whole microsecond here."""
    edit(bank / "sources.py", 'Column("paid_on", type="date"', 'Column("paid_on", type="timestamp"')
    instant = int(datetime(2024, 3, 31, 12, tzinfo=UTC).timestamp()) * 10**9
    times = pa.array([instant + early, instant - 10**15], pa.int64()).cast(pa.timestamp("ns"))
    in_parquet(bank, payments(paid_on=times))
    spine = pa.table({"customer_id": [1], "event_timestamp": pa.array([instant], pa.timestamp("ns"))})
    with staged(bank, last="features") as work, FeatureStore(work) as store:
        (row,) = store.get_historical_features(spine, ["payment_count_30d"]).to_arrow().to_pylist()
    assert row["payment_count_30d"] == 1 + seen


SOME_ENGINES_READ = {
    "a_uuid": (pa.array([bytes(range(16)), bytes(16)], pa.uuid()), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
    "a_time": (pa.array([time(18, 5), time(0, 0)], pa.time64("us")), "18:05:00"),
    "a_decimal": (pa.array([Decimal("9" * 39 + ".5"), Decimal("1.0")], pa.decimal256(45, 1)), "9" * 39 + ".5"),
    "a_duration": (pa.array([90, 0], pa.duration("s")), "90s"),
    "a_float16": (pa.array([7.0, 8.0], pa.float16()), "7"),
}


# One alone is landed too: on Spark all of them in one file, on DuckDB each in its own.
@pytest.mark.thorough_on_spark("all")
@pytest.mark.parametrize(
    "names", [SOME_ENGINES_READ, *([name] for name in SOME_ENGINES_READ)], ids=["all", *SOME_ENGINES_READ]
)
def test_types_that_only_some_engines_read_are_landed(bank, engine, names):
    declared = "".join(f'        Column("{name}"),\n' for name in names)
    edit(bank / "sources.py", '        Column("paid_on"', f'{declared}        Column("paid_on"')
    in_parquet(bank, payments(**{name: SOME_ENGINES_READ[name][0] for name in names}))
    rows = sorted(rows_of(staged(bank, engine), "payments"), key=lambda row: row["payment_id"])
    assert {name: rows[0][name] for name in names} == {name: SOME_ENGINES_READ[name][1] for name in names}


# Told from the files' own bytes.
@pytest.mark.thorough_on_spark
def test_texts_of_parquet_that_are_no_utf_8_are_refused(bank, engine):
    edit(bank / "sources.py", '        Column("paid_on"', '        Column("note"),\n        Column("paid_on"')
    latin = pa.Array.from_buffers(pa.string(), 2, pa.array([b"caf\xe9", b"b"], pa.binary()).buffers())
    in_parquet(bank, payments(note=latin))
    with pytest.raises(UnreadableFile, match=r"column 'note' of row group 0 .*has bytes that are no UTF-8"):
        staged(bank, engine)


def test_texts_of_csv_that_are_no_utf_8_are_refused_with_their_line(bank, engine):
    file = bank / "data" / "customers.csv"
    file.write_bytes(file.read_bytes() + b"990,caf\xe9,2024-01-01,\n")
    with pytest.raises(UnreadableFile, match=r"customers.csv"):
        staged(bank, engine)


def test_midnights_are_days_0_and_1_are_booleans_and_whole_keys_of_a_float_are_whole(bank, engine):
    edit(
        bank / "sources.py",
        '        Column("paid_on"',
        '        Column("flag", type="boolean"),\n        Column("paid_on"',
    )
    in_parquet(
        bank,
        payments(paid_on=pa.array([datetime(2024, 3, 1)] * 2), flag=pa.array([0, 1]), customer_id=pa.array([1.0, 2.0])),
    )
    rows = sorted(rows_of(staged(bank, engine), "payments"), key=lambda row: row["payment_id"])
    day = date(2024, 3, 1)
    assert [(row["paid_on"], row["flag"], row["customer_id"]) for row in rows] == [(day, False, 1), (day, True, 2)]
    assert [type(row["customer_id"]) for row in rows] == [int, int]


@pytest.mark.parametrize("length", [131_073, 3_000_000])
def test_a_long_text_is_staged_whole(bank, length):
    edit(bank / "sources.py", '        Column("paid_on"', '        Column("note"),\n        Column("paid_on"')
    file = bank / "data" / "payments.csv"
    lines = file.read_text().splitlines()
    note = "x" * length
    file.write_text(
        "\n".join([f"{lines[0]},note", *(f"{line},a" for line in lines[1:-1]), f"{lines[-1]},{note}"]) + "\n"
    )
    assert max(len(row["note"]) for row in rows_of(staged(bank), "payments")) == length


def test_check_copies_no_more_than_the_first_rows_of_such_files(bank):
    times = pa.array([10**18, 10**18 + 1], pa.int64()).cast(pa.timestamp("ns"))
    edit(bank / "sources.py", 'Column("paid_on", type="date"', 'Column("paid_on", type="timestamp"')
    in_parquet(bank, payments(paid_on=times))
    with Work.open(bank) as work:
        told = {one.subject: one.message for one in check(work)}
        assert told["source payments"].endswith("2 rows read")
        assert not (bank / "lake" / "landing").exists()
