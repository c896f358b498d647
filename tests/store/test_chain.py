"""The ledger's chain: any row that is changed or taken away is missed, and nothing else is."""

import shutil
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.define.contract_base import Contract
from tenure.store import runs
from tenure.store.chain import ANCHOR, LINK, Anchor, linked, newest_link, problems, read_anchor, write_anchor
from tenure.store.integrity import survey
from tenure.store.lake import Lake
from tenure.store.runs import StageRun, chain_anew, ledger

CELLS = st.fixed_dictionaries(
    {"stage": st.text(), "rows": st.integers(0, 2**62), "seconds": st.floats(allow_nan=False)}
)


def record(lake, *stages):
    for stage in stages:
        StageRun(run_id="r", stage=stage, started_at=datetime(2024, 1, 1, tzinfo=UTC)).record(lake)


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "lake")
    record(made, "staging", "snapshots", "features")
    return made


@given(st.lists(CELLS, min_size=1, max_size=6), st.data())
def test_any_change_and_any_loss_breaks_the_chain(tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("chain")
    chained = linked(rows, "")
    write_anchor(folder, Anchor(len(rows), newest_link(chained), 0))
    assert list(problems(chained, folder)) == []
    place = data.draw(st.integers(0, len(rows) - 1))
    assert list(problems(chained[:place] + chained[place + 1 :], folder))
    changed = {**chained[place], "rows": chained[place]["rows"] + 1}
    assert list(problems([*chained[:place], changed, *chained[place + 1 :]], folder))


def test_the_ledgers_own_chain_is_right_and_anchored(lake):
    rows = ledger(lake)
    assert survey(lake).damages == ()
    assert [row["stage"] for row in rows] == ["staging", "snapshots", "features"]
    assert read_anchor(lake.folder) == Anchor(3, str(rows[-1][LINK]), 2)


def test_a_row_that_is_taken_from_the_end_with_its_log_is_missed_for_good(lake):
    kept = lake.folder.parent / "kept"
    shutil.copytree(lake.path("runs"), kept)
    record(lake, "labels")
    shutil.rmtree(lake.path("runs"))
    shutil.copytree(kept, lake.path("runs"))
    lake = Lake(lake.folder)
    for _ in range(2):
        (damage,) = survey(lake).damages
        assert damage.problem.startswith("tells of 4 rows of the ledger, which has ")
        record(lake, "splits")
    chain_anew(lake)
    assert survey(lake).damages == ()
    assert [row["stage"] for row in ledger(lake)] == ["staging", "snapshots", "features", "splits", "splits"]


def test_an_anchor_that_is_lost_stays_lost_until_it_is_looked_at(lake):
    (lake.folder / ANCHOR).unlink()
    record(lake, "labels")
    (damage,) = survey(lake).damages
    assert (damage.file, damage.problem) == (ANCHOR, "is gone")
    (lake.folder / ANCHOR).write_text("{}")
    assert survey(lake).damages[0].problem == "is not as it was written"


def test_a_run_killed_between_its_row_and_the_anchor_raises_no_alarm(lake, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(runs, "write_anchor", lambda *_: None)
        record(lake, "labels")
    assert survey(lake).damages == ()
    record(lake, "splits")
    assert survey(lake).damages == ()
    assert read_anchor(lake.folder).rows == 5


def test_a_ledger_of_an_older_tenure_goes_on_with_a_chain(tmp_path):
    lake = Lake(tmp_path / "lake")
    record(lake, "staging")
    old = lake.read("runs").drop_columns([LINK])
    shutil.rmtree(lake.folder)
    lake = Lake(tmp_path / "lake")
    lake.write(old, Contract(table="runs"))
    assert survey(lake).damages == ()
    record(lake, "snapshots", "features")
    assert survey(lake).damages == ()
    assert [bool(row[LINK]) for row in ledger(lake)] == [False, True, True]
    assert read_anchor(lake.folder).rows == 3


def test_rows_that_waited_are_chained_in_their_order(lake, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(Lake, "write", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            record(lake, "labels")
    record(lake, "splits")
    assert [row["stage"] for row in ledger(lake)][-2:] == ["labels", "splits"]
    assert survey(lake).damages == ()
    assert pa.types.is_string(lake.require("runs").schema.field(LINK).type)
