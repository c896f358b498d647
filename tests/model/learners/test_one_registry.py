"""A learner that is registered in one place is known everywhere, and no list of kinds is kept beside it."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from tenure.config import TrainSection, config_reference
from tenure.errors import InvalidConfig, MissingDependency, ModelError, OutdatedModel, UnsafeModelFile
from tenure.insight.contributions import contributions
from tenure.model import learners
from tenure.model.base import LearnedModel
from tenure.model.learners.learner import Learner, Library
from tenure.model.libraries import require_same_libraries, versions_here
from tenure.model.registry import load_model
from tenure.model.select import Columns
from tenure.model.train import ModelTrainingService, TrainSettings
from tenure.publish.words import kind_words
from tenure.stages.extras import require_packages

PYTEST = Library("pytest", "pytest")
ABSENT = Library("forest-of-no-machine", "forest_of_no_machine")


class Coin(LearnedModel):
    """Gives everybody the churn rate of train."""

    kind = "coin"

    def __init__(self, columns, parameters, rate):
        super().__init__(columns, parameters)
        self.rate = rate

    @classmethod
    def cross_fit(cls, folds, settings, like=None):
        return {
            number: cls(folds.columns_of(number), {}, float(folds.apart(number)[0].churned.mean()))
            for number in folds.numbers
        }

    @classmethod
    def from_files(cls, card, files):
        return cls(Columns.from_json(card["columns"]), card["parameters"], json.loads(files["coin.json"]))

    def margin(self, matrix):
        return np.full(len(matrix), np.log(self.rate / (1 - self.rate)))

    def contributions(self, matrix, background):
        return np.zeros_like(matrix), self.margin(matrix)

    def files(self):
        return {"model.json": self.card(), "coin.json": json.dumps(self.rate).encode()}


def coin(**changed):
    row = {"kind": "coin", "words": "Toss of a coin", "model": lambda: Coin, "file": "coin.json", "by_default": False}
    return Learner(**row | changed)


@pytest.fixture
def register(monkeypatch):
    def add(learner):
        monkeypatch.setattr(learners, "LEARNERS", (*learners.LEARNERS, learner))

    return add


def test_tenure_toml_may_ask_for_it_and_the_page_says_so(register):
    with pytest.raises(ValueError, match=r"input should be 'rule', .* or '"):
        TrainSection(models=["coin"])
    assert '`"coin"`' not in config_reference()
    register(coin())
    assert TrainSection(models=["rule", "coin"]).models == ("rule", "coin")
    assert '`"coin"`' in config_reference()
    assert "coin" not in TrainSection().models
    assert "coin" not in TrainSettings().kinds


def test_it_is_trained_unasked_only_if_it_is_on_by_default(register):
    register(coin(by_default=True))
    assert TrainSection().models == TrainSettings().kinds == ("rule", "logistic", "lightgbm", "coin", "blend")


def test_it_is_trained_stored_read_explained_and_told_in_words(register, world):
    with pytest.raises(InvalidConfig, match=r"\[train\] models: there is no model of kind 'coin'; allowed: "):
        TrainSettings(kinds=("coin",))
    register(coin())
    (model,) = ModelTrainingService(TrainSettings(kinds=("coin",))).train(world, ["customer_id"])
    train = world[world["split"] == "train"]
    rates = np.array([train.loc[train["fold"] != fold, "churned"].mean() for fold in range(5)])
    np.testing.assert_allclose(logit(model.predict(world)), logit(rates).mean())
    loaded = load_model(model.files())
    assert [one.rate for one in loaded.members.values()] == [one.rate for one in model.members.values()]
    matrix = model.columns.matrix(world)
    contributions(model, matrix, matrix).check(world[["customer_id"]], world, model.columns.names)
    assert kind_words("coin") == "Toss of a coin"


def test_its_libraries_are_recorded_and_asked_of_whoever_reads_its_files(register):
    assert "pytest" not in versions_here()
    register(coin(libraries=(PYTEST, ABSENT), read_by={PYTEST: 1}))
    assert versions_here()["pytest"] == pytest.__version__
    assert ABSENT.package not in versions_here()
    row = {"model_version": "coin-1", "kind": "coin", "libraries": json.dumps(versions_here())}
    require_same_libraries(row)
    with pytest.raises(OutdatedModel, match=r"trained with pytest 1\.0; here is pytest"):
        require_same_libraries(row | {"libraries": '{"pytest": "1.0"}'})


def test_files_of_a_library_that_is_not_here_are_refused(register):
    register(coin(libraries=(ABSENT,), read_by={ABSENT: 1}))
    row = {"model_version": "coin-1", "kind": "coin", "libraries": f'{{"{ABSENT.package}": "3.1"}}'}
    with pytest.raises(OutdatedModel, match=f"here is {ABSENT.package} of no version"):
        require_same_libraries(row)


def test_a_library_is_found_by_whichever_package_brings_its_module():
    assert Library("no-such-package", "pytest", others=("pytest",)).version == pytest.__version__
    assert Library("no-such-package", "pytest").version == ""


@pytest.mark.parametrize(("by_default", "asked"), [(False, ("rule", "coin")), (True, ("rule",))])
def test_a_run_that_would_train_it_is_refused_without_its_packages(register, by_default, asked):
    register(coin(libraries=(ABSENT,), by_default=by_default))
    with pytest.raises(MissingDependency, match=f"stage 'train' needs {ABSENT.package}, which is not installed"):
        require_packages(["features", "train"], asked)
    require_packages(["features"], asked)


def test_a_run_that_trains_others_needs_no_package_of_it(register):
    register(coin(libraries=(ABSENT,)))
    require_packages(["train"], ("rule", "lightgbm"))


def test_a_kind_without_a_learner_is_refused_wherever_it_comes_from():
    known = "there is no model of kind 'coin'; allowed: blend, lightgbm, logistic, rule, xgboost"
    model = Coin(Columns(("k",), ("x",), ()), {}, 0.5)
    with pytest.raises(ModelError, match=f"the model to explain: {known}"):
        contributions(model, np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(ModelError, match=f"the words of the report: {known}"):
        kind_words("coin")
    with pytest.raises(UnsafeModelFile, match=f"registry of models: {known}"):
        require_same_libraries({"model_version": "coin-1", "kind": "coin", "libraries": "{}"})
    with pytest.raises(UnsafeModelFile, match=rf"model\.json: {known}"):
        load_model(model.files())
    with pytest.raises(InvalidConfig, match=rf"\[train\] models: {known}"):
        ModelTrainingService(TrainSettings(kinds=("coin",))).train(pd.DataFrame(), [])


def test_declarations_load_no_library():
    heavy = ("lightgbm", "numpy", "optuna", "pandas", "scipy", "sklearn", "skops", "xgboost")
    script = (
        "import sys\nfrom tenure.model.learners import LEARNERS, libraries\n"
        "assert all(learner.words for learner in LEARNERS) and libraries()\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
