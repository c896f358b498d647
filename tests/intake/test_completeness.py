"""What an extract lacks beside the last one, or beside its own months, is told; stored history is not rewritten."""

import os
import random
from datetime import date, timedelta
from itertools import pairwise

import pytest
from tiny_bank import write_raw_files, write_tiny_bank

from tenure.define.raw_tables import Csv
from tenure.define.source import Column, Source
from tenure.demo import generate_bank
from tenure.errors import UnmatchedKeys, VanishedRows
from tenure.intake.completeness import of_days, of_end
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

SEEDS = int(os.environ.get("TENURE_CLEAN_SEEDS", "2"))


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.fixture
def stored(bank):
    """The bank with snapshots in its lake."""
    built(bank, "snapshots")
    return bank


def built(folder, last="staging"):
    """Run up to a stage and return the message of staging."""
    with Work.open(folder) as work:
        return {ran.stage: ran.message for ran in run(work, stages_between("staging", last))}["staging"]


def findings(folder):
    """(source, code, severity, month) of what was found."""
    with Work.look(folder) as work:
        rows = work.read("completeness").to_pylist()
    return {(row["source"], row["code"], row["severity"], str(row["month"])[:7]) for row in rows if row["code"]}


def edited(folder, name, keep):
    """Rewrite a raw file with what `keep` makes of its rows, each a list of texts."""
    file = folder / "data" / f"{name}.csv"
    header, *rows = file.read_text().splitlines()
    kept = keep([row.split(",") for row in rows])
    file.write_text("\n".join([header, *map(",".join, kept), ""]))


def in_month(row, month):
    return row[2].startswith(month)


def test_a_customer_of_stored_snapshots_who_is_gone_is_named_and_nothing_is_staged(stored):
    with Work.look(stored) as work:
        before = work.lake.require("staging/customers").version
    edited(stored, "customers", lambda rows: [row for row in rows if row[0] not in ("11", "21")])
    with pytest.raises(VanishedRows, match="2 customers of stored snapshots no longer in it, such as customer_id=11"):
        built(stored)
    with Work.look(stored) as work:
        assert work.lake.require("staging/customers").version == before
        assert work.lake.strangers("staging/customers") == []
    with pytest.raises(VanishedRows):
        built(stored)


def test_history_may_change_if_the_project_says_so(stored):
    edited(stored, "customers", lambda rows: rows[:-1])
    edited(stored, "payments", lambda rows: [row for row in rows if row[1] != "39"])
    toml = stored / "tenure.toml"
    toml.write_text(toml.read_text() + "\n[data]\nhistory_may_change = true\n")
    assert "1 customer of stored snapshots no longer in it, such as customer_id=39 (TEN-I001)" in built(stored)


def test_before_there_is_history_a_word_is_enough(bank):
    built(bank)
    edited(bank, "customers", lambda rows: rows[:-1])
    edited(bank, "payments", lambda rows: [row for row in rows if row[1] != "39"])
    assert "customers: 1 customer of the last extract no longer in it" in built(bank)


@pytest.mark.parametrize(
    ("keep", "code"),
    [
        (lambda rows: [row for row in rows if not in_month(row, "2024-02")], "TEN-I002"),
        (lambda rows: [row for row in rows if not in_month(row, "2024-02") or int(row[0]) % 3 == 0], "TEN-I002"),
        (lambda rows: [row for row in rows if not in_month(row, "2024-02") or int(row[0]) % 3], "TEN-I003"),
    ],
    ids=["gone", "mostly gone", "fewer"],
)
def test_a_month_with_fewer_rows_than_before_is_told_and_one_most_of_which_is_gone_refused(stored, keep, code):
    edited(stored, "payments", keep)
    if code == "TEN-I002":
        with pytest.raises(VanishedRows, match=r"2024-02 has \d+ rows, and had 1\d\d when it was last staged"):
            built(stored)
    else:
        assert "2024-02 has" in built(stored)
        assert ("payments", code, "warning", "2024-02") in findings(stored)


def test_a_month_of_which_twice_as_many_rows_come_is_told(stored):
    def doubled(rows):
        again = [[str(100_000 + int(row[0])), *row[1:]] for row in rows if in_month(row, "2024-02")]
        return [*rows, *again]

    edited(stored, "payments", doubled)
    built(stored)
    assert "TEN-I004" in {code for _, code, _, month in findings(stored) if month == "2024-02"}


