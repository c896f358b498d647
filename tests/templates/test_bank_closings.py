"""How a relationship ends in what `tenure init` writes: by choice, or in a way that is no leaving.

                 t                                        label_end
─────────────────┊────────────────▌───────────────────────┊───►
            2025-03-31     closes 04-20                06-29
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import make_engine

from tenure.catalog.check import check
from tenure.define.churn import ENDED
from tenure.define.definitions import load_project
from tenure.demo import generate_bank
from tenure.errors import InvalidDefinition
from tenure.leaks.search import end_findings
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.stages.run import run

T, CLOSES, END = date(2025, 3, 31), date(2025, 4, 20), date(2025, 8, 1)
JOINED = date(2024, 1, 8)

#: Why each customer's accounts close, None where they never do; the silent one stops booking.
CUSTOMERS = {
    "chooses": "customer_request",
    "dies": "deceased",
    "owes": "charged_off",
    "moves": "moved",
    "merges": "merged",
    "unsaid": "",
    "stays": None,
    "falls silent": None,
}
NUMBER = {name: number for number, name in enumerate(CUSTOMERS, start=100)}

#: What labels need of a run: one snapshot, and no features.
ONE_SNAPSHOT = {"snapshots": {"first": T, "last": T}, "data": {"end": END}}
TO_LABELS = ("staging", "snapshots", "labels")

PERSON = {
    "full_name": "Ada Elm", "email": "a@example.com", "phone": "+00 1", "birth_date": "1980-01-01", "gender": "female",
    "region": "north", "customer_type": "retail", "income_band": "", "marital_status": "single",
    "employment_status": "employed", "acquisition_channel": "web", "digital_enrolled": "true",
}  # fmt: skip


def write_csv(file, rows):
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def accounts_of(name):
    """Two accounts; the first was not wanted any more long ago, the second closes with the customer."""
    number, reason = NUMBER[name], CUSTOMERS[name]
    for account, closed, why in ((1, date(2024, 9, 2), "customer_request"), (2, CLOSES, reason)):
        opened = {"account_id": number * 10 + account, "customer_id": number, "product": "checking"}
        opened |= {"opened_on": JOINED, "closed_on": "", "close_reason": "", "overdraft_limit": 0, "interest_rate": 0}
        yield opened | {"updated_at": f"{JOINED} 09:00:00"}
        if why is not None:
            yield opened | {"closed_on": closed, "close_reason": why, "updated_at": f"{closed} 18:00:00"}


def bookings_of(name):
    """One a week until the account closes, the silence begins, or the data end."""
    last = {"falls silent": T}.get(name, END if CUSTOMERS[name] is None else CLOSES)
    days = (last - JOINED).days
    return [(NUMBER[name] * 10 + 2, JOINED + timedelta(days=day)) for day in range(1, days, 7)]


#: Sources that labels don't read, and a feature in the place of those over them: Spark takes seconds for each.
UNREAD = ("accounts", "profile_updates", "account_closings", "interactions")
FEATURE = """\
from tenure import Attribute, FeatureView

who = FeatureView("who", source="customers", features=[Attribute("region", of="region", doc="Region")])
"""


def write_what_labels_read(folder):
    """The template's own definitions, without what labels do not need."""
    write_project(folder)
    blocks = re.split(r"^(?=\w+ = Source\()", (folder / "sources.py").read_text(), flags=re.MULTILINE)
    (folder / "sources.py").write_text("".join(b for b in blocks if not b.startswith(tuple(f"{u} = " for u in UNREAD))))
    for file in (folder / "features").iterdir():
        file.unlink()
    (folder / "features" / "who.py").write_text(FEATURE)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closings") / "bank"
    write_what_labels_read(folder)
    data = folder / "data"
    (data / "transactions").mkdir(parents=True)
    joined = {"joined_on": JOINED, "updated_at": f"{JOINED} 09:00:00"}
    write_csv(data / "customers.csv", [{"customer_id": n} | PERSON | joined for n in NUMBER.values()])
    write_csv(data / "accounts.csv", [row for name in CUSTOMERS for row in accounts_of(name)])
    booked = [booking for name in CUSTOMERS for booking in bookings_of(name)]
    rows = {
        "transaction_id": range(len(booked)),
        "account_id": [account for account, _ in booked],
        "booked_at": [datetime(day.year, day.month, day.day, 12) for _, day in booked],
        "recorded_at": [datetime(day.year, day.month, day.day, 13) for _, day in booked],
        "amount": ["5.00"] * len(booked),
        "direction": ["debit"] * len(booked),
        "category": ["groceries"] * len(booked),
        "channel": ["pos"] * len(booked),
        "balance_after": ["9.00"] * len(booked),
    }
    pq.write_table(pa.table(rows), data / "transactions" / "2025.parquet")
    return folder


