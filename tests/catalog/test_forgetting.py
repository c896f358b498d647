"""A customer is forgotten: gone from every version and file, all else equal, still gone after the next run."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_bank import LAST_DAY, write_raw_files, write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.catalog import forgetting
from tenure.catalog.forgetting import foreseen, forget
from tenure.checks.in_memory import schema_of
from tenure.define.table_contracts import FIXED
from tenure.errors import NotReproducible, StoreError, UnknownCustomer
from tenure.feature_store.store import FeatureStore
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.store.integrity import survey
from tenure.store.runs import ledger

GONE = 13
VERSIONS = 12


def ran(folder):
    with Work.open(folder) as work:
        return {one.stage: one for one in run(work, stages_between("staging", "training_set"))}


@pytest.fixture
def bank(tmp_path):
    """A bank whose keys are texts, such as P-0013."""
    folder = write_tiny_bank(tmp_path / "bank")
    sources = (folder / "sources.py").read_text()
    (folder / "sources.py").write_text(
        sources.replace('Column("customer_id", type="integer", role="key")', 'Column("customer_id", role="key")')
    )
    for name, place in (("customers", 0), ("payments", 1)):
        file = folder / "data" / f"{name}.csv"
        header, *rows = (line.split(",") for line in file.read_text().splitlines())
        for row in rows:
            row[place] = f"P-{int(row[place]):04}"
        file.write_text("\n".join([",".join(header), *map(",".join, rows), ""]))
    ran(folder)
    return folder


@pytest.fixture
def numbers(tmp_path):
    """The bank of integer keys, its payments staged in 12 versions, as they came every other day."""
    folder = write_tiny_bank(tmp_path / "numbers")
    for step in reversed(range(VERSIONS)):
        write_raw_files(folder / "data", last_day=LAST_DAY - timedelta(days=2 * step))
        with Work.open(folder) as work:
            last = "training_set" if step in (VERSIONS - 1, 0) else "staging"
            for _ in run(work, stages_between("staging", last)):
                pass
    return folder


def contents(work, gone=""):
    """The rows of every version of every table of customers, without those of one."""
    found = {}
    for table in work.lake.tables():
        newest = work.lake.find(table)
        for number in range(newest.version + 1):
            version = work.lake.find(table, number)
            if "customer_id" in version.schema.names:
                rows = work.lake.read(table, version=number).to_pylist()
                kept = [row for row in rows if str(row["customer_id"]) != gone]
                found[table, number] = (sorted(map(repr, kept)), version.fingerprint, version.schema)
    return found


def test_every_other_cell_of_twelve_versions_stays_and_the_next_run_brings_nothing_back(numbers):
    with Work.open(numbers) as work:
        everything = contents(work)
        expected = contents(work, gone=str(GONE))
        newest = work.lake.require("staging/payments").version
        foretold = foreseen(work, [str(GONE)])
        done = forget(work, [str(GONE)])
    assert newest == VERSIONS - 1
    assert everything != expected
    assert (foretold.tables, foretold.files, foretold.models) == (done.tables, done.files, done.models)
    with Work.open(numbers) as work:
        now = contents(work)
        assert {place: now[place] for place in expected} == expected
        assert contents(work, gone=str(GONE)) == now
        with work.lake.locked():
            assert not survey(work.lake).damages
            assert not survey(work.lake).strangers
    assert {one.status for one in ran(numbers).values()} == {"current"}

    # The raw files are read whole once more: an old payment is another, so that nothing of them is as it was.
    file = numbers / "data" / "payments.csv"
    file.write_text(re.sub(r"(?m)^(2,0,.*,)[0-9.]+$", r"\g<1>33.00", file.read_text()))
    people = numbers / "data" / "customers.csv"
    people.write_text(people.read_text().replace("\n0,north,", "\n0,south,"))
    again = ran(numbers)["staging"]
    assert again.status == "built"
    assert "customers: 1 forgotten row left out" in again.message
    assert "payments:" in again.message
    assert "no longer in it" not in again.message
    assert "TEN-I00" not in again.message
    with Work.open(numbers) as work:
        assert contents(work, gone=str(GONE)) == contents(work)


def test_no_byte_of_the_lake_and_the_output_tells_of_a_text_key(bank):
    with Work.open(bank) as work:
        work.output.mkdir(exist_ok=True)
        lists = "customer_id,score\nP-0013,0.5\nP-0014,0.4\n"
        (work.output / "attrition_list.csv").write_text(lists)
        pq.write_table(pa.table({"customer_id": ["P-0013", "P-0014"]}), work.output / "attrition_list.parquet")
        (work.output / "report.html").write_text("<table><tr><td>P-0013</td></tr></table>")
        (work.output / "reconciliation.html").write_text("<p>P-00130</p>")
        logs = work.lake.folder / "logs"
        logs.mkdir(exist_ok=True)
        (logs / "20240101T000000-abcdef.log").write_text("row customer_id=P-0013, twice\n")
        landed = work.lake.folder / "landing" / "payments-booked" / "rows.parquet"
        landed.parent.mkdir(parents=True)
        pq.write_table(pa.table({"whose": ["P-0013"]}), landed)
        done = forget(work, ["P-0013"])
        assert {one.file: one.done for one in done.files} == {
            "lake/landing/payments-booked/rows.parquet": "removed",
            "lake/logs/20240101T000000-abcdef.log": "rewritten",
            "out/attrition_list.csv": "rewritten",
            "out/attrition_list.parquet": "rewritten",
            "out/report.html": "removed",
        }
        assert (work.output / "attrition_list.csv").read_text() == "customer_id,score\nP-0014,0.4\n"
        assert (work.output / "reconciliation.html").exists()
        files = [file for root in (work.lake.folder, work.output) for file in root.rglob("*") if file.is_file()]
    assert done.proved > 50
    assert [file for file in files if re.search(rb"P-0013(?![0-9])", file.read_bytes())] == []
    # Packed pages hide texts from a look at the bytes: so all is decoded here too, by other means than the proof's.
    for file in files:
        if file.suffix == ".parquet" and ".checkpoint." not in file.name:
            assert "P-0013'" not in repr(pq.ParquetFile(file).read().to_pylist())


def test_the_ledger_holds_the_hash_and_not_the_key(bank):
    with Work.open(bank) as work:
        done = forget(work, ["P-0013"])
        (row,) = [row for row in ledger(work.lake) if row["stage"] == "forget"]
    assert done.customers[0] in row["message"]
    assert "P-0013" not in json.dumps(row, default=str)


def test_a_trace_that_is_not_ours_is_named_and_nothing_is_claimed_until_it_is_gone(bank):
    with Work.open(bank) as work:
        work.output.mkdir(exist_ok=True)
        note = work.output / "note.txt"
        note.write_text("call P-0013 back")
        with pytest.raises(StoreError, match=r"not forgotten wholly: 1 file .* 'out/note.txt'") as raised:
            forget(work, ["P-0013"])
        assert "again" in raised.value.hint
    with (
        Work.open(bank) as work,
        pytest.raises(StoreError, match=r"'tenure forget' .* was stopped"),
        work.lake.locked(),
    ):
        pass
    note.unlink()
    with Work.open(bank) as work:
        forget(work, ["P-0013"])
        with work.lake.locked():
            assert not survey(work.lake).damages


class Killed(BaseException):
    """What a test raises in the place of a kill."""


@pytest.mark.parametrize("tables", [0, 3, 7])
def test_a_run_that_is_killed_between_two_tables_is_ended_by_the_next(bank, monkeypatch, tables):
    with Work.open(bank) as work:
        expected = contents(work, gone="P-0013")
    left = tables

    def dying(*given):
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return kept(*given)

    kept = forgetting.rewrite
    with monkeypatch.context() as patched, Work.open(bank) as work:
        patched.setattr(forgetting, "rewrite", dying)
        with pytest.raises(Killed):
            forget(work, ["P-0013"])
    with Work.open(bank) as work:
        forget(work, ["P-0013"])
        now = contents(work)
        assert {place: now[place] for place in expected} == expected


def test_a_persisted_training_set_says_that_it_can_no_longer_be_rebuilt_and_why(bank):
    spine = pa.table({"customer_id": ["P-0013", "P-0014"], "snapshot_date": pa.array([LAST_DAY] * 2, pa.date32())})
    with Work.open(bank) as work, FeatureStore(work) as store:
        with_one = store.get_historical_features(spine, "paid").persist("with_one")
        without = store.get_historical_features(spine.slice(1), "paid").persist("without_one")
        forget(work, ["P-0013"])
        with pytest.raises(NotReproducible, match=r"'with_one' can no longer be rebuilt .* customers were forgotten"):
            store.rebuild(with_one)
        assert store.rebuild(without).num_rows == 1
        left = work.lake.read("historical/with_one", version=with_one.version)
    assert left["customer_id"].to_pylist() == ["P-0014"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("P-9999", "no table of the lake .* holds a customer with that customer_id. Nothing was changed"),
        ("", "'customer_id', of the key of entity 'customer', is a text; got nothing"),
    ],
)
def test_a_key_that_is_nobodys_changes_nothing_and_is_not_repeated(bank, key, said):
    with Work.open(bank) as work:
        for verb in (foreseen, forget):
            with pytest.raises(UnknownCustomer, match=said) as raised:
                verb(work, [key])
        assert "P-9999" not in raised.value.message
        assert not work.lake.refused()


def test_who_was_forgotten_before_is_told_so(bank):
    with Work.open(bank) as work:
        forget(work, ["P-0013"])
        with pytest.raises(UnknownCustomer, match="forgotten already, on 20"):
            forget(work, ["P-0013"])


def command(*arguments):
    return CliRunner().invoke(cli.app, ["forget", *map(str, arguments)])


def test_the_verb_asks_first_and_says_what_it_does(bank):
    dry = command("P-0013", "--dry-run", "--project", bank)
    assert "staging/customers                     1 rows of 1 file\n" in dry.output
    assert dry.output.endswith("Nothing was changed.\n")
    refused = command("P-0013", "--json", "--project", bank)
    assert refused.exit_code == 2
    with Work.open(bank) as work:
        assert not work.lake.refused()
    done = command("P-0013", "--yes", "--json", "--project", bank)
    *tables, whole = map(json.loads, done.output.splitlines())
    assert {"staging/customers", "staging/payments", "features", "training_set"} <= {one["table"] for one in tables}
    assert (whole["record"], whole["done"], len(whole["customers"])) == ("forgotten", True, 1)
    assert whole["rows"] == sum(one["rows"] for one in tables)
    assert whole["files_searched"] > 50


def test_extremes_of_the_customer_leave_the_profiles_and_those_of_others_stay(bank):
    contract = FIXED["explore/profiles"]
    shown = {"relation": "payments", "column_name": "amount", "kind": "number", "rows": 9, "missing": 0}
    with Work.open(bank) as work:
        paid = work.read("payments", columns=["customer_id", "amount"]).to_pylist()
        own = float(max(row["amount"] for row in paid if row["customer_id"] == "P-0013"))
        with work.lake.locked():
            row = shown | {"greatest": own, "least": -1.0}
            work.lake.write(pa.Table.from_pylist([row], schema=schema_of(contract)), contract)
        forget(work, ["P-0013"])
        (now,) = work.lake.read("explore/profiles", version=0).to_pylist()
    assert (now["greatest"], now["least"], now["rows"]) == (None, -1.0, 9)


def test_models_are_named_that_were_trained_on_the_customer(bank):
    with Work.open(bank) as work:
        contract = work.contracts["models"]
        trained = work.lake.require("training_set")
        splits = work.read("training_set", columns=["customer_id", "split"]).to_pylist()
        seen = {row["customer_id"] for row in splits if row["split"] in ("train", "validation")}
        assert "P-0013" in seen
        rows = [
            {
                "model_version": name,
                "kind": "rule",
                "created_at": "2024-07-01",
                "champion": name == "one",
                "training_rows": 3,
                "inputs": json.dumps({"training_set": fingerprint}),
            }
            for name, fingerprint in (("one", trained.fingerprint), ("older", "of another time"))
        ]
        with work.lake.locked():
            work.lake.write(pa.Table.from_pylist(rows), contract)
        assert foreseen(work, ["P-0013"]).models == ("one",)
        assert forget(work, ["P-0013"]).models == ("one",)


def test_a_lake_on_s3_is_refused_with_what_to_do(bank, prefix, s3_settings):
    section = {"endpoint": s3_settings.endpoint, "region": "us-east-1", "path_style": True}
    with (
        Work.open(bank, overrides={"lake": {"path": str(prefix)}, "s3": section}) as work,
        pytest.raises(StoreError, match="lies on S3") as raised,
    ):
        forget(work, ["P-0013"])
    assert "lake copy" in raised.value.hint
