"""Features are built again when a definition that they read changes, and only then."""

import pytest
from stages.runs import built, edit, ran, rows

from tenure.errors import (
    MissingTable,
)


def test_one_changed_feature_rebuilds_features_and_what_reads_them(bank):
    _, before = ran(bank)
    old = rows(before, "features")
    edit(bank / "features" / "paid.py", "amount > 50", "amount > 60")
    statuses, after = ran(bank)
    assert built(statuses) == ["features", "training_set"]
    new = rows(after, "features")
    changed = [name for name in new.column_names if not new[name].equals(old[name])]
    assert changed == ["large_count_90d", "large_to_all_ratio_90d"]


def test_changed_doc_of_a_feature_touches_no_staged_row(bank):
    ran(bank)
    edit(bank / "features" / "paid.py", 'doc="Payments")', 'doc="All payments")')
    statuses, _ = ran(bank)
    assert "staging" not in built(statuses)
    assert "labels" not in built(statuses)


def test_change_taken_back_is_built_again_to_the_same_content(bank):
    _, first = ran(bank)
    kept = rows(first, "features")
    edit(bank / "features" / "paid.py", "amount > 50", "amount > 60")
    ran(bank)
    edit(bank / "features" / "paid.py", "amount > 60", "amount > 50")
    statuses, last = ran(bank)
    assert built(statuses) == ["features", "training_set"]
    assert rows(last, "features").equals(kept)
    assert last.lake.find("features", version=0).fingerprint == last.lake.require("features").fingerprint


def test_stage_over_staging_of_other_definitions_says_to_stage_again(bank):
    ran(bank)
    edit(bank / "sources.py", 'event_time="paid_on",', 'event_time="paid_on", arrival_delay=3,')
    with pytest.raises(MissingTable, match="source 'payments' was staged with other definitions") as caught:
        ran(bank, ("features",))
    assert caught.value.hint == "Run 'tenure staging'."
    assert ran(bank)[0]["features"] == "built"


def test_feature_named_like_a_column_does_not_take_its_place(bank):
    """Its alias stands beside the key in the same SELECT."""
    edit(
        bank / "features" / "paid.py",
        'Aggregate("large",',
        'Aggregate("customer_id", of="amount", how="sum", windows=days(90), doc="Paid"),\n        Aggregate("large",',
    )
    _, work = ran(bank)
    rows_ = work.lake.read("features").to_pylist()
    assert [row["customer_id_sum_90d"] for row in rows_] == [row["amount_sum_90d"] for row in rows_]