def labelled(bank, engine, lake):
    """The labels at T by customer, and why others have none; DuckDB stages, which takes Spark most of a minute."""
    overrides = ONE_SNAPSHOT | {"lake": {"path": str(lake)}}
    with Work.open(bank, overrides=overrides) as work:
        list(run(work, TO_LABELS[:1]))
    with Work.open(bank, engine=engine.dialect, overrides=overrides) as work:
        work.use_engine(engine)
        list(run(work, TO_LABELS[1:]))
        found = {row["customer_id"]: row["churned"] for row in work.read("labels").to_pylist()}
        unlabelled = {row["reason"]: row["customers"] for row in work.read("unlabelled").to_pylist()}
    return {name: found[number] for name, number in NUMBER.items() if number in found}, unlabelled


def test_a_deceased_customer_has_no_row_under_the_templates_own_definition(bank, tmp_path, engine):
    labels, unlabelled = labelled(bank, engine, tmp_path / "lake")
    assert labels == {"chooses": 1, "stays": 0, "falls silent": 1}
    assert unlabelled == {
        f"ended otherwise: {reason}": 1 for reason in ("charged_off", "deceased", "merged", "moved", "none")
    }


def test_the_reason_is_that_of_the_last_account_from_its_closing_on(bank, engine):
    """The template's SELECT on the raw rows: two versions of each customer who closes, the second with the reason."""
    source = load_project(bank, "Demo Bank").sources["customers"]
    for name, raw in source.raws.items():
        engine.read_csv(name, raw, [bank / "data" / raw.path])
    rows = engine.run(source.select).to_pylist()
    found = {(row["customer_id"], row["closed_on"], row["close_reason"]) for row in rows}
    joined = {(str(number), None, None) for number in NUMBER.values()}
    ended = {(str(NUMBER[name]), str(CLOSES), why or None) for name, why in CUSTOMERS.items() if why is not None}
    assert found == joined | ended
    assert len(rows) == len(found)


def test_without_the_reason_each_of_them_would_have_left(bank, tmp_path, request):
    """What the condition is for: the deceased are closed, and silent too."""
    everybody = tmp_path / "bank"
    write_what_labels_read(everybody)
    (everybody / "data").rmdir()
    (everybody / "data").symlink_to(bank / "data")
    churn = everybody / "churn.py"
    churn.write_text(churn.read_text().replace("Closure(where=BY_CHOICE)", "Closure()"))
    labels, unlabelled = labelled(everybody, make_engine("duckdb", request), tmp_path / "lake")
    assert Counter(labels.values()) == {1: 7, 0: 1}
    assert unlabelled == {}


# The demo bank, whose closings have causes


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "bank"
    write_project(folder)
    return folder, generate_bank(folder, customers=300)


def with_the_reason_as_a_feature(folder):
    file = folder / "features" / "customer.py"
    text = file.read_text()
    made = 'Attribute("close_reason", of="close_reason", doc="Why the account was closed"),'
    first = text.index("        Attribute(")
    file.write_text(f"{text[:first]}        {made}\n{text[first:]}")
    sources = folder / "sources.py"
    metadata = 'Column("close_reason", role="metadata"'
    assert metadata in sources.read_text()
    sources.write_text(sources.read_text().replace(metadata, metadata.replace("metadata", "attribute")))


