"""What libraries raise is a sentence that names the thing and its place; the original is in a log of its owner's."""

import os
import random
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from faults.command import edit, rows_of_ledger, tenure
from tiny_bank import write_tiny_bank

from tenure import FeatureStore
from tenure.errors import BadValue, EngineError, InternalError, ModelError, StoreError, TenureError, UnreadableFile
from tenure.faults.boundary import boundary, library_of
from tenure.faults.error_log import ErrorLog
from tenure.session.work import Work
from tenure.stages.run import run


@pytest.fixture
def bank(tmp_path):
    """A bank whose payments are Parquet."""
    folder = write_tiny_bank(tmp_path / "bank")
    rows = pa_csv.read_csv(folder / "data" / "payments.csv")
    pq.write_table(rows, folder / "data" / "payments.parquet", row_group_size=200)
    edit(folder / "sources.py", 'read=Csv("payments.csv")', 'read=Parquet("payments.parquet")')
    edit(folder / "sources.py", "import Column, Csv,", "import Column, Csv, Parquet,")
    return folder


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size * 2 // 3)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def text_instead(file: Path) -> None:
    file.write_text("payment_id,customer_id\n1,2\n")


def flipped(file: Path) -> None:
    """Bytes of the first pages, behind the file's first sign."""
    content = bytearray(file.read_bytes())
    for place in range(60, 1200):
        content[place] ^= 0x5A
    file.write_bytes(content)


def flipped_footer(file: Path) -> None:
    """The first bytes of the footer, whose length stands before the last sign."""
    content = bytearray(file.read_bytes())
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in range(begin, begin + 60):
        content[place] ^= 0x5A
    file.write_bytes(content)


def flipped_everywhere(file: Path) -> None:
    """Every page, and no sign or footer."""
    content = bytearray(file.read_bytes())
    for place in range(60, len(content) - 8 - int.from_bytes(content[-8:-4], "little")):
        content[place] ^= 0x5A
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, emptied, text_instead, flipped, flipped_footer])
def test_damaged_parquet_among_raw_files_is_named(bank, damage):
    damage(bank / "data" / "payments.parquet")
    done = tenure("staging", "--project", bank)
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith("UnreadableFile: "), done.stderr
    assert "payments.parquet" in done.stderr
    assert "Fetch the file again, whole." in done.stderr
    assert "Traceback" not in done.stderr
    assert rows_of_ledger(bank / "lake")[-1] == ("staging", "failed")
    (log,) = (bank / "lake" / "logs").glob("*.log")
    assert f"The original error is kept in '{log}'." in done.stderr
    assert (stat.S_IMODE(log.stat().st_mode), stat.S_IMODE(log.parent.stat().st_mode)) == (0o600, 0o700)
    text = log.read_text()
    assert "stage 'staging'" in text
    assert "_duckdb." in text
    assert "trace: (without values of variables)" in text


@pytest.mark.parametrize("seed", range(6))
def test_parquet_with_any_bytes_changed_is_read_or_named(bank, seed):
    chance = random.Random(seed)  # noqa: S311  (places, not secrets)
    file = bank / "data" / "payments.parquet"
    content = bytearray(file.read_bytes())
    for _ in range(20):
        content[chance.randrange(len(content))] = chance.randrange(256)
    file.write_bytes(content)
    try:
        with Work.open(bank) as work:
            list(run(work, ["staging"]))
    except TenureError as error:
        assert error.message.startswith(("stage 'staging'", "source 'payments'", "'payments.parquet'", "table"))  # noqa: PT017


@pytest.mark.parametrize(
    ("unit", "number"),
    [("s", 9_000_000_000_000), ("us", 2**63 - 2), ("us", -(2**63) + 2), ("s", 250_000_000_000), ("ms", -(10**15))],
)
def test_times_of_parquet_out_of_range_are_named(bank, unit, number):
    file = bank / "data" / "payments.parquet"
    rows = pq.read_table(file)
    times = rows["paid_on"].cast(pa.timestamp("s")).cast(pa.timestamp(unit)).to_pylist()
    numbers = rows["paid_on"].cast(pa.timestamp("s")).cast(pa.timestamp(unit)).cast(pa.int64()).to_pylist()
    assert len(times) == len(numbers)
    numbers[7] = number
    wrong = pa.array(numbers, pa.int64()).cast(pa.timestamp(unit))
    pq.write_table(rows.set_column(rows.column_names.index("paid_on"), "paid_on", wrong), file)
    edit(
        bank / "sources.py",
        'Column("paid_on", type="date", role="time")',
        'Column("paid_on", type="timestamp", role="time")',
    )
    done = tenure("run", "--project", bank, "--to", "labels")
    assert done.returncode in (3, 4, 7), done.stderr
    assert "Traceback" not in done.stderr
    assert "bug in Tenure" not in done.stderr
    assert "paid_on" in done.stderr or "payments" in done.stderr


