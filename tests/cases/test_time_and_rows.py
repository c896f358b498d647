"""Labels that data could not show, rows that vanish or are dropped, and rows of one person on both sides.

Rebuilt from reports of other tools, such as lifetimes#67, featuretools#935, dbt-core#10235 and #11269, Budget#276,
scikit-learn#13621.
"""

import csv
from datetime import date, timedelta

import pytest
from stages.runs import edit
from tiny_bank import write_tiny_bank

from tenure import FeatureStore
from tenure.errors import BadValue, VanishedRows
from tenure.session.work import Work
from tenure.stages.run import run, stages_between


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def built(folder, last="labels", **overrides):
    """The messages of the stages up to `last`."""
    with Work.open(folder, overrides={"verify": {"customers": 0}, **overrides}) as work:
        return {ran.stage: ran.message for ran in run(work, stages_between("staging", last))}


def read(folder, table):
    with Work.look(folder) as work:
        return work.read(table).to_pylist()


def write(file, rows):
    with file.open("w", newline="") as lines:
        csv.writer(lines).writerows(rows)


def payments_of(bank, days_by_customer):
    """Let payments be these days of each customer."""
    rows = [(customer, day) for customer, days in days_by_customer.items() for day in days]
    lines = [(number, customer, day, "5.00") for number, (customer, day) in enumerate(rows)]
    write(bank / "data" / "payments.csv", [("payment_id", "customer_id", "paid_on", "amount"), *lines])


def monthly(day_of_month, months=12):
    return [date(2023, 7, day_of_month) if n == 0 else _month(n, day_of_month) for n in range(months)]


def _month(number, day):
    year, month = divmod(2023 * 12 + 6 + number, 12)
    return date(year, month + 1, day)


def leavers(folder):
    return {str(row["snapshot_date"]) for row in read(folder, "labels") if row["churned"]}


# The end of the data


@pytest.mark.parametrize("strays", [1, 3])
def test_a_stray_event_far_behind_the_others_ends_no_data(bank, strays):
    with (bank / "data" / "payments.csv").open("a") as lines:
        lines.writelines(f"{900_000 + n},2,2025-01-{10 + n},1.00\n" for n in range(strays))
    with pytest.raises(BadValue, match="everybody would look silent"):
        built(bank)


@pytest.mark.parametrize("hole", [("2024-02-20", "2024-03-26"), ("2024-03-02", "2024-03-31")])
def test_weeks_that_never_came_make_no_leavers(bank, hole):
    before = {row["snapshot_date"] for row in (built(bank), read(bank, "labels"))[1]}
    file = bank / "data" / "payments.csv"
    kept = [line for line in file.read_text().splitlines() if not hole[0] <= line.split(",")[2] < hole[1]]
    file.write_text("\n".join([*kept, ""]))
    edit(bank / "tenure.toml", "[snapshots]\n", "[data]\nhistory_may_change = true\n\n[snapshots]\n")
    assert "no row of payments came" in built(bank)["labels"]
    left = {row["snapshot_date"] for row in read(bank, "labels")}
    assert left < before
    shares = {}
    for row in read(bank, "labels"):
        shares.setdefault(row["snapshot_date"], []).append(row["churned"])
    assert max(sum(those) / len(those) for those in shares.values()) < 0.5


# Rows that arrive late


@pytest.mark.parametrize("day_of_month", [3, 26, 28])
def test_who_pays_at_the_end_of_the_month_did_not_leave_because_it_arrives_later(bank, day_of_month):
    payments_of(bank, {n: [d for d in monthly(day_of_month) if d <= date(2024, 6, 20)] for n in range(40)})
    edit(bank / "sources.py", 'event_time="paid_on",', 'event_time="paid_on", arrival_delay=5,')
    edit(bank / "tenure.toml", "[snapshots]\n", "[data]\nend = 2024-06-20\n\n[snapshots]\n")
    edit(bank / "tenure.toml", 'every = "month-end"\nfirst = 2024-01-31', 'every = "month-start"\nfirst = 2024-01-01')
    edit(bank / "churn.py", "horizon=30", "horizon=31")
    built(bank)
    assert leavers(bank) == set()
    assert max(row["label_end"] for row in read(bank, "labels")) + timedelta(days=5) <= date(2024, 6, 20)


