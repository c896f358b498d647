"""The stage `reconcile`: what is planted in a bank's ledger is found, and nothing else; its tables, page and words."""

from __future__ import annotations

import csv
import json
import random
import re
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest
from stages.runs import ran
from tiny_bank import write_tiny_bank

from tenure import cli
from tenure.demo import generate_bank
from tenure.engines.base import EngineSettings
from tenure.errors import MissingTable
from tenure.proofs.differences import compare
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.stages.run import run

CUSTOMERS, MONTHS, LAST = 120, 8, date(2025, 12, 1)

SECOND_FORM = """

postings = Source(
    "postings",
    read=Csv("postings.csv"),
    key="posting_id",
    event_time="valued_on",
    columns=[
        Column("posting_id", type="integer", role="key"),
        Column("account_id", type="integer", role="key"),
        Column("valued_on", type="date", role="time", doc="From when interest counts"),
        Column("posted_on", type="date", planned=True, doc="When it was booked"),
        Column("amount", type="decimal", role="measure", unit="USD", required=True, doc="Money out is negative"),
    ],
)

month_ends = Source(
    "month_ends",
    read=Csv("month_ends.csv"),
    key=("account_id", "stated_on"),
    event_time="stated_on",
    columns=[
        Column("account_id", type="integer", role="key"),
        Column("stated_on", type="date", role="time"),
        Column("balance", type="decimal", role="measure", unit="USD", required=True),
    ],
)

by_month = Reconciliation(
    "by_month",
    bookings="postings",
    account="account_id",
    amount="amount",
    day="posted_on",
    balances="month_ends",
    balance="balance",
    every="month",
    doc="Postings against the balance of each month's end",
)

by_value_date = Reconciliation(
    "by_value_date",
    bookings="postings",
    account="account_id",
    amount="amount",
    balances="month_ends",
    balance="balance",
    every="month",
    doc="The same by the wrong date",
)
"""


def final_bookings(folder):
    """The demo bank's bookings in their last version: (id, account, day, cents moved, cents held after it)."""
    newest = {}
    for row in pq.read_table(folder / "data" / "transactions").to_pylist():
        if row["transaction_id"] not in newest or newest[row["transaction_id"]]["recorded_at"] < row["recorded_at"]:
            newest[row["transaction_id"]] = row
    known = {line.split(",")[0] for line in (folder / "data" / "accounts.csv").read_text().splitlines()}
    for row in sorted(newest.values(), key=lambda row: (row["account_id"], row["booked_at"], row["transaction_id"])):
        if str(row["account_id"]) in known:
            sign = 1 if row["direction"] == "credit" else -1
            cents = int(row["amount"] * 100) * sign
            yield (
                row["transaction_id"],
                row["account_id"],
                row["booked_at"].date(),
                cents,
                int(row["balance_after"] * 100),
            )


def month_end(day):
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


class Books:
    """The demo bank's ledger as postings and month-end balances, both of which a test may damage."""

    def __init__(self, folder, rng):
        self.postings, self.balances, self.rng = {}, {}, rng
        by_account = defaultdict(list)
        for key, account, day, cents, held in final_bookings(folder):
            by_account[account].append((key, day, cents, held))
        for account, rows in by_account.items():
            key, day, cents, held = rows[0]
            if held != cents:  # what it held as the data begin is brought forward
                self.post(-key, account, day, held - cents)
            for key, day, cents, _ in rows:
                self.post(key, account, day, cents)
            self.state(account, rows)

    def post(self, key, account, day, cents):
        """Value dates are up to three days later, so that some lie in the next month."""
        self.postings[key] = [key, account, day + timedelta(days=self.rng.randrange(4)), day, cents]

    def state(self, account, rows):
        end, last = month_end(rows[0][1]), month_end(rows[-1][1])
        while end <= last:
            self.balances[account, end] = [held for _, day, _, held in rows if day <= end][-1]
            end = month_end(end + timedelta(days=1))

    def write(self, folder):
        rows = [[*row[:4], f"{row[4] / 100:.2f}"] for row in self.postings.values()]
        write_csv(folder / "postings.csv", ("posting_id", "account_id", "valued_on", "posted_on", "amount"), rows)
        ends = [(*place, f"{held / 100:.2f}") for place, held in self.balances.items()]
        write_csv(folder / "month_ends.csv", ("account_id", "stated_on", "balance"), ends)


def books_of(folder):
    """The books of a demo bank, the same each time."""
    return Books(folder, random.Random(5))  # noqa: S311


def write_csv(file, header, rows):
    with file.open("w", newline="") as lines:
        csv.writer(lines).writerows([header, *rows])


