"""What a feature alone says of the label: against the slow area under the curve, and of train's rows alone."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.leaks import label_associations as module
from tenure.leaks.label_associations import auroc_alone, label_associations
from tenure.leaks.target_proxies import auroc, codes_of, orders_of
from tenure.model.first_shown import first_shown
from tenure.store.table import TableVersion

ROW = st.tuples(st.one_of(st.none(), st.integers(-4, 4)), st.integers(0, 1), st.integers(0, 2))


@given(st.lists(ROW, min_size=1, max_size=60))
def test_the_area_is_that_of_all_pairs_with_missing_cells_at_either_end(rows):
    values, churned, snapshot = zip(*rows, strict=True)
    ill, at = np.array(churned), np.array(snapshot)
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    codes, _ = codes_of(pa.array(values, pa.int64()))
    slow = max(auroc(order, ill, at) for order in orders_of(codes, ill, by_rate=False))
    found = auroc_alone(numbers, ill, at)
    has_pairs = any(len(set(ill[at == number])) == 2 for number in set(snapshot))
    assert found == (pytest.approx(slow) if has_pairs else None)


def test_a_status_shows_at_the_first_churned_row_and_silence_later():
    #            stays      leaves at once   leaves at the third
    customer = [0, 0, 0, 1, 1, 2, 2, 2, 2]
    churned = [0, 0, 0, 1, 1, 0, 0, 1, 1]
    snapshot = [0, 1, 2, 0, 1, 0, 1, 2, 3]
    found = first_shown(np.array(customer), np.array(churned), np.array(snapshot))
    assert list(found) == [True, True, True, False, False, False, False, True, False]


def training_set(folder: Path, rows: list[dict]) -> TableVersion:
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, folder / "part.parquet")
    return TableVersion("training_set", 0, len(rows), (folder / "part.parquet",), table.schema, (), "")


def customers(*, spoiled: bool = False) -> list[dict]:
    """Two months of sixty customers; every third leaves in the second, when its status says so."""
    rows = []
    for n in range(60):
        for month in (5, 6):
            left = n % 3 == 0 and month == 6
            is_train = n % 2 == 0
            told = left if is_train or not spoiled else not left
            rows.append(
                {
                    "bank": "north",
                    "customer_id": n,
                    "snapshot_date": date(2024, month, 28),
                    "split": "train" if is_train else "test",
                    "churned": int(left if is_train or not spoiled else 1),
                    "status": "lost" if told else "open",
                    "branch": None if n % 5 == 0 else f"b{n % 4}",
                    "spent": float(n % 10) if n % 6 else None,
                    "noise": float(n * 7 % 11),
                }
            )
    return rows


NAMES = ("status", "branch", "spent", "noise")


def associations(folder, rows, **named):
    found = label_associations(training_set(folder, rows), ("bank", "customer_id"), NAMES, frozenset(), **named)
    return {one.column: one for one in found}


def test_a_status_that_says_lost_is_suspect_and_the_others_are_not(tmp_path):
    found = associations(tmp_path, customers())
    status = found["status"]
    assert (status.rows, status.churners, status.missing) == (60, 10, 0)
    assert (status.auroc, status.correlation) == (1.0, pytest.approx(1.0))
    assert status.suspect == (
        "of 10 rows with the value 'lost', 100.0% churn, which are 10 of 10 churners; under 98% is plausible"
    )
    # Of 30 customers of train with n % 6 == 0, ten leave: exactly those without a value of `spent`.
    assert (found["spent"].missing, found["spent"].missing_churners) == (20, 10)
    assert {name for name in NAMES if found[name].suspect} == {"status", "spent"}
    assert "rows with no value" in found["spent"].suspect
    assert found["noise"].auroc == pytest.approx(area([float(n * 7 % 11) for n in range(0, 60, 2)]))


def area(values):
    """Of the second month's customers of train: the share of pairs that the values rank right, or wrong if more."""
    ill = [value for at, value in enumerate(values) if at % 3 == 0]
    well = [value for at, value in enumerate(values) if at % 3]
    right = sum((one > other) + (one == other) / 2 for one in ill for other in well) / (len(ill) * len(well))
    return max(right, 1 - right)


def test_rows_of_other_splits_are_not_read(tmp_path):
    assert associations(tmp_path, customers(spoiled=True)) == associations(tmp_path, customers())


def test_a_personal_value_is_shown_by_its_shape(tmp_path):
    version = training_set(tmp_path, customers())
    (found,) = label_associations(version, ("bank", "customer_id"), ["status"], frozenset({"status"}))
    assert "lost" not in found.suspect
    assert found.suspect


def test_without_a_row_of_train_nothing_is_said(tmp_path):
    rows = [row | {"split": "test"} for row in customers()]
    assert associations(tmp_path, rows) == {}


def test_of_too_many_rows_an_even_part_is_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_LABELLED", 30)
    assert {one.rows for one in associations(tmp_path, customers()).values()} == {30}
