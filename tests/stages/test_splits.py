"""Splits follow the settings of the split and leave labels as they are."""

import pytest
from stages.runs import built, edit, ran
from tiny_bank import write_tiny_bank


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def test_changed_number_of_test_snapshots_rebuilds_splits_and_not_labels(bank):
    ran(bank)
    edit(bank / "tenure.toml", "test_snapshots = 1", "test_snapshots = 2")
    statuses, _ = ran(bank)
    assert built(statuses) == ["splits", "training_set"]
