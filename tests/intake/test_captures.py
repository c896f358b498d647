"""A bank that exports its members only as they are today: versions are kept, and what labels said stays."""

import random
import shutil
import subprocess
import sys
from datetime import date, datetime, timedelta

import pytest

from tenure.errors import ExtractTime, InvalidDefinition, MissingTable, VanishedRows
from tenure.feature_store.plan import plan_backfill
from tenure.intake.calendar import calendar
from tenure.intake.captures import captured_extracts, undo_extract
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

SOURCES = """
from tenure import Column, Csv, Entity, Source

member = Entity("member", key="member_id", source="members")

members = Source(
    "members",
    read=Csv("members*.csv"),
    key="member_id",
    event_time="joined_on",
    ends="closed_on",
    history="capture",
    arrival_delay=31,
    columns=[
        Column("member_id", role="key"),
        Column("joined_on", type="date", role="time"),
        Column("closed_on", type="date", role="time"),
        Column("born_in", fixed=True),
        Column("tier", required=True),
    ],
)

payments = Source(
    "payments",
    read=Csv("payments.csv"),
    key="payment_id",
    event_time="paid_on",
    columns=[
        Column("payment_id", type="integer", role="key"),
        Column("member_id", role="key"),
        Column("paid_on", type="date", role="time"),
        Column("amount", type="decimal", role="measure"),
    ],
)
"""

CHURN = """
from tenure import ChurnDefinition, Closure

churn = ChurnDefinition("closed", event=Closure(), horizon=31)
"""

FEATURES = """
from tenure import Attribute, FeatureView

who = FeatureView("who", source="members", features=[
    Attribute("tier", of="tier", doc="Tier"),
    Attribute("born_in", of="born_in", doc="Place of birth"),
])
"""

CONFIG = """
[project]
name = "mutual"

[snapshots]
every = "month-start"
first = 2024-01-01
"""


@pytest.fixture
def bank(tmp_path):
    for name, text in (("sources.py", SOURCES), ("churn.py", CHURN), ("tenure.toml", CONFIG)):
        (tmp_path / name).write_text(text)
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "who.py").write_text(FEATURES)
    (tmp_path / "data").mkdir()
    return tmp_path


def write(bank, name, header, rows):
    (bank / "data" / name).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def members(bank, name, rows):
    write(bank, name, "member_id,joined_on,closed_on,born_in,tier", rows)


def pay(bank, until):
    """A payment of M1 on each day up to one."""
    days = [date(2023, 12, 1) + timedelta(days=n) for n in range((until - date(2023, 12, 1)).days)]
    rows = [(n, "M1", day, "1.00") for n, day in enumerate(days)]
    write(bank, "payments.csv", "payment_id,member_id,paid_on,amount", rows)


def built(bank, last="staging", extracted=None, engine=None):
    name = engine.dialect if engine else ""
    with Work.open(bank, engine=name, overrides={"verify": {"customers": 0}}) as work:
        work.extracted = extracted
        if engine:
            work.use_engine(engine.new_session())
        list(run(work, stages_between("staging", last)))
        return work


def versions(bank):
    """The versions kept: key, tier, when known, until when; days at their last instant are that day."""
    with Work.open(bank) as work:
        rows = work.read("staging/members").to_pylist()
    found = [(r["member_id"], r["tier"], shown(r["known_time"]), shown(r["known_until"])) for r in rows]
    return sorted(found, key=lambda row: (row[0], row[2]))


def shown(instant):
    return instant and f"{instant:%Y-%m-%d}"


JANUARY = [("M1", "2020-05-05", "", "Ulm", "gold"), ("M2", "2021-06-06", "", "Bonn", "blue"),
           *((f"X{n}", "2022-01-01", "", "Kiel", "blue") for n in range(20))]  # fmt: skip


