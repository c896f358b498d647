"""Where a project's files lie: local folders, apart from each other; whatever signs their names hold."""

import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from tiny_bank import write_tiny_bank

from tenure.cli import application
from tenure.define.raw_tables import Csv, Parquet
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.engines.files import matching_files
from tenure.errors import InvalidConfig, InvalidDefinition, StoreError, UnreadableFile
from tenure.feature_store.store import FeatureStore
from tenure.host.paths import duckdb_path, local_path, require_data_path, require_lake_path, spark_path
from tenure.session.work import Work
from tenure.sql.selects import relations
from tenure.stages.run import run

URLS = [
    "gs://bucket/lake",
    "az://container/lake",
    "abfss://container@account/lake",
    "hdfs://host/lake",
    "http://host/lake",
    "ftp://host/lake",
    "file:///srv/lake",
    "file:/srv/lake",
    "odd+scheme.1://lake",
]


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def put(bank, section, key, value):
    """Write a setting into the project's tenure.toml."""
    file = bank / "tenure.toml"
    file.write_text(file.read_text() + f"\n[{section}]\n{key} = '{value}'\n")


def everything(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


# Local paths


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("section", ["lake", "data", "output"])
def test_a_url_in_tenure_toml_is_refused_before_anything_is_written(bank, section, url):
    put(bank, section, "path", url)
    before = everything(bank.parent)
    with pytest.raises(InvalidConfig, match=rf"\[{section}\] path is '{url.replace('+', '.')}'") as refused:
        Work.look(bank)
    assert ("s3://bucket/prefix" in refused.value.message) == (not url.lower().startswith("file:"))
    assert refused.value.hint
    assert everything(bank.parent) == before


@pytest.mark.parametrize("url", URLS)
def test_a_url_as_an_option_is_refused_though_a_path_swallows_a_slash(bank, url):
    with pytest.raises(InvalidConfig, match="--data is "):
        Work.look(bank, data=Path(url))
    with pytest.raises(InvalidConfig, match="--project is "):
        Work.look(Path(url))
    with pytest.raises(InvalidConfig, match="source 'a'"):
        matching_files(url, bank / "data", asked_by="source 'a'")


def test_no_command_makes_a_folder_for_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["init", "s3://bucket/bank"],
        ["demo", "--dir", "gs://bucket/bank", "--customers", "10"],
        ["run", "-p", "s3://bucket/bank"],
        ["historical-features", "--spine", "s3://b/s.csv", "--features", "x", "--out", "o.csv"],
        ["historical-features", "--spine", "s.csv", "--features", "x", "--out", "hdfs://b/o.csv"],
    ):
        monkeypatch.setattr("sys.argv", ["tenure", *arguments])
        with pytest.raises(SystemExit) as ended:
            application.main()
        assert ended.value.code == 3, arguments
    assert list(tmp_path.iterdir()) == []


def test_a_url_in_a_source_is_refused_when_the_definitions_load(bank):
    file = bank / "sources.py"
    file.write_text(file.read_text().replace('Csv("payments.csv")', 'Csv("gs://bank/payments.csv")'))
    with pytest.raises(InvalidConfig, match=r"path of source 'payments' is 'gs://bank/payments.csv'.*S3"):
        Work.open(bank)


