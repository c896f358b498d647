"""A project that names XGBoost in tenure.toml gets it through every stage."""

import json
import re

import pytest
from tiny_bank import write_leavers, write_tiny_bank

from tenure.catalog.models import newest_training
from tenure.session.work import Work
from tenure.stages.run import run
from tenure.store.model_files import folder_of


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("xgboost") / "bank")
    write_leavers(folder / "data", 150)
    return folder


def test_xgboost_alone_is_trained_scored_explained_and_reported(bank):
    train = {"models": ("xgboost",), "trials": 2}
    with Work.open(bank, overrides={"train": train, "verify": {"customers": 0}}) as work:
        records = {record.stage: record for record in run(work)}
        (row,) = newest_training(work)
        version = row["model_version"]
        assert re.fullmatch("xgboost-[0-9a-f]{8}", version)
        assert "xgboost" in json.loads(row["libraries"])
        files = {file.name for file in folder_of(work.lake, version).iterdir()}
        assert files == {
            "model.json",
            *(f"{fold}-{name}" for fold in range(5) for name in ("model.json", "xgboost.json")),
        }
        scores = work.read("scores").to_pylist()
        assert {score["model_version"] for score in scores} == {version}
        assert records["explain"].message == "values add up to the score on every row"
        assert {row["model_version"] for row in work.read("shap_values").to_pylist()} == {version}
        assert "XGBoost" in (bank / "out" / "report.html").read_text()
        assert {record.status for record in run(work, ["train", "score", "explain"])} == {"current"}
