"""Faults planted in the newest month of a bank of seven months: the right column is named, and a clean one is quiet."""

import csv
import random

import pytest
from tiny_bank import SOURCES, write_tiny_bank

from tenure.session.work import Work
from tenure.stages.run import run, stages_between

COLUMNS = ("payment_id", "customer_id", "paid_at", "seen_at", "amount", "kind", "shop", "note")

DECLARED = """
payments = Source(
    "payments",
    read=Csv("payments-*.csv"),
    key="payment_id",
    event_time="paid_at",
    known_time="seen_at",
    columns=[
        Column("payment_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("paid_at", type="timestamp", role="time"),
        Column("seen_at", type="timestamp", role="time"),
        Column("amount", type="decimal", role="measure"),
        Column("kind", role="dimension"),
        Column("shop", role="dimension"),
        Column("note", role="pii"),
    ],
)
"""


def month_of(number, seed):
    """Some 600 payments of a month, by day only, seen within a day."""
    rng = random.Random(seed + number)  # noqa: S311
    rows = []
    for place in range(600):
        day, hour = 1 + place % 28, rng.choice((9, 10, 12, 14, 17))
        at = f"2024-{number:02}-{day:02} {hour:02}:{rng.randrange(60):02}:{place % 60:02}"
        seen = f"2024-{number:02}-{day:02} 23:{place % 60:02}:00"
        amount = f"{rng.uniform(5, 90):.2f}"
        kind, shop = rng.choice(("card", "cash", "card")), rng.choice(("north", "south", "east"))
        rows.append([number * 1000 + place, place % 40, at, seen, amount, kind, shop, f"note {place}"])
    return rows