def test_versions_are_kept_and_rows_that_are_gone_end(bank, engine):
    pay(bank, date(2024, 3, 2))
    members(bank, "members-2024-01-31.csv", JANUARY)
    built(bank, engine=engine)
    (bank / "data" / "members-2024-01-31.csv").unlink()
    changed = [("M1", "2020-05-05", "", "Ulm", "platinum"), *JANUARY[2:], ("M3", "2024-02-10", "", "Rom", "blue")]
    members(bank, "members-2024-02-29.csv", changed)
    built(bank, engine=engine)
    found = [row for row in versions(bank) if not row[0].startswith("X")]
    assert found == [
        ("M1", None, "2020-06-05", "2024-01-31"),
        ("M1", "gold", "2024-01-31", "2024-02-29"),
        ("M1", "platinum", "2024-02-29", None),
        ("M2", None, "2021-07-07", "2024-01-31"),
        ("M2", "blue", "2024-01-31", "2024-02-29"),
        ("M3", "blue", "2024-02-29", None),
    ]
    with Work.open(bank) as work:
        january, february = captured_extracts(work, work.project.sources["members"])
        staged = {row["source"]: row["rows_staged"] for row in work.read("intake").to_pylist()}
    assert staged["members"] == 22
    assert (january["rows_added"], january["rows_changed"], january["rows_ended"]) == (22, 0, 0)
    assert (february["rows_added"], february["rows_changed"], february["rows_ended"]) == (1, 1, 1)
    assert february["extracted"] == datetime(2024, 2, 29, 23, 59, 59, 999999)


def test_extracts_side_by_side_are_captured_in_the_order_of_their_days(bank):
    pay(bank, date(2024, 3, 2))
    members(bank, "members-20240229.csv", [("M1", "2020-05-05", "", "Ulm", "platinum"), *JANUARY[1:]])
    members(bank, "members-20240131.csv", JANUARY)
    built(bank)
    assert [row[1:] for row in versions(bank) if row[0] == "M1"] == [
        (None, "2020-06-05", "2024-01-31"),
        ("gold", "2024-01-31", "2024-02-29"),
        ("platinum", "2024-02-29", None),
    ]


def test_a_second_staging_does_nothing(bank):
    pay(bank, date(2024, 3, 2))
    members(bank, "members-2024-01-31.csv", JANUARY)
    first = built(bank).lake.find("staging/members").version
    assert built(bank).lake.find("staging/members").version == first


@pytest.mark.parametrize("told", ["column", "instants", "option", "folder", "month"])
def test_the_time_of_an_extract_is_told_by_a_column_an_option_or_a_name(bank, told):
    pay(bank, date(2024, 3, 2))
    right = "2024-01-31"
    if told in ("column", "instants"):
        type_, value = ("date", "2024-01-31") if told == "column" else ("timestamp", "2024-01-31 04:00:00")
        text = SOURCES.replace("arrival_delay=31,", 'arrival_delay=31,\n    extracted="as_of",')
        text = text.replace('Column("tier", required=True),', f'Column("tier"), Column("as_of", type="{type_}"),')
        (bank / "sources.py").write_text(text)
        write(bank, "members.csv", "member_id,joined_on,closed_on,born_in,tier,as_of", [(*r, value) for r in JANUARY])
    elif told == "folder":
        (bank / "sources.py").write_text(SOURCES.replace('Csv("members*.csv")', 'Csv("*/members.csv")'))
        (bank / "data" / "2024-01-31").mkdir()
        members(bank, "2024-01-31/members.csv", JANUARY)
    else:
        members(bank, "members_202401.csv" if told == "month" else "members.csv", JANUARY)
    built(bank, extracted=date(2024, 1, 31) if told == "option" else None)
    assert [row[2:] for row in versions(bank) if row[0] == "M1"] == [("2020-06-05", right), (right, None)]


def test_without_a_time_it_is_refused_with_the_ways_to_tell_it(bank):
    pay(bank, date(2024, 3, 2))
    members(bank, "members.csv", JANUARY)
    with pytest.raises(ExtractTime, match="'members' has history='capture', and nothing tells when") as refused:
        built(bank)
    assert "--extracted" in refused.value.hint
    built(bank, extracted=date(2024, 1, 31))
    built(bank)  # nothing new: nothing has to be told


