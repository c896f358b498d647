"""The notebook runs from top to bottom, and shows what it says."""

import json
from pathlib import Path

import pytest

from tenure.model.metrics import auroc

NOTEBOOK = Path(__file__).parents[2] / "examples" / "flat_table" / "flat_table.ipynb"


@pytest.fixture(scope="module")
def names():
    """The names that the cells of code define, run in order."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    found = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), found)  # noqa: S102  (ours)
    return found


def test_figures_say_on_what_they_rest(names):
    assert set(names["classifier"].figures_["basis"]) == {"out of fold, not out of time"}
    assert names["figures"]["basis"] == "held out, not out of time"


def test_the_held_out_households_are_ranked(names):
    held_out, classifier = names["held_out"], names["classifier"]
    assert classifier.classes_.tolist() == ["Attrited", "Existing"]
    scores = classifier.predict_proba(names["features"].iloc[held_out])[:, 0]
    left = (names["target"].iloc[held_out] == "Attrited").to_numpy(dtype=float)
    assert names["figures"]["auroc"] == auroc(scores, left) > 0.65


def test_scikit_learn_judges_it_on_folds_of_its_own(names):
    assert len(names["scores"]) == 3
    assert names["scores"].min() > 0.6


def test_no_household_is_on_both_sides(names):
    household = names["customers"]["household"]
    assert set(household.iloc[names["train"]]) & set(household.iloc[names["held_out"]]) == set()


def test_the_notebook_is_stored_without_outputs():
    assert [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell.get("outputs")] == []
