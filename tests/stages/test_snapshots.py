"""Snapshots: a month more adds its rows and takes none away."""

from datetime import date

import pyarrow.compute as pc


def test_a_month_more_adds_its_snapshot_and_leaves_those_before(two_months):
    older = two_months.lake.read("snapshots", version=0)
    newer = two_months.lake.read("snapshots")
    added = newer.filter(pc.greater(newer["snapshot_date"], date(2024, 5, 31)))
    assert set(added["snapshot_date"].to_pylist()) == {date(2024, 6, 30)}
    assert newer.num_rows == older.num_rows + added.num_rows
    kept = newer.filter(pc.less_equal(newer["snapshot_date"], date(2024, 5, 31)))
    order = [(name, "ascending") for name in older.column_names]
    assert kept.sort_by(order).equals(older.sort_by(order))


def test_the_newest_snapshot_has_no_label_yet(two_months):
    """Its horizon ends after the data: whoever is active there may still leave."""
    labelled = set(two_months.lake.read("labels")["snapshot_date"].to_pylist())
    every = set(two_months.lake.read("snapshots")["snapshot_date"].to_pylist())
    assert every - labelled == {date(2024, 6, 30)}
