"""A customer is forgotten: gone from every version and file, all else equal, still gone after the next run."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import zipfile
from datetime import date, timedelta
from signal import SIGKILL

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kill_points import Runs
from tiny_bank import LAST_DAY, write_raw_files, write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.catalog.forgetting import _Theirs, _without_figures, foreseen, forget, traces
from tenure.catalog.forgotten_keys import sought
from tenure.checks.in_memory import schema_of
from tenure.define.table_contracts import FIXED
from tenure.errors import NotReproducible, StoreError, UnknownCustomer
from tenure.feature_store.store import FeatureStore
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.stages.verify import verify_integrity
from tenure.store.chain import problems
from tenure.store.integrity import survey
from tenure.store.rows import read_rows
from tenure.store.runs import ledger
from tenure.store.traces import Sought

GONE = 13
VERSIONS = 12

#: Where a forgetting is killed: as it begins, in an early table, in the midst of the tables, and as it ends. The others
#: lie in tables that are rewritten in the same steps.
SHARES = [0.02, 0.1, 0.3, *(pytest.param(share, marks=pytest.mark.thorough) for share in (0.5, 0.7, 0.9)), 0.99]


def ran(folder):
    with Work.open(folder) as work:
        return {one.stage: one for one in run(work, stages_between("staging", "training_set"))}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A bank whose keys are texts, such as P-0013, with a model that saw it."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("built") / "bank")
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
    with Work.open(folder) as work, work.lake.locked():
        trained = work.lake.require("training_set").fingerprint
        rows = [
            {
                "model_version": name,
                "kind": "rule",
                "created_at": "2024-07-01",
                "champion": name == "one",
                "training_rows": 3,
                "inputs": json.dumps({"training_set": fingerprint}),
            }
            for name, fingerprint in (("one", trained), ("older", "of another time"))
        ]
        work.lake.write(pa.Table.from_pylist(rows), work.contracts["models"])
    return folder


@pytest.fixture
def bank(built, tmp_path):
    return shutil.copytree(built, tmp_path / "bank")


@pytest.fixture
def numbers(tmp_path):
    """The bank of integer keys, its payments staged in 12 versions, of which Delta makes a checkpoint too."""
    folder = write_tiny_bank(tmp_path / "numbers")
    toml = folder / "tenure.toml"
    toml.write_text(f"{toml.read_text()}\n[verify]\ncustomers = 0\n")
    for step in reversed(range(VERSIONS)):
        write_raw_files(folder / "data", last_day=LAST_DAY - timedelta(days=2 * step))
        with Work.open(folder) as work:
            last = "training_set" if step in (VERSIONS - 1, 0) else "staging"
            for _ in run(work, stages_between("staging", last)):
                pass
    return folder


def contents(work):
    """The rows of every version of every table of customers, each with its customer."""
    found = {}
    for table in work.lake.tables():
        newest = work.lake.find(table)
        if "customer_id" in newest.schema.names:
            for number in range(newest.version + 1):
                version = work.lake.find(table, number)
                rows = sorted((str(row["customer_id"]), repr(row)) for row in read_rows(version).to_pylist())
                found[table, number] = (rows, version.fingerprint, version.schema)
    return found


def without(everything, gone):
    """Those contents without the rows of one customer."""
    return {place: ([row for row in rows if row[0] != gone], *rest) for place, (rows, *rest) in everything.items()}


def test_every_other_cell_of_twelve_versions_stays_and_the_next_run_brings_nothing_back(numbers):
    with Work.open(numbers) as work:
        everything = contents(work)
        expected = without(everything, str(GONE))
        newest = work.lake.require("staging/payments").version
        foretold = foreseen(work, [str(GONE)])
        done = forget(work, [str(GONE)])
    assert newest == VERSIONS - 1
    assert everything != expected
    assert (foretold.tables, foretold.files, foretold.models) == (done.tables, done.files, done.models)
    with Work.open(numbers) as work:
        now = contents(work)
        assert {place: now[place] for place in expected} == expected
        assert without(now, str(GONE)) == now
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
        now = contents(work)
        assert without(now, str(GONE)) == now


def test_no_byte_of_the_lake_and_the_output_tells_of_a_text_key(bank):
    with Work.open(bank) as work:
        work.output.mkdir(exist_ok=True)
        lists = "customer_id,score\nP-0013,0.5\nP-0014,0.4\n"
        (work.output / "attrition_list.csv").write_text(lists)
        pq.write_table(pa.table({"customer_id": ["P-0013", "P-0014"]}), work.output / "attrition_list.parquet")
        (work.output / "report.html").write_text("<table><tr><td>P-0013</td></tr></table>")
        (work.output / "evaluation.html").write_text("<p>P-00130</p>")
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
        assert (work.output / "evaluation.html").exists()
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


@pytest.fixture(scope="module")
def runs():
    with Runs() as running:
        yield running


@pytest.fixture(scope="module")
def points(built, runs, tmp_path_factory):
    """The points of a forgetting that nothing disturbs."""
    folder = shutil.copytree(built, tmp_path_factory.mktemp("points") / "bank")
    ended = runs(folder, verb="forget", keys=["P-0013"])
    assert ended.exit_code == 0
    return ended.points["forget"]


@pytest.fixture(scope="module")
def before(built):
    """The contents of the bank before it is forgotten."""
    with Work.open(built) as work:
        return contents(work)


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
def test_a_forgetting_that_is_killed_at_any_step_holds_the_lake_until_the_same_verb_ends_it(
    bank, before, runs, points, share
):
    (bank / "out").mkdir(exist_ok=True)
    (bank / "out" / "report.html").write_text("<td>P-0013</td>")
    expected = without(before, "P-0013")
    assert runs(bank, verb="forget", keys=["P-0013"], stage="forget", point=int(points * share)).signal == SIGKILL
    with Work.open(bank) as work:
        # Whatever was done by then, each version is what it was or what it is to be.
        now = contents(work)
        assert all(now[place] in (before[place], expected[place]) for place in expected)
        has_begun = bool(work.lake.refused())
        assert has_begun or now == before
    if has_begun:
        with Work.open(bank) as work, pytest.raises(StoreError, match=r"'tenure forget' .* was stopped") as raised:
            verify_integrity(work)
        assert "same 'tenure forget' again" in raised.value.hint
    with Work.open(bank) as work:
        assert forget(work, ["P-0013"]).models == ("one",)
    with Work.open(bank) as work:
        now = contents(work)
        assert {place: now[place] for place in expected} == expected
        assert not verify_integrity(work).damages
        assert not list(problems(ledger(work.lake), work.lake.folder))
    assert not (bank / "out" / "report.html").exists()


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


def test_profiles_lose_what_may_be_the_customers_value_and_keep_figures_of_many(bank):
    profiles, distributions = FIXED["explore/profiles"], FIXED["explore/distributions"]
    with Work.open(bank) as work:
        paid = work.read("payments", columns=["customer_id", "amount"]).to_pylist()
        own = float(max(row["amount"] for row in paid if row["customer_id"] == "P-0013"))
        shown = {"relation": "payments", "column_name": "amount", "kind": "number", "rows": len(paid), "missing": 0}
        figures = {"mean": 50.0, "lower_quartile": own, "median": 40.0, "greatest": own, "least": -1.0}
        rows = [shown | figures, shown | figures | {"column_name": "nobodys"}]
        bins = [{"relation": "customers", "column_name": "region", "position": n, "rows": 13} for n in range(2)]
        values = ("south", "nowhere")
        with work.lake.locked():
            work.lake.write(pa.Table.from_pylist(rows, schema=schema_of(profiles)), profiles)
            bins = [row | {"value": value} for row, value in zip(bins, values, strict=True)]
            work.lake.write(pa.Table.from_pylist(bins, schema=schema_of(distributions)), distributions)
        forget(work, ["P-0013"])
        now, other = work.lake.read("explore/profiles", version=0).to_pylist()
        told = work.lake.read("explore/distributions", version=0).to_pylist()
    # Forty customers are few: their figures could tell of one of them.
    assert (now["greatest"], now["least"], now["rows"]) == (None, -1.0, len(paid))
    assert (now["mean"], now["median"], now["lower_quartile"]) == (None, None, None)
    assert {name: other[name] for name in figures} == figures
    assert [(row["value"], row["rows"]) for row in told] == [(None, 13), ("nowhere", 13)]


@pytest.mark.parametrize(("others", "rows", "left"), [(100, 100, 50.0), (99, 100, None), (100, 99, None)])
def test_a_figure_stays_if_it_is_of_a_hundred_customers_and_values(others, rows, left):
    theirs = {"payments": _Theirs({"amount": {7.0}}, {(n,) for n in range(others)})}
    row = {"relation": "payments", "column_name": "amount", "rows": rows + 2, "missing": 2, "mean": 50.0, "least": 7.0}
    profile = pa.Table.from_pylist([row])
    assert _without_figures("explore/profiles", profile, theirs).to_pylist() == [row | {"mean": left, "least": None}]


def hidden(table, row, values, others=100):
    """A row of a table of features as it is left if customers had these values among so many others."""
    theirs = {"features": _Theirs({"spent": values}, {(n,) for n in range(others)})}
    rows = pa.Table.from_pylist([row | {"column_name": "spent"}], schema=schema_of(FIXED[table]))
    left = _without_figures(table, rows, theirs)
    return rows.to_pylist()[0] if left is None else next(iter(left.to_pylist()), None)


def test_a_snapshots_profile_keeps_no_end_and_no_rare_value_of_the_customers():
    numbers = {"kind": "number", "rows": 120, "missing": 20, "mean": 2.0, "quantiles": "[-7.0, 1.0, 2.0, 9.0]"}
    kept = hidden("snapshot_profiles", numbers, {-7.0})
    assert (kept["mean"], kept["quantiles"]) == (2.0, "[1.0, 1.0, 2.0, 9.0]")
    of_few = hidden("snapshot_profiles", numbers | {"missing": 21}, {-7.0})
    assert (of_few["mean"], of_few["quantiles"]) == (None, None)
    category = {"kind": "category", "rows": 200, "missing": 0, "value_rows": '{"a": 100, "b": 99, "c": 1}'}
    assert hidden("snapshot_profiles", category, {"a", "b"})["value_rows"] == '{"a": 100, "c": 1}'
    assert hidden("snapshot_profiles", category, {"a", "b"}, others=99)["value_rows"] == '{"c": 1}'
    assert hidden("snapshot_profiles", category, set(), others=0)["value_rows"] == category["value_rows"]


def test_a_months_count_of_a_rare_value_of_the_customers_goes_and_others_stay():
    month = {"source": "features", "month": date(2024, 1, 1), "measure": "value=gold", "rows": 99}
    assert hidden("monthly_profiles", month, {"gold"}) is None
    assert hidden("monthly_profiles", month | {"rows": 100}, {"gold"})["rows"] == 100
    assert hidden("monthly_profiles", month, {"silver"})["rows"] == 99
    assert hidden("monthly_profiles", month | {"measure": "null"}, {"null"})["rows"] == 99


def test_words_of_findings_quote_no_value_of_the_customers():
    words = "spent holds what no earlier snapshot held: 'gold' in 3 rows, 'tin' in 2 rows"
    found = {"kind": "unseen value", "is_alarm": True, "words": words}
    assert hidden("drift", found, {"gold"})["words"] == words.replace("'gold'", "'(forgotten)'")
    failed = {"source": "features", "reason": "'tin' is the value of 3.00% of the rows"}
    assert hidden("checks", failed, {"gold", 3.0})["reason"] == failed["reason"]
    assert hidden("checks", failed, {"tin"})["reason"].startswith("'(forgotten)' is")


ACCOUNTS = """
accounts = Source(
    "accounts",
    read=Csv("accounts-*.csv"),
    key=("account_id", "customer_id"),
    event_time="held_from",
    history="capture",
    arrival_delay=31,
    columns=[
        Column("account_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("held_from", type="date", role="time"),
        Column("kind", role="dimension"),
    ],
)

postings = Source(
    "postings",
    read=Csv("postings.csv"),
    key="posting_id",
    event_time="posted_on",
    columns=[
        Column("posting_id", type="integer", role="key"),
        Column("account_id", type="integer", role="key"),
        Column("posted_on", type="date", role="time"),
        Column("amount", type="decimal", role="measure", unit="USD"),
        Column("balance", type="decimal", role="measure", unit="USD"),
    ],
)

guarantees = Source(
    "guarantees",
    read=Csv("guarantees.csv"),
    key="guarantee_id",
    event_time="given_on",
    columns=[
        Column("guarantee_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("guarantor_id", type="integer", role="key"),
        Column("given_on", type="date", role="time"),
        Column("months", type="integer", role="measure", unit="months"),
    ],
)

ledger = Reconciliation("ledger", bookings="postings", account="account_id", amount="amount", balance="balance")
"""

#: The account of customer 13 alone, the one that 13 and 14 hold, and that of 14.
OWN, JOINT, OTHER = 701, 702, 703


def write_postings(folder, days):
    rows = [
        f"{number},{account},2024-01-{day:02},5.00,{5 * day}.00"
        for number, (day, account) in enumerate((day, account) for day in days for account in (OWN, JOINT, OTHER))
    ]
    (folder / "data" / "postings.csv").write_text("\n".join(["posting_id,account_id,posted_on,amount,balance", *rows]))


def write_extract(folder, month, kind):
    held = [(OWN, 13), (JOINT, 13), (JOINT, 14), (OTHER, 14)]
    rows = [f"{account},{holder},2024-01-01,{kind}" for account, holder in held]
    file = folder / "data" / f"accounts-{month}.csv"
    file.write_text("\n".join(["account_id,customer_id,held_from,kind", *rows]))


def staged_and_reconciled(folder):
    with Work.open(folder) as work:
        return {one.stage: one.message for one in run(work, ("staging", "reconcile"))}


@pytest.fixture(scope="module")
def built_holders(tmp_path_factory):
    """The bank of integer keys with accounts, whose history is captured, and postings that tell the account alone."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("holders") / "holders")
    text = (
        (folder / "sources.py")
        .read_text()
        .replace("import Column, Csv, Entity,", "import Column, Csv, Entity, Reconciliation,")
    )
    named = text.replace('source="customers")', 'source="customers", aliases=["guarantor_id"])', 1)
    assert named != text
    (folder / "sources.py").write_text(named + ACCOUNTS)
    given = ["1,13,9,2024-01-02,13", "2,5,13,2024-01-02,13", "3,5,14,2024-01-02,13"]
    head = "guarantee_id,customer_id,guarantor_id,given_on,months"
    (folder / "data" / "guarantees.csv").write_text("\n".join([head, *given]))
    write_postings(folder, range(1, 4))
    for month, kind in (("2024-01", "basic"), ("2024-02", "gold")):
        write_extract(folder, month, kind)
    staged_and_reconciled(folder)
    return folder


@pytest.fixture
def holders(built_holders, tmp_path):
    return shutil.copytree(built_holders, tmp_path / "holders")


def of_accounts(work):
    """The rows of every version of the tables that tell of accounts or guarantors."""
    found = {}
    for table in work.lake.tables():
        for number in range(work.lake.find(table).version + 1):
            rows = work.lake.read(table, version=number)
            if {"account_id", "guarantor_id"} & set(rows.schema.names):
                found[table, number] = rows.to_pylist()
    return found


def is_theirs(row):
    keys = [row[name] for name in ("customer_id", "guarantor_id") if name in row]
    return GONE in keys if keys else row["account_id"] == OWN


def test_accounts_of_the_customer_alone_go_where_no_row_names_the_customer_and_joint_ones_stay(holders):
    page, quality_page = (holders / "out" / name for name in ("reconciliation.html", "quality.html"))
    quality_page.write_text("<p>12 rows of 40</p>")
    with Work.open(holders) as work:
        expected = {place: [row for row in rows if not is_theirs(row)] for place, rows in of_accounts(work).items()}
        assert page.is_file()
        (work.lake.folder / "logs").mkdir(exist_ok=True)
        (work.lake.folder / "logs" / "one.log").write_text(f"account_id={OWN}, account_id={JOINT}\n")
        forget(work, [str(GONE)])
        now = of_accounts(work)
        assert not page.exists()
        assert not quality_page.exists()
        assert (work.lake.folder / "logs" / "one.log").read_text() == f"account_id=(forgotten), account_id={JOINT}\n"
    tables = ("reconciliation/ledger", "reconciled_accounts/ledger", "staging/accounts", "staging/postings")
    for table in tables:
        assert {row["account_id"] for row in now[table, 0]} == {JOINT, OTHER}
    # Both extracts of what 14 holds are there still, and the guarantee that 14 gave.
    assert {(row["customer_id"], row["kind"]) for row in now["staging/accounts", 1]} == {(14, "basic"), (14, "gold")}
    assert [row["guarantee_id"] for row in now["staging/guarantees", 0]] == [3]
    assert {place: now[place] for place in expected} == expected


def test_accounts_of_the_customer_alone_are_refused_from_then_on(holders):
    with Work.open(holders) as work:
        forget(work, [str(GONE)])
    write_postings(holders, range(1, 5))
    write_extract(holders, "2024-03", "basic")
    file = holders / "data" / "guarantees.csv"
    file.write_text(file.read_text() + "\n4,5,13,2024-01-03,6")
    said = staged_and_reconciled(holders)["staging"]
    assert "postings: 4 forgotten rows left out" in said
    assert "accounts: 2 forgotten rows left out" in said
    assert "guarantees: 3 forgotten rows left out" in said
    assert "TEN-I0" not in said
    with Work.open(holders) as work:
        assert not any(is_theirs(row) for rows in of_accounts(work).values() for row in rows)
        assert {row["account_id"] for row in work.lake.read("reconciliation/ledger").to_pylist()} == {JOINT, OTHER}
        assert not traces(work, sought(work, [str(GONE)]))


def plant(work, told):
    """Write a file of every kind that lake and output hold, each of which tells of a customer; return their names."""
    lake, out = work.lake.folder, work.output
    key, row = json.dumps(told), pa.table({"customer_id": [told], "n": [7]})
    for place in ("landing/payments-booked", "tiles/payments", "quarantine/payments", "staging/customers", "explore/a"):
        write(lake / place / "planted.parquet", lambda file: pq.write_table(row, file))
    hidden = pa.table({"message": [f"row customer_id={told}, twice"]})
    write(lake / "runs" / "planted.parquet", lambda file: pq.write_table(hidden, file))
    write(lake / "tiles" / ".payments.incoming", lambda file: pq.write_table(row, file))
    stats = json.dumps({"add": {"path": "a", "stats": json.dumps({"minValues": {"customer_id": told}})}})
    texts = {
        lake / "staging" / "customers" / "_delta_log" / "planted.json": stats,
        lake / "logs" / "planted.jsonl": f'{{"customer_id": [1, {key}]}}\n',
        lake / "_planted.json": f'{{"rows": [{{"customer_id": {key}}}]}}',
        out / "planted.csv": f"rank,customer_id\n1,{told}\n",
        out / "explore" / "planted.html": f"<td> {told} </td>",
        out / "planted.md": f"customer_id: {told}",
    }
    for file, text in texts.items():
        write(file, lambda file, text=text: file.write_text(text))
    write(
        out / "planted.json.gz", lambda file: file.write_bytes(gzip.compress(b'customer_id="%s"' % str(told).encode()))
    )
    with zipfile.ZipFile(out / "planted.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("sheet.xml", f"<t>customer_id={told}</t>")


def write(file, written):
    file.parent.mkdir(parents=True, exist_ok=True)
    written(file)


@pytest.mark.parametrize("told", ["P-0099", 99])
def test_a_trace_is_found_in_every_kind_of_file_that_lake_and_output_hold(bank, told):
    customers = Sought(("customer_id",), ((str(told),),), (isinstance(told, int),))
    with Work.open(bank) as work:
        work.output.mkdir(exist_ok=True)
        before = {file for root in (work.lake.folder, work.output) for file in root.rglob("*")}
        assert traces(work, customers) == []
        plant(work, told)
        if isinstance(told, str):
            write(work.lake.folder / "spill" / "a.tmp", lambda file: file.write_bytes(b"\x00\x07P-0099\x00"))
        # The same number as a measure, a rank or a count is no trace.
        pq.write_table(pa.table({"amount": [99], "n": [1]}), work.output / "other.parquet")
        (work.output / "other.csv").write_text("customer_id,rank\n990,99\n")
        files = {file for root in (work.lake.folder, work.output) for file in root.rglob("*") if file.is_file()}
        planted = {file.name for file in files - before if not file.name.startswith("other")}
        found = traces(work, customers)
    assert {name.rpartition("/")[2] for name in found} == planted
    assert len(found) == 15 + isinstance(told, str)


def test_models_are_named_that_were_trained_on_the_customer(bank):
    with Work.open(bank) as work:
        splits = work.read("training_set", columns=["customer_id", "split"]).to_pylist()
        seen = {row["customer_id"] for row in splits if row["split"] == "train"}
        assert "P-0013" in seen
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