@pytest.mark.parametrize(
    ("keep", "code"),
    [
        (lambda rows: [row for row in rows if not in_month(row, "2024-02") or int(row[0]) % 5 == 0], "TEN-I007"),
        (
            lambda rows: [
                *rows,
                *([str(100_000 + int(r[0])), *r[1:]] for r in rows if in_month(r, "2024-02")),
                *([str(200_000 + int(r[0])), *r[1:]] for r in rows if in_month(r, "2024-02")),
            ],
            "TEN-I008",
        ),
        (lambda rows: [row for row in rows if not "2024-02-03" <= row[2] < "2024-02-27"], "TEN-I005"),
    ],
    ids=["a part missing", "tripled", "days missing"],
)
def test_a_month_unlike_those_beside_it_is_told_at_the_first_load(bank, keep, code):
    edited(bank, "payments", keep)
    assert code in built(bank)
    assert code in {found for _, found, _, month in findings(bank) if month == "2024-02"}


def test_rows_exactly_like_others_are_counted(bank):
    edited(bank, "payments", lambda rows: [*rows, *rows[:200], *rows[:200]])
    message = built(bank)
    assert "400 of " in message
    assert "rows are exactly like others and count once; if each happened by itself, add a column" in message
    assert "400 of " in built(bank), "a run that finds all current tells it too"


def test_decimals_that_are_rounded_are_counted(bank):
    def longer(rows):
        return [[*row[:3], f"{row[3]}5" if n < 7 else f"{row[3]}0" if n < 20 else row[3]] for n, row in enumerate(rows)]

    assert "round" not in built(bank)
    edited(bank, "payments", longer)
    assert "payments: 7 decimals have more places than are kept and are rounded; to keep them give" in built(bank)
    sources = bank / "sources.py"
    declared = 'Column("amount", type="decimal"'
    assert declared in sources.read_text()
    sources.write_text(sources.read_text().replace(declared, f"{declared}, scale=3"))
    assert "round" not in built(bank)
    with Work.open(bank) as work:
        (amounts,) = {str(work.read("payments").schema.field("amount").type)}
    assert amounts == "decimal128(18, 3)"


def test_what_was_refused_for_its_keys_is_used_by_no_later_stage(bank):
    edited(bank, "payments", lambda rows: [[row[0], "9" + row[1], *row[2:]] for row in rows])
    with pytest.raises(UnmatchedKeys):
        built(bank)
    with pytest.raises(UnmatchedKeys, match="was staged, and refused since"), Work.open(bank) as work:
        list(run(work, ("snapshots",)))


def test_a_bank_that_grows_month_by_month_raises_nothing(bank):
    for first, last in pairwise([date(2024, 3, 31), date(2024, 4, 30), date(2024, 5, 31), date(2024, 6, 30)]):
        write_raw_files(bank / "data", last_day=first)
        built(bank, "snapshots")
        write_raw_files(bank / "data", last_day=last)
        assert built(bank) == ""
        assert findings(bank) == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_clean_demo_banks_raise_nothing_above_a_note(tmp_path, seed):
    """TENURE_CLEAN_SEEDS=10 for ten of them."""
    folder = tmp_path / "demo"
    write_project(folder)
    generate_bank(folder, customers=600, seed=random.Random(seed).randrange(10**6))  # noqa: S311
    with Work.open(folder) as work:
        list(run(work, ("staging",)))
        found = [row for row in work.read("completeness").to_pylist() if row["severity"] in ("warning", "error")]
    assert found == []


COLUMNS = [Column("fee"), Column("paid_on", type="date", role="time")]
PAID = Source("paid", read=Csv("p.csv"), key="fee", event_time="paid_on", columns=COLUMNS)


def told(*missing, rows=200, since=date(2023, 1, 1), until=date(2024, 6, 30)):
    """What is told of a source with as many rows on every day but those that are missing."""
    every = (since + timedelta(days=n) for n in range((until - since).days + 1))
    days = [day for day in every if day.isoformat() not in missing]
    return [finding.message for finding in of_days(days, [rows] * len(days), PAID)]


def test_two_days_without_a_row_are_told_of_a_source_that_has_many_every_day():
    assert told("2024-06-10", "2024-06-11") == ["no row of paid came from 2024-06-10 to 2024-06-11"]
    assert told("2024-06-10") == [], "one day is a holiday"
    assert told("2024-06-10", "2024-06-11", rows=19) == [], "few a day may be none by chance"
    assert told("2024-06-10", "2024-06-11", since=date(2024, 5, 1)) == [], "too short to know what is usual"
    assert told("2023-06-12", "2023-06-13", "2024-06-10", "2024-06-11") == [], "closed in these days each year"
    assert told(*(f"2024-0{n}-1{day}" for n in range(1, 6) for day in (0, 1))) == [], "what happens often is usual"


