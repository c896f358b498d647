"""What a first load suggests, worked out by hand: of either engine the same rules, with the same evidence."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from ledger_world import BOOKING, FILES, types_of
from oracle import staged

from tenure.catalog.contract_draft import draft
from tenure.define.definitions import load_project
from tenure.define.table_rules import ColumnRules, Relation

#: A float, a flag and a day are looked at too.
SOURCES = FILES["sources.py"].replace(
    'Column("amount", type="decimal"),',
    'Column("amount", type="decimal"), Column("rate", type="float"), Column("is_card", type="boolean"), '
    'Column("valued_on", type="date"),',
)
FIRST = datetime(2024, 3, 1, 12)


def literal_rows(rows, types):
    """One VALUES of all rows: Spark plans a UNION ALL of them for minutes."""
    if not rows:
        return f"SELECT {', '.join(f'CAST(NULL AS {kind}) AS {name}' for name, kind in types.items())} WHERE 1 = 0"
    cells = [", ".join("NULL" if row[name] is None else f"'{row[name]}'" for name in types) for row in rows]
    cast = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in types.items())
    return f"SELECT {cast} FROM (VALUES {', '.join(f'({row})' for row in cells)}) AS v({', '.join(types)})"


@pytest.fixture
def bank(engine, tmp_path):
    """The project with 120 bookings of four customers, of which the last twelve are known two days late."""
    for name, text in (FILES | {"sources.py": SOURCES}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    project = load_project(tmp_path, "Ledgers")
    bookings = []
    for n in range(120):
        day = FIRST + timedelta(days=n)
        held = None if n % 6 == 0 else Decimal(n - 20)
        late = day + timedelta(days=2 if n >= 108 else 0)
        values = (n, f"a{n % 5}", f"c{n % 4}", day, "in" if n % 3 else "out", Decimal(n) + Decimal("0.25"), held, late)
        further = {"rate": 0.5 * n, "is_card": n % 2 == 0, "valued_on": day.date()}
        bookings.append(dict(zip(BOOKING, values, strict=True)) | further)
    customers = [{"customer_id": f"c{n}", "joined_on": FIRST.date(), "left_on": None} for n in range(4)]
    rows = {"customers": customers, "bookings": bookings, "statements": []}
    types = {"float": "DOUBLE", "boolean": "BOOLEAN"}
    for name, source in project.sources.items():
        of_source = {c.name: types[c.type] for c in source.columns if c.type in types}
        engine.cache(name, literal_rows(staged(source, rows[name]), types_of(source) | of_source))
    return project


def test_a_draft_is_that_worked_out_by_hand(engine, bank):
    rules, evidence = draft(engine, bank, bank.sources["bookings"])
    nulls = {"most_null": 0.052}
    assert rules.columns == {
        "account_id": ColumnRules(**nulls),
        "side": ColumnRules(allowed=("in", "out"), **nulls),
        "amount": ColumnRules(low=0, high=1200, **nulls),
        "rate": ColumnRules(low=0, high=600, **nulls),
        "is_card": ColumnRules(**nulls),
        "valued_on": ColumnRules(low="2023-01-01", **nulls),
        "booked_at": ColumnRules(low="2023-01-01"),
        "known_at": ColumnRules(low="2023-01-01"),
        "customer_id": ColumnRules(**nulls),
        "balance": ColumnRules(low=-190, high=990, most_null=0.472),
    }
    assert rules.fresh_within_days == 5
    assert [(one.table, one.columns) for one in rules.relations] == [("customers", ("customer_id",))]
    assert isinstance(rules.relations[0], Relation)
    assert evidence.columns["side", "allowed"] == "seen 2 values in 120 rows, the rarest in 40"
    assert evidence.columns["amount", "range"] == "seen 0.25 to 119.25 in 120 rows"


def test_a_draft_of_no_rows_suggests_nothing(engine, bank):
    rules, _ = draft(engine, bank, bank.sources["statements"])
    assert (rules.columns, rules.fresh_within_days, rules.relations) == ({}, None, ())
