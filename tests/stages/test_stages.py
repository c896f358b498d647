"""A stage is one object: what it declares is what it does, and every list of stages and tables follows from it."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_bank import write_leavers, write_tiny_bank

from tenure.define.source import RESERVED_TABLES
from tenure.define.stage import LEDGER, RECORDS, STAGES, TABLES, Stage, maker_of
from tenure.session.work import Work
from tenure.stages.run import function_of, run
from tenure.store.lake import Lake

SETTINGS = {"train": {"models": ("rule", "logistic")}, "verify": {"customers": 20}}
PAGE = Path(__file__).parents[2] / "docs" / "how_it_works.md"


def first_part(table):
    return table.partition("/")[0]


#: The bank has no row to quarantine and none that fails a check, captures no history, and has one churn definition.
NOT_ASKED = {"quarantine", "failing_rows", "captures", "labels_of"}

#: What only a bank that declares a Reconciliation has.
RECONCILED = {"reconciliation", "reconciled_accounts"}

EACH_PAYMENT_IS_AN_ACCOUNT = """
from tenure import Reconciliation

paid = Reconciliation("paid", bookings="payments", account="payment_id", amount="amount", balance="amount")
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The tables that each stage looked up and those that it committed, noted in the lake itself, in one whole run."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("stages") / "bank")
    write_leavers(folder / "data")
    with (folder / "sources.py").open("a") as sources:
        sources.write(EACH_PAYMENT_IS_AN_ACCOUNT)
    found = {name: (set(), set()) for name in STAGES}
    doing = []

    class NotedLake(Lake):
        def find(self, table, version=None, *, verified=True):
            if doing:
                found[doing[-1]][0].add(first_part(table))
            return super().find(table, version, verified=verified)

        def commit(self, table, *arguments, **named):
            if doing:
                found[doing[-1]][1].add(first_part(table))
            return super().commit(table, *arguments, **named)

    def noting(name):
        def do(work):
            doing.append(name)
            try:
                return function_of(STAGES[name])(work)
            finally:
                doing.pop()

        return do

    with Work.open(folder, overrides=SETTINGS) as work:
        work.lake = NotedLake(work.lake.folder, work.lake.owner, work.lake.mode)
        records = list(run(work, overrides={name: noting(name) for name in STAGES}))
    assert [record.status for record in records] == ["built"] * len(STAGES)
    return found


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_only_what_it_declares(seen, name):
    stage, (looked_up, _) = STAGES[name], seen[name]
    assert looked_up - {*stage.reads, *stage.makes, *stage.guards} == set()
    # What is declared and never looked up would misguide whoever asks what is stale.
    assert {*stage.reads} - looked_up - {LEDGER} == set()


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_makes_what_it_declares(seen, name):
    stage, (_, committed) = STAGES[name], seen[name]
    assert committed == {*stage.makes} - NOT_ASKED


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_nothing_that_a_later_one_makes(name):
    order = list(STAGES)
    makers = [maker_of(table) for table in STAGES[name].reads if table != LEDGER]
    assert all(order.index(maker) < order.index(name) for maker in makers)


def test_every_table_has_one_maker_and_no_source_may_take_its_name():
    made = [table for stage in STAGES.values() for table in stage.makes]
    assert len(made) == len(set(made))
    assert {*made, LEDGER} == TABLES
    assert {*TABLES, *STAGES} <= RESERVED_TABLES
    assert maker_of("staging/customers") == "staging"
    assert maker_of("scores") == "score"
    assert maker_of(LEDGER) == ""
    noted = {"checks", "failing_rows", "monthly_profiles"}
    assert {LEDGER, "intake", "completeness", "captures", "arrivals", *noted} == RECORDS


def test_the_function_of_a_stage_bears_its_name():
    for stage in STAGES.values():
        assert function_of(stage).__name__ == stage.name
        assert function_of(stage).__module__ == stage.module


def test_relations_spell_sources_out_and_leave_the_ledger():
    stage = Stage("late", "Come last", purpose="model", makes=("late",), reads=("staging", "scores", LEDGER))
    assert stage.relations(["customers", "loans"]) == ("customers", "loans", "scores")
    assert replace(stage, reads=()).relations(["customers"]) == ()


def test_the_page_has_a_row_a_stage_with_what_it_makes():
    rows = [line.split("|")[1:-1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    told = {row[0].strip(" `"): row for row in rows}
    for stage in STAGES.values():
        assert stage.words in told[stage.name][1]
        assert all(f"`{table}`" in told[stage.name][2] for table in stage.makes)


def test_every_table_of_a_lake_has_a_contract_and_is_committed_by_it(two_months):
    with Work.open(two_months.folder) as work:
        tables, contracts = two_months.lake.tables(), work.contracts
        assert {first_part(table) for table in tables} == TABLES - NOT_ASKED - RECONCILED
        assert set(tables) - set(contracts) == set()
        for table in tables:
            assert two_months.lake.require(table).partition_by == contracts[table].partition_by


def test_no_room_commits_files_past_their_contract():
    # `Lake.write` checks rows in memory, `Work.commit` files by an engine; nothing else may call `Lake.commit`, but
    # compaction, repair and migration, whose rows were checked when they were first committed.
    rooms = Path(__file__).parents[2] / "tenure"
    callers = {f.relative_to(rooms).as_posix() for f in rooms.rglob("*.py") if "lake.commit(" in f.read_text("utf-8")}
    assert callers == {"session/work.py", "store/compacting.py", "store/migrating.py", "store/repair.py"}