@pytest.mark.parametrize(
    ("last", "longest_gap", "is_told"),
    [
        (date(2024, 5, 31), 1, True),  # the month is missing
        (date(2024, 6, 10), 1, False),  # one that comes a few weeks later
        (date(2024, 5, 31), 12, False),  # 30 days are no more than 2.5 gaps of 12
        (date(2024, 5, 25), 14, True),  # 36 are more than 2.5 of 14
        (date(2024, 7, 31), 1, False),
    ],
)
def test_a_source_that_ends_long_before_the_others_is_told(last, longest_gap, is_told):
    finding = of_end("paid", last, longest_gap, date(2024, 6, 30))
    assert (finding is not None) == is_told
    if finding:
        words = f"no row of paid came after {last}, and half of the sources have rows up to 2024-06-30 or later"
        assert (finding.code, finding.severity, finding.message) == ("TEN-I018", "warning", words)


def test_a_file_as_it_was_a_month_ago_is_told_though_nothing_of_it_is_read(bank):
    """The payments end in June, and two sources go on; that customers join no more is as it was before."""
    sources = bank / "sources.py"
    payments = sources.read_text().partition("payments = Source(")[2]
    more = "".join(
        f"\n\n{name} = Source(" + payments.replace('"payments"', f'"{name}"').replace("payments.csv", f"{name}.csv")
        for name in ("fees", "loans")
    )
    sources.write_text(sources.read_text() + more)
    file = bank / "data" / "payments.csv"
    for name in ("fees", "loans"):
        (bank / "data" / f"{name}.csv").write_text(file.read_text())
    assert "TEN-I018" not in built(bank)
    header, *rows = file.read_text().splitlines()
    pairs = [row.split(",")[:2] for row in rows[:90]]
    later = [f"{900_000 + n},{customer},2024-08-{1 + n % 28:02},5.00" for n, (_, customer) in enumerate(pairs)]
    for name in ("fees", "loans"):
        (bank / "data" / f"{name}.csv").write_text("\n".join([header, *rows, *later, ""]))
    assert "no row of payments came after 2024-06-" in built(bank)
    assert ("payments", "TEN-I018", "warning", "None") in findings(bank)
    file.write_text((bank / "data" / "fees.csv").read_text())
    assert "TEN-I018" not in built(bank), "once its rows are there it is told no more"


def by_month(folder, *names):
    """Have the payments lie in a file a month, without those named."""
    header, *rows = (folder / "data" / "payments.csv").read_text().splitlines()
    months = {}
    for row in rows:
        months.setdefault(row.split(",")[2][:7], []).append(row)
    for month, lines in months.items():
        if month not in names:
            (folder / "data" / f"payments-{month}.csv").write_text("\n".join([header, *lines, ""]))
    (folder / "data" / "payments.csv").rename(folder / "all.csv")
    sources = folder / "sources.py"
    sources.write_text(sources.read_text().replace('Csv("payments.csv")', 'Csv("payments-*.csv")'))


def test_a_file_that_is_gone_is_told(bank):
    by_month(bank)
    assert "TEN-I011" not in built(bank)
    (bank / "data" / "payments-2024-03.csv").unlink()
    assert "payments: 1 file of the last staging is not there (TEN-I011)" in built(bank)


def test_a_last_line_without_an_end_is_a_note(bank):
    file = bank / "data" / "payments.csv"
    file.write_text(file.read_text().rstrip("\n"))
    built(bank)
    assert ("payments", "TEN-I012", "note", "None") in findings(bank)


@pytest.mark.parametrize(
    "name", ["Payments-2024-09.CSV", "payments-2024-09.csv.1", "payments-2024-09.txt.gz", "payments(2).csv"]
)
def test_files_that_a_path_misses_are_named(bank, name):
    by_month(bank)
    (bank / "data" / name).write_text("x\n")
    assert f"beside its files lies '{name}', which its path misses (TEN-I013)" in built(bank)


@pytest.mark.parametrize(
    "name", ["payments.md", "payments_old_notes.txt", "paymentscan.csv", "other.csv", ".payments-2024.csv"]
)
def test_files_of_other_names_are_not(bank, name):
    by_month(bank)
    (bank / "data" / name).write_text("x\n")
    assert "TEN-I013" not in built(bank)
