"""A bank of forty customers and two raw files: built in a second, for tests of the machinery around the tables.

Every tenth customer stops paying on 2024-04-01 and every tenth closes on 2024-05-15; the others pay every nine days.
"""

import csv
from datetime import date, timedelta
from pathlib import Path

from tenure.define.stage import SQL_STAGES

CUSTOMERS = 40

#: The stages in SQL that have something to do: no Reconciliation is declared.
ASKED = tuple(stage for stage in SQL_STAGES if stage != "reconcile")

FIRST_DAY, LAST_DAY = date(2023, 7, 1), date(2024, 6, 30)

TOML = """\
[project]
name = "Tiny Bank"

[train]
# Everybody pays every ninth day until they stop: silence alone tells who leaves, as it does in no bank.
trust = ["*"]

[snapshots]
every = "month-end"
first = 2024-01-31

[splits]
test_snapshots = 1
"""

SOURCES = """\
from tenure import Column, Csv, Entity, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read=Csv("customers.csv"),
    key="customer_id",
    event_time="opened_on",
    ends="closed_on",
    columns=[
        Column("customer_id", type="integer", role="key"),
        Column("region", role="attribute"),
        Column("opened_on", type="date", role="time"),
        Column("closed_on", type="date", role="time"),
    ],
)

payments = Source(
    "payments",
    read=Csv("payments.csv"),
    key="payment_id",
    event_time="paid_on",
    columns=[
        Column("payment_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("paid_on", type="date", role="time"),
        Column("amount", type="decimal", role="measure", unit="USD"),
    ],
)
"""

CHURN = """\
from tenure import Activity, ChurnDefinition, Inactivity

churn = ChurnDefinition(
    "quiet", event=Inactivity("payments"), horizon=30, min_tenure=30, active=Activity("payments", within=90)
)
"""

FEATURES = """\
from tenure import Aggregate, Attribute, FeatureView, Ratio, Trend, days

who = FeatureView("who", source="customers", features=[Attribute("region", of="region", doc="Region")])

paid = FeatureView(
    "paid",
    source="payments",
    features=[
        Aggregate("payment", how=("count", "days_since_last"), windows=days(30, 90), doc="Payments"),
        Aggregate("amount", of="amount", how=("sum", "mean"), windows=days(30, 90), unit="USD", doc="Amount paid"),
        Aggregate("large", how="count", windows=days(90), where="amount > 50", doc="Payments above 50 dollars"),
        Ratio("large_to_all", of="large_count", to="payment_count", windows=days(90), doc="Share of large payments"),
        Trend("payment_count", short=days(30)[0], long=days(90)[0], doc="Payments a day"),
    ],
)
"""


def write_tiny_bank(folder: Path, *, customers: int = 0) -> Path:
    """Write the project and its raw files into `folder` and return it."""
    (folder / "features").mkdir(parents=True)
    (folder / "data").mkdir()
    for name, text in {"tenure.toml": TOML, "sources.py": SOURCES, "churn.py": CHURN}.items():
        (folder / name).write_text(text)
    (folder / "features" / "paid.py").write_text(FEATURES)
    write_raw_files(folder / "data", customers=customers)
    return folder


def write_raw_files(data: Path, *, last_day: date = LAST_DAY, customers: int = 0) -> None:
    """Write customers.csv and payments.csv with payments up to `last_day`."""
    customers = customers or CUSTOMERS
    people = [
        (n, ("north", "south", "east")[n % 3], FIRST_DAY + timedelta(days=n % 180), "2024-05-15" if n % 10 == 1 else "")
        for n in range(customers)
    ]
    payments = [
        (n, paid_on, f"{10 + (n * 37 + number * 11) % 90}.{number % 100:02d}")
        for n, _, opened_on, _ in people
        for number, paid_on in enumerate(opened_on + timedelta(days=step) for step in range(3, 400, 9))
        if paid_on <= min(last_day, date(2024, 4, 1) if n % 10 == 0 else LAST_DAY)
    ]
    _write(data / "customers.csv", ("customer_id", "region", "opened_on", "closed_on"), people)
    rows = [(number, *row) for number, row in enumerate(payments)]
    _write(data / "payments.csv", ("payment_id", "customer_id", "paid_on", "amount"), rows)


def _write(file: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with file.open("w", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows([header, *rows])


def with_train(toml: str, keys: str) -> str:
    """The tiny bank's tenure.toml with more keys in [train]."""
    return toml.replace("[train]\n", f"[train]\n{keys}\n", 1)


def write_leavers(data: Path, customers: int = 240, last_day: date = LAST_DAY) -> None:
    """Write the tiny bank's raw files for more customers, every third of whom stops paying at some time."""
    with (data / "customers.csv").open("w", newline="") as lines:
        rows = [(n, ("north", "south")[n % 2], FIRST_DAY, "") for n in range(customers)]
        csv.writer(lines).writerows([("customer_id", "region", "opened_on", "closed_on"), *rows])
    stops = {n: FIRST_DAY + timedelta(days=200 + n * 7 % 160) if n % 3 == 0 else last_day for n in range(customers)}
    paid = [
        (n, FIRST_DAY + timedelta(days=step), 10 + n % 90)
        for n in range(customers)
        for step in range(3 + n % 9, (last_day - FIRST_DAY).days + 1, 9)
        if FIRST_DAY + timedelta(days=step) <= stops[n]
    ]
    with (data / "payments.csv").open("w", newline="") as lines:
        rows = [(number, *row) for number, row in enumerate(paid)]
        csv.writer(lines).writerows([("payment_id", "customer_id", "paid_on", "amount"), *rows])
