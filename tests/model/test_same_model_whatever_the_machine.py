"""A model depends on its data and seed: not on threads, on the folder, or on how long the search may take."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from one_fold import one_fold
from tiny_bank import write_leavers, write_tiny_bank

from tenure.catalog.models import newest_training
from tenure.config import TrainSection
from tenure.insight.contributions import contributions
from tenure.model.base import FitSettings
from tenure.model.learners.lightgbm import LightGBMModel
from tenure.model.learners.logistic import LogisticModel
from tenure.model.registry import model_version
from tenure.model.sample import Sample
from tenure.model.select import Columns
from tenure.session.work import Work
from tenure.stages.run import run
from tenure.store.model_files import digests

COLUMNS = Columns(("k",), tuple(f"x{n}" for n in range(12)), ("c",), {"c": ("a", "b", "c")})


def sample(rows, seed):
    """Enough rows that LightGBM parts them among its threads."""
    random = np.random.default_rng(seed)
    matrix = np.hstack([random.normal(size=(rows, 12)), random.integers(0, 3, (rows, 1)).astype(float)])
    matrix[:, ::4] = np.round(matrix[:, ::4], 1)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    lean = np.nan_to_num(matrix[:, 0] - matrix[:, 1] * matrix[:, 2])
    return Sample(matrix, (random.random(rows) < 1 / (1 + np.exp(-lean))).astype(float))


@pytest.fixture(scope="module")
def by_threads():
    train, validation = sample(20_000, 0), sample(5_000, 1)
    return {n: one_fold(LightGBMModel, COLUMNS, train, validation, FitSettings(trials=2, threads=n)) for n in (1, 2, 3)}


def test_lightgbm_has_the_same_text_with_any_number_of_threads(by_threads):
    files = [model.files() for model in by_threads.values()]
    assert files[0] == files[1] == files[2]
    assert "num_threads" not in files[0]["model.txt"].decode()
    assert len({model_version(model, digests(model.files()), "abc") for model in by_threads.values()}) == 1


def test_scores_and_contributions_have_the_same_bits_with_any_number_of_threads(by_threads):
    rows = sample(3_000, 2).matrix
    found = []
    for threads, model in by_threads.items():
        assert model.threads == threads
        parts = contributions(model, rows, rows)
        found.append(np.column_stack([model.probabilities(rows), parts.values, parts.base, parts.margin]))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_the_logistic_model_has_the_same_bytes_each_time():
    fits = [one_fold(LogisticModel, COLUMNS, sample(500, 0), sample(200, 1), FitSettings()) for _ in range(2)]
    first, second = (model.files() for model in fits)
    assert first == second == fits[0].files()


@pytest.mark.parametrize("chosen", [None, "ACTIVE"])
def test_openmp_waits_passively_unless_the_user_chose(chosen):
    """The runtime itself says what it read when it was loaded."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | {"OMP_DISPLAY_ENV": "true"}
    environment |= {"OMP_WAIT_POLICY": chosen} if chosen else {}
    done = subprocess.run(
        [sys.executable, "-c", "import tenure.stages.train, tenure.model.learners.lightgbm"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    said = {line.strip() for line in done.stderr.splitlines() if "OMP_WAIT_POLICY" in line}
    if not said:
        pytest.skip("this OpenMP runtime does not display its settings")
    assert said == {f"OMP_WAIT_POLICY = '{chosen or 'PASSIVE'}'"}


def test_the_guard_of_a_search_is_an_hour():
    assert (TrainSection().seconds, FitSettings().seconds) == (3600.0, 3600.0)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("same") / "bank")
    write_leavers(folder / "data", 150)
    return folder


def trained(folder, threads, last="report", **train):
    overrides = {"train": {"trials": 2, **train}, "engine": {"threads": threads}, "verify": {"customers": 0}}
    with Work.open(folder, overrides=overrides) as work:
        records = {record.stage: record for record in run(work)}
        return records, newest_training(work), work.read("attrition_list").to_pylist()


def test_another_folder_other_file_times_and_other_threads_give_the_same_versions_and_list(bank, tmp_path):
    other = shutil.copytree(bank, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("lake", "out"))
    for file in (other / "data").iterdir():
        os.utime(file, (1, 1))
    _, models, listed = trained(bank, 1)
    _, again, listed_again = trained(other, 3)
    without_time = [{k: v for k, v in row.items() if k != "created_at"} for row in models]
    assert without_time == [{k: v for k, v in row.items() if k != "created_at"} for row in again]
    assert listed == listed_again


def test_a_search_cut_short_marks_its_version_and_is_told_by_the_stage_and_the_report(bank, tmp_path):
    folder = shutil.copytree(bank, tmp_path / "slow", ignore=shutil.ignore_patterns("lake", "out"))
    records, models, _ = trained(folder, 1, seconds=1e-9)
    cut = {row["model_version"] for row in models if json.loads(row["parameters"]).get("seconds_limit_hit")}
    assert {version.split("-")[0] for version in cut} == {"logistic", "lightgbm"}
    assert all(version.endswith("-cut-short") for version in cut)
    assert "WARNING: the limit of 1e-09 seconds cut the search short" in records["train"].message
    assert all(version in records["train"].message for version in cut)
    assert "was cut short by its limit of seconds" in (folder / "out" / "report.html").read_text()
    records, _, _ = trained(folder, 1, seconds=1e-9)
    assert records["train"].status == "current"
    assert "WARNING" in records["train"].message


def test_a_whole_search_says_nothing_of_it(bank, tmp_path):
    records, models, _ = trained(shutil.copytree(bank, tmp_path / "whole"), 2)
    assert "WARNING" not in records["train"].message
    assert not any("cut-short" in row["model_version"] for row in models)