def copied(demo, folder):
    """The demo bank's project over the same raw files, to be edited."""
    write_project(folder)
    (folder / "data").rmdir()
    (folder / "data").symlink_to(demo / "data")
    return folder


def found_at_the_end(folder):
    with Work.open(folder) as work:
        list(run(work, ("staging", "snapshots")))
        return [finding.subject for finding in end_findings(work)], work.read("customers"), work.read("snapshots")


def test_a_feature_of_the_reason_knows_nothing_where_it_comes_with_the_closing(demo, tmp_path):
    """No leak is told, and rightly so: at no snapshot does an open customer have a reason."""
    folder, facts = demo
    bank = copied(folder, tmp_path / "bank")
    with_the_reason_as_a_feature(bank)
    found, customers, snapshots = found_at_the_end(bank)
    assert found == []
    reasons = {r["customer_id"]: r["known_time"] for r in customers.to_pylist() if r["close_reason"]}
    assert len(reasons) == facts.closed
    at = {}
    for row in snapshots.to_pylist():
        at[row["customer_id"]] = max(row["snapshot_date"], at.get(row["customer_id"], date.min))
    assert all(known.date() >= at[customer] for customer, known in reasons.items() if customer in at)


def test_a_feature_of_a_reason_that_stands_on_every_version_is_found(demo, tmp_path):
    """As a bank exports it that writes its tables over, or as a shorter select= would make it."""
    bank = copied(demo[0], tmp_path / "bank")
    with_the_reason_as_a_feature(bank)
    sources = bank / "sources.py"
    text = sources.read_text()
    honest = "CASE WHEN p.updated_at >= c.known_at THEN r.close_reason END AS close_reason"
    assert honest in text
    sources.write_text(text.replace(honest, "r.close_reason"))
    assert found_at_the_end(bank)[0] == ["source 'customers', column 'close_reason'"]


# A bank that does not say why


def without_reasons(demo, folder):
    """The demo bank of a bank whose accounts have no such column."""
    write_project(folder)
    for file in (demo / "data").iterdir():
        (folder / "data" / file.name).symlink_to(file)
    held = folder / "data" / "accounts.csv"
    held.unlink()
    with (demo / "data" / "accounts.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        del row["close_reason"]
    write_csv(held, rows)
    return folder


def test_check_says_what_a_bank_without_reasons_lacks_and_where_to_take_it_out(demo, tmp_path):
    bank = without_reasons(demo[0], tmp_path / "bank")
    with Work.open(bank) as work, pytest.raises(InvalidDefinition) as refused:
        list(check(work))
    assert (
        "it reads 'close_reason' of raw table 'held' (accounts.csv), which has no such column" in refused.value.message
    )
    assert "what reads it: columns=, features, the where= of churn.py" in refused.value.hint


def test_a_bank_without_reasons_counts_every_closing(demo, tmp_path):
    """After the edits that check asks for."""
    bank = without_reasons(demo[0], tmp_path / "bank")
    sources = (bank / "sources.py").read_text()
    declared = next(line for line in sources.splitlines() if 'Column("close_reason"' in line)
    chosen = ",\n            CASE WHEN p.updated_at >= c.known_at THEN r.close_reason END AS close_reason"
    read = "MAX(h.close_reason) AS close_reason"
    for text, without in ((f"{declared}\n", ""), (chosen, ""), (", r.close_reason", ""), (read, "COUNT(*) AS n")):
        assert text in sources
        sources = sources.replace(text, without)
    (bank / "sources.py").write_text(sources)
    churn = bank / "churn.py"
    churn.write_text(churn.read_text().replace("Closure(where=BY_CHOICE)", "Closure()"))
    with Work.open(bank) as work:
        list(check(work))
        list(run(work, TO_LABELS))
        assert not [r for r in work.read("unlabelled")["reason"].to_pylist() if r.startswith(ENDED)]