def test_home_is_put_in_for_a_tilde_and_an_unknown_home_is_refused(bank, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    put(bank, "lake", "path", "~/lake")
    assert Work.look(bank).lake.folder == tmp_path / "home" / "lake"
    assert local_path("./~", asked_by="it", folder=bank) == bank / "~"
    assert local_path("./~", asked_by="it") == Path.cwd() / "~"
    with pytest.raises(InvalidConfig, match="no such home folder"):
        local_path("~nobody-of-that-name/x", asked_by="[lake] path")


@pytest.mark.parametrize("text", ["c:/x", "a:b", "s3", "x/s3://y", "s3:"])
def test_what_only_looks_like_a_url_is_a_path(text):
    assert local_path(text, asked_by="it") == Path(text)


# Signs


SIGNS = ["#1", "?1", "%201", "%2F", "\\1", "a\nb", "a\tb", "k=5", "\x7f"]
FINE = [
    "plain",
    "a b",
    " lead",
    "trail ",
    "-dash",
    "--project",
    "it's",
    'q"x',
    "a[1]",
    "a*b",
    "[!a]",
    "**",
    "a{1,2}",
    "~",
    "$HOME",
    "100%",
    "%",
    "x+y&z;w,v",
    "日本",
    unicodedata.normalize("NFC", "bänk"),
    unicodedata.normalize("NFD", "bänk"),
    "s3:",
]


@pytest.mark.parametrize("name", SIGNS)
def test_a_lake_that_could_not_be_read_back_is_refused_before_anything_is_written(tmp_path, name):
    bank = write_tiny_bank(tmp_path / name / "bank")
    before = everything(tmp_path)
    with pytest.raises(InvalidConfig, match=r"the lake's folder|the data folder") as refused:
        Work.look(bank)
    assert refused.value.hint
    assert everything(tmp_path) == before


def test_a_link_to_a_folder_with_such_a_sign_is_refused_too(tmp_path, bank):
    (tmp_path / "x#1").mkdir()
    (bank / "lake").symlink_to(tmp_path / "x#1")
    with pytest.raises(InvalidConfig, match="'#'"):
        Work.look(bank)


@pytest.mark.parametrize(
    "name", ["a[1]", "a*b", "it's {1,2}", "100%", unicodedata.normalize("NFD", "bänk"), "~", "s3:"]
)
def test_a_project_runs_with_equal_rows_whatever_its_folder_is_called(tmp_path, name, monkeypatch):
    # What a pattern of that name would match instead.
    for rival in ("a1", "aXb"):
        (write_tiny_bank(tmp_path / rival) / "data" / "payments.csv").write_text("payment_id,customer_id\n1,1\n")
    bank, plain = write_tiny_bank(tmp_path / name), write_tiny_bank(tmp_path / "plain")
    rows = {}
    monkeypatch.chdir(tmp_path)
    for folder in (Path("./") / bank.name, plain):
        with Work.open(bank if folder.name == "s3:" else folder, overrides={"verify": {"customers": 3}}) as work:
            for _ in run(work, ["staging", "snapshots", "features"]):
                pass
            rows[folder.name] = [work.read("features"), work.lake.read("features", version=0)]
    assert rows[name] == rows["plain"]


@pytest.mark.parametrize("name", FINE)
def test_a_raw_file_is_read_alone_whatever_its_folder_and_its_name_are(tmp_path, name):
    for rival in ("a1", "aXb", "a", "b"):
        (tmp_path / rival).mkdir()
        (tmp_path / rival / "p.csv").write_text("k\n99\n")
    folder = tmp_path / name
    folder.mkdir()
    for file in (folder / "p.csv", folder / f"{name}.csv"):
        file.write_text("k\n1\n")
        engine = DuckDBEngine(EngineSettings())
        engine.read_csv("raw", Csv("p.csv"), [file])
        assert engine.run("SELECT k FROM raw").to_pylist() == [{"k": "1"}]
        engine.close()


@pytest.mark.spark
def test_spark_reads_and_writes_whatever_the_folder_is_called(tmp_path, spark_session):
    from tenure.engines.spark import SparkEngine

    engine = SparkEngine(EngineSettings(name="spark"), spark_session)
    for rival in ("a1", "aXb"):
        (tmp_path / rival).mkdir()
        (tmp_path / rival / "p.csv").write_text("k\n99\n")
    for name in [*FINE, "a\\*b", "}"]:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "p.csv").write_text("k\n1\n")
        engine.read_csv("raw", Csv("p.csv"), [folder / "p.csv"])
        assert engine.run("SELECT k FROM raw").to_pylist() == [{"k": "1"}], name
        select = "SELECT 1 AS k, DATE '2024-01-31' AS day"
        files = engine.write(select, folder / "table", ("day",))
        engine.scan("stored", files, engine.schema(select), ("day",))
        assert engine.run("SELECT k FROM stored").to_pylist() == [{"k": 1}], name


