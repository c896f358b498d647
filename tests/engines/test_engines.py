"""What every engine must do. A new engine passes these once its name stands in the `engine` fixture."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.define.raw_tables import Csv, Parquet
from tenure.engines import open_engine
from tenure.engines.base import ArrayEngine, EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import EngineError, InvalidConfig, UnreadableFile
from tenure.store.lake import Lake

LAST_MICROSECOND = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)

ROWS = [
    {
        "customer_id": 1,
        "balance": Decimal("-1234567890123456.78"),
        "score": 0.1,
        "open": True,
        "name": "Zoë 'O\\Neil'\n",
        "opened_on": date(2024, 2, 29),
        "booked_at": LAST_MICROSECOND,
    },
    {
        "customer_id": 2,
        "balance": Decimal("0.01"),
        "score": -1e300,
        "open": False,
        "name": "",
        "opened_on": date(1899, 12, 31),
        "booked_at": datetime(1899, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    },
    {
        "customer_id": 3,
        "balance": Decimal("9999999999999999.99"),
        "score": 0.0,
        "open": None,
        "name": "x",
        "opened_on": date(1, 1, 1),
        "booked_at": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    },
    {
        "customer_id": 4,
        "balance": None,
        "score": None,
        "open": None,
        "name": None,
        "opened_on": None,
        "booked_at": None,
    },
]
SCHEMA = pa.schema(
    [
        ("customer_id", pa.int64()),
        ("balance", pa.decimal128(18, 2)),
        ("score", pa.float64()),
        ("open", pa.bool_()),
        ("name", pa.string()),
        ("opened_on", pa.date32()),
        ("booked_at", pa.timestamp("us", tz="UTC")),
    ]
)
EVERY_TYPE = pa.Table.from_pylist(ROWS, schema=SCHEMA)


def stored(engine, tmp_path):
    """Every type as the relation `rows`, from a Parquet file that pyarrow wrote."""
    file = tmp_path / "rows.parquet"
    pq.write_table(EVERY_TYPE, file)
    engine.scan("rows", [file], SCHEMA, ())
    return "SELECT * FROM rows ORDER BY customer_id"


def plain(rows):
    """Rows in the types of SCHEMA: an engine may hand out instants as naive UTC and fields as never null."""
    return rows.cast(SCHEMA).to_pylist()


def test_read_of_csv_keeps_every_value_as_text(engine, tmp_path):
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_bytes('id;Full Name;amount\n007;"semi;colon";1,50\n008;"say ""hi""\nthere";\n'.encode("latin-1"))
    two.write_bytes("id;Full Name;amount\n9;Zoë;true\n".encode("latin-1"))
    kinds = engine.read_csv("raw", Csv("*.csv", delimiter=";", encoding="latin-1"), [one, two])
    assert kinds == {"id": "text", "Full Name": "text", "amount": "text"}
    rows = engine.run("SELECT * FROM raw ORDER BY id").to_pylist()
    assert rows == [
        {"id": "007", "Full Name": "semi;colon", "amount": "1,50"},
        {"id": "008", "Full Name": 'say "hi"\nthere', "amount": None},
        {"id": "9", "Full Name": "Zoë", "amount": "true"},
    ]


def test_read_of_parquet_tells_text_from_types(engine, tmp_path):
    pq.write_table(pa.table({"id": [1], "name": ["a"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"id": [2], "name": ["b"], "late": [0.5]}), tmp_path / "2.parquet")
    kinds = engine.read_parquet("raw", Parquet("*.parquet"), [tmp_path / "1.parquet", tmp_path / "2.parquet"])
    assert list(kinds) == ["id", "name", "late"]
    assert [name for name, kind in kinds.items() if kind == "text"] == ["name"]
    assert engine.run("SELECT * FROM raw ORDER BY id").to_pylist() == [
        {"id": 1, "name": "a", "late": None},
        {"id": 2, "name": "b", "late": 0.5},
    ]


def test_file_that_is_not_parquet_is_named(engine, tmp_path):
    (tmp_path / "rows.parquet").write_text("customer_id,amount\n1,2\n")
    with pytest.raises(UnreadableFile, match=r"rows\.parquet is damaged Parquet: its footer can't be read"):
        engine.read_parquet("raw", Parquet("rows.parquet"), [tmp_path / "rows.parquet"])


def test_file_whose_pages_are_damaged_is_named_once_they_are_read(engine, tmp_path):
    pq.write_table(pa.table({"id": [f"{n:09}" for n in range(9999)]}), tmp_path / "rows.parquet")
    damaged = bytearray((tmp_path / "rows.parquet").read_bytes())
    damaged[4:30_000] = b"\xff" * (30_000 - 4)
    (tmp_path / "rows.parquet").write_bytes(damaged)
    engine.read_parquet("raw", Parquet("rows.parquet"), [tmp_path / "rows.parquet"])
    told = "column 'id' of row group 0 \\(counted from 0\\) can't be read"
    with pytest.raises(UnreadableFile, match=rf"rows\.parquet is damaged Parquet: {told}"):
        engine.run("SELECT id FROM raw")


def test_schema_tells_types_without_running_and_instants_are_utc(engine, tmp_path):
    select = stored(engine, tmp_path)
    assert engine.schema(select) == SCHEMA
    assert engine.schema("SELECT CAST(1 AS INT) AS n, CAST(NULL AS DOUBLE) AS x, TRUE AS b") == pa.schema(
        [
            ("n", pa.int32()),
            ("x", pa.float64()),
            ("b", pa.bool_()),
        ]
    )


def test_run_returns_every_type_and_null_as_it_was(engine, tmp_path):
    assert plain(engine.run(stored(engine, tmp_path))) == ROWS


def test_run_without_rows_still_has_columns(engine, tmp_path):
    found = engine.run(f"SELECT * FROM ({stored(engine, tmp_path)}) AS r WHERE customer_id > 99")
    assert found.num_rows == 0
    assert found.schema.names == SCHEMA.names


@pytest.mark.parametrize("partition_by", [(), ("opened_on",)])
def test_written_rows_are_committed_and_scanned_back(engine, tmp_path, partition_by):
    lake = Lake(tmp_path / "lake")
    select = (
        stored(engine, tmp_path)
        if not partition_by
        else (f"SELECT * FROM ({stored(engine, tmp_path)}) AS r WHERE opened_on IS NOT NULL ORDER BY customer_id")
    )
    files = engine.write(select, lake.path("features"), partition_by)
    assert len(files) == (len(ROWS) - 1 if partition_by else 1)
    assert all(file.is_file() and file.is_relative_to(lake.path("features")) for file in files)
    version = lake.commit("features", files, engine.schema(select), partition_by=partition_by)
    assert version.schema == SCHEMA
    expected = ROWS[: version.rows]
    assert version.rows == len(ROWS) - bool(partition_by)

    engine.scan("features", version.files, version.schema, version.partition_by)
    assert plain(engine.run("SELECT * FROM features ORDER BY customer_id")) == expected
    assert lake.read("features").sort_by("customer_id").select(SCHEMA.names).to_pylist() == expected


@pytest.mark.parametrize("partition_by", [(), ("opened_on",)])
def test_table_without_rows_is_written_committed_and_scanned(engine, tmp_path, partition_by):
    lake = Lake(tmp_path / "lake")
    select = f"SELECT * FROM ({stored(engine, tmp_path)}) AS r WHERE customer_id > 99"
    files = engine.write(select, lake.path("features"), partition_by)
    version = lake.commit("features", files, engine.schema(select), partition_by=partition_by)
    assert (version.rows, version.schema) == (0, SCHEMA)
    engine.scan("features", version.files, version.schema, version.partition_by)
    assert engine.run("SELECT * FROM features").num_rows == 0
    assert engine.schema("SELECT * FROM features") == SCHEMA


def test_second_write_into_a_folder_names_its_own_files_only(engine, tmp_path):
    first = engine.write("SELECT 1 AS x, DATE '2024-01-31' AS day", tmp_path / "t", ("day",))
    second = engine.write("SELECT 2 AS x, DATE '2024-01-31' AS day", tmp_path / "t", ("day",))
    assert len(first) == len(second) == 1
    assert set(first).isdisjoint(second)
    assert [pq.ParquetFile(file).read()["x"].to_pylist() for file in (*first, *second)] == [[1], [2]]
    found = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {first[0].name, second[0].name}, "nothing but the Parquet files stays"


def test_rows_are_written_in_the_order_of_the_select(engine, tmp_path):
    numbers = " UNION ALL ".join(f"SELECT {n * 7 % 50} AS x" for n in range(50))
    (file,) = engine.write(f"SELECT x FROM ({numbers}) AS n ORDER BY x DESC", tmp_path / "t", ())
    assert pq.read_table(file)["x"].to_pylist() == list(range(49, -1, -1))


def test_partition_values_of_any_text_survive(engine, tmp_path):
    lake = Lake(tmp_path / "lake")
    texts = ["a b", "c/d", "é%20", "x=y", "q?#", "it's", None]
    pq.write_table(pa.table({"n": range(len(texts)), "region": pa.array(texts, pa.string())}), tmp_path / "in.parquet")
    schema = pa.schema([("n", pa.int64()), ("region", pa.string())])
    engine.scan("raw", [tmp_path / "in.parquet"], schema, ())
    files = engine.write("SELECT * FROM raw", lake.path("by_region"), ("region",))
    version = lake.commit("by_region", files, schema, partition_by=("region",))
    assert all(file.is_file() for file in version.files)
    assert lake.read("by_region").sort_by("n")["region"].to_pylist() == texts
    assert lake.sweep("by_region") == 0


def test_hold_computes_once_and_may_be_replaced_by_what_reads_it(engine):
    engine.cache("kept", "SELECT 1 AS x UNION ALL SELECT 2 AS x")
    engine.cache("kept", "SELECT x + 10 AS x FROM kept")
    assert sorted(row["x"] for row in engine.run("SELECT * FROM kept").to_pylist()) == [11, 12]


def test_held_rows_do_not_change_with_the_file_they_came_from(engine, tmp_path):
    file = tmp_path / "raw.csv"
    file.write_text("x\n1\n")
    engine.read_csv("raw", Csv("raw.csv"), [file])
    engine.cache("kept", "SELECT x FROM raw")
    file.write_text("x\n2\n")
    assert engine.run("SELECT * FROM kept").to_pylist() == [{"x": "1"}]


@pytest.mark.parametrize("select", ["SELECT nothing FROM nowhere", "SELEC 1", "SELECT 1 AS x WHERE"])
def test_statement_that_cannot_run_is_an_engine_error_with_a_reason(engine, select):
    for action in (engine.run, engine.schema, lambda text: engine.cache("kept", text)):
        with pytest.raises(EngineError, match=r"can't run the statement: \S") as caught:
            action(select)
        assert caught.value.hint == "See it with 'tenure sql'."


def test_rows_stream_in_order_and_tables_are_registered_without_copies(tmp_path):
    engine = DuckDBEngine(EngineSettings())
    table = pa.table({"n": range(300_000), "amount": pa.array([Decimal("1.25")] * 300_000, pa.decimal64(18, 2))})
    engine.register("numbers", table)
    for joins_as_written in (False, True):
        with engine.stream("SELECT n, amount FROM numbers", joins_as_written=joins_as_written) as batches:
            rows = pa.Table.from_batches(list(batches))
        assert rows.schema.field("amount").type == pa.decimal64(18, 2)
        assert rows["n"].equals(table["n"])
        settings = ("arrow_output_version", "disabled_optimizers")
        told = engine.run(f"SELECT {', '.join(f'current_setting({name!r}) AS {name}' for name in settings)}")
        assert told.to_pylist() == [{"arrow_output_version": "1.0", "disabled_optimizers": ""}], "as before"
    assert isinstance(engine, ArrayEngine)
    for _ in range(2):  # letting go of what is not registered is nothing
        engine.unregister("numbers")
    with pytest.raises(EngineError, match="numbers"):
        engine.run("SELECT n FROM numbers")


def test_a_stream_that_can_not_run_is_an_engine_error_and_leaves_the_settings():
    engine = DuckDBEngine(EngineSettings())
    with pytest.raises(EngineError, match="nowhere"), engine.stream("SELECT * FROM nowhere", joins_as_written=True):
        pass
    assert engine.run("SELECT current_setting('disabled_optimizers') AS off")["off"].to_pylist() == [""]


def test_a_row_that_fails_while_rows_stream_is_an_engine_error():
    engine = DuckDBEngine(EngineSettings(threads=1))
    late = "SELECT CAST(CASE WHEN i = 2900000 THEN 'odd' ELSE '1' END AS INTEGER) AS n FROM range(3000000) AS t(i)"
    with pytest.raises(EngineError, match=r"can.t be converted|can.t compute the rows"), engine.stream(late) as batches:
        for _ in batches:
            pass


def test_streams_leave_the_banks_own_options_as_they_were():
    engine = DuckDBEngine(EngineSettings(options={"disabled_optimizers": "join_order"}))
    with engine.stream("SELECT 1 AS n", joins_as_written=True) as batches:
        batches.read_all()
    assert engine.run("SELECT current_setting('disabled_optimizers') AS off")["off"].to_pylist() == ["join_order"]


@pytest.mark.spark
def test_spark_is_no_engine_for_arrays(spark_session):
    from tenure.engines.spark import SparkEngine

    assert not isinstance(SparkEngine(EngineSettings(name="spark"), spark_session), ArrayEngine)


def test_version_names_the_engine(engine):
    name, number = engine.version.split()
    assert name == engine.dialect
    assert number[0].isdigit()


@pytest.mark.spark
@pytest.mark.parametrize("writer", ["duckdb", "spark"])
@pytest.mark.parametrize("partition_by", [(), ("opened_on",)])
def test_what_duckdb_or_spark_writes_the_other_reads(spark_session, tmp_path, writer, partition_by):
    from tenure.engines.spark import SparkEngine

    engines = [
        DuckDBEngine(EngineSettings(memory="1GB", threads=1)),
        SparkEngine(EngineSettings(name="spark"), spark_session),
    ]
    one, other = engines if writer == "duckdb" else engines[::-1]
    select = f"SELECT * FROM ({stored(one, tmp_path)}) AS r WHERE opened_on IS NOT NULL ORDER BY customer_id"
    lake = Lake(tmp_path / "lake")
    files = one.write(select, lake.path("features"), partition_by)
    version = lake.commit("features", files, one.schema(select), partition_by=partition_by)
    other.scan("features", version.files, version.schema, version.partition_by)
    assert other.schema("SELECT * FROM features") == SCHEMA
    assert plain(other.run("SELECT * FROM features ORDER BY customer_id")) == ROWS[:3]
    for engine in engines:
        engine.close()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (EngineSettings(options={"no_such_option": "1"}), "no_such_option"),
        (EngineSettings(options={"threads": "many"}), "many"),
        (EngineSettings(memory="4 bananas"), "bananas"),
    ],
)
def test_duckdb_refuses_settings_it_does_not_know(settings, told):
    with pytest.raises(EngineError, match=told) as caught:
        open_engine(settings)
    assert caught.value.hint == "See [engine] in tenure.toml."


def test_settings_reach_duckdb():
    engine = open_engine(EngineSettings(memory="100MB", threads=1, options={"preserve_insertion_order": "true"}))
    found = engine.run("SELECT current_setting('threads') AS threads, current_setting('memory_limit') AS memory")
    assert found.to_pylist() == [{"threads": 1, "memory": "95.3 MiB"}]
    engine.close()


def test_an_engine_that_does_not_exist_is_refused():
    with pytest.raises(InvalidConfig, match="'oracle'; allowed: duckdb, spark"):
        open_engine(EngineSettings(name="oracle"))


def test_too_little_memory_names_the_setting():
    engine = DuckDBEngine(EngineSettings(memory="20MB", threads=1))
    with pytest.raises(EngineError, match="more memory than the 20MB that it may take") as refused:
        engine.cache("big", "SELECT list(i) AS i FROM range(20000000) AS t(i)")
    assert "[engine] memory in tenure.toml" in refused.value.hint
    engine.close()
