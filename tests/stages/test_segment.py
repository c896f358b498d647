"""The stage `segment`: what it said of an earlier snapshot stays, in a partition that no later run reads or writes."""

import shutil
from datetime import date

import pandas as pd
import pytest

from tenure.define.table_contracts import BY_SNAPSHOT_AND_MODEL
from tenure.session.work import Outcome, Work
from tenure.stages.frames import arrow

TABLES = ("segments", "segment_parameters", "segment_profiles")


@pytest.mark.parametrize("table", TABLES)
def test_each_snapshot_and_model_is_a_partition_and_the_earlier_one_stays(two_months, table):
    lake = two_months.lake
    first, second = (lake.find(table, number) for number in (0, 1))
    assert lake.require(table).version == 1
    assert first.partition_by == second.partition_by == BY_SNAPSHOT_AND_MODEL
    assert set(first.files) < set(second.files)
    assert len(second.files) == 2
    assert len(set(lake.read(table)["snapshot_date"].to_pylist())) == 2


@pytest.mark.parametrize("table", TABLES)
def test_the_rows_of_an_earlier_snapshot_are_those_that_were_said_of_it(two_months, table):
    lake = two_months.lake
    before = lake.read(table, version=0)
    day, model = (str(before[name][0]) for name in BY_SNAPSHOT_AND_MODEL)
    now = lake.read(table, where={"snapshot_date": day, "model_version": model})
    order = [(name, "ascending") for name in before.column_names]
    assert now.sort_by(order).equals(before.sort_by(order))
    assert lake.read(table).num_rows > before.num_rows


@pytest.mark.parametrize("first", [False, True], ids=["after earlier months", "as the table's first"])
@pytest.mark.parametrize("table", [*TABLES, "reasons"])
def test_a_frame_without_rows_is_an_empty_partition(two_months, tmp_path, table, first):
    columns = [name for name in two_months.lake.require(table).schema.names if name not in BY_SNAPSHOT_AND_MODEL]
    folder = shutil.copytree(two_months.folder, tmp_path / "bank")
    if first:
        shutil.rmtree(folder / "lake" / table)
    partition = {"snapshot_date": date(2024, 8, 31), "model_version": "rule-1"}
    rows = arrow(pd.DataFrame(columns=columns))
    with Work.open(folder) as work, work.lake.locked():
        before = 0 if first else work.read(table).num_rows
        version = work.keep(table, rows, "of nobody", Outcome(), partition=partition)
        assert version.fingerprint == "of nobody"
        assert work.read(table).num_rows == before
        assert work.read(table, where={"snapshot_date": "2024-08-31"}).num_rows == 0
