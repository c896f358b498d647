"""Runs of stages over a small bank, and what became of each."""

from tenure.define.stage import SQL_STAGES
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.session.work import Work
from tenure.stages.run import run

TABLES = ("staging/customers", "staging/payments", "snapshots", "features", "labels", "splits", "training_set")


def ran(folder, stages=SQL_STAGES, **overrides):
    """Run the stages; return each one's status and the Work."""
    with Work.open(folder, overrides=overrides) as work:
        work.use_engine(DuckDBEngine(EngineSettings(memory="1GB", threads=2)))
        return {record.stage: record.status for record in run(work, stages)}, work


def versions(work):
    return {table: work.lake.require(table).version for table in TABLES}


def rows(work, table):
    found = work.lake.read(table)
    return found.sort_by([(name, "ascending") for name in found.column_names])


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def built(statuses):
    return [stage for stage, status in statuses.items() if status == "built"]


def let_history_change(folder):
    """Have a bank's next extracts lack rows of stored snapshots."""
    toml = folder / "tenure.toml"
    text = toml.read_text()
    assert "[data]" not in text
    toml.write_text(text + "\n[data]\nhistory_may_change = true\n")