def test_a_folder_above_the_data_is_no_column(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    engine = DuckDBEngine(EngineSettings())
    folder = tmp_path / "k=5" / "data"
    for sub in ("", "month=1"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"k": [1]}), folder / sub / "p.parquet")
    engine.read_parquet("raw", Parquet("p.parquet"), [folder / "p.parquet"])
    assert engine.run("SELECT * FROM raw").to_pylist() == [{"k": 1}]
    (folder / "p.csv").write_text("k\n1\n")
    engine.read_csv("raw", Csv("p.csv"), [folder / "p.csv"])
    assert engine.run("SELECT * FROM raw").to_pylist() == [{"k": "1"}]
    with pytest.raises(UnreadableFile, match="above the data lies 'k=5'"):
        engine.read_parquet("raw", Parquet("*/p.parquet"), [folder / "month=1" / "p.parquet"])
    # A folder that the source itself names stays a column.
    inside = tmp_path / "month=1"
    shutil.copytree(folder / "month=1", inside)
    engine.read_parquet("raw", Parquet("*/p.parquet"), [inside / "p.parquet"])
    assert engine.run("SELECT * FROM raw").to_pylist() == [{"k": 1, "month": 1}]
    engine.close()


@pytest.mark.parametrize(
    ("name", "duckdb", "spark"),
    [
        ("a", "/t/a", "/t/a"),
        ("a[1]*?", "/t/a[[]1][*][?]", "/t/a\\[1\\]\\*\\?"),
        ("{a,b}", "/t/{a,b}", "/t/\\{a\\,b\\}"),
        ("a\\b", "/t/a\\b", "/t/a\\\\b"),
    ],
)
def test_paths_as_the_engines_take_them(name, duckdb, spark):
    assert duckdb_path(Path("/t") / name) == duckdb
    assert spark_path(Path("/t") / name) == spark


def test_names_that_are_not_utf8_are_refused():
    name = os.fsdecode(b"/tmp/\xff")
    with pytest.raises(InvalidConfig, match="not UTF-8"):
        require_lake_path(Path(name))
    with pytest.raises(InvalidConfig, match="not UTF-8"):
        require_data_path(Path(name))


# Inside the lake


@pytest.mark.parametrize("table", ["/etc", "../x", "a/../../x", "", ".", "a//b", "a/", "./a", ".lock", "x/_delta_log"])
def test_what_is_no_tables_name_is_refused(bank, table):
    lake = Work.look(bank).lake
    with pytest.raises(StoreError, match="is no name of a table"):
        lake.find(table)


def test_a_table_that_is_a_link_out_of_the_lake_is_refused(bank, tmp_path):
    lake = Work.look(bank).lake
    (tmp_path / "elsewhere").mkdir()
    (bank / "lake").mkdir()
    (bank / "lake" / "staging").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a link out of the lake"):
        lake.find("staging/customers")


@pytest.mark.parametrize(
    "select",
    [
        "SELECT * FROM '/abs/folder'",
        "SELECT * FROM '../x/rows.parquet'",
        "SELECT * FROM read_parquet('/abs/x.parquet')",
        "SELECT * FROM read_csv_auto('x.csv')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM customers WHERE customer_id IN (SELECT customer_id FROM '/x.csv')",
        "SELECT * FROM customers, '/x.csv'",
        "SELECT * FROM query('SELECT 1')",
        'SELECT * FROM \'/x.csv\', (WITH "/x.csv" AS (SELECT 1 AS a) SELECT a FROM "/x.csv")',
        "FROM '/x.csv'",
        "SELECT * FROM information_schema.tables",
    ],
)
def test_a_select_stays_inside_the_lake(bank, select):
    for dialect in ("duckdb", "spark"):
        with pytest.raises(InvalidDefinition) as refused:
            relations(select, dialect, asked_by="the spine")
        assert "the spine" in refused.value.message
    with FeatureStore(bank) as store, pytest.raises(InvalidDefinition):
        store.get_historical_features(select, "region")


def test_a_variable_of_python_is_no_table():
    frame = [1]
    engine = DuckDBEngine(EngineSettings())
    with pytest.raises(Exception, match="frame does not exist"):
        engine.run("SELECT * FROM frame")
    engine.close()
    assert frame


def test_features_are_not_written_into_the_lake(bank):
    import pyarrow as pa

    with Work.open(bank) as work:
        for _ in run(work, ["staging"]):
            pass
        rows = pa.table({"customer_id": [1], "snapshot_date": pa.array([19_700], pa.date32())})
        job = FeatureStore(work).get_historical_features(rows, "region")
        for file in (bank / "lake" / "rows.csv", bank / "out" / ".." / "lake" / "x.parquet"):
            with pytest.raises(InvalidConfig, match="lies in the lake"):
                job.to_file(file)
        with pytest.raises(InvalidConfig, match=r"a URL|S3"):
            job.to_file("s3://bucket/rows.csv")
