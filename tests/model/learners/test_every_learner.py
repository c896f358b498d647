"""What holds for every learner in the registry, each fitted once on the same bank."""

import json

import numpy as np
import pytest
from one_fold import one_fold

from tenure.errors import MissingFeature, UnsafeModelFile
from tenure.insight.contributions import contributions
from tenure.model.base import FitSettings
from tenure.model.learners import LEARNERS, kinds, libraries
from tenure.model.registry import load_model
from tenure.model.sample import Sample
from tenure.model.select import Columns

KEYS = ("customer_id",)
SETTINGS = FitSettings(trials=3, seconds=300, threads=1)


@pytest.fixture(scope="module")
def samples(world):
    columns = Columns.of(world, KEYS)
    train = world[world["split"] == "train"]
    rows = Sample(columns.matrix(train), train["churned"].to_numpy(dtype=float))
    held_out = (train["fold"] == 0).to_numpy(dtype=bool)
    return columns, rows.only(~held_out), rows.only(held_out)


@pytest.fixture(scope="module")
def fitted(samples):
    return {learner.kind: one_fold(learner, *samples, SETTINGS) for learner in LEARNERS}


@pytest.fixture(scope="module")
def rows(world):
    """Test rows, of which some lack a number, some a category, and some have a category that train never showed."""
    found = world[world["split"] == "test"].copy()
    found.loc[found.index[:50], ["balance_last", "region"]] = None
    found.loc[found.index[50:90], "region"] = "west"
    return found


def test_kinds_are_named_once():
    assert len(set(kinds())) == len(kinds()) == len(LEARNERS) + 1


@pytest.mark.parametrize("learner", LEARNERS, ids=[learner.kind for learner in LEARNERS])
class TestEveryLearner:
    def test_it_is_declared_as_its_models_are(self, learner, fitted):
        assert learner.words
        assert learner.model().kind == fitted[learner.kind].kind == learner.kind
        assert set(fitted[learner.kind].files()) == {"model.json", learner.file}

    def test_the_libraries_that_it_names_are_here_and_recorded(self, learner):
        assert {*learner.libraries, *learner.read_by} <= set(libraries())
        assert all(library.installed and library.version for library in libraries())

    def test_from_fit_to_bytes_and_back_no_bit_of_a_score_changes(self, learner, fitted, rows):
        model = fitted[learner.kind]
        files = model.files()
        assert all(isinstance(content, bytes) for content in files.values())
        assert not any(content.startswith(b"\x80") for content in files.values()), "a pickle"
        loaded = load_model(files)
        assert (type(loaded), loaded.columns, loaded.parameters) == (type(model), model.columns, model.parameters)
        assert loaded.files() == files
        np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))

    def test_the_same_rows_seed_and_settings_give_the_same_bytes_in_one_thread_and_in_two(
        self, learner, fitted, samples
    ):
        again = one_fold(learner, *samples, FitSettings(trials=3, seconds=300, threads=2))
        assert again.files() == fitted[learner.kind].files()

    def test_the_score_is_made_of_the_margin_alone_and_rises_with_it(self, learner, fitted, rows):
        model = fitted[learner.kind]
        margin = model.margin(model.columns.matrix(rows))
        assert margin.shape == (len(rows),)
        assert np.isfinite(margin).all()
        np.testing.assert_array_equal(model.score(margin), model.predict(rows))
        np.testing.assert_allclose(model.score(margin), 1 / (1 + np.exp(-margin)), rtol=1e-12, atol=1e-9)
        assert (np.diff(model.score(np.sort(margin))) >= 0).all()

    def test_it_learns_something(self, learner, fitted, rows):
        scores, churned = fitted[learner.kind].predict(rows), rows["churned"].to_numpy()
        assert scores[churned == 1].mean() > scores[churned == 0].mean() + 0.005

    def test_contributions_add_up_to_the_margin_on_every_row(self, learner, fitted, rows, samples):
        model = fitted[learner.kind]
        matrix = model.columns.matrix(rows)
        found = contributions(model, matrix, samples[1].matrix)
        assert (found.values.shape, found.base.shape) == (matrix.shape, (len(rows),))
        np.testing.assert_array_equal(found.margin, model.margin(matrix))
        np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.margin, rtol=0, atol=1e-6)
        found.check(rows[["customer_id", "snapshot_date"]], rows, model.columns.names)

    def test_one_row_is_scored_and_told_as_it_is_among_others(self, learner, fitted, rows, samples):
        model = fitted[learner.kind]
        matrix = model.columns.matrix(rows)[40:60]
        alone = [contributions(model, matrix[at : at + 1], samples[1].matrix) for at in range(len(matrix))]
        together = contributions(model, matrix, samples[1].matrix)
        np.testing.assert_allclose(np.vstack([one.values for one in alone]), together.values, rtol=0, atol=1e-12)
        np.testing.assert_allclose([one.margin[0] for one in alone], together.margin, rtol=0, atol=1e-12)

    def test_rows_without_a_column_that_it_reads_are_refused(self, learner, fitted, rows):
        with pytest.raises(MissingFeature, match="the model reads days_since_last, which the frame lacks"):
            fitted[learner.kind].predict(rows.drop(columns="days_since_last"))

    def test_a_model_without_its_file_or_of_another_kind_is_refused(self, learner, fitted):
        files = fitted[learner.kind].files()
        with pytest.raises(UnsafeModelFile, match=f"kind '{learner.kind}' needs {learner.file}; got model.json"):
            load_model({"model.json": files["model.json"]})
        forest = json.dumps({**json.loads(files["model.json"]), "kind": "forest"}).encode()
        with pytest.raises(
            UnsafeModelFile, match=r"no model of kind 'forest'; allowed: blend, lightgbm, logistic, rule, xgboost"
        ):
            load_model({**files, "model.json": forest})
