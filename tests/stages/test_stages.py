"""A stage is one object: what it declares is what it does, and every list of stages and tables follows from it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from openlineage_spec import require_runs, require_valid
from tiny_bank import write_leavers, write_tiny_bank

from tenure.define.source import RESERVED_TABLES
from tenure.define.stage import LEDGER, RECORDS, STAGES, TABLES, Stage, maker_of
from tenure.session.work import Work
from tenure.stages.run import function_of, run
from tenure.store.lake import Lake
from tenure.store.lineage_file import LineageFile

SETTINGS = {"train": {"models": ("rule", "logistic")}, "verify": {"customers": 20}}
PAGE = Path(__file__).parents[2] / "docs" / "how_it_works.md"


def first_part(table):
    return table.partition("/")[0]


#: The bank has no row to quarantine and none that fails a check, and captures no history.
NOT_ASKED = {"quarantine", "failing_rows", "captures"}

#: What only a bank that declares further horizons has.
OVER_HORIZONS = {"labels_of", "horizons", "horizon_models", "horizon_scores"}

#: What only a bank that declares a Reconciliation has.
RECONCILED = {"reconciliation", "reconciled_accounts"}

EACH_PAYMENT_IS_AN_ACCOUNT = """
from tenure import Reconciliation

paid = Reconciliation("paid", bookings="payments", account="payment_id", amount="amount", balance="amount")
"""


SILENCE_OVER_TWO_HORIZONS = 'Inactivity("payments", days=20), horizon=60, horizons=(30,)'

REGION_IS_PROTECTED = 'Column("region", role="protected")'


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """The tables that each stage looked up and those that it committed, noted in the lake itself, in one whole run.

    With them the file of its lineage events.
    """
    folder = write_tiny_bank(tmp_path_factory.mktemp("stages") / "bank")
    write_leavers(folder / "data")
    text = (folder / "sources.py").read_text().replace('Column("region", role="attribute")', REGION_IS_PROTECTED)
    (folder / "sources.py").write_text(text + EACH_PAYMENT_IS_AN_ACCOUNT)
    views = (folder / "features" / "paid.py").read_text()
    (folder / "features" / "paid.py").write_text("\n".join(x for x in views.splitlines() if not x.startswith("who")))
    churn = (folder / "churn.py").read_text()
    (folder / "churn.py").write_text(churn.replace('Inactivity("payments"), horizon=30', SILENCE_OVER_TWO_HORIZONS))
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
    return found, LineageFile(work.lake.folder, work.run_id).file


@pytest.fixture(scope="module")
def seen(whole_run):
    return whole_run[0]


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


def test_the_lineage_events_name_what_each_stage_read_and_wrote(seen, whole_run):
    events = [json.loads(line) for line in whole_run[1].read_text(encoding="utf-8").splitlines()]
    for event in events:
        require_valid(event)
    ends = {event["job"]["name"]: event for event in require_runs(events)}
    assert tuple(ends) == tuple(STAGES)
    for name, event in ends.items():
        read, written = (
            {one["name"].rpartition("/lake/")[2].partition("/")[0] for one in event[side]}
            for side in ("inputs", "outputs")
        )
        assert written == seen[name][1]
        if name != "staging":
            # A stage looks at what it made before too, and at what a later one rests on.
            assert read == (seen[name][0] & {*STAGES[name].reads}) - {*NOT_ASKED, LEDGER}


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
    noted = {"checks", "quality", "failing_rows", "monthly_profiles"}
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
        assert {first_part(table) for table in tables} == TABLES - NOT_ASKED - RECONCILED - OVER_HORIZONS
        assert set(tables) - set(contracts) == set()
        for table in tables:
            assert two_months.lake.require(table).partition_by == contracts[table].partition_by


def test_no_room_commits_files_past_their_contract():
    # `Lake.write` checks rows in memory, `Work.commit` files by an engine; nothing else may call `Lake.commit`, but
    # compaction, repair and migration, whose rows were checked when they were first committed.
    rooms = Path(__file__).parents[2] / "tenure"
    callers = {f.relative_to(rooms).as_posix() for f in rooms.rglob("*.py") if "lake.commit(" in f.read_text("utf-8")}
    assert callers == {"session/work.py", "store/compacting.py", "store/migrating.py", "store/repair.py"}
