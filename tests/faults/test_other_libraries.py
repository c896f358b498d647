"""A model of another library version is refused before a byte of it is read, with the cure."""

import json

import pytest

from tenure.errors import OutdatedModel, UnsafeModelFile
from tenure.model.learners import LEARNERS, kinds
from tenure.model.libraries import require_same_libraries, versions_here


def row(kind, **versions):
    parts = {"parts": ["rule", "logistic"]} if kind == "blend" else {}
    libraries = json.dumps(versions_here() | versions)
    return {"model_version": f"{kind}-1", "kind": kind, "parameters": json.dumps(parts), "libraries": libraries}


def other(name, place):
    """The version here with another number at a place."""
    parts = versions_here()[name].split(".")
    parts[place] = str(int(parts[place]) + 1)
    return ".".join(parts)


@pytest.mark.parametrize("kind", kinds())
def test_the_same_versions_are_read(kind):
    require_same_libraries(row(kind))


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        ("logistic", "scikit-learn", 0),
        ("logistic", "scikit-learn", 1),
        ("logistic", "skops", 1),
        ("logistic", "numpy", 0),
        ("lightgbm", "lightgbm", 0),
        ("blend", "skops", 1),
    ],
)
def test_a_version_that_may_read_otherwise_is_refused_with_both_and_the_cure(kind, name, place):
    before = other(name, place)
    with pytest.raises(OutdatedModel) as caught:
        require_same_libraries(row(kind, **{name: before}))
    assert f"trained with {name} {before}; here is {name} {versions_here()[name]}" in caught.value.message
    assert caught.value.hint.startswith("Run 'tenure train', or install ")


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        ("logistic", "scikit-learn", 2),
        ("logistic", "lightgbm", 0),
        ("lightgbm", "lightgbm", 1),
        ("lightgbm", "scikit-learn", 0),
        ("rule", "numpy", 0),
        ("rule", "pandas", 0),
        ("blend", "lightgbm", 0),
    ],
)
def test_a_version_that_reads_the_same_is_taken(kind, name, place):
    require_same_libraries(row(kind, **{name: other(name, place)}))


def test_a_version_that_is_not_on_record_is_refused(monkeypatch):
    here = versions_here()
    del here["scikit-learn"]
    with pytest.raises(OutdatedModel, match="not on record"):
        require_same_libraries({**row("logistic"), "libraries": json.dumps(here)})


def test_every_kind_of_model_has_its_rule_and_another_kind_is_refused():
    assert {library.package for learner in LEARNERS for library in learner.read_by} <= set(versions_here())
    with pytest.raises(
        UnsafeModelFile,
        match="there is no model of kind 'forest'; allowed: blend, lightgbm, logistic, rule, xgboost",
    ):
        require_same_libraries(row("forest"))