def plant(books, rng):
    """Damage four accounts in each of five ways; return the account, month's end and kind of each break."""
    lasting = defaultdict(set)
    for account, end in books.balances:
        lasting[account].add(end)
    rows_of = defaultdict(list)
    for row in books.postings.values():
        rows_of[row[1]].append(row)
    brought = [account for account in lasting if any(row[0] < 0 for row in rows_of[account])]
    chosen = rng.sample([account for account in brought if len(lasting[account]) >= 6], 20)
    found = []
    for number, account in enumerate(chosen):
        kind = ("missing", "duplicate", "sign", "gap", "opening")[number % 5]
        found.append((account, damage(books, rng, kind, account, rows_of[account], sorted(lasting[account])), kind))
    return sorted(found)


def damage(books, rng, kind, account, rows, ends):
    if kind == "gap":
        place = rng.randrange(1, len(ends) - 1)
        del books.balances[account, ends[place]]
        return ends[place + 1]
    if kind == "opening":
        (brought,) = (row for row in rows if row[0] < 0)
        del books.postings[brought[0]]
        return ends[0]
    row = rng.choice([row for row in rows if row[0] > 0 and month_end(row[3]) > ends[0] and abs(row[4]) > 500])
    if kind == "missing":
        del books.postings[row[0]]
    elif kind == "sign":
        row[4] = -row[4]
    else:
        books.postings[10**15 + row[0]] = [10**15 + row[0], *row[1:]]
    return month_end(row[3])


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo bank that also has a table of month-end balances, undamaged, and its books."""
    folder = tmp_path_factory.mktemp("reconcile") / "bank"
    write_project(folder)
    generate_bank(folder, customers=CUSTOMERS, months=MONTHS, last_month=LAST)
    with (folder / "sources.py").open("a") as sources:
        sources.write(SECOND_FORM)
    books_of(folder).write(folder / "data")
    return folder


def breaks(work, name):
    found = work.read(f"reconciliation_{name}").filter(work.read(f"reconciliation_{name}")["break_kind"].is_valid())
    return [(row["account_id"], row["ledger_day"], row["break_kind"]) for row in found.to_pylist()]


def test_twenty_planted_breaks_are_found_and_nothing_else(demo):
    statuses, work = ran(demo, ("staging", "reconcile"))
    assert statuses == {"staging": "built", "reconcile": "built"}
    assert breaks(work, "by_month") == breaks(work, "ledger") == [], "the demo bank's ledger is whole in both forms"
    assert len(work.read("reconciliation_by_month")) > 5 * CUSTOMERS
    assert len(breaks(work, "by_value_date")) > CUSTOMERS, "a balance does not count bookings by their value date"

    rng = random.Random(11)  # noqa: S311
    books = books_of(demo)
    planted = plant(books, rng)
    books.write(demo / "data")
    _, work = ran(demo, ("staging", "reconcile"))
    assert Counter(kind for *_, kind in planted) == dict.fromkeys(("missing", "duplicate", "sign", "gap", "opening"), 4)
    assert breaks(work, "by_month") == planted
    by_account = work.read("reconciled_accounts_by_month").to_pylist()
    assert {row["account_id"] for row in by_account if not row["reconciled"]} == {account for account, *_ in planted}


SMALL = """

bookings = Source(
    "bookings",
    read=Csv("bookings.csv"),
    key="booking_id",
    event_time="booked_on",
    columns=[
        Column("booking_id", type="integer", role="key"),
        Column("iban", role="pii"),
        Column("booked_on", type="date", role="time"),
        Column("amount", type="decimal", role="measure", unit="EUR"),
        Column("balance", type="decimal", role="measure", unit="EUR"),
    ],
)