def write(folder, number, rows):
    with (folder / "data" / f"payments-{number:02}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


@pytest.fixture
def bank(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    head = SOURCES.partition("payments = Source(")[0]
    (folder / "sources.py").write_text(head + DECLARED)
    for number in range(1, 7):
        write(folder, number, month_of(number, 7))
    return folder


def staged(folder):
    """Stage; return (column, code) of what failed in this run, and the profile that is kept."""
    with Work.open(folder) as work:
        list(run(work, stages_between("staging", "staging")))
        rows = work.lake.read("checks").to_pylist()
        profile = work.lake.read("monthly_profiles").to_pylist()
        kept = {row["code"]: row for row in rows if row["run_id"] == work.run_id and row["source"] == "payments"}
        failed = {
            (row["column_name"], row["code"])
            for row in rows
            if row["outcome"] == "failed" and row["run_id"] == work.run_id
        }
    assert len(kept) >= 8
    return failed, sorted(tuple(row.values()) for row in profile if row["source"] == "payments")


def put(column, made):
    place = COLUMNS.index(column)

    def plant(row):
        row[place] = made(row[place])

    return plant


def exchange(row):
    row[5], row[6] = row[6], row[5]


#: The fault, the column and code that it must be named by in a whole month, and in 1 % of its rows ('' for none).
FAULTS = {
    "cents": (put("amount", lambda v: f"{float(v) * 100:.2f}"), ("amount", "TEN-Q013"), True),
    "sign": (put("amount", lambda v: f"-{v}"), ("amount", "TEN-Q012"), True),
    "null": (put("shop", lambda _: ""), ("shop", "TEN-Q016"), True),
    "encoding": (put("note", lambda _: "CafÃ©"), ("note", "TEN-Q010"), True),
    "value": (put("kind", lambda _: "CARD"), ("kind", "TEN-Q014"), True),
    "zone": (put("paid_at", lambda v: f"{v[:11]}0{int(v[11:13]) % 3}{v[13:]}"), ("paid_at", "TEN-Q017"), True),
    "late": (put("seen_at", lambda v: f"2024-07-{v[8:]}"), ("seen_at", "TEN-Q019"), True),
    "far": (put("seen_at", lambda v: f"2150{v[4:]}"), ("seen_at", "TEN-Q011"), True),
    "swapped": (exchange, ("kind", "TEN-Q015"), False),
}


def test_a_clean_month_raises_nothing_read_whole_or_alone(bank):
    assert staged(bank)[0] == set()
    write(bank, 7, month_of(7, 7))
    failed, alone = staged(bank)
    assert failed == set()
    for table in ("staging", "intake", "completeness", "monthly_profiles"):
        with Work.look(bank) as work:
            place = work.lake.folder / table
        place.rename(place.with_name(f"old_{table}"))
    assert staged(bank) == (set(), alone), "the profile of new rows added to the old is that of all"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_newest_month_is_named_by_its_column(bank, fault):
    plant, expected, in_few = FAULTS[fault]
    for share in (1, 60) if in_few else (1,):
        rows = month_of(6, 7)
        for row in rows[::share]:
            plant(row)
        write(bank, 6, rows)
        assert expected in staged(bank)[0], f"1 of {share} rows"


def test_a_month_that_is_doubled_or_cut_is_named(bank):
    rows = month_of(6, 7)
    write(bank, 6, [*rows, *([500_000 + row[0], *row[1:]] for row in rows)])
    assert {("", "TEN-Q018"), ("", "TEN-Q020")} <= staged(bank)[0]
    write(bank, 6, rows[::3])
    assert ("", "TEN-Q020") in staged(bank)[0]


def test_a_first_load_is_not_judged_by_history(bank):
    for number in (3, 4, 5, 6):
        (bank / "data" / f"payments-{number:02}.csv").unlink()
    assert staged(bank)[0] == set()
    with Work.look(bank) as work:
        rows = work.lake.read("checks").to_pylist()
    reasons = {row["reason"] for row in rows if row["outcome"] == "not applicable" and row["source"] == "payments"}
    assert reasons == {"fewer than 3 earlier months have 50 rows"}


def seventh(bank, *plants):
    """Stage six months, then a seventh with a fault in each tenth row; return what failed."""
    assert staged(bank)[0] == set()
    rows = month_of(7, 7)
    for row in rows[::10]:
        for plant in plants:
            plant(row)
    write(bank, 7, rows)
    return staged(bank)[0]


def test_events_of_a_wrong_year_are_named_though_few_lie_in_their_month(bank):
    failed = seventh(bank, put("paid_at", lambda at: f"2023{at[4:]}"))
    assert ("paid_at", "TEN-Q022") in failed


def test_events_after_their_arrival_are_named(bank):
    assert ("paid_at", "TEN-Q022") in seventh(bank, put("paid_at", lambda at: f"2024-09{at[7:]}"))


def test_keys_that_come_again_with_other_values_are_named(bank):
    assert ("payment_id", "TEN-Q023") in seventh(bank, put("payment_id", lambda key: key - 1000))


def test_a_delivery_that_is_like_those_before_passes_what_it_is_held_against(bank):
    assert seventh(bank) == set()
    with Work.look(bank) as work:
        rows = work.lake.read("checks").to_pylist()
    judged = {
        (row["code"], row["column_name"], row["outcome"], row["rows"])
        for row in rows
        if row["run_id"] == max(row["run_id"] for row in rows if row["source"] == "payments")
        and row["source"] == "payments"
    }
    assert {("TEN-Q022", "paid_at", "passed", 600), ("TEN-Q023", "payment_id", "passed", 600)} <= judged


@pytest.mark.parametrize(("column", "value"), [("shop", "x"), ("amount", "1.00"), ("note", ""), ("kind", "")])
def test_a_row_that_was_staged_before_and_has_another_value_is_named_by_its_column(bank, column, value):
    assert staged(bank)[0] == set()
    rows = month_of(3, 7)
    put(column, lambda _: value)(rows[17])
    write(bank, 3, rows)
    failed = staged(bank)[0]
    assert (column, "TEN-Q021") in failed
    assert {name for name, code in failed if code == "TEN-Q021"} == {column}
    with Work.look(bank) as work:
        (row,) = [row for row in work.lake.read("checks").to_pylist() if row["code"] == "TEN-Q021" and row["failing"]]
    assert row["reason"] == "1 of 3,600 rows have another value than when they were last staged"


def test_a_source_without_a_known_time_may_change_its_rows(bank):
    sources = bank / "sources.py"
    sources.write_text(sources.read_text().replace('    known_time="seen_at",\n', ""))
    staged(bank)
    rows = month_of(3, 7)
    put("shop", lambda _: "south")(rows[17])
    write(bank, 3, rows)
    assert not [code for _, code in staged(bank)[0] if code == "TEN-Q021"]


def test_another_definition_of_a_column_is_no_fault_of_the_delivery(bank):
    staged(bank)
    sources = bank / "sources.py"
    text = sources.read_text()
    sources.write_text(text.replace('Column("note", role="pii")', 'Column("note", raw="shop", role="pii")'))
    assert staged(bank)[0] == set()


def test_rows_set_aside_are_held_against_those_before(bank):
    sources = bank / "sources.py"
    known = '    known_time="seen_at",\n'
    text = sources.read_text().replace(known, f"{known}    quarantine=0.2,\n")
    sources.write_text(text)
    assert staged(bank)[0] == set()
    rows = month_of(7, 7)
    write(bank, 7, [*rows, *([*row[:4], "1.23", *row[5:]] for row in rows[:30])])
    assert ("payment_id", "TEN-Q024") in staged(bank)[0]
    for row in rows[:30]:
        put("amount", lambda _: "much")(row)
    write(bank, 7, rows)
    assert ("amount", "TEN-Q024") not in staged(bank)[0], "the rows that came since are judged, and none did"