@pytest.mark.parametrize("table", ["snapshots", "staging/payments", "runs", "intake"])
def test_damage_of_a_tables_log_is_a_store_error(bank, table):
    assert tenure("run", "--project", bank, "--to", "features").returncode == 0
    log = bank / "lake" / table / "_delta_log" / "00000000000000000000.json"
    log.write_text("{'not': json")
    for verb in (["run", "--to", "features"], ["status"], ["history"], ["history", table], ["plan"]):
        done = tenure(*verb, "--project", bank)
        assert "Traceback" not in done.stderr
        assert "bug in Tenure" not in done.stderr, done.stderr
        assert done.returncode in (0, 7), done.stderr
    with Work.open(bank) as work, pytest.raises(StoreError):
        work.read(table.removeprefix("staging/"))


def test_a_damaged_file_of_the_lake_is_named(bank):
    assert tenure("run", "--project", bank, "--to", "snapshots").returncode == 0
    for file in (bank / "lake" / "staging" / "payments").glob("*.parquet"):
        flipped_everywhere(file)
    with FeatureStore(bank) as store:
        rows = store.work.read("snapshots", ["customer_id", "snapshot_date"])
        with pytest.raises(StoreError, match=r"part-.*\.parquet"):
            store.get_historical_features(rows, "payment_count_30d").to_arrow()


def test_a_file_where_a_folder_should_be_is_told_everywhere(bank):
    assert tenure("staging", "--project", bank).returncode == 0
    spine = bank / "spine.csv"
    spine.write_text("customer_id,snapshot_date\n1,2024-03-31\n")
    ask = ("historical-features", "--project", bank, "--spine", spine, "--features", "payment_count_30d", "--out")
    (bank / "folder.csv").mkdir()
    for out in (bank / "folder.csv", bank / "tenure.toml" / "out.csv", bank / "nowhere" / "out.csv"):
        done = tenure(*ask, out)
        assert done.returncode == 7, done.stderr
        assert done.stderr.startswith("FileAccessError: "), done.stderr
        assert str(out.parent) in done.stderr
        assert "Traceback" not in done.stderr
        assert [file.name for file in bank.iterdir() if file.name.endswith(".partial")] == []


def test_too_few_open_files_are_told(bank):
    import resource

    def limited():
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

    done = tenure("run", "--project", bank, "--to", "features", preexec_fn=limited)
    assert "Traceback" not in done.stderr
    assert "bug in Tenure" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("fails", "kind"),
    [
        (lambda: pa.array(["x"]).cast(pa.int64()), EngineError),
        (lambda: __import__("deltalake").DeltaTable("/no/such/table"), StoreError),
        (lambda: __import__("lightgbm").Booster(model_str="nothing"), ModelError),
        (lambda: __import__("skops.io").io.loads(b"nothing"), ModelError),
        (lambda: __import__("sklearn.linear_model").linear_model.LogisticRegression().fit([[1e999]], [1]), ModelError),
        (lambda: __import__("pandas").DataFrame({"a": [1]})["b"], EngineError),
        (lambda: Path("/proc/1/mem").read_bytes(), TenureError),
        (lambda: Path("/no/such/file").read_bytes(), StoreError),
    ],
)
def test_each_library_is_known(tmp_path, fails, kind):
    with pytest.raises(kind) as caught, boundary("a test", log=ErrorLog(tmp_path, "run")):
        fails()
    assert caught.value.message.startswith("a test: ")
    assert caught.value.hint
    assert caught.value.__cause__ is not None
    assert (tmp_path / "logs" / "run.log").is_file()


def test_a_value_never_reaches_the_message_or_the_log(tmp_path):
    canary = "Ada-Lovelace-1815"
    with pytest.raises(TenureError) as caught, boundary("a test", log=ErrorLog(tmp_path, "run")):
        pa.array([canary]).cast(pa.int64())
    log = (tmp_path / "logs" / "run.log").read_text()
    assert canary not in caught.value.message + log
    assert "left out: it may quote values of the data" in log


def test_a_bug_is_told_as_one_with_its_place(tmp_path):
    log = ErrorLog(tmp_path, "run")
    bug = "a bug in Tenure, ZeroDivisionError in"
    with pytest.raises(InternalError, match=bug), boundary("a test", log=log, internal=True):
        1 / 0  # noqa: B018
    with pytest.raises(ZeroDivisionError), boundary("a test"):
        1 / 0  # noqa: B018


def test_without_a_lake_no_log_is_kept_and_the_message_says_so(tmp_path):
    log, unkept = ErrorLog(tmp_path / "lake", "run"), "No log could be kept: there is no lake in"
    places = {"the raw data": tmp_path}
    with pytest.raises(UnreadableFile, match=unkept), boundary("a test", log=log, places=places):
        (tmp_path / "rows.csv").read_bytes()
    assert not (tmp_path / "lake").exists()


def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path):
    (tmp_path / "lake" / "logs").mkdir(parents=True)
    target = tmp_path / "target"
    target.write_text("the bank's own")
    (tmp_path / "lake" / "logs" / "run.log").symlink_to(target)
    with (
        pytest.raises(StoreError, match="No log could be kept in"),
        boundary("a", log=ErrorLog(tmp_path / "lake", "run")),
    ):
        Path("/no/such/file").read_bytes()
    assert target.read_text() == "the bank's own"


def test_library_is_told_by_whoever_raised():
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x")
    assert library_of(caught.value) == ""


def test_bad_value_passes_as_it_is():
    with pytest.raises(BadValue, match=r"^as it is$"), boundary("a test"):
        raise BadValue("as it is")
