"""A bank whose stages ran on one month and then on the next."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_bank import LAST_DAY, write_leavers, write_tiny_bank

from tenure.session.work import Work
from tenure.stages.run import run
from tenure.store.lake import Lake

SETTINGS = {"train": {"models": ("rule", "logistic")}, "verify": {"customers": 0}}


@pytest.fixture(scope="session")
def two_months(tmp_path_factory) -> SimpleNamespace:
    """Where every stage ran, then again after one month more of payments: its folder, lake and champions."""
    folder: Path = write_tiny_bank(tmp_path_factory.mktemp("months") / "bank")
    champions = []
    for last_day in (date(2024, 5, 31), LAST_DAY):
        write_leavers(folder / "data", last_day=last_day)
        with Work.open(folder, overrides=SETTINGS) as work:
            assert {record.status for record in run(work)} <= {"built", "current"}
            champions += [row["model_version"] for row in work.lake.read("models").to_pylist() if row["champion"]]
    return SimpleNamespace(folder=folder, lake=Lake(folder / "lake"), champions=champions)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A small bank of which nothing is built."""
    return write_tiny_bank(tmp_path / "bank")
