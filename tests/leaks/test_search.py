"""Ten leaks, each planted in a small bank and caught by the command; the same bank without it is let through.

Leaks in data or definitions are planted there. Leaks that would be faults of Tenure's own SQL are planted by rewriting
every statement on its way into the engine, while the tables are built and while they are verified.
"""

import csv
import json
import re
import shutil
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import tiny_bank

from tenure import cli
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.leaks.search import every_finding
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

WORLD = Path(__file__).parents[1] / "worlds" / "twelve_customers"


@pytest.fixture
def told(monkeypatch, capsys):
    """Run the command as `main` does and return (exit code, stdout, stderr)."""

    def run_command(*arguments):
        monkeypatch.setattr(sys, "argv", ["tenure", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def rows(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def write(file, table):
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def with_columns(file, **columns):
    """Add columns to a CSV, each a function of its row."""
    write(file, [row | {name: make(row) for name, make in columns.items()} for row in rows(file)])


def add_source(bank, text, feature=""):
    edit(bank / "sources.py", "payments = Source(", f"{text}\npayments = Source(")
    if feature:
        add_feature(bank, feature)


def add_feature(bank, text):
    (bank / "features" / "more.py").write_text(f"from tenure import Aggregate, Attribute, FeatureView\n\nv = {text}\n")


def days_after(row, column, number):
    return date.fromisoformat(row[column]) + timedelta(days=number)


# -- what is planted: each function writes it, or with leak=False its honest twin, into a tiny bank ------------------


def overwritten_customers(bank, leak):
    """customers.csv holds today's segment, written half a year after the opening that is claimed as its known time."""
    later = 180 if leak else 0
    with_columns(
        bank / "data" / "customers.csv",
        segment=lambda row: "gold",
        updated_at=lambda row: f"{days_after(row, 'opened_on', later)} 08:00:00",
    )
    more = 'Column("region"),\n        Column("segment"),\n        Column("updated_at", type="timestamp"),'
    edit(bank / "sources.py", 'Column("region", role="attribute"),', more)
    add_feature(bank, 'FeatureView("s", source="customers", features=[Attribute("segment", of="segment", doc="S")])')


def two_known_times(bank, leak):
    """customers.csv is written anew, as one source says; another claims to have known its rows since the opening."""
    later = 180 if leak else 0
    with_columns(bank / "data" / "customers.csv", updated_at=lambda row: days_after(row, "opened_on", later))
    add_source(
        bank,
        'updates = Source("updates", read=Csv("customers.csv"), key="customer_id", event_time="updated_at", '
        'known_time="updated_at", columns=[Column("customer_id", type="integer"), '
        'Column("updated_at", type="date", role="time")])\n',
    )


def joined_segment(bank, leak):
    """The segment of today is joined to a row that claims to be as old as the customer."""
    segments = [
        {"customer_id": row["customer_id"], "segment": segment, "updated_at": f"{days_after(row, 'opened_on', later)}"}
        for row in rows(bank / "data" / "customers.csv")
        for segment, later in (("basic", 0), ("gold", 250))
    ]
    write(bank / "data" / "segments.csv", segments)
    add_source(
        bank,
        'tiers = Source("tiers", read=Csv("segments.csv"), key="customer_id", event_time="updated_at", '
        'known_time="updated_at", columns=[Column("customer_id", type="integer"), Column("segment"), '
        'Column("updated_at", type="date", role="time")])\n',
    )
    which = "MAX" if leak else "MIN"
    edit(
        bank / "sources.py",
        'read=Csv("customers.csv"),',
        'read={"people": Csv("customers.csv"), "known": Csv("segments.csv")},\n    select="""SELECT p.*, k.segment '
        f"FROM people AS p LEFT JOIN (SELECT customer_id, {which}(updated_at) AS told_at FROM known "
        "GROUP BY customer_id) AS n ON n.customer_id = p.customer_id LEFT JOIN known AS k "
        'ON k.customer_id = p.customer_id AND k.updated_at = n.told_at""",',
    )
    edit(bank / "sources.py", 'Column("region", role="attribute"),', 'Column("region"),\n        Column("segment"),')
    add_feature(bank, 'FeatureView("s", source="customers", features=[Attribute("segment", of="segment", doc="S")])')


def global_mean(bank, leak):
    """Each amount is divided by the mean of all payments, later ones too."""
    over = " / AVG(CAST(amount AS DOUBLE)) OVER ()" if leak else ""
    edit(
        bank / "sources.py",
        'read=Csv("payments.csv"),',
        'read={"paid": Csv("payments.csv")},\n    select="SELECT payment_id, customer_id, paid_on, '
        f'CAST(amount AS DOUBLE){over} AS amount FROM paid",',
    )


def churn_flag(bank, leak):
    """customers.csv holds a status, overwritten when a customer goes quiet; or one that has nothing to do with it."""
    status = (lambda n: "lost" if n % 10 == 0 else "active") if leak else (lambda n: ("a", "b")[n % 2])
    with_columns(bank / "data" / "customers.csv", status=lambda row: status(int(row["customer_id"])))
    edit(bank / "sources.py", 'Column("region", role="attribute"),', 'Column("region"),\n        Column("status"),')
    add_feature(bank, 'FeatureView("s", source="customers", features=[Attribute("status", of="status", doc="S")])')


def closure_copied_as_text(bank, leak):
    """The closing day under another name, and not even called a date."""
    closure_copied_by_select(bank, leak, kind="string", how="value")


def closure_copied_by_select(bank, leak, *, kind="date", how="days_since"):
    """The closing day under another name; or a day that was known at the opening."""
    column = "closed_on" if leak else "opened_on"
    edit(
        bank / "sources.py",
        'read=Csv("customers.csv"),',
        f'read={{"people": Csv("customers.csv")}},\n    select="SELECT *, {column} AS left_on FROM people",',
    )
    more = f'Column("region"),\n        Column("left_on", type="{kind}"),'
    edit(bank / "sources.py", 'Column("region", role="attribute"),', more)
    add_feature(
        bank,
        f'FeatureView("s", source="customers", features=[Attribute("gone", of="left_on", how="{how}", doc="S")])',
    )


def timed_payments(bank, *, minutes, known="recorded_at"):
    """Payments at ten o'clock, recorded so many minutes later."""

    def recorded(row):
        return datetime.fromisoformat(f"{row['paid_on']} 10:00:00") + timedelta(minutes=minutes(row))

    with_columns(bank / "data" / "payments.csv", paid_at=lambda row: f"{row['paid_on']} 10:00:00", recorded_at=recorded)
    edit(bank / "sources.py", 'event_time="paid_on",', f'event_time="paid_at",\n    known_time="{known}",')
    edit(
        bank / "sources.py",
        'Column("paid_on", type="date", role="time"),',
        'Column("paid_at", type="timestamp", role="time"),\n        Column("recorded_at", type="timestamp"),',
    )


def known_at_the_event(bank, leak):
    """Payments arrive three days late, and claim to be known at once."""
    timed_payments(bank, minutes=lambda _: 3 * 1440, known="paid_at" if leak else "recorded_at")


def future_dated(bank, leak):
    """Every hundredth payment is recorded forty days before it happens."""
    early = -40 * 1440 if leak else 5
    timed_payments(bank, minutes=lambda row: early if int(row["payment_id"]) % 100 == 0 else 5)


def recorded_after_the_extract(bank, leak):
    """Some payments are recorded in 2090, long after the file was written."""
    late = 66 * 365 * 1440 if leak else 5
    timed_payments(bank, minutes=lambda row: late if int(row["payment_id"]) % 100 == 0 else 5)


def local_time_as_utc(bank, leak):
    """Payments are stamped in local time two hours ahead of UTC, in which the recording is."""
    timed_payments(bank, minutes=lambda row: int(row["payment_id"]) % 50 - (120 if leak else 0))


def write_loans(bank, columns):
    loans = [
        {
            "loan_id": row["customer_id"],
            "customer_id": row["customer_id"],
            "granted_on": row["opened_on"],
            **columns(row),
        }
        for row in rows(bank / "data" / "customers.csv")
    ]
    write(bank / "data" / "loans.csv", loans)


LOAN = (
    'key="loan_id", event_time="granted_on", columns=[Column("loan_id", type="integer"), '
    'Column("customer_id", type="integer"), Column("granted_on", type="date"), Column("status")'
)
BAD_LOANS = (
    'FeatureView("l", source="loans", features=[Aggregate("bad", how="count", where="status = \'bad\'", doc="Bad")])'
)


def loan_status_with_its_time(bank, leak):
    """A loan's status is written a year after the loan was granted, when it is said to be known."""
    write_loans(bank, lambda row: {"status": "bad", "changed_on": days_after(row, "opened_on", 200 if leak else 0)})
    columns = f'{LOAN}, Column("changed_on", type="date")]'
    add_source(bank, f'loans = Source("loans", read=Csv("loans.csv"), {columns})\n', BAD_LOANS)


def loan_status_joined(bank, leak):
    """A loan's status of today is joined in from a table of its own."""
    write_loans(bank, lambda row: {})
    states = [
        {"loan_id": row["loan_id"], "status": status, "told_on": days_after(row, "granted_on", later)}
        for row in rows(bank / "data" / "loans.csv")
        for status, later in (("good", 0), ("bad", 250))
    ]
    write(bank / "data" / "states.csv", states)
    which = "bad" if leak else "good"
    add_source(
        bank,
        'states = Source("states", read=Csv("states.csv"), key=("loan_id", "told_on"), event_time="told_on", '
        'columns=[Column("loan_id", type="integer"), Column("status"), Column("told_on", type="date")])\n'
        'loans = Source("loans", read={"granted": Csv("loans.csv"), "told": Csv("states.csv")}, '
        'select="SELECT g.*, s.status FROM granted AS g LEFT JOIN told AS s ON s.loan_id = g.loan_id '
        f"AND s.status = '{which}'\", {LOAN}])\n",
        BAD_LOANS,
    )


# (number, plant, verb, detection, what the message names, customers)
PLANTS = [
    (2, known_at_the_event, "check", "value from the future", "source 'payments', column 'recorded_at'", 40),
    (3, overwritten_customers, "check", "value from the future", "source 'customers', column 'updated_at'", 40),
    (3, two_known_times, "verify", "two known times", "source 'customers', column 'opened_on'", 40),
    (3, joined_segment, "verify", "staging time travel", "source 'customers', column 'segment'", 40),
    (4, global_mean, "verify", "staging time travel", "source 'payments', column 'amount'", 40),
    (5, churn_flag, "verify", "target proxy", "feature 'status' of source 'customers'", 200),
    (6, closure_copied_by_select, "check", "value from the future", "source 'customers', column 'left_on'", 40),
    (6, closure_copied_as_text, "check", "value from the future", "source 'customers', column 'left_on'", 40),
    (7, future_dated, "check", "future-dated row", "source 'payments', column 'paid_at'", 40),
    (7, recorded_after_the_extract, "check", "future-dated row", "source 'payments', column 'recorded_at'", 40),
    (8, local_time_as_utc, "check", "clock", "source 'payments', column 'paid_at'", 40),
    (9, loan_status_with_its_time, "check", "value from the future", "source 'loans', column 'changed_on'", 40),
    (9, loan_status_joined, "verify", "staging time travel", "source 'loans', column 'status'", 40),
]


@pytest.mark.parametrize("leak", [True, False], ids=["planted", "honest"])
@pytest.mark.parametrize(
    "planted",
    [plant[1:] for plant in PLANTS],
    ids=[f"{number}-{plant.__name__}" for number, plant, *_ in PLANTS],
)
def test_a_leak_in_data_or_definitions(tmp_path, told, monkeypatch, planted, leak):
    plant, verb, detection, subject, customers = planted
    monkeypatch.setattr(tiny_bank, "CUSTOMERS", customers)
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    plant(bank, leak)
    last = "staging" if verb == "check" else "training_set"
    assert told("run", "--project", bank, "--to", last)[::2] == (0, "")
    options = ["--leaks"] if verb == "verify" else []
    code, out, err = told(verb, "--project", bank, *options)
    leaks = [line for line in out.splitlines() if line.startswith("LEAK")]
    if not leak:
        assert (code, err, leaks) == (0, "", [])
        assert "ok  leaks: none found" in out
        return
    assert code == 6, out + err
    assert [line.startswith(f"LEAK  {subject}: {detection}: ") for line in leaks] == [True], leaks
    assert err.startswith(f"CheckFailed: 1 leak in {subject}: ")
    assert re.search(r"\d+\.\d%|AUROC", leaks[0]), "how much of it there is"
    assert ".py:" in leaks[0], "where it is defined"
    assert "Allowed: " in leaks[0] or "is plausible" in leaks[0], "what is allowed"
    assert len(err.splitlines()) == 2, "and a line of what to do"


# -- what a definition says is refused before anything runs ------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "feature", "message"),
    [
        ("", "closed_on", "reads 'closed_on', the end time of source 'customers'"),
        (
            'Column("left_on", type="date", raw="closed_on"),\n        ',
            "left_on",
            "reads 'left_on', a copy of 'closed_on', the end time of source 'customers'",
        ),
        ('Column("born", type="date", role="pii", raw="opened_on"),\n        ', "born", "reads 'born', which is PII"),
    ],
)
def test_a_closing_day_is_refused_as_a_feature(tmp_path, told, column, feature, message):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    edit(bank / "sources.py", 'Column("region"', f'{column}Column("region"')
    add_feature(
        bank,
        'FeatureView("s", source="customers", features=[\n'
        f'    Attribute("gone", of="{feature}", how="days_since", doc="S")])',
    )
    code, out, err = told("check", "--project", bank)
    assert (code, out) == (3, "")
    assert err.startswith("InvalidDefinition: feature 'gone' ")
    assert message in err
    assert "features/more.py:" in err


def test_a_closing_day_can_not_be_read_by_a_condition(tmp_path, told):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    edit(bank / "features" / "paid.py", "who = FeatureView(", "_ = 0\nwho = FeatureView(")
    add_feature(
        bank,
        'FeatureView("s", source="customers", features=[\n'
        '    Aggregate("gone", how="count", where="closed_on IS NOT NULL", doc="S")])',
    )
    code, _, err = told("check", "--project", bank)
    assert code == 3
    assert "closed_on" in err


def test_a_plan_is_told_by_its_column(tmp_path, told):
    """A due date may lie ahead of the day on which it was written down, once the bank says that it is a plan."""
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    write_loans(bank, lambda row: {"status": "good", "due_on": days_after(row, "opened_on", 360)})
    due = '{}, Column("due_on", type="date"{})]'
    source = 'loans = Source("loans", read=Csv("loans.csv"), {})\n'
    add_source(bank, source.format(due.format(LOAN, "")))
    assert told("staging", "--project", bank)[0] == 0
    code, _, err = told("check", "--project", bank)
    assert code == 6
    assert "Column('due_on', type='date', planned=True)" in err
    code, out, _ = told("check", "--json", "--project", bank)
    finding = json.loads(out.splitlines()[-1])
    assert (code, finding["alarm"], finding["subject"]) == (6, True, "source 'loans', column 'due_on'")
    edit(bank / "sources.py", due.format(LOAN, ""), due.format(LOAN, ", planned=True"))
    assert told("staging", "--project", bank)[0] == 0
    code, out, err = told("check", "--project", bank)
    assert (code, err) == (0, "")
    assert "ok  leaks: none found\n" in out


def test_a_number_can_not_be_planned(tmp_path, told):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    edit(bank / "sources.py", 'Column("region", role="attribute"', 'Column("region", planned=True')
    code, _, err = told("check", "--project", bank)
    assert code == 3
    assert "column 'region' is a string and can't be planned" in err
    assert "allowed: date, timestamp" in err


def test_check_says_what_it_can_not_look_at_yet(tmp_path, told):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    code, out, _ = told("check", "--project", bank)
    assert code == 0
    assert "note  staged rows: value from the future: not looked at yet: " in out
    told("staging", "--project", bank)
    assert "note" not in told("check", "--project", bank)[1]
    tiny_bank.write_raw_files(bank / "data", last_day=date(2024, 6, 1))
    assert "the files of source 'payments' changed since it was staged" in told("check", "--project", bank)[1]


def test_verify_wants_the_rows_that_were_staged(tmp_path, told):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    told("run", "--project", bank, "--to", "features")
    tiny_bank.write_raw_files(bank / "data", last_day=date(2024, 6, 1))
    code, _, err = told("verify", "--leaks", "--project", bank)
    assert code == 7
    assert "the files of source 'payments' changed since it was staged." in err
    assert "Run 'tenure run'" in err


def test_verify_says_what_can_not_be_proven(tmp_path, told):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    write(bank / "data" / "branches.csv", [{"region": region, "head": "x"} for region in ("north", "south", "east")])
    edit(
        bank / "sources.py",
        'read=Csv("customers.csv"),',
        'read={"people": Csv("customers.csv"), "branches": Csv("branches.csv")},\n    select="SELECT p.*, b.head FROM '
        'people AS p LEFT JOIN branches AS b ON b.region = p.region",',
    )
    told("run", "--project", bank, "--to", "features")
    code, out, err = told("verify", "--leaks", "--project", bank)
    assert (code, err) == (0, "")
    notes = [line for line in out.splitlines() if line.startswith("note")]
    assert len(notes) == 2
    assert "not looked at: the training set is not built" in notes[0]
    assert "source 'customers': staging time travel: not provable: raw table 'branches' has no time column" in notes[1]


# -- faults of Tenure's own SQL ---------------------------------------------------------------------------------------

CODE_FAULTS = {
    # A row known exactly at t is counted: known_time <= t.
    "1-same_instant": {"r.known_time": "(r.known_time - INTERVAL '1' SECOND)"},
    # The newest version is there from the event on, and the versions before it are nowhere.
    "2-late_correction": {
        "r.known_time": "(CASE WHEN r.known_until IS NULL THEN r.event_time ELSE TIMESTAMP '2099-01-01 00:00:00' END)"
    },
    # A snapshot that counts its own day.
    "10-inclusive_day": {
        "r.known_time": "(r.known_time - INTERVAL '1' DAY)",
        "r.event_time": "(r.event_time - INTERVAL '1' DAY)",
    },
}


@pytest.fixture
def world(tmp_path):
    """Committed unproved: else the proof before the commit would refuse it."""
    folder = tmp_path / "twelve_customers"
    shutil.copytree(WORLD, folder)
    with (folder / "tenure.toml").open("a") as toml:
        toml.write("\n[verify]\ncustomers = 0\n")
    return folder


@pytest.mark.parametrize("rewritten", CODE_FAULTS.values(), ids=CODE_FAULTS)
def test_a_fault_of_our_own_sql_is_caught_by_time_travel(world, told, monkeypatch, rewritten):
    pattern = re.compile("|".join(map(re.escape, rewritten)))
    changed = []

    def leaky(statement):
        text, times = pattern.subn(lambda found: rewritten[found[0]], statement)
        changed.append(times)
        return text

    cache, write_files = DuckDBEngine.cache, DuckDBEngine.write
    monkeypatch.setattr(DuckDBEngine, "cache", lambda self, at, text: cache(self, at, leaky(text)))
    monkeypatch.setattr(DuckDBEngine, "write", lambda self, text, *to, **by: write_files(self, leaky(text), *to, **by))
    assert told("run", "--project", world, "--to", "features")[0] == 0
    assert sum(changed)
    code, out, err = told("verify", "--time-travel", "--project", world)
    assert code == 6
    assert "time travel   FAILED" in out
    assert err.startswith("CheckFailed: table 'features' fails its proof, the stored features are not what was known")


def test_every_engine_finds_them(tmp_path, monkeypatch, engine, build):
    monkeypatch.setattr(tiny_bank, "CUSTOMERS", 120)
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    global_mean(bank, leak=True)
    loan_status_with_its_time(bank, leak=True)
    two_known_times(bank, leak=True)
    churn_flag(bank, leak=True)
    findings = list(every_finding(build(bank, engine)))
    assert [(finding.detection, finding.subject) for finding in findings] == [
        ("value from the future", "source 'loans', column 'changed_on'"),
        ("target proxy", "feature 'status' of source 'customers'"),
        ("two known times", "source 'customers', column 'opened_on'"),
        ("staging time travel", "source 'payments', column 'amount'"),
    ]


# -- no false alarms --------------------------------------------------------------------------------------------------


def alarms(folder, *, last="training_set"):
    with Work.open(folder) as work:
        work.use_engine(DuckDBEngine(EngineSettings(memory="2GB", threads=2)))
        list(run(work, stages_between("staging", last)))
        findings = list(every_finding(work))
    return [finding for finding in findings if finding.alarm]


def test_no_alarm_on_the_twelve_customers(world, told):
    assert alarms(world, last="features") == []


def test_no_alarm_on_the_tiny_bank(tmp_path):
    assert alarms(tiny_bank.write_tiny_bank(tmp_path / "bank")) == []


def test_no_alarm_where_silent_customers_are_asked_again(tmp_path, monkeypatch):
    """Twenty customers are silent at two snapshots: at the second, any count of payments tells it, and rightly so."""
    monkeypatch.setattr(tiny_bank, "CUSTOMERS", 200)
    assert alarms(tiny_bank.write_tiny_bank(tmp_path / "bank")) == []


def test_no_alarm_on_the_demo_bank(tmp_path, told):
    from tenure.demo import generate_bank
    from tenure.session.start import write_project

    folder = tmp_path / "bank"
    write_project(folder)
    generate_bank(folder, customers=300)
    assert alarms(folder) == []