ledger = Reconciliation(
    "ledger", bookings="bookings", account="iban", amount="amount", balance="balance", doc="Signed <amounts>"
)
"""


@pytest.fixture
def small(tmp_path):
    """Twelve accounts with a booking a day for three days; those from the second on miss as many euros on the last."""
    folder = write_tiny_bank(tmp_path / "bank")
    with (folder / "sources.py").open("a") as sources:
        sources.write(SMALL.replace("bookings = Source", "from tenure import Reconciliation\n\nbookings = Source", 1))
    rows = [
        (
            account * 10 + day,
            f"DE{account:02d}4711",
            date(2024, 1, 1 + day),
            10,
            10 * (day + 1) + (account if day == 2 else 0),
        )
        for account in range(12)
        for day in range(3)
    ]
    write_csv(folder / "data" / "bookings.csv", ("booking_id", "iban", "booked_on", "amount", "balance"), rows)
    return folder


def test_without_a_reconciliation_the_stage_does_nothing_and_says_so(bank):
    with Work.open(bank) as work:
        (record,) = run(work, ("reconcile",))
        assert (record.status, record.rows, record.message) == ("current", 0, "no Reconciliation is declared")
        assert work.engine_version == "", "no engine was started"
        assert [table for table in work.lake.tables() if table.startswith("reconcil")] == []
        assert not work.output.exists()


def test_a_reconciliation_needs_its_source_staged_as_it_is_defined(small):
    with Work.open(small) as work, pytest.raises(MissingTable, match="staging") as caught:
        list(run(work, ("reconcile",)))
    assert "tenure staging" in caught.value.hint


def test_the_stage_is_current_until_a_booking_or_the_definition_changes(small):
    def status():
        return ran(small, ("staging", "reconcile"))[0]["reconcile"]

    assert [status(), status()] == ["built", "current"]
    sources = small / "sources.py"
    sources.write_text(sources.read_text().replace('doc="Signed', 'tolerance=3, doc="Signed'))
    assert status() == "built"
    _, work = ran(small, ("reconcile",))
    assert len(breaks_of(work)) == 8, "those of 4 to 11 euros"


def breaks_of(work):
    return [row for row in work.read("reconciliation_ledger").to_pylist() if row["outcome"] == "broken"]


def test_the_page_shows_the_ten_worst_with_their_bookings_and_no_personal_value(small):
    _, work = ran(small, ("staging", "reconcile"))
    page = (work.output / "reconciliation.html").read_text()
    for words in ("11 breaks", "36 account-days", "11 of 12 accounts"):
        assert words in page
    differences = re.findall(r"2024-01-03: ([\d.]+) EUR", page)
    assert differences == [f"{euros}.00" for euros in range(11, 1, -1)]
    assert "Signed &lt;amounts&gt;" in page
    assert "Account XX999999 (8 characters)" in page
    assert "4711" not in page
    for key in (112, 22):
        assert f'<td>{key}</td><td class="d">2024-01-03</td><td class="n">10.00</td>' in page
    assert "<td>12</td>" not in page, "the break of one euro is the eleventh"
    assert "<script" not in page
    assert "http" not in page


def test_the_page_is_written_again_if_it_is_gone(small):
    _, work = ran(small, ("staging", "reconcile"))
    page = work.output / "reconciliation.html"
    written = page.read_bytes()
    page.unlink()
    statuses, _ = ran(small, ("reconcile",))
    assert statuses == {"reconcile": "current"}
    assert page.read_bytes() == written


def test_the_verb_prints_totals_kinds_and_the_ten_worst(small, capsys, monkeypatch):
    ran(small, ("staging",))

    def told(*arguments):
        monkeypatch.setattr(sys, "argv", ["tenure", "reconcile", "--project", str(small), *arguments])
        with suppress(SystemExit):
            cli.main()
        return capsys.readouterr().out

    lines = told().splitlines()
    assert lines[1] == "ledger: 11 breaks on 36 account-days, 11 of 12 accounts"
    assert lines[2].split() == ["11", "bookings", "are", "missing", "(missing)"]
    assert lines[3].split()[0] == "11.00"
    assert len(lines) == 3 + 10 + 1
    assert lines[-1].endswith("reconciliation.html")
    records = [json.loads(line) for line in told("--json").splitlines()]
    assert [record["record"] for record in records] == ["stage", "reconciliation", *["break"] * 10]
    assert records[1]["unreconciled_accounts"] == 11
    assert records[2]["shown"] == [
        {"key": "112", "booked_on": "2024-01-03", "moved": "10.00", "balance_after": "41.00"}
    ]
    assert "4711" not in json.dumps(records)


@pytest.mark.spark
def test_spark_builds_the_same_tables(small, spark_session, tmp_path):
    from tenure.engines.spark import SparkEngine

    _, duck = ran(small, ("staging", "reconcile"))
    settings = {"lake": {"path": str(tmp_path / "lake_spark")}, "output": {"path": str(tmp_path / "out")}}
    with Work.open(small, engine="spark", overrides=settings) as spark:
        spark.use_engine(SparkEngine(EngineSettings(name="spark"), spark_session))
        list(run(spark, ("staging", "reconcile")))
        for table in ("reconciliation_ledger", "reconciled_accounts_ledger"):
            found = compare(table, duck.read(table), spark.read(table), duck.contract_of(table).keys)
            assert found.equal, found
            assert found.rows > 0
            assert duck.read(table).schema.equals(spark.read(table).schema)
        page = (spark.output / "reconciliation.html").read_text()
    assert page == (duck.output / "reconciliation.html").read_text()
