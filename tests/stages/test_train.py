"""Training keeps every model on file, under the training that made it, with what it learned from."""

import json

from tenure.store.model_files import folder_of


def test_each_training_adds_its_models_and_the_earlier_ones_stay(two_months):
    earlier = two_months.lake.read("models", version=0).to_pylist()
    models = two_months.lake.read("models").to_pylist()
    trainings = sorted({row["created_at"] for row in models})
    assert len(trainings) == 2
    assert [sorted(row["kind"] for row in models if row["created_at"] == when) for when in trainings] == [
        ["logistic", "rule"],
        ["logistic", "rule"],
    ]
    versions = {row["model_version"] for row in models}
    assert {row["model_version"] for row in earlier} < versions
    assert all((folder_of(two_months.lake, version) / "model.json").is_file() for version in versions)


def test_a_model_names_the_tables_it_learned_from_by_fingerprint(two_months):
    newest = max(two_months.lake.read("models").to_pylist(), key=lambda row: row["created_at"])
    inputs = json.loads(newest["inputs"])
    assert inputs == {table: two_months.lake.require(table).fingerprint for table in inputs}
    assert set(inputs) == {"labels", "splits", "training_set"}
