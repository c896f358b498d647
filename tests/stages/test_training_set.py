"""The training set: a row a label, with its split and its features as of the snapshot, none lost and none twice."""

import pytest
from stages.runs import ran
from tiny_bank import write_tiny_bank

from tenure.errors import MissingTable

ROW = ("customer_id", "snapshot_date")


def by_row(table):
    found = {tuple(row[name] for name in ROW): row for row in table.to_pylist()}
    assert len(found) == table.num_rows
    return found


def test_a_row_holds_its_label_its_split_and_its_features(two_months):
    joined = by_row(two_months.lake.read("training_set"))
    sides = {table: by_row(two_months.lake.read(table)) for table in ("labels", "splits", "features")}
    assert joined.keys() == sides["labels"].keys() == sides["splits"].keys()
    for row, cells in joined.items():
        theirs = sides["features"][row] | sides["labels"][row] | sides["splits"][row]
        assert cells == {name: theirs[name] for name in cells}


@pytest.mark.parametrize(("stages", "missing"), [(("staging", "snapshots", "features"), "labels")])
def test_without_labels_it_says_what_to_run(tmp_path, stages, missing):
    bank = write_tiny_bank(tmp_path / "bank")
    ran(bank, stages)
    with pytest.raises(MissingTable, match=f"'{missing}' is not built") as caught:
        ran(bank, ("training_set",))
    assert caught.value.hint == f"Run 'tenure {missing}'."
