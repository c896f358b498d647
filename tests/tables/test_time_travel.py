"""Time travel: destroy what was not known yet, and nothing that was computed before may change."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

import tenure.tiles.features as features_module
from tenure import Column, Csv, Source
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.stages.verify import travel_in_time
from tenure.tables.time_travel import destroyed
from tenure.tiles.features import FeatureSteps

WORLD = Path(__file__).parents[1] / "worlds" / "twelve_customers"
#: The gate would refuse a leak before anyone could travel.
UNPROVED = {"verify": {"customers": 0}}


@pytest.fixture
def bank(tmp_path):
    folder = tmp_path / "twelve_customers"
    shutil.copytree(WORLD, folder)
    shutil.copy(next((WORLD / "churn_definitions").glob("*.py")), folder / "churn.py")
    return folder


def travelled(folder):
    with Work.open(folder) as work:
        list(run(work, stages_between("staging", "features")))
    with Work.open(folder) as work:
        return list(travel_in_time(work))


def test_no_stored_feature_knows_the_future(bank):
    found = travelled(bank)
    assert [c.table for c in found if not c.equal] == []
    assert len(found) == 3 * 2 * 2  # dates, destructions, tables
    assert all(c.rows for c in found)


@pytest.mark.parametrize("digits", [(18, 2), (5, 3), (4, 4), (38, 0), (38, 38)])
def test_nonsense_has_no_more_digits_than_its_column(engine, digits):
    column = Column("share", type="decimal", precision=digits[0], scale=digits[1])
    source = Source("held", read=Csv("held.csv"), key="n", event_time="t",
                    columns=[Column("n", type="integer"), Column("t", type="date"), column])  # fmt: skip
    noon = "TIMESTAMP '2024-03-01 12:00:00'"
    row = f"SELECT 1 AS n, DATE '2024-03-01' AS t, CAST(0 AS DECIMAL{digits}) AS share, {noon} AS event_time, "
    row += f"{noon} AS known_time, CAST(NULL AS TIMESTAMP) AS known_until"
    (found,) = engine.run(
        destroyed(source, f"({row}) AS held", date(2024, 2, 1), "corrupted", engine.dialect)
    ).to_pylist()
    assert found["share"] is not None
    assert found["share"] < 0


def test_features_that_read_the_newest_version_are_caught(bank, monkeypatch):
    """A dimension that is overwritten: today's value at yesterday's snapshot."""
    with monkeypatch.context() as leaky:
        leaky.setattr(features_module, "visible_at", lambda t, relation="r": f"{relation}.known_until IS NULL")
        with Work.open(bank, overrides=UNPROVED) as work:
            list(run(work, stages_between("staging", "features")))
    with Work.open(bank) as work:
        found = list(travel_in_time(work))
    assert [c.example for c in found if not c.equal]
    assert {c.table.split()[0] for c in found if not c.equal} == {"features"}


def test_features_that_read_an_inclusive_date_boundary_are_caught(bank, monkeypatch):
    """A snapshot that sees its own day, and so rows not known when it begins."""
    real = features_module.Grid.relations

    def inclusive(self, dialect):
        held = real(self, dialect)
        return [s if s.table != "intervals" else type(s)(s.table, _a_day_later(s.text), s.reads) for s in held]

    with monkeypatch.context() as leaky:
        leaky.setattr(features_module.Grid, "relations", inclusive)
        leaky.setattr("tenure.tiles.tiles._day", _yesterday)
        with Work.open(bank, overrides=UNPROVED) as work:
            list(run(work, stages_between("staging", "features")))
    with Work.open(bank) as work:
        assert [c for c in travel_in_time(work) if not c.equal]


def _a_day_later(text):
    """`seen_at` a day after the snapshot begins."""
    return text.replace(" 00:00:00'", " 23:59:59'")


def _yesterday(column, grid):
    return f"GREATEST(CAST({column} - INTERVAL '1' DAY AS DATE), DATE '{grid.first_day}')"


def test_every_month_of_a_streak_is_an_edge_of_the_grid(tmp_path):
    """One snapshot alone: no other one's windows happen to cut the year into months."""
    folder = tmp_path / "bank"
    shutil.copytree(Path(__file__).parents[1] / "worlds" / "branch_bank", folder)
    shutil.copy(next((folder / "churn_definitions").glob("*.py")), folder / "churn.py")
    with Work.open(folder) as work:
        edges = {
            day
            for interval in FeatureSteps(work.project, "duckdb", [date(2024, 6, 30)]).grid.intervals
            for day in interval[:2]
        }
    ends = ((2024, 5, 31), (2024, 4, 30), (2024, 3, 31), (2024, 2, 29), (2024, 1, 31), (2023, 12, 31))
    assert {date(*end) for end in ends} <= edges
