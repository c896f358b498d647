import json
import os
import re
from datetime import UTC, date, datetime

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from tenure.errors import UnsafeModelFile
from tenure.model.evaluate import ModelEvaluationService
from tenure.model.registry import load_model, model_version, registry_row


def test_a_version_is_named_by_kind_files_and_data(models):
    rule, logistic = models[:2]
    files = {"model.json": "aa", "rule.json": "bb"}
    version = model_version(rule, files, "abc")
    assert re.fullmatch(r"rule-[0-9a-f]{8}", version)
    assert version == model_version(rule, dict(reversed(files.items())), "abc")
    others = [(logistic, files, "abc"), (rule, {**files, "rule.json": "cc"}, "abc"), (rule, files, "d")]
    assert version not in {model_version(*other) for other in others}


@pytest.mark.parametrize("place", [0, 1, 2], ids=["rule", "logistic", "lightgbm"])
def test_a_model_read_back_predicts_the_same_bits(models, world, place):
    model = models[place]
    files = model.files()
    assert all(isinstance(content, bytes) for content in files.values())
    loaded = load_model(files)
    assert type(loaded) is type(model)
    assert (loaded.columns, loaded.parameters) == (model.columns, model.parameters)
    rows = world[world["split"] == "test"].copy()
    rows.loc[rows.index[:50], ["balance_last", "region"]] = None
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))


def test_no_file_is_a_pickle(models):
    starts = {name.split("-")[-1]: content[:2] for model in models for name, content in model.files().items()}
    assert starts == {"model.json": b"{\n", "rule.json": b"{\n", "pipeline.skops": b"PK", "model.txt": b"tr"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (skops.io.dumps(FunctionTransformer(os.getcwd)), "types that are not trusted.*posix.getcwd"),
        (skops.io.dumps(LogisticRegression()), "holds LogisticRegression; allowed: a pipeline of"),
        (b"no zip", "is not a skops file"),
    ],
)
def test_a_pipeline_of_another_making_is_refused(models, content, message):
    with pytest.raises(UnsafeModelFile, match=message):
        load_model({**models[1].files(), "3-pipeline.skops": content})


def test_a_broken_set_of_files_is_refused(models):
    files = models[2].files()
    with pytest.raises(UnsafeModelFile, match=r"model\.json is missing or no model card"):
        load_model({"0-model.txt": files["0-model.txt"]})
    with pytest.raises(UnsafeModelFile, match=r"model\.json is missing or no model card"):
        load_model({**files, "model.json": b"[]"})
    with pytest.raises(
        UnsafeModelFile,
        match=r"model\.json: there is no model of kind 'forest'; allowed: blend, lightgbm, logistic, rule, xgboost",
    ):
        load_model({**files, "model.json": b'{"kind": "forest"}'})
    with pytest.raises(UnsafeModelFile, match=r"kind 'lightgbm' needs model\.txt; got model\.json"):
        load_model({name: content for name, content in files.items() if not name.endswith("model.txt")})


def test_the_register_says_what_was_trained_on_what(models, world):
    boosted = models[2]
    row = registry_row(
        boosted,
        model_version="lightgbm-1",
        created_at=datetime(2024, 1, 2, tzinfo=UTC),
        champion=True,
        data_fingerprint="abc",
        training_set=world,
        files={"model.txt": "1f"},
        definitions={"region": "2d"},
        inputs={"labels": "3c"},
        figures=ModelEvaluationService().out_of_time(boosted, world),
    )
    train = world[world["split"] == "train"]
    assert (row["training_rows"], row["training_churners"]) == (1800, train["churned"].sum())
    assert (row["first_snapshot_date"], row["last_snapshot_date"]) == (date(2023, 1, 31), date(2023, 2, 28))
    assert (row["kind"], row["champion"], row["data_fingerprint"]) == ("lightgbm", True, "abc")
    assert json.loads(row["parameters"]) == boosted.parameters
    assert [json.loads(row[name]) for name in ("files", "definitions", "inputs")] == [
        {"model.txt": "1f"},
        {"region": "2d"},
        {"labels": "3c"},
    ]
    assert set(json.loads(row["dropped"])) == {"never_filled", "currency", "branch_code"}
    assert json.loads(row["metrics"])["rows"] == 1200
    assert json.loads(row["metrics"])["auroc"] > 0.75
    assert set(json.loads(row["libraries"])) >= {"lightgbm", "scikit-learn"}


def test_an_undefined_metric_is_null_in_the_register(models, world):
    quiet = world.copy()
    quiet.loc[quiet["split"] == "test", "churned"] = 0
    row = registry_row(
        models[0],
        model_version="rule-1",
        created_at=datetime(2024, 1, 2, tzinfo=UTC),
        champion=False,
        data_fingerprint="abc",
        training_set=quiet,
        files={},
        definitions={},
        inputs={},
        figures=ModelEvaluationService().out_of_time(models[0], quiet),
    )
    assert json.loads(row["metrics"])["auroc"] is None