def test_captured_decimals_are_not_cut_by_a_definition_of_fewer_digits(bank):
    pay(bank, date(2024, 3, 2))
    sources = bank / "sources.py"

    def declared(digits):
        sources.write_text(SOURCES.replace('Column("tier", required=True)', f'Column("tier", type="decimal"{digits})'))

    declared(", scale=4")
    for month in ("01-31", "02-29"):
        members(bank, f"members-2024-{month}.csv", [(*row[:4], "1.2345") for row in JANUARY])
    built(bank)
    declared("")
    with pytest.raises(InvalidDefinition, match="declares 'tier' as a decimal of 18 digits, 2 of them") as refused:
        built(bank)
    assert refused.value.hint == "Declare precision=20, scale=4, or what it was."
    declared(", precision=20, scale=4")
    built(bank)
    with Work.look(bank) as work:
        found = work.read("members").column("tier").to_pylist()
    assert {str(tier) for tier in found if tier is not None} == {"1.2345"}


def test_an_extract_older_than_the_last_is_refused(bank):
    pay(bank, date(2024, 3, 2))
    members(bank, "members-2024-02-29.csv", JANUARY)
    built(bank)
    members(bank, "members-2024-01-31.csv", JANUARY)
    with pytest.raises(ExtractTime, match="an extract of 2024-01-31, and one of 2024-02-29 was captured already"):
        built(bank)


def test_an_extract_that_is_cut_off_ends_no_row(bank):
    pay(bank, date(2024, 3, 2))
    members(bank, "members-2024-01-31.csv", JANUARY)
    built(bank)
    before = versions(bank)
    members(bank, "members-2024-02-29.csv", JANUARY[:15])
    with pytest.raises(VanishedRows, match=r"7 of the 22 rows of the last extract are not in that of 2024-02-29"):
        built(bank)
    assert versions(bank) == before


@pytest.mark.parametrize("how", ["undone", "brought again"])
def test_a_cut_extract_and_then_the_whole_one_end_as_if_the_first_had_not_come(bank, tmp_path, how):
    pay(bank, date(2024, 3, 2))
    whole = [("M1", "2020-05-05", "", "Ulm", "platinum"), *JANUARY[1:], ("M3", "2024-02-10", "", "Rom", "blue")]
    members(bank, "members-2024-01-31.csv", JANUARY)
    built(bank)
    january = versions(bank)
    members(bank, "members-2024-02-29.csv", whole[:21])  # two rows are lost: fewer than refuse it
    built(bank)
    assert [row[3] for row in versions(bank) if row[0] == "X19"] == ["2024-01-31", "2024-02-29"]
    if how == "undone":
        with Work.open(bank) as work:
            undo_extract(work, "members")
        assert versions(bank) == january
    members(bank, "members-2024-02-29.csv", whole)
    built(bank)
    assert [row[3] for row in versions(bank) if row[0] == "X19"] == ["2024-01-31", None]
    assert [row[1:] for row in versions(bank) if row[0] == "M3"] == [("blue", "2024-02-29", None)]


def test_the_only_extract_is_not_undone_and_other_sources_have_none(bank):
    pay(bank, date(2024, 3, 2))
    members(bank, "members-2024-01-31.csv", JANUARY)
    built(bank)
    with Work.open(bank) as work:
        with pytest.raises(ExtractTime, match="1 captured extracts, and none before the last"):
            undo_extract(work, "members")
        with pytest.raises(InvalidDefinition, match="'payments' has no history='capture'"):
            undo_extract(work, "payments")


