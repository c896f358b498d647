"""Evaluation: every model of the newest training, judged by the same rows, each split over all and by snapshot."""

from collections import Counter


def test_every_model_is_judged_by_the_same_rows(two_months):
    held_out = Counter(two_months.lake.read("splits")["split"].to_pylist())
    judged = two_months.lake.read("evaluations").to_pylist()
    newest = max(row["created_at"] for row in two_months.lake.read("models").to_pylist())
    models = {r["model_version"] for r in two_months.lake.read("models").to_pylist() if r["created_at"] == newest}
    for split in ("validation", "test"):
        of_all = [row for row in judged if row["population"] == "all" and row["split"] == split]
        pooled = {row["model_version"]: row["rows"] for row in of_all if row["snapshot_date"] is None}
        assert pooled == dict.fromkeys(models, held_out[split])
        by_snapshot = Counter()
        for row in of_all:
            if row["snapshot_date"] is not None:
                by_snapshot[row["model_version"]] += row["rows"]
        assert by_snapshot == Counter(pooled)


def test_the_churners_judged_are_those_of_the_labels(two_months):
    rows = two_months.lake.read("training_set").to_pylist()
    expected = sum(row["churned"] for row in rows if row["split"] == "test")
    pooled = [
        row["churners"]
        for row in two_months.lake.read("evaluations").to_pylist()
        if (row["split"], row["population"], row["snapshot_date"]) == ("test", "all", None)
    ]
    assert pooled == [expected] * 2
