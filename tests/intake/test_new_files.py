"""A source whose files become more is staged by its new files alone, and ends as if it had been staged at once."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure import ChurnDefinition, Column, Csv, Entity, Inactivity, Parquet, Source
from tenure.config import Config
from tenure.define.project import Project
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import DuplicateKey, MissingColumn
from tenure.intake.staging import staging
from tenure.session.work import Work
from tenure.store.compacting import compact

BEGIN = datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)
MONTHS = 12
CONFIG = Config(project={"name": "Months"})


def months_of(seed, *, with_corrections=True):
    """Rows by month: bookings, some corrected in a later month by a version known then, some exported once more."""
    draw = random.Random(seed)  # noqa: S311  (a seeded world)
    files, sent = [], []
    for month in range(MONTHS):
        first = BEGIN + timedelta(days=30 * month)
        rows = []
        for number in range(12):
            booked = first + timedelta(minutes=draw.randrange(28 * 24 * 60))
            rows.append(
                (100 * month + number, draw.randrange(5), booked, booked + timedelta(hours=2), draw.randrange(99))
            )
        for booking, customer, booked, *_ in draw.sample(sent, min(3, len(sent))) if with_corrections else ():
            known = first + timedelta(minutes=draw.randrange(28 * 24 * 60))
            rows.append((booking, customer, booked, known, draw.randrange(99)))
        rows += draw.sample(sent, min(2, len(sent)))
        files.append(rows)
        sent += rows[:12]
    return files


def write_month(folder, month, rows, kind, second="customer"):
    names = ["booking", second, "booked_at", "known_at", "amount"]
    if kind == "parquet":
        columns = zip(*rows, strict=True)
        table = pa.table({name: list(values) for name, values in zip(names, columns, strict=True)})
        pq.write_table(table, folder / f"bookings-{month:02}.parquet")
    else:
        lines = [",".join(map(str, row)) for row in rows]
        (folder / f"bookings-{month:02}.csv").write_text("\n".join([",".join(names), *lines, ""]))


def bank(folder, kind="parquet", *, known_time="known_at", quarantine=0.0, select=""):
    """A project of customers and bookings by month, whose files are still to come."""
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "customers.csv").write_text("customer,joined\n" + "".join(f"{n},2023-12-01\n" for n in range(5)))
    key = {"type": "integer", "role": "key"}
    raw = Parquet("bookings-*.parquet") if kind == "parquet" else Csv("bookings-*.csv")
    customers = Source(
        "customers",
        read=Csv("customers.csv"),
        key="customer",
        event_time="joined",
        columns=[Column("customer", **key), Column("joined", type="date", role="time")],
    )
    bookings = Source(
        "bookings",
        read={"booked": raw, "held": Csv("accounts.csv")} if select else raw,
        select=select,
        key="booking",
        event_time="booked_at",
        known_time=known_time,
        quarantine=quarantine,
        columns=[
            Column("booking", **key),
            Column("customer", **key),
            Column("booked_at", type="timestamp", role="time"),
            Column("known_at", type="timestamp", role="time"),
            Column("amount", type="decimal", role="measure", unit="EUR"),
        ],
    )
    entity = Entity("customer", key="customer", source="customers")
    churn = ChurnDefinition("silent", event=Inactivity("bookings"), horizon=30)
    sources = {"customers": customers, "bookings": bookings}
    return folder, Project(name="Months", entity=entity, sources=sources, views={}, churn=churn)


def staged(folder, project, engine):
    """Stage; return what the run says of it."""
    with Work(folder, CONFIG, project) as work:
        work.use_engine(engine.new_session())
        with work.lake.locked():
            return staging(work).message


def files_of(folder, project):
    with Work(folder, CONFIG, project) as work:
        found = work.lake.find("staging/bookings")
        return set(found.files) if found else set()


def told(folder, project):
    """All that staging wrote of the bookings: rows, days of arrival, facts, months and findings."""
    with Work(folder, CONFIG, project) as work:
        lake = work.lake
        rows = lake.read("staging/bookings").to_pylist()
        arrivals = [
            row for row in lake.read("arrivals").drop(["fingerprint"]).to_pylist() if row["source"] == "bookings"
        ]
        facts = next(row for row in lake.read("intake").cast(_naive(lake)).to_pylist() if row["source"] == "bookings")
        months = lake.read("completeness", where={"source": "bookings"}).drop(["rows_before"]).to_pylist()
    for of_run in ("fingerprint", "matched_with"):
        facts.pop(of_run)
    return (
        sorted(rows, key=lambda row: (row["booking"], row["known_time"])),
        sorted(arrivals, key=lambda row: row["day_start"]),
        facts,
        sorted(months, key=str),
    )


def _naive(lake):
    schema = lake.read("intake").schema
    plain = [f.with_type(pa.timestamp("us")) if pa.types.is_timestamp(f.type) else f for f in schema]
    return pa.schema(plain)


def one_by_one(tmp_path, engine, files, kind="parquet", **definition):
    """Stage month by month; return the bank, and what each run said."""
    folder, project = bank(tmp_path / "one_by_one", kind, **definition)
    words = []
    for month, rows in enumerate(files):
        write_month(folder / "data", month, rows, kind)
        words.append(staged(folder, project, engine))
    return folder, project, words


def at_once(tmp_path, engine, files, kind="parquet", **definition):
    folder, project = bank(tmp_path / "at_once", kind, **definition)
    for month, rows in enumerate(files):
        write_month(folder / "data", month, rows, kind)
    staged(folder, project, engine)
    return told(folder, project)


@pytest.fixture
def duckdb():
    made = DuckDBEngine(EngineSettings(memory="1GB", threads=2))
    yield made
    made.close()


@pytest.mark.parametrize(("seed", "kind"), [(0, "parquet"), (1, "csv")])
def test_twelve_months_staged_one_by_one_are_all_of_them_at_once(tmp_path, duckdb, seed, kind):
    files = months_of(seed)
    folder, project, words = one_by_one(tmp_path, duckdb, files, kind)
    assert [word.partition(" of ")[0] for word in words[1:]] == ["bookings: 1 new file"] * (MONTHS - 1)
    assert told(folder, project) == at_once(tmp_path, duckdb, files, kind)


def test_months_staged_one_by_one_are_all_of_them_at_once_on_either_engine(tmp_path, engine):
    files = months_of(3)[:2]
    folder, project, words = one_by_one(tmp_path, engine, files)
    assert all("1 new file of" in word for word in words[1:])
    assert told(folder, project) == at_once(tmp_path, engine, files)


def test_of_a_source_without_a_known_time_every_key_counts_once(tmp_path, duckdb):
    files = months_of(4, with_corrections=False)
    folder, project, words = one_by_one(tmp_path, duckdb, files[:5], known_time="")
    assert all("1 new file of" in word for word in words[1:])
    assert told(folder, project) == at_once(tmp_path, duckdb, files[:5], known_time="")


def test_files_whose_rows_have_no_later_version_stay_as_they_are(tmp_path, duckdb):
    folder, project = bank(tmp_path / "bank")
    for month, rows in enumerate(months_of(5, with_corrections=False)[:3]):
        write_month(folder / "data", month, rows, "parquet")
        before = files_of(folder, project)
        staged(folder, project, duckdb)
        assert before <= files_of(folder, project)


def test_a_row_that_claims_the_place_of_another_is_refused_as_if_all_were_read(tmp_path, duckdb):
    folder, project = bank(tmp_path / "bank")
    first, second, *_ = months_of(6)
    write_month(folder / "data", 0, first, "parquet")
    staged(folder, project, duckdb)
    booking, customer, booked, known, amount = first[3]
    write_month(folder / "data", 1, [*second, (booking, customer, booked, known, amount + 1)], "parquet")
    before = files_of(folder, project)
    with pytest.raises(DuplicateKey, match=f"2 different rows claim the key booking={booking}"):
        staged(folder, project, duckdb)
    assert files_of(folder, project) == before


def test_a_bad_row_of_a_new_file_is_set_aside_as_if_all_were_read(tmp_path, duckdb):
    folder, project = bank(tmp_path / "bank", "csv", quarantine=0.5)
    first, second, *_ = months_of(7, with_corrections=False)
    write_month(folder / "data", 0, first, "csv")
    staged(folder, project, duckdb)
    write_month(folder / "data", 1, [*second[:3], (999, 1, "yesterday", second[0][3], 1)], "csv")
    assert "1 rows quarantined" in staged(folder, project, duckdb)
    assert told(folder, project)[2]["rows_quarantined"] == 1


def test_a_file_that_changed_or_has_other_columns_has_all_read(tmp_path, duckdb):
    folder, project = bank(tmp_path / "bank")
    first, second, third, *_ = months_of(8, with_corrections=False)
    write_month(folder / "data", 0, first, "parquet")
    staged(folder, project, duckdb)
    write_month(folder / "data", 0, first[:11], "parquet")
    write_month(folder / "data", 1, second, "parquet")
    assert "new file" not in staged(folder, project, duckdb)
    write_month(folder / "data", 2, third, "parquet")
    file = folder / "data" / "bookings-02.parquet"
    pq.write_table(pq.read_table(file).drop(["amount"]), file)
    with pytest.raises(MissingColumn, match=r"file 3 of 3 .* lacks column 'amount'"):
        staged(folder, project, duckdb)


def test_a_run_that_ends_before_it_notes_its_new_files_has_all_read_by_the_next(tmp_path, duckdb, monkeypatch):
    files = months_of(10)[:2]
    folder, project = bank(tmp_path / "bank")
    write_month(folder / "data", 0, files[0], "parquet")
    staged(folder, project, duckdb)
    write_month(folder / "data", 1, files[1], "parquet")

    def ends(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tenure.intake.staging._grown", ends)
        with pytest.raises(KeyboardInterrupt):
            staged(folder, project, duckdb)
    assert "new file" not in staged(folder, project, duckdb)
    assert told(folder, project) == at_once(tmp_path, duckdb, files)


def test_new_files_come_beside_rows_that_were_compacted(tmp_path, duckdb):
    files = months_of(11)[:3]
    folder, project = bank(tmp_path / "bank")
    for month in (0, 1):
        write_month(folder / "data", month, files[month], "parquet")
        staged(folder, project, duckdb)
    with Work(folder, CONFIG, project) as work, work.lake.locked():
        compact(work.lake, work.contract_of("bookings"), keep=timedelta())
    write_month(folder / "data", 2, files[2], "parquet")
    assert "1 new file of 3 is read" in staged(folder, project, duckdb)
    assert told(folder, project) == at_once(tmp_path, duckdb, files)


ACCOUNTS = "SELECT b.*, a.customer FROM booked AS b LEFT JOIN held AS a ON a.account = b.account"


def write_accounts(folder, owners):
    rows = "".join(f"{account},{customer},{account * 10}\n" for account, customer in owners.items())
    (folder / "data" / "accounts.csv").write_text("account,customer,balance\n" + rows)


def joined_months(tmp_path, duckdb, name, months, owners_of):
    """Bookings of accounts, whose customers a join tells; stage after each of `months`; return the words and rows."""
    folder, project = bank(tmp_path / name, "csv", select=ACCOUNTS)
    words = []
    for stop in months:
        for month, rows in enumerate(months_of(9)[:stop]):
            of_accounts = [(booking, account, *rest) for booking, account, *rest in rows]
            write_month(folder / "data", month, of_accounts, "csv", second="account")
        write_accounts(folder, owners_of(stop))
        words.append(staged(folder, project, duckdb))
    return words, told(folder, project)


def test_a_new_account_beside_a_new_month_leaves_the_old_months_unread(tmp_path, duckdb):
    def owners(stop):
        return {account: account % 5 for account in range(5 + stop)}

    words, one_by_one_rows = joined_months(tmp_path, duckdb, "one_by_one", [1, 2, 3, 4], owners)
    assert all("1 new file of" in word for word in words[1:])
    assert one_by_one_rows == joined_months(tmp_path, duckdb, "at_once", [4], owners)[1]


def test_an_account_that_changes_hands_has_all_read(tmp_path, duckdb):
    def owners(stop):
        return {account: (account + (stop > 2 and account == 3)) % 5 for account in range(5)}

    words, one_by_one_rows = joined_months(tmp_path, duckdb, "one_by_one", [1, 2, 3], owners)
    assert ["1 new file of" in word for word in words] == [False, True, False]
    assert one_by_one_rows == joined_months(tmp_path, duckdb, "at_once", [3], owners)[1]
