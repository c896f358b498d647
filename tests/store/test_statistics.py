"""The ranges in Delta's log: other tools skip files by them, and no personal value and no text stands there."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable

from tenure.define.contract_base import Contract
from tenure.store.compacting import compact
from tenure.store.lake import Lake

ROWS = pa.table(
    {
        "customer_id": [7, 3, 9],
        "born": [date(1950, 1, 1), date(1960, 5, 5), date(1999, 9, 9)],
        "note": ["call Ms Canary", "b", "c"],
        "balance": [1.5, float("nan"), 3.0],
        "limit": [Decimal("1.10"), Decimal("2.20"), None],
        "active": [True, False, True],
        "visits": [4, None, 11],
        "opened_on": [date(2020, 2, 29), None, date(2019, 1, 1)],
        "seen_at": pa.array([datetime(2024, 1, 1, 0, 0, 0, 5, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
        "nothing": pa.array([None] * 3, pa.int64()),
    }
)

CONTRACT = Contract(table="people", keys=("customer_id",), personal=frozenset({"customer_id", "born"}))


def stats_of(lake, table):
    logs = sorted((lake.path(table) / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for line in logs[-1].read_text().splitlines()]
    return [json.loads(action["add"]["stats"]) for action in actions if "add" in action]


def test_ranges_of_numbers_days_and_instants_alone(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.write(ROWS, CONTRACT)
    (stats,) = stats_of(lake, "people")
    assert stats == {
        "numRecords": 3,
        "minValues": {"visits": 4, "opened_on": "2019-01-01", "seen_at": "2024-01-01T00:00:00.000005Z"},
        "maxValues": {"visits": 11, "opened_on": "2020-02-29", "seen_at": "2024-01-01T00:00:00.000005Z"},
    }
    logs = "".join(log.read_text() for log in lake.path("people").glob("_delta_log/*"))
    for personal in ("Canary", "1950-01-01", "1999-09-09"):
        assert personal not in logs


@pytest.mark.parametrize("change", ["a partition", "compaction"])
def test_every_way_of_writing_tells_them(tmp_path, change):
    lake = Lake(tmp_path / "lake")
    contract = Contract(table="visits", partition_by=("day",), personal=frozenset({"customer_id"}))
    for number in range(3):
        rows = pa.table({"customer_id": [number], "visits": [10 * number]})
        lake.write_partition(rows, contract, {"day": f"2024-01-0{number + 1}"})
    if change == "compaction":
        lake.write(pa.table({"visits": [1]}), Contract(table="small"), mode="append")
        lake.write(pa.table({"visits": [5]}), Contract(table="small"), mode="append")
        compact(lake, Contract(table="small"), keep=timedelta(days=1))
        assert stats_of(lake, "small") == [{"numRecords": 2, "minValues": {"visits": 1}, "maxValues": {"visits": 5}}]
    else:
        assert stats_of(lake, "visits")[-1]["maxValues"] == {"visits": 20}


def test_another_tool_skips_files_by_them(tmp_path):
    lake = Lake(tmp_path / "lake")
    for begin in (0, 100, 200):
        lake.write(pa.table({"visits": list(range(begin, begin + 50))}), Contract(table="visits"), mode="append")
    stored = DeltaTable(lake.path("visits")).to_pyarrow_dataset()
    assert len(list(stored.get_fragments(filter=ds.field("visits") > 220))) == 1
    assert stored.to_table(filter=ds.field("visits") > 220).num_rows == 29
