"""The number of the arrays stands for their cells: a changed cell wants another number, a changed comment does not.

A fixed bank is built through the arrays and its cells compared with tests/golden/array_cells.json. Where they differ,
raise CELLS in tenure/feature_store/routes/arrays.py by one, write a line in CHANGELOG.md (stored snapshots will be
computed anew once), and rewrite the golden file with
`TENURE_REWRITE_GOLDEN=1 .venv/bin/pytest tests/feature_store/test_route_number.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from fixed_bank import cells_of, differing, write_fixed_bank

from tenure.arrays.merges import MERGES
from tenure.feature_store import plan
from tenure.feature_store.routes import arrays
from tenure.feature_store.routes.arrays import ArrayRoute, ArrayWindows
from tenure.feature_store.routes.sql import SqlRoute
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tiles.features import FeatureSteps

GOLDEN = Path(__file__).parents[1] / "golden" / "array_cells.json"


@pytest.fixture
def bank(tmp_path):
    """The bank's folder, with its rows written and nothing built."""
    return write_fixed_bank(tmp_path / "branch_bank")


def cells(folder):
    """The digest of each column of each table, with what tells the route's number."""
    with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
        list(run(work, stages_between("staging", "features")))
        return {"number": arrays.CELLS, "tables": cells_of(work.lake)}


def refusal(found, golden):
    """What the golden test has to say of cells and number, '' where both are those of the golden file."""
    changed = differing(found["tables"], golden["tables"])
    if changed and found["number"] == golden["number"]:
        return (
            f"{len(changed)} columns have other cells, such as {', '.join(changed[:3])}: raise CELLS in "
            f"tenure/feature_store/routes/arrays.py to {golden['number'] + 1}, say so in CHANGELOG.md, "
            "rewrite the golden file"
        )
    if changed or found["number"] != golden["number"]:
        return "the number was raised: rewrite the golden file (see this module's docstring)"
    return ""


def test_cells_of_the_arrays_are_those_of_their_number(bank, monkeypatch):
    used = []
    real = ArrayWindows._cache_with_windows
    monkeypatch.setattr(ArrayWindows, "_cache_with_windows", lambda *asked: used.append(asked) or real(*asked))
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
    assert f"raise CELLS in tenure/feature_store/routes/arrays.py to {golden['number'] + 1}" in refusal(
        cells(bank), golden
    )


def test_a_raised_number_without_the_golden_file_is_told(bank, monkeypatch):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    monkeypatch.setattr(arrays, "CELLS", golden["number"] + 1)
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


def test_the_number_enters_the_digest_beside_dialect_and_sql(bank):
    """Spelled out here by hand: a lake that was built before the routes had names stays current."""
    with Work.open(bank) as work:
        sample = FeatureSteps(work.project, "duckdb", plan._SAMPLE)
        texts = [select.text for select in (*sample.cached, *sample.ranged(), sample.final())]
        assert plan._code(sample, ArrayRoute(work)) == fingerprint(["duckdb", f"arrays {arrays.CELLS}", *texts])
        assert plan._code(sample, SqlRoute(work)) == fingerprint(["duckdb", "", *texts])
