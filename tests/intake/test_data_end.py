"""The end of the data: who tells it, that it stays where it was, and that it is believed only if it can be true."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from fixed_bank import write_fixed_bank
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure.cli import app
from tenure.demo import generate_bank
from tenure.errors import BadValue, InvalidConfig
from tenure.intake.calendar import calendar
from tenure.intake.data_end import event_span
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tables.label_spans import label_spans

ROOT = Path(__file__).parents[2]
WORLDS = ROOT / "tests" / "worlds"
DAY = timedelta(days=1)


def edit(file, old, new):
    text = file.read_text()
    assert old in text, (file, old)
    file.write_text(text.replace(old, new))


def ends_of(folder, lake, data=None):
    """The end of the data, the first snapshot, how many there are, how many have labels, and the last of those."""
    with Work.open(folder, data=data, overrides={"lake": {"path": str(lake)}}) as work:
        list(run(work, ("staging",)))
        days = calendar(work)
        labelled = label_spans(work.project, work.project.churn, days.dates, days.data_end)
        return str(days.data_end), str(days.plan.first), len(days.dates), len(labelled), str(labelled[-1].snapshot_date)


# Measured with commit b9c3916, before events told what bounds them.
DECLARED_TWELVE = ("2024-05-01", "2024-02-29", 3, 2, "2024-03-31")
TOLD_TWELVE = ("2024-04-20", "2024-02-29", 2, 1, "2024-02-29")
TOLD_BRANCH = ("2024-06-26", "2024-01-31", 5, 4, "2024-04-30")
MEASURED = {
    ("twelve_customers", "balance_fell"): (DECLARED_TWELVE, TOLD_TWELVE),
    ("twelve_customers", "closed"): (DECLARED_TWELVE, None),
    ("twelve_customers", "closed_or_poorer"): (DECLARED_TWELVE, TOLD_TWELVE),
    ("twelve_customers", "quiet_and_poorer"): (DECLARED_TWELVE, TOLD_TWELVE),
    ("twelve_customers", "quiet_or_closed"): (DECLARED_TWELVE, TOLD_TWELVE),
    ("branch_bank", "any_event"): (("2024-07-01", "2024-01-31", 6, 4, "2024-04-30"), TOLD_BRANCH),
    ("branch_bank", "decline"): (("2024-07-01", "2024-01-31", 6, 5, "2024-05-31"), TOLD_BRANCH),
    ("branch_bank", "silence"): (("2024-07-01", "2024-01-31", 6, 5, "2024-05-31"), TOLD_BRANCH),
}


@pytest.mark.parametrize(("world", "definition"), MEASURED)
def test_hand_worked_worlds_end_where_they_ended(tmp_path, world, definition):
    folder = tmp_path / world
    if world == "branch_bank":
        write_fixed_bank(folder)
    else:
        shutil.copytree(WORLDS / world, folder)
    shutil.copy(WORLDS / world / "churn_definitions" / f"{definition}.py", folder / "churn.py")
    declared, told = MEASURED[world, definition]
    assert ends_of(folder, tmp_path / "declared") == declared
    toml = folder / "tenure.toml"
    toml.write_text(re.sub(r"(?m)^end = .*$", "", toml.read_text()))
    if told is None:
        with pytest.raises(InvalidConfig, match="nothing tells where the data end"):
            ends_of(folder, tmp_path / "told")
    else:
        assert ends_of(folder, tmp_path / "told") == told


def test_the_demo_ends_where_it_ended(tmp_path):
    folder = tmp_path / "demo"
    write_project(folder)
    generate_bank(folder, customers=300)
    assert ends_of(folder, tmp_path / "lake") == ("2025-12-31", "2024-01-02", 24, 21, "2025-09-30")


@pytest.mark.parametrize(
    ("example", "ends"),
    [
        ("berka", ("1994-03-31", "1993-06-06", 43, 30, "1993-12-26")),
        ("online_retail", ("2011-12-09", "2011-03-05", 40, 28, "2011-09-10")),
    ],
)
def test_real_banks_end_where_they_ended(tmp_path, real_data, example, ends):
    assert ends_of(ROOT / "examples" / example, tmp_path / "lake", real_data) == ends


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def staged(folder):
    with Work.open(folder) as work:
        list(run(work, ("staging",)))
    return folder


def declare(folder, end):
    edit(folder / "tenure.toml", "[snapshots]\n", f"[data]\nend = {end}\n\n[snapshots]\n")


def built(folder, last="labels"):
    with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
        list(run(work, stages_between("staging", last)))
        return calendar(work)


def checked(folder):
    return CliRunner().invoke(app, ["check", "--project", str(folder)])


def add_payments(folder, *days):
    file = folder / "data" / "payments.csv"
    rows = [f"{900_000 + number},5,{day},10.00" for number, day in enumerate(days)]
    file.write_text(file.read_text().rstrip("\n") + "\n" + "\n".join(rows) + "\n")


def test_an_end_after_tomorrow_is_refused_and_tomorrow_is_not(bank):
    today = datetime.now(UTC).date()  # asked for now: a run of the tests may last beyond midnight
    last = today - DAY
    text = (bank / "data" / "payments.csv").read_text()
    file = bank / "data" / "payments.csv"
    # The same bank, moved so that its last payments are yesterday's.
    moved = last - date(2024, 6, 30)
    file.write_text(re.sub(r"\d{4}-\d\d-\d\d", lambda m: str(date.fromisoformat(m[0]) + moved), text))
    people = bank / "data" / "customers.csv"
    people.write_text(re.sub(r"\d{4}-\d\d-\d\d", lambda m: str(date.fromisoformat(m[0]) + moved), people.read_text()))
    edit(bank / "tenure.toml", "first = 2024-01-31\n", "")
    declare(bank, today + DAY)
    assert built(bank, "snapshots").data_end == today + DAY
    edit(bank / "tenure.toml", f"end = {today + DAY}", f"end = {today + 2 * DAY}")
    with pytest.raises(InvalidConfig, match=rf"\[data\] end is {today + 2 * DAY}, after tomorrow \({today + DAY}, UTC"):
        built(bank, "snapshots")


@pytest.mark.parametrize("end", ["9999-12-31", "2199-01-01"])
def test_an_open_end_of_the_data_is_refused(bank, end):
    declare(bank, end)
    with pytest.raises(InvalidConfig, match="after tomorrow"):
        built(bank)


def test_an_end_behind_the_events_is_refused_by_check_once_staged_and_by_labels(bank):
    declare(bank, "2025-06-30")
    unstaged = checked(bank)
    assert "end of the data: could not look: table 'staging/customers' is not built yet" in unstaged.output
    assert unstaged.exit_code == 0
    staged(bank)
    told = r"\[data\] end is 2025-06-30, but the events of source 'payments', which labels read, end on 2024-06-30"
    refused = checked(bank)
    assert refused.exit_code != 0
    assert re.search(told, str(refused.exception))
    with pytest.raises(InvalidConfig, match=told) as caught, Work.open(bank) as work:
        list(run(work, ("labels",)))
    cure = re.search(r"such as (\S+);", caught.value.hint)[1]
    edit(bank / "tenure.toml", "end = 2025-06-30", f"end = {cure}")
    assert str(built(bank).data_end) == cure == "2024-07-01"
    assert checked(bank).exit_code == 0
    assert "end of the data: 2024-07-01 is the first day not covered; 6 snapshots" in checked(bank).output


@pytest.mark.parametrize("end", ["2024-07-31", "2024-07-01", "2024-06-30", "2024-05-31"])
def test_an_end_within_a_period_of_the_last_event_is_believed(bank, end):
    declare(bank, end)
    assert str(built(bank, "snapshots").data_end) == end


def test_an_end_a_day_more_than_a_period_behind_is_not(bank):
    declare(bank, "2024-08-01")
    with pytest.raises(InvalidConfig, match="in the 32 days between, everybody would look silent"):
        built(bank, "snapshots")


@pytest.mark.parametrize("strays", [["2024-12-24"], ["2024-09-01", "2024-12-24"], ["2024-07-20", "2024-08-15"]])
@pytest.mark.parametrize("declared", [False, True])
def test_a_stray_event_does_not_end_the_data(bank, strays, declared):
    add_payments(bank, *strays)
    if declared:
        declare(bank, strays[-1])
    told = f"end on 2024-06-30, but for a few rows up to {strays[-1]}"
    with pytest.raises(InvalidConfig if declared else BadValue, match=told) as caught:
        built(bank)
    assert "such as 2024-07-01" in caught.value.hint
    if not declared:
        declare(bank, "2024-07-01")
        assert str(built(bank).data_end) == "2024-07-01"


def test_every_day_over_a_holiday_is_believed(bank):
    """Nobody pays from 22 to 28 June, nor on the last two days; the shop closed as long in spring."""
    file = bank / "data" / "payments.csv"
    closed = [f"2024-06-{day}" for day in range(22, 31)] + [f"2024-03-{day}" for day in range(20, 30)]
    rows = file.read_text().splitlines()
    file.write_text("\n".join(row for row in rows if not any(day in row for day in closed)) + "\n")
    edit(bank / "tenure.toml", 'every = "month-end"\nfirst = 2024-01-31', 'every = "day"\nfirst = 2024-05-20')
    declare(bank, "2024-07-01")
    assert str(built(bank, "snapshots").data_end) == "2024-07-01"
    edit(bank / "tenure.toml", "end = 2024-07-01", "end = 2024-07-03")
    with pytest.raises(InvalidConfig, match=r"every = 'day' \(1 day\), or the longest gap .* \(11 days\)"):
        built(bank, "snapshots")


def days_of(first, last, step=1, rows=10):
    day, found = date.fromisoformat(first), {}
    while day <= date.fromisoformat(last):
        found[day] = rows
        day += step * DAY
    return found


def span(*parts):
    days = {day: rows for part in parts for day, rows in part.items()}
    return event_span(sorted(days), [days[day] for day in sorted(days)])


@pytest.mark.parametrize(
    ("parts", "usual"),
    [
        ([days_of("2023-01-01", "2024-05-30"), {date(2024, 12, 24): 1}], ("2023-01-01", "2024-05-30")),
        (
            [days_of("2023-01-01", "2024-05-30"), days_of("2024-06-20", "2025-01-31", 20, 1)],
            ("2023-01-01", "2024-05-30"),
        ),
        ([days_of("2023-01-01", "2024-05-30"), days_of("2024-06-20", "2025-01-31", 1)], ("2023-01-01", "2025-01-31")),
        ([days_of("2023-01-01", "2023-12-22"), {date(2024, 1, 8): 10}], ("2023-01-01", "2024-01-08")),
        ([days_of("2022-01-31", "2024-01-31", 30)], ("2022-01-31", "2024-01-21")),
        ([days_of("2022-01-31", "2024-01-31", 92, 1)], ("2022-01-31", "2023-11-06")),
        ([{date(1900, 1, 1): 3}, days_of("2023-01-01", "2024-05-30")], ("2023-01-01", "2024-05-30")),
        (
            [{date(1, 1, 1): 1}, days_of("2023-01-01", "2024-05-30"), {date(9999, 12, 31): 2}],
            ("2023-01-01", "2024-05-30"),
        ),
        ([{date(2024, 5, 30): 1}], ("2024-05-30", "2024-05-30")),
        ([{date(2024, 5, 30): 1, date(2024, 12, 24): 1}], ("2024-05-30", "2024-12-24")),
    ],
    ids=["stray", "several", "slow months", "holiday", "monthly", "quarterly", "1900", "both ends", "one", "two"],
)
def test_the_usual_days_of_a_source_leave_strays_out(parts, usual):
    found = span(*parts)
    assert (str(found.usual_first), str(found.usual_last)) == usual


def test_the_longest_gap_is_that_of_the_last_year():
    found = span(days_of("2020-01-01", "2021-01-01", 60), days_of("2021-06-01", "2024-01-01", 3))
    assert found.longest_gap == 3


YEAR = ("2023-01-01", "2023-12-31")


def without(days, *holes):
    """The days without those in one of the half-open spans."""
    spans = [(date.fromisoformat(first), date.fromisoformat(until)) for first, until in holes]
    return {day: rows for day, rows in days.items() if not any(first <= day < until for first, until in spans)}


def weekdays(days):
    return {day: rows for day, rows in days.items() if day.weekday() < 5}


AUTUMN, SPRING = ("2023-10-01", "2023-11-05"), ("2023-04-03", "2023-04-24")


@pytest.mark.parametrize(
    ("days", "outages"),
    [
        (days_of(*YEAR), []),
        (without(days_of(*YEAR), AUTUMN), [AUTUMN]),
        (without(days_of(*YEAR), AUTUMN, SPRING), [SPRING, AUTUMN]),
        (without(weekdays(days_of(*YEAR)), ("2023-10-02", "2023-11-04")), [("2023-09-30", "2023-11-06")]),
        # A week lost of a daily load; a long weekend at Christmas and at Easter is none.
        (without(days_of(*YEAR), ("2023-06-05", "2023-06-12")), [("2023-06-05", "2023-06-12")]),
        (without(weekdays(days_of(*YEAR)), ("2023-12-23", "2023-12-28"), ("2023-04-07", "2023-04-11")), []),
        # One load of those that come every week; a shop that often closes for weeks; few loads in all.
        (without(days_of(*YEAR, 7), ("2023-05-01", "2023-05-08")), [("2023-05-01", "2023-05-14")]),
        (
            without(days_of(*YEAR), *((f"2023-{month:02}-02", f"2023-{month:02}-25") for month in (1, 3, 5, 7, 9, 11))),
            [],
        ),
        (without(days_of(*YEAR, 30), AUTUMN), []),
    ],
    ids=["daily", "autumn", "both", "weekdays", "a week", "holidays", "weekly", "often", "few"],
)
def test_days_of_which_no_row_came_are_told_from_days_without_events(days, outages):
    assert [(str(first), str(until)) for first, until in span(days).outages] == outages


def cut(folder, first, until):
    """Take the payments of some days out of the raw file."""
    file = folder / "data" / "payments.csv"
    header, *rows = file.read_text().splitlines()
    place = header.split(",").index("paid_on")
    kept = [row for row in rows if not first <= row.split(",")[place] < until]
    file.write_text("\n".join([header, *kept, ""]))


def labelled_months(folder):
    with Work.open(folder) as work:
        outcomes = {ran.stage: ran.message for ran in run(work, stages_between("staging", "labels"))}
        rows = work.read("labels").to_pylist()
        lost = {str(row["snapshot_date"]): row["reason"] for row in work.read("unlabelled").to_pylist()}
    return sorted({str(row["snapshot_date"]) for row in rows}), lost, outcomes["labels"]


def test_horizons_of_which_rows_never_came_have_no_labels_and_are_told(bank):
    months, lost, message = labelled_months(bank)
    edit(bank / "tenure.toml", "[snapshots]\n", "[data]\nhistory_may_change = true\n\n[snapshots]\n")
    cut(bank, "2024-03-05", "2024-03-30")
    outage = "no row of payments came from 2024-03-05 to 2024-03-29"
    assert message == ""
    found, why, said = labelled_months(bank)
    hit = ["2024-02-29"]
    assert found == [month for month in months if month not in hit]
    assert why == lost | dict.fromkeys(hit, outage)
    assert said.startswith(f"{len(hit)} snapshot")
    assert outage in said
    edit(bank / "tenure.toml", "[data]\n", "[data]\ngaps_are_real = true\n")
    assert labelled_months(bank)[:2] == (months, lost)


@pytest.mark.parametrize("windows", [True, False])
def test_closings_alone_do_not_end_the_data(bank, windows):
    (bank / "churn.py").write_text(
        "from tenure import ChurnDefinition, Closure\nchurn = ChurnDefinition('closed', event=Closure(), horizon=30)\n"
    )
    if not windows:
        (bank / "features" / "paid.py").write_text(
            "from tenure import Attribute, FeatureView\n"
            "who = FeatureView('who', source='customers', features=[Attribute('region', of='region', doc='Region')])\n"
        )
    refused = checked(bank)
    assert "nothing tells where the data end" in str(refused.exception)
    with pytest.raises(InvalidConfig, match="nothing tells where the data end") as caught:
        built(bank)
    assert "Set [data] end in tenure.toml" in caught.value.hint
    declare(bank, "2024-06-30")
    assert str(built(bank).data_end) == "2024-06-30"


def test_closings_with_active_are_ended_by_the_activity(bank):
    (bank / "churn.py").write_text(
        "from tenure import Activity, ChurnDefinition, Closure\n"
        "churn = ChurnDefinition('closed', event=Closure(), horizon=30, active=Activity('payments', within=90))\n"
    )
    assert str(built(bank).data_end) == "2024-06-30"


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1900-01-01"])
def test_a_placeholder_among_the_events_changes_no_other_cell(bank, tmp_path, day):
    declare(bank, "2024-07-01")
    plain = rows_of(bank, tmp_path / "plain")
    add_payments(bank, day)
    found = rows_of(bank, tmp_path / "placeholder")
    own = ["payment_days_since_last"]  # customer 5's own history does begin earlier, and stops nothing
    assert found.drop_columns(own).equals(plain.drop_columns(own))


def rows_of(folder, lake):
    with Work.open(folder, overrides={"lake": {"path": str(lake)}, "verify": {"customers": 5}}) as work:
        list(run(work, stages_between("staging", "labels")))
        return work.read("features").sort_by([("customer_id", "ascending"), ("snapshot_date", "ascending")])


@pytest.mark.parametrize("ends", ["9999-12-31", "2999-01-01"])
def test_an_open_end_of_a_row_is_no_end(bank, tmp_path, ends):
    plain = rows_of(bank, tmp_path / "plain")
    file = bank / "data" / "customers.csv"
    file.write_text(re.sub(r",$", f",{ends}", file.read_text(), flags=re.MULTILINE))
    assert rows_of(bank, tmp_path / "open").equals(plain)


def test_an_arrival_delay_of_an_open_end_is_one(bank, tmp_path):
    edit(bank / "sources.py", 'event_time="paid_on",', 'event_time="paid_on",\n    arrival_delay=5,')
    declare(bank, "2024-07-01")
    plain = rows_of(bank, tmp_path / "plain")
    add_payments(bank, "9999-12-31")
    assert rows_of(bank, tmp_path / "open").equals(plain)


def test_a_plan_without_end_is_the_end_of_the_data(bank):
    edit(bank / "tenure.toml", "first = 2024-01-31", "first = 2024-01-31\nlast = 9999-12-31")
    assert built(bank, "snapshots").dates[-1] == date(2024, 6, 30)
