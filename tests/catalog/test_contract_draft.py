"""A contract drafted from a clean bank's first load raises no alarm over the next 12 months, and says why it holds."""

import pytest

from tenure.catalog.contract_draft import draft
from tenure.demo import generate_bank
from tenure.intake.staging import staging
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.tables.rule_breaks import broken_rows, row_rules, unmatched_rows

#: The demo's data end with January 2026; the first load is a year before.
FIRST_LOAD = "2025-02-01"
LATER = ("2025-05-01", "2025-08-01", "2025-11-01", "2026-02-01")


@pytest.fixture(scope="module", params=[1, 2])
def bank(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"seed_{request.param}") / "bank"
    write_project(folder)
    generate_bank(folder, customers=120, seed=request.param, months=24)
    with Work.open(folder) as work:
        staging(work)
        work.scan(work.project.sources)
        for name in work.project.sources:
            work.engine.cache(f"all_{name}", f"SELECT * FROM {name}")
        yield work


def look_at(work, day):
    """Let the sources' relations be what was known before a day."""
    for name in work.project.sources:
        work.engine.cache(name, f"SELECT * FROM all_{name} WHERE known_time < TIMESTAMP '{day} 00:00:00'")


def alarms(work, drafted):
    found = []
    for name, (rules, _) in drafted.items():
        asked = row_rules(work.project.sources[name], rules, work.dialect)
        if asked:
            counts = work.engine.run(broken_rows(name, asked).text).to_pylist()[0]
            broken = [counts[f"broken_{place}"] / counts["rows_in_all"] for place in range(len(asked))]
            found += [(name, rule) for rule, share in zip(asked, broken, strict=True) if share > rule.most]
        for one in rules.relations:
            counts = work.engine.run(unmatched_rows(name, one.table, one).text).to_pylist()[0]
            found += [(name, one)] if counts["unmatched"] > one.most_unmatched * counts["related"] else []
    return found


def test_a_draft_of_the_first_load_holds_for_a_year(bank):
    look_at(bank, FIRST_LOAD)
    drafted = {s.name: draft(bank.engine, bank.project, s) for s in bank.project.sources.values()}
    rules, evidence = drafted["transactions"]
    assert rules.columns["amount"].low == 0
    assert rules.columns["direction"].allowed == ("credit", "debit")
    assert evidence.columns["direction", "allowed"].startswith("seen 2 values in ")
    assert {one.table for one in rules.relations} == {"customers", "accounts"}
    personal = drafted["customers"][0].columns["birth_date"]
    assert (personal.low, personal.allowed, personal.most_null is None) == (None, (), False), "no personal value"
    for day in LATER:
        look_at(bank, day)
        assert alarms(bank, drafted) == []


def test_a_draft_catches_another_unit_a_new_value_and_missing_cells(bank):
    look_at(bank, LATER[-1])
    drafted = {s.name: draft(bank.engine, bank.project, s) for s in bank.project.sources.values()}
    bank.engine.cache(
        "transactions",
        "SELECT * REPLACE (amount * 100 AS amount, -balance_after * 100 AS balance_after, "
        "CASE WHEN transaction_id % 20 = 0 THEN NULL ELSE channel END AS channel, 'D' AS direction) "
        "FROM all_transactions",
    )
    found = {rule.column for name, rule in alarms(bank, drafted) if name == "transactions"}
    assert found == {"amount", "balance_after", "channel", "direction"}
