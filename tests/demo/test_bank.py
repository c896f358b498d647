"""The demo bank: what is in its files is what its facts and its page say."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import tenure
from tenure.demo import BankFacts, generate_bank, parse_customers
from tenure.demo.accounts import wishes
from tenure.demo.calendar import NEVER, Calendar
from tenure.demo.causes import CAUSES
from tenure.demo.facts import FACTS_FILE
from tenure.demo.lives import Lives, lives
from tenure.demo.people import People, people
from tenure.demo.reasons import REASONS, close_reasons
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import InvalidConfig
from tenure.intake.completeness import _beside
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.stages.run import run

CUSTOMERS, CHUNK = 300, 150
TEMPLATE = Path(tenure.__file__).parent / "templates" / "bank"
PAGE = Path(__file__).parents[2] / "docs" / "demo_bank.md"

Bank = tuple[Path, BankFacts]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    return folder / "data", generate_bank(folder, customers=CUSTOMERS, chunk=CHUNK)


def lines(data: Path, name: str) -> list[dict[str, str]]:
    with (data / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def transactions(data: Path) -> pa.Table:
    return pa.parquet.read_table(data / "transactions")


def bytes_by_file(data: Path) -> dict[str, bytes]:
    return {str(f.relative_to(data)): f.read_bytes() for f in sorted(data.rglob("*")) if f.is_file()}


def is_number(text: str) -> bool:
    return text.lstrip("-").isdigit()


def is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def signed(row: dict[str, object]) -> Decimal:
    return Decimal(str(row["amount"])) * (1 if row["direction"] == "credit" else -1)


def final_versions(data: Path) -> list[dict[str, object]]:
    newest: dict[object, dict[str, object]] = {}
    for row in transactions(data).sort_by("recorded_at").to_pylist():
        newest[row["transaction_id"]] = row
    return sorted(newest.values(), key=lambda r: (r["account_id"], r["booked_at"], r["transaction_id"]))


# Sizes


@pytest.mark.parametrize(
    ("text", "number"),
    [("2k", 2_000), ("20k", 20_000), ("100k", 100_000), ("1M", 1_000_000), ("1", 1), ("1_500", 1_500)],
)
def test_a_size_is_a_name_or_a_whole_number(text, number):
    assert parse_customers(text) == number


@pytest.mark.parametrize("text", ["", "0", "-5", "2.5k", "2K", "many", "²", "_"])
def test_another_size_is_refused_with_what_is_allowed(text):
    with pytest.raises(InvalidConfig, match="allowed: 2k, 20k, 100k, 1M or a whole number") as refused:
        parse_customers(text)
    assert "tenure demo" in refused.value.hint


@pytest.mark.parametrize("wrong", [{"customers": 0}, {"customers": 1, "months": 0}, {"customers": 1, "chunk": 0}])
def test_a_bank_of_nothing_is_refused_and_nothing_is_written(tmp_path, wrong):
    with pytest.raises(InvalidConfig, match="allowed: 1 or more"):
        generate_bank(tmp_path, **wrong)
    assert list(tmp_path.iterdir()) == []


# Same seed, same bank


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path):
    for folder, seed in (("first", 1), ("again", 1), ("other", 2)):
        generate_bank(tmp_path / folder, customers=20, months=6, seed=seed)
    first, again, other = (bytes_by_file(tmp_path / f / "data") for f in ("first", "again", "other"))
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_a_bigger_bank_begins_with_the_chunks_of_a_smaller_one(tmp_path, bank):
    data, _ = bank
    generate_bank(tmp_path, customers=CHUNK, chunk=CHUNK)
    for name in ("customers", "accounts", "interactions"):
        small = (tmp_path / "data" / f"{name}.csv").read_bytes()
        assert (data / f"{name}.csv").read_bytes()[: len(small)] == small
    for file in sorted((tmp_path / "data" / "transactions").iterdir()):
        small_rows = pa.parquet.read_table(file)
        assert pa.parquet.read_table(data / "transactions" / file.name).slice(0, len(small_rows)) == small_rows


def test_each_chunk_is_a_row_group_of_its_own_so_that_memory_is_bounded_by_the_chunk(bank):
    data, _ = bank
    assert pa.parquet.ParquetFile(data / "transactions" / "2025-06.parquet").num_row_groups == CUSTOMERS // CHUNK


def test_a_new_bank_replaces_the_one_before_it_whole(tmp_path):
    generate_bank(tmp_path, customers=5, months=6)
    (tmp_path / "data" / "notes.txt").write_text("mine")
    generate_bank(tmp_path, customers=4, months=3)
    assert sorted(f.name for f in (tmp_path / "data" / "transactions").iterdir()) == [
        "2025-10.parquet",
        "2025-11.parquet",
        "2025-12.parquet",
    ]
    assert BankFacts.read(tmp_path / "data").customers == 4
    assert (tmp_path / "data" / "notes.txt").read_text() == "mine"
    assert [f.name for f in tmp_path.iterdir()] == ["data"]


def test_files_that_are_not_a_demo_banks_are_never_overwritten(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_text("the bank's own")
    with pytest.raises(InvalidConfig, match=r"holds a customers\.csv but no FACTS\.json"):
        generate_bank(tmp_path, customers=5, months=3)
    assert bytes_by_file(tmp_path) == {"data/customers.csv": b"the bank's own"}


# Facts


def test_the_facts_are_kept_with_the_data(bank):
    data, facts = bank
    assert json.loads((data / FACTS_FILE).read_text()) == asdict(facts)
    assert BankFacts.read(data) == facts
    assert (facts.first_day, facts.end_day) == ("2023-01-01", "2026-01-01")


def test_row_counts_are_those_of_the_files(bank):
    data, facts = bank
    counted = {name: len(lines(data, name)) for name in ("customers", "accounts", "interactions")}
    assert facts.rows == counted | {"transactions": len(transactions(data))}


def test_dirty_rows_are_as_many_as_the_facts_say_and_few(bank):
    data, facts = bank
    contacts, held = lines(data, "interactions"), lines(data, "accounts")
    people_ids = {row["customer_id"] for row in lines(data, "customers")}
    account_ids = {int(row["account_id"]) for row in held}
    found = {
        "interactions_duplicate_line": len(contacts) - len({tuple(row.values()) for row in contacts}),
        "interactions_unparsable_date": sum(not is_instant(row["occurred_at"]) for row in contacts),
        "interactions_non_numeric_duration": sum(
            row["duration_minutes"] != "" and not is_number(row["duration_minutes"]) for row in contacts
        ),
        "interactions_blank_customer": sum(row["customer_id"] == "" for row in contacts),
        "accounts_unknown_customer": sum(row["customer_id"] not in people_ids for row in held),
        "transactions_unknown_account": sum(
            number not in account_ids for number in transactions(data)["account_id"].to_pylist()
        ),
    }
    assert found == facts.dirty
    assert all(found.values())
    for table in ("interactions", "accounts", "transactions"):
        dirty = sum(count for kind, count in found.items() if kind.startswith(table))
        assert dirty <= max(0.005 * facts.rows[table], 3)


def test_versions_are_as_many_as_the_facts_say(bank):
    data, facts = bank
    ids = {
        "customers": [row["customer_id"] for row in lines(data, "customers")],
        "accounts": [row["account_id"] for row in lines(data, "accounts")],
        "transactions": transactions(data)["transaction_id"].to_pylist(),
    }
    assert facts.versions == {name: len(found) - len(set(found)) for name, found in ids.items()}
    assert facts.versions["customers"] > 0


def test_customers_leave_when_their_last_account_closes_as_often_as_the_facts_say(bank):
    data, facts = bank
    known = {row["customer_id"] for row in lines(data, "customers")}
    open_accounts: dict[str, set[str]] = {customer: set() for customer in known}
    for row in lines(data, "accounts"):
        if row["customer_id"] in known:
            change = open_accounts[row["customer_id"]]
            (change.discard if row["closed_on"] else change.add)(row["account_id"])
    assert sum(not held for held in open_accounts.values()) == facts.closed
    assert set(facts.closures) <= {cause.name for cause in CAUSES} | {"no_cause", "chance"}


def test_each_closing_has_a_reason_and_those_of_customers_are_as_many_as_the_facts_say(bank):
    data, facts = bank
    known = {row["customer_id"] for row in lines(data, "customers")}
    opened, closed = {}, {}
    for row in lines(data, "accounts"):
        assert bool(row["close_reason"]) == bool(row["closed_on"])
        if row["customer_id"] in known:
            (closed if row["closed_on"] else opened).setdefault(row["customer_id"], []).append(row)
    of_last = {
        customer: {row["close_reason"] for row in held if row["closed_on"] == max(r["closed_on"] for r in held)}
        for customer, held in closed.items()
        if len(held) == len(opened[customer])
    }
    assert facts.reasons == dict(Counter(reason for (reason,) in of_last.values()))
    assert sum(facts.reasons.values()) == facts.closed
    assert facts.reasons["customer_request"] > 0.8 * facts.closed
    stayed = [row["close_reason"] for customer, held in closed.items() if customer not in of_last for row in held]
    assert stayed
    assert set(stayed) == {"customer_request"}


# Time and money


def test_every_balance_is_the_one_before_it_and_the_amount(bank):
    data, _ = bank
    rows = [row for row in final_versions(data) if row["account_id"] < 9_900_000_000]
    steps = [(before, row) for before, row in pairwise(rows) if before["account_id"] == row["account_id"]]
    assert len(steps) > 50_000
    assert all(before["balance_after"] + signed(row) == row["balance_after"] for before, row in steps)


def test_a_closed_account_is_empty_and_has_no_transaction_from_its_closing_day_on(bank):
    data, _ = bank
    closed = {int(row["account_id"]): row["closed_on"] for row in lines(data, "accounts") if row["closed_on"]}
    assert closed
    last = {row["account_id"]: row for row in final_versions(data) if row["account_id"] in closed}
    for account, row in last.items():
        assert row["booked_at"].date() < date.fromisoformat(closed[account])
        assert row["balance_after"] == 0


def test_no_account_has_a_transaction_before_it_was_opened(bank):
    data, _ = bank
    opened = {int(row["account_id"]): date.fromisoformat(row["opened_on"]) for row in lines(data, "accounts")}
    first: dict[int, date] = {}
    for row in reversed(final_versions(data)):
        first[row["account_id"]] = row["booked_at"].date()
    assert all(day >= opened[account] for account, day in first.items() if account in opened)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_month_of_a_large_bank_looks_as_if_customers_were_missing_or_doubled(seed):
    calendar = Calendar(date(2025, 12, 31), 36)
    joined = people(np.random.default_rng(seed), calendar, 1, 20_000).joined
    counted = Counter(day.astype(date).replace(day=1) for day in calendar.dates(joined))
    months = [{"month": month, "rows": rows} for month, rows in sorted(counted.items())]
    assert [*_beside(months)] == []


def test_a_correction_keeps_key_and_time_and_comes_3_to_60_days_later_with_another_amount_or_category(bank):
    data, facts = bank
    versions: dict[int, list[dict[str, object]]] = {}
    for row in transactions(data).sort_by("recorded_at").to_pylist():
        versions.setdefault(row["transaction_id"], []).append(row)
    pairs = [found for found in versions.values() if len(found) > 1]
    assert len(pairs) == facts.versions["transactions"]
    assert 0.002 < len(pairs) / len(versions) < 0.004
    for wrong, right in pairs:
        assert all(wrong[name] == right[name] for name in ("account_id", "booked_at", "direction", "channel"))
        assert timedelta(days=3) <= right["recorded_at"] - wrong["recorded_at"] <= timedelta(days=60)
        assert (wrong["amount"] != right["amount"]) != (wrong["category"] != right["category"])
        assert wrong["balance_after"] - signed(wrong) == right["balance_after"] - signed(right)


def test_rows_lie_in_the_file_of_their_booked_month_and_none_is_recorded_before_it_or_after_the_extract(bank):
    data, facts = bank
    files = sorted((data / "transactions").iterdir())
    assert len(files) == facts.months == 36
    for file in files:
        rows = pa.parquet.read_table(file)
        booked, recorded = (rows[name].to_numpy() for name in ("booked_at", "recorded_at"))
        assert set(booked.astype("datetime64[M]").astype(str)) == {file.stem}
        assert (recorded >= booked).all()
        assert (recorded < np.datetime64(facts.end_day)).all()


def test_customer_versions_are_known_one_after_the_other_before_the_customer_leaves(bank):
    data, facts = bank
    last_known: dict[str, str] = {}
    for row in lines(data, "customers"):
        assert row["updated_at"] > last_known.get(row["customer_id"], "")
        assert row["joined_on"] <= row["updated_at"] < facts.end_day
        last_known[row["customer_id"]] = row["updated_at"]
    closings: dict[str, str] = {}
    for row in lines(data, "accounts"):
        closings[row["customer_id"]] = max(closings.get(row["customer_id"], ""), row["closed_on"] or "9999")
    assert all(last_known[customer] < closing for customer, closing in closings.items() if customer in last_known)


# Causes


@pytest.fixture(scope="module")
def history():
    calendar, rng = Calendar(date(2025, 12, 1), 36), np.random.default_rng(3)
    who = people(rng, calendar, 1, 40_000)
    wish = wishes(rng, who)
    return calendar, who, wish.held(calendar), lives(rng, calendar, who, wish.held(calendar))


def exposed(cause: str, calendar: Calendar, who: People, held: np.ndarray, fate: Lives) -> np.ndarray:
    """Return (customers, months): whether a cause holds, told from what the bank could see."""
    lost = np.zeros_like(fate.paid)
    lost[:, 1:] = fate.paid[:, :-1] & ~fate.paid[:, 1:]
    begins = {
        "unresolved_complaint": (fate.complaint == 2, 4),
        "fee_shock": (fate.fee_shock, 3),
        "salary_moved": (lost, 4),
        "fading_activity": (fate.activity < 1, 1),
    }
    if cause in begins:
        began, months = begins[cause]
        holds = began.copy()
        for later in range(1, months):
            holds[:, later:] |= began[:, :-later]
        # A salary that comes back ends its cause.
        return holds & ~fate.paid if cause == "salary_moved" else holds
    if cause == "many_products":
        return held >= 3
    if cause == "low_digital":
        return np.repeat(~who.digital[:, None], calendar.months, axis=1)
    return calendar.starts[None, :-1] - who.joined[:, None] < 360


def test_reasons_follow_from_how_customers_leave_and_the_old_die(history):
    _, who, _, fate = history
    owes = np.arange(who.size) % 2 == 0
    reasons = close_reasons(np.random.default_rng(5), who, fate, owes)
    assert ((reasons != "") == (fate.closes < NEVER)).all()
    assert set(np.unique(reasons)) == {"", *REASONS}
    by_chance = fate.cause == "chance"
    assert by_chance[np.isin(reasons, ("deceased", "moved", "merged"))].all()
    charged_off = reasons == "charged_off"
    assert owes[charged_off].all()
    assert set(fate.cause[charged_off]) == {"fee_shock", "salary_moved"}
    assert set(who.texts["marital_status"][reasons == "merged"]) == {"married"}
    old, young = by_chance & (who.age > 70), by_chance & (who.age < 40)
    assert (reasons[old] == "deceased").mean() > 0.7
    assert (reasons[young] == "deceased").mean() < 0.3
    assert 0.85 < (reasons[reasons != ""] == "customer_request").mean() < 0.95


def test_who_is_charged_off_paid_a_debt_in_on_the_last_evening(tmp_path):
    facts = generate_bank(tmp_path, customers=400)
    data = tmp_path / "data"
    closings = {int(row["account_id"]): row for row in lines(data, "accounts") if row["close_reason"] == "charged_off"}
    owed = {
        account // 10
        for account, row in {row["account_id"]: row for row in final_versions(data)}.items()
        if account in closings and (row["direction"], row["balance_after"]) == ("credit", 0)
    }
    assert len(owed) == facts.reasons["charged_off"] > 0


@pytest.mark.parametrize("cause", CAUSES, ids=[cause.name for cause in CAUSES])
def test_a_cause_changes_the_monthly_chance_to_leave_by_about_its_hazard_ratio(cause, history):
    calendar, who, held, fate = history
    starts = calendar.starts
    there = (who.joined[:, None] < starts[:-1]) & (fate.decided[:, None] > starts[:-1])
    decides = there & (fate.decided[:, None] == starts[1:])
    holds = exposed(cause.name, calendar, who, held, fate)
    ratio = decides[there & holds].mean() / decides[there & ~holds].mean()
    # Chance closures draw every ratio towards 1; causes that come together push it away from 1.
    if cause.hazard_ratio > 1:
        assert 0.6 * cause.hazard_ratio < ratio < 1.3 * cause.hazard_ratio
    else:
        assert cause.hazard_ratio < ratio < 0.8


def test_about_18_percent_leave_in_a_year(history):
    calendar, who, _, fate = history
    end = np.minimum(np.minimum(fate.closes, fate.dormant), calendar.days)
    years = (end - np.maximum(who.joined, 0)).clip(0).sum() / 365
    leavers = ((fate.closes < NEVER) | (fate.dormant < calendar.days)).sum()
    assert 0.15 < leavers / years < 0.21


def test_the_page_names_every_cause_with_its_hazard_ratio_and_every_reason():
    page = PAGE.read_text()
    for cause in CAUSES:
        assert f"| `{cause.name}` | {cause.hazard_ratio:g} |" in page
    assert [reason for reason in REASONS if f"\n| `{reason}` | " not in page] == []


# The project over it


def test_intake_sets_aside_just_the_dirty_rows_and_finds_every_closing(bank, build):
    data, facts = bank
    work = build(TEMPLATE, DuckDBEngine(EngineSettings(threads=1)), data=data, last="staging")
    intake = {row["source"]: row for row in work.lake.read("intake").to_pylist()}
    damaged = ("unparsable_date", "non_numeric_duration", "blank_customer")
    assert {name: row["rows_quarantined"] for name, row in intake.items()} == {
        "customers": 0,
        "accounts": 0,
        "transactions": facts.dirty["transactions_unknown_account"],
        "interactions": sum(facts.dirty[f"interactions_{kind}"] for kind in damaged),
        "profile_updates": 0,
        "account_closings": 0,
    }
    assert intake["interactions"]["duplicates_dropped"] == facts.dirty["interactions_duplicate_line"]
    customers = work.read("customers").to_pylist()
    assert len([row for row in customers if row["closed_on"]]) == facts.closed
    assert Counter(row["close_reason"] for row in customers if row["closed_on"]) == facts.reasons
    assert {row["close_reason"] for row in customers if not row["closed_on"]} == {None}


def test_template_keeps_a_closure_when_the_customer_is_updated_later(tmp_path):
    """News after the closing is no new opening, and is not known at the closing."""
    folder = tmp_path / "bank"
    write_project(folder)
    generate_bank(folder, customers=200)
    with Work.open(folder) as work:
        list(run(work, ("staging",)))
        rows = work.read("customers").to_pylist()
    closed = max((r for r in rows if r["closed_on"]), key=lambda r: r["known_time"])
    people = folder / "data" / "customers.csv"
    with people.open(newline="") as file:
        last = [r for r in csv.DictReader(file) if int(r["customer_id"]) == closed["customer_id"]][-1]
    later = closed["known_time"].replace(tzinfo=None) + timedelta(days=5)
    with people.open("a", newline="") as file:
        row = last | {"region": "elsewhere", "updated_at": f"{later:%Y-%m-%d %H:%M:%S}"}
        csv.DictWriter(file, last, lineterminator="\n").writerow(row)
    with Work.open(folder) as work:
        list(run(work, ("staging",)))
        rows = [r for r in work.read("customers").to_pylist() if r["customer_id"] == closed["customer_id"]]
    rows.sort(key=lambda r: r["known_time"])
    assert [r["closed_on"] is not None for r in rows[-2:]] == [True, True]
    assert rows[-2]["known_time"] == closed["known_time"]
    assert rows[-2]["region"] == closed["region"]
    assert rows[-1]["region"] == "elsewhere"
