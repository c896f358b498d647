"""Splits follow the settings of the split and leave labels as they are."""

from stages.runs import built, edit, ran


def test_changed_number_of_test_snapshots_rebuilds_splits_and_not_labels(bank):
    ran(bank)
    edit(bank / "tenure.toml", "test_snapshots = 1", "test_snapshots = 2")
    statuses, _ = ran(bank)
    assert built(statuses) == ["splits", "training_set"]
