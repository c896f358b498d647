"""The number of the arrays stands for their cells: a changed cell wants another number, a changed comment does not.

A fixed bank is built through the arrays and its cells compared with tests/golden/array_cells.json. Where they differ,
raise CELLS in tenure/feature_store/in_arrays.py by one, write a line in CHANGELOG.md (stored snapshots will be
computed anew once), and rewrite the golden file with
`TENURE_REWRITE_GOLDEN=1 .venv/bin/pytest tests/feature_store/test_route_number.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fixed_bank import write_fixed_bank

from tenure.arrays.merges import MERGES
from tenure.feature_store import in_arrays
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

GOLDEN = Path(__file__).parents[1] / "golden" / "array_cells.json"

#: Tables that arrays make, and the columns by which their rows are put in order.
TABLES = {
    "features": ("branch", "number", "snapshot_date"),
    "tiles/moves": ("branch", "number", "period_end", "interval_start", "seen_from", "seen_to"),
    "tiles/holdings": ("branch", "number", "period_end", "interval_start", "seen_from", "seen_to"),
}

#: A column of type float is summed up by SQL in whatever order its threads take, so its last bits are no golden ones.
FLOATING = ("rate", "pace")


@pytest.fixture
def bank(tmp_path):
    """The bank's folder, with its rows written and nothing built."""
    return write_fixed_bank(tmp_path / "branch_bank")


def cells(folder):
    """The digest of each column of each table, with what tells the route's number."""
    with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
        list(run(work, stages_between("staging", "features")))
        found = {table: digests(work.lake.read(table), order) for table, order in TABLES.items()}
    return {"number": in_arrays.CELLS, "tables": found}


def digests(rows, order):
    by = [(name, "ascending") for name in order if name in rows.schema.names]
    ordered = rows.sort_by(by)
    kept = [name for name in sorted(rows.schema.names) if not any(word in name for word in FLOATING)]
    return {name: digest(ordered[name]) for name in kept}


def digest(column: pa.ChunkedArray) -> str:
    values = [sorted(value, key=repr) if isinstance(value, list) else value for value in column.to_pylist()]
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def differing(found, golden):
    """The columns whose cells are not the golden ones, as table.column."""
    return sorted(
        f"{table}.{name}"
        for table in golden["tables"].keys() | found["tables"].keys()
        for name in golden["tables"].get(table, {}).keys() | found["tables"].get(table, {}).keys()
        if golden["tables"].get(table, {}).get(name) != found["tables"].get(table, {}).get(name)
    )


def refusal(found, golden):
    """What the golden test has to say of cells and number, '' where both are those of the golden file."""
    changed = differing(found, golden)
    if changed and found["number"] == golden["number"]:
        return (
            f"{len(changed)} columns have other cells, such as {', '.join(changed[:3])}: raise CELLS in "
            f"tenure/feature_store/in_arrays.py to {golden['number'] + 1}, say so in CHANGELOG.md, "
            "rewrite the golden file"
        )
    if changed or found["number"] != golden["number"]:
        return "the number was raised: rewrite the golden file (see this module's docstring)"
    return ""


def test_cells_of_the_arrays_are_those_of_their_number(bank, monkeypatch):
    used = []
    real = in_arrays._hold_with_windows
    monkeypatch.setattr(in_arrays, "_hold_with_windows", lambda *asked: used.append(asked) or real(*asked))
    found = cells(bank)
    assert used, "the cells did not come from arrays"
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {"number": 0, "tables": {}}
    if os.environ.get("TENURE_REWRITE_GOLDEN") and found["number"] > golden["number"]:
        GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return
    assert refusal(found, golden) == ""


@pytest.mark.parametrize("kind", ["sum", "max"])
def test_a_changed_cell_asks_for_another_number(bank, monkeypatch, kind):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    monkeypatch.setitem(MERGES, kind, {"sum": np.maximum, "max": np.minimum}[kind])
    assert f"raise CELLS in tenure/feature_store/in_arrays.py to {golden['number'] + 1}" in refusal(cells(bank), golden)


def test_a_raised_number_without_the_golden_file_is_told(bank, monkeypatch):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    monkeypatch.setattr(in_arrays, "CELLS", golden["number"] + 1)
    assert "rewrite the golden file" in refusal(cells(bank), golden)


def test_a_comment_in_the_code_of_the_route_makes_nothing_stale(bank, monkeypatch, tmp_path):
    """What is compared is declared; the text of the package's files is not read while planning."""
    from tenure.feature_store.plan import plan_backfill
    from tenure.intake.calendar import calendar

    with Work.open(bank, overrides={"verify": {"customers": 0}}) as work:
        list(run(work, stages_between("staging", "features")))
        read, real = [], Path.read_text
        monkeypatch.setattr(Path, "read_text", lambda file, *a, **k: read.append(file) or real(file, *a, **k))
        planned = plan_backfill(work, calendar(work).plan)
    assert planned.due == ()
    assert [file for file in read if file.suffix == ".py"] == []
