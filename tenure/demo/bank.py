"""Bank: the whole demo bank, one chunk of customers after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from tenure.demo.accounts import account_rows, accounts, wishes
from tenure.demo.calendar import NEVER, Array, Calendar
from tenure.demo.dirt import dirty_accounts, dirty_interactions, dirty_transactions
from tenure.demo.facts import BankFacts
from tenure.demo.files import CSV_TABLES, BankFiles
from tenure.demo.interactions import interaction_rows
from tenure.demo.ledger import corrections, entries, owing, transaction_rows
from tenure.demo.lives import lives
from tenure.demo.people import FIRST_CUSTOMER_ID, customer_rows, people
from tenure.demo.reasons import account_reasons, close_reasons
from tenure.errors import InvalidConfig

SIZES = {"2k": 2_000, "20k": 20_000, "100k": 100_000, "1M": 1_000_000}
CHUNK = 2_000
LAST_MONTH = date(2025, 12, 1)

# Ids of a chunk begin at a multiple of these, so no chunk needs to know what the others hold.
_TRANSACTION_IDS, _INTERACTION_IDS = 10_000_000, 1_000_000


@dataclass(frozen=True)
class Chunk:
    """The rows of some customers, and counts of what was planted in them."""

    tables: Mapping[str, pa.Table]
    versions: Mapping[str, int]
    dirty: Mapping[str, int]
    closures: Mapping[str, int]
    reasons: Mapping[str, int]
    dormant: int


def parse_customers(text: str) -> int:
    """Return the number of '2k', '20k', '100k', '1M' or any whole number; raise InvalidConfig otherwise."""
    if text in SIZES:
        return SIZES[text]
    plain = text.replace("_", "")
    if not (plain.isascii() and plain.isdigit() and 1 <= int(plain) <= 100_000_000):
        raise InvalidConfig(
            f"'{text}' is not a number of customers; allowed: {', '.join(SIZES)} or a whole number from 1.",
            hint="Run 'tenure demo --customers 2k'.",
        )
    return int(plain)


def generate_bank(
    directory: Path,
    *,
    customers: int,
    seed: int = 7,
    months: int = 36,
    last_month: date = LAST_MONTH,
    chunk: int = CHUNK,
) -> BankFacts:
    """Write a demo bank of so many customers into `directory`/data and return what was planted in it.

    The data span `months` whole months that end with that of `last_month`. Equal arguments give equal rows.
    Customers are made `chunk` at a time, each chunk with its own stream of random numbers, so memory does not grow
    with them and a full chunk is the same in a bigger bank. A demo bank that is there already is replaced.
    Raises InvalidConfig for a number below 1, or where other data stand in the way.
    """
    _check_positive(customers=customers, months=months, chunk=chunk)
    calendar = Calendar(last_month, months)
    rows, versions, dirty, closures, reasons = (Counter[str]() for _ in range(5))
    dormant = 0
    with BankFiles(directory / "data", calendar) as files:
        for number, done in enumerate(range(0, customers, chunk)):
            part = _chunk(calendar, seed, number, FIRST_CUSTOMER_ID + done, min(chunk, customers - done))
            _append(files, part)
            rows.update({name: len(table) for name, table in part.tables.items()})
            versions.update(part.versions)
            dirty.update(part.dirty)
            closures.update(part.closures)
            reasons.update(part.reasons)
            dormant += part.dormant
        facts = BankFacts(
            customers=customers,
            months=months,
            seed=seed,
            first_day=calendar.first.isoformat(),
            end_day=calendar.end.isoformat(),
            rows=dict(rows),
            versions=dict(versions),
            dirty=dict(dirty),
            closures=dict(sorted(closures.items())),
            reasons=dict(sorted(reasons.items())),
            dormant=dormant,
        )
        files.publish(facts)
    return facts


def _append(files: BankFiles, part: Chunk) -> None:
    for name in CSV_TABLES:
        files.append_csv(name, part.tables[name])
    files.append_transactions(part.tables["transactions"])


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InvalidConfig(f"a demo bank can't have {name}={number}; allowed: 1 or more.")


def _chunk(calendar: Calendar, seed: int, number: int, first_id: int, size: int) -> Chunk:
    rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
    who = people(rng, calendar, first_id, size)
    wish = wishes(rng, who)
    fate = lives(rng, calendar, who, wish.held(calendar))
    those = accounts(rng, calendar, who, wish, fate)
    final = entries(rng, calendar, who, those, fate, number * _TRANSACTION_IDS + 1)
    wrong, righted = corrections(rng, calendar, final)
    booked = pa.concat_tables(
        [
            transaction_rows(calendar, those, wrong),
            transaction_rows(calendar, those, replace(final, recorded=righted)),
        ]
    )
    reasons = close_reasons(_own_stream(seed, number), who, fate, owing(those, final, fate))
    held = account_rows(rng, calendar, who, those, account_reasons(those, fate, reasons))
    account_table, account_dirt = dirty_accounts(rng, held, size, number)
    contacts = interaction_rows(rng, calendar, who, fate, number * _INTERACTION_IDS + 1)
    contact_table, contact_dirt = dirty_interactions(rng, contacts, size)
    booked_table, booked_dirt = dirty_transactions(rng, booked, size, number)
    customer_table = customer_rows(rng, calendar, who, fate.closes)
    return Chunk(
        tables={
            "customers": customer_table,
            "accounts": account_table,
            "interactions": contact_table,
            "transactions": booked_table,
        },
        versions={
            "customers": len(customer_table) - size,
            "accounts": int((those.closed < NEVER).sum()),
            "transactions": len(wrong.ids),
        },
        dirty=account_dirt | contact_dirt | booked_dirt,
        closures=_counts(fate.cause),
        reasons=_counts(reasons),
        dormant=int((fate.dormant < calendar.days).sum()),
    )


def _own_stream(seed: int, number: int) -> np.random.Generator:
    """The random numbers of a chunk's reasons: drawn from the chunk's own, they would have changed all that follows."""
    return np.random.default_rng(np.random.SeedSequence([seed, number, 1]))


def _counts(words: Array) -> dict[str, int]:
    """How often each word stands, '' left out."""
    names, counts = np.unique(words[words != ""], return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))