def test_a_column_that_is_declared_later_is_null_in_what_was_kept(bank):
    pay(bank, date(2024, 3, 2))
    members(bank, "members-2024-01-31.csv", JANUARY)
    built(bank)
    (bank / "data" / "members-2024-01-31.csv").unlink()
    (bank / "sources.py").write_text(SOURCES.replace('Column("tier"', 'Column("city", raw="born_in"), Column("tier"'))
    members(bank, "members-2024-02-29.csv", JANUARY)
    built(bank)
    with Work.open(bank) as work:
        rows = [r for r in work.read("staging/members").to_pylist() if r["member_id"] == "M1"]
    assert [(r["city"], r["tier"]) for r in sorted(rows, key=lambda r: r["known_time"])] == [
        (None, None), (None, "gold"), ("Ulm", "gold"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('history="capture"', 'history="capture", known_time="joined_on"', "its rows are known when"),
        ("arrival_delay=31,", "", "and no arrival_delay"),
        ('history="capture"', 'history="scd2"', "has history='scd2' .*allowed: 'capture'"),
        ('history="capture"', 'extracted="joined_on"', "extracted='joined_on' without history='capture'"),
        ('history="capture"', 'history="capture", extracted="tier"', "extracted='tier', which is a string"),
    ],
)
def test_a_history_that_contradicts_itself_is_refused(bank, old, new, told):
    (bank / "sources.py").write_text(SOURCES.replace(old, new))
    with pytest.raises(InvalidDefinition, match=told):
        Work.open(bank)


def months(number):
    """The last days of the first months of 2024."""
    return [date(2024, month + 1, 1) - timedelta(days=1) for month in range(1, number + 1)]


def test_twelve_monthly_extracts_change_no_old_label_and_cost_a_snapshot_each(bank):
    rng = random.Random(5)  # noqa: S311  (no secret)
    state = {f"M{n}": ["2022-01-01", "", "Ulm", "blue"] for n in range(300)}
    labels, planned, before = {}, [], None
    for day in months(11):
        for key, row in list(state.items()):
            if not row[1] and rng.random() < 0.03:
                row[1] = str(day - timedelta(days=rng.randrange(28)))
            elif rng.random() < 0.05:
                row[3] = rng.choice(["blue", "gold", "grey"])
            elif row[1] and rng.random() < 0.05:
                del state[key]  # the bank forgets who closed long ago
        if before is not None:
            (bank / "data" / before).unlink()
        before = f"members-{day}.csv"
        members(bank, before, [(key, *row) for key, row in state.items()])
        pay(bank, day + timedelta(days=1))
        with Work.open(bank, overrides={"verify": {"customers": 0}}) as work:
            list(run(work, ("staging", "snapshots")))
            planned.append(plan_backfill(work, calendar(work).plan).due)
            list(run(work, ("features",)))
            if day > date(2024, 3, 15):
                list(run(work, ("labels",)))
                for row in work.read("labels").to_pylist():
                    labels.setdefault((row["snapshot_date"], row["member_id"]), set()).add(row["churned"])
    assert set(map(len, labels.values())) == {1}
    first = [churned for (snapshot, _), (churned,) in labels.items() if snapshot == date(2024, 2, 1)]
    assert 0 < sum(first) < len(first)
    # From the first snapshot that is due each month, one more; the last month's may be stored already.
    assert [len(due) for due in planned[1:]] == [1] * 10


def test_a_history_that_is_gone_is_not_begun_anew_in_silence(bank):
    pay(bank, date(2024, 3, 2))
    members(bank, "members-2024-01-31.csv", JANUARY)
    built(bank)
    shutil.rmtree(bank / "lake" / "staging" / "members")
    members(bank, "members-2024-02-29.csv", JANUARY)
    with pytest.raises(MissingTable, match="the history of source 'members' is gone: 1 extracts"):
        built(bank)


def test_the_command_takes_the_day_and_takes_an_extract_back(bank):
    pay(bank, date(2024, 3, 2))
    for day, rows in (("2024-01-31", JANUARY), ("2024-02-29", JANUARY[:-1])):
        members(bank, "members.csv", rows)
        assert tenure("staging", "--project", bank, "--extracted", day)[0] == 0
    code, out = tenure("staging", "--project", bank, "--undo-extract", "members")
    assert (code, "The extract of members of 2024-02-29 is taken back" in out) == (0, True)
    assert [row[3] for row in versions(bank) if row[0] == "X19"] == ["2024-01-31", None]


def tenure(*arguments):
    """Run the command; return its exit code and what it printed."""
    command = [sys.executable, "-m", "tenure.cli", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr
