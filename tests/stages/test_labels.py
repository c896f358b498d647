"""Labels follow the churn definition, as far as the data that they read go."""

import pytest
from stages.runs import built, edit, ran

from tenure.errors import (
    InvalidDefinition,
    LabelError,
)
from tenure.intake.calendar import calendar
from tenure.session.work import Work


def test_changed_horizon_rebuilds_labels_and_not_features(bank):
    ran(bank)
    edit(bank / "churn.py", "horizon=30", "horizon=45")
    statuses, work = ran(bank)
    assert built(statuses) == ["labels", "splits", "training_set"]
    spans = set(zip(*(work.lake.read("labels")[c].to_pylist() for c in ("label_start", "label_end")), strict=True))
    assert {(end - start).days for start, end in spans} == {45}


def test_data_end_where_the_first_source_that_labels_read_ends(bank):
    """Payments stop on 2024-06-30; a longer feed that no label reads must not turn missing rows into churn."""
    ran(bank)
    with Work.open(bank) as work:
        before = calendar(work).data_end
    visits = "".join(f"{n},{n % 40},2024-0{1 + n % 9}-15\n" for n in range(90))
    (bank / "data" / "visits.csv").write_text("visit_id,customer_id,came_on\n" + visits)
    with (bank / "sources.py").open("a") as file:
        file.write(
            '\nvisits = Source("visits", read=Csv("visits.csv"), key="visit_id", event_time="came_on", columns=[\n'
            '    Column("visit_id", type="integer", role="key"),\n'
            '    Column("customer_id", type="integer", role="key"),\n'
            '    Column("came_on", type="date", role="time")])\n'
        )
    (bank / "features" / "visits.py").write_text(
        "from tenure import Aggregate, FeatureView, days\n"
        'visits = FeatureView("visits", source="visits", features=[\n'
        '    Aggregate("visit", how="count", windows=days(30), doc="Visits")])\n'
    )
    ran(bank)
    with Work.open(bank) as work:
        assert calendar(work).data_end == before


def test_label_that_nobody_is_asked_for_is_refused(bank):
    edit(bank / "churn.py", "min_tenure=30", "min_tenure=30000")
    with pytest.raises(
        LabelError, match="churn definition 'quiet' has nobody to ask: no customer is eligible"
    ) as caught:
        ran(bank)
    assert "Lower min_tenure" in caught.value.hint


def test_rows_that_arrive_after_the_horizon_are_no_ground_for_a_label(bank):
    edit(bank / "sources.py", 'event_time="paid_on",', 'event_time="paid_on", arrival_delay=30,')
    with pytest.raises(InvalidDefinition, match="looks 30 days ahead, but rows of source 'payments' arrive 30 days"):
        ran(bank)