@pytest.mark.parametrize(("clock", "seen"), [("00:00", 1), ("09:00", 1), ("23:59", 1), ("next day", 2)])
def test_what_a_day_brings_is_known_when_the_day_is_over(bank, clock, seen):
    payments_of(bank, {n: [date(2024, 3, 30), date(2024, 3, 31)] for n in range(40)})
    built(bank, "staging")
    at = "2024-04-01 00:00:00" if clock == "next day" else f"2024-03-31 {clock}:00"
    spine = bank / "spine.csv"
    write(spine, [("customer_id", "event_timestamp"), (2, at)])
    with FeatureStore(bank) as store:
        (row,) = store.get_historical_features(spine, ["payment_count_30d"]).to_arrow().to_pylist()
    assert row["payment_count_30d"] == seen


# Rows that vanish, or are dropped


@pytest.mark.parametrize("gone", [("21",), ("1", "11", "31")])
def test_customers_deleted_at_the_source_rewrite_no_history(bank, gone):
    built(bank)
    before = read(bank, "labels")
    file = bank / "data" / "customers.csv"
    file.write_text("\n".join([*(r for r in file.read_text().splitlines() if r.split(",")[0] not in gone), ""]))
    with pytest.raises(VanishedRows, match=f"{len(gone)} customer"):
        built(bank)
    assert read(bank, "labels") == before


@pytest.mark.parametrize("copies", [1, 2])
def test_rows_that_are_alike_are_counted_when_they_are_dropped(bank, copies):
    file = bank / "data" / "payments.csv"
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([header, *rows, *rows[:300] * copies, ""]))
    total = len(rows) + 300 * copies
    assert (
        f"{300 * copies} of {total:,} rows are exactly like others and count once" in built(bank, "staging")["staging"]
    )


# Two accounts of one person


@pytest.fixture
def accounts(bank):
    """The bank with two accounts a person, the key (customer_id, account_no)."""
    sources = (bank / "sources.py").read_text()
    sources = sources.replace(
        'Entity("customer", key="customer_id"', 'Entity("account", key=("customer_id", "account_no")'
    )
    sources = sources.replace(
        'key="customer_id",\n    event_time="opened_on"',
        'key=("customer_id", "account_no"),\n    event_time="opened_on"',
    )
    key = '        Column("customer_id", type="integer", role="key"),\n'
    sources = sources.replace(key, key + '        Column("account_no", type="integer", role="key"),\n')
    (bank / "sources.py").write_text(sources)
    for name in ("customers", "payments"):
        file = bank / "data" / f"{name}.csv"
        header, *rows = file.read_text().splitlines()
        place = header.split(",").index("customer_id")
        doubled = []
        for row in rows:
            cells = row.split(",")
            for account in (1, 2):
                number = [str(int(cells[0]) * 2 + account)] if name == "payments" else []
                doubled.append(",".join([*(number or cells[:1]), *cells[1:], str(account)]))
        file.write_text("\n".join([header + ",account_no", *doubled, ""]))
        assert place in (0, 1)
    return bank


def people_on_both_sides(folder):
    sides = {}
    for row in read(folder, "splits"):
        if row["split"] == "train":
            sides.setdefault(row["customer_id"], set()).add(row["fold"])
    return sum(len(those) > 1 for those in sides.values())


def test_two_accounts_of_one_person_are_told_and_may_be_kept_together(accounts):
    message = built(accounts, "splits")["splits"]
    assert "rows that share but 'customer_id' may be in two folds" in message
    assert people_on_both_sides(accounts) > 0
    together = {"splits": {"group": ["customer_id"]}}
    assert built(accounts, "splits", **together)["splits"] == ""
    assert people_on_both_sides(accounts) == 0
    (proof,) = read(accounts, "split_proof")
    assert proof["holds"]
    assert (proof["folds"], proof["customers_in_two_folds"]) == (5, 0)
