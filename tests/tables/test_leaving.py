"""When customers left: the moment that makes the label, for every labelled row that churned and no other."""

from datetime import date, datetime

import pytest
from tiny_bank import write_tiny_bank

from tenure.define.churn import ChurnDefinition
from tenure.define.definitions import load_project
from tenure.define.events import BalanceDecline, Closure, Inactivity, all_of, any_of
from tenure.intake.calendar import calendar
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tables.label_spans import label_spans
from tenure.tables.leaving import leaving_moments

SETTINGS = {"verify": {"customers": 0}, "data": {"end": date(2024, 7, 1)}}
HEAD = "from tenure import ChurnDefinition, Closure, Inactivity, any_of, all_of\n\nchurn = "


def moments_and_labels(folder, event):
    """The moments by customer and snapshot, and the labels that churned, of the tiny bank with an event."""
    bank = write_tiny_bank(folder / "bank")
    text = f'ChurnDefinition("leaving", event={event}, horizon=30, gap=5, min_tenure=30)\n'
    (bank / "churn.py").write_text(HEAD + text)
    with Work.open(bank, overrides=SETTINGS) as work:
        list(run(work, stages_between("staging", "labels")))
        days = calendar(work)
        spans = label_spans(work.project, work.churn, days.dates, days.data_end, days.outages)
        select = leaving_moments(work.project, work.churn, work.dialect, spans)
        work.scan(select.reads)
        found = work.engine.run(select.text).to_pylist()
        labels = [row for row in work.read("labels").to_pylist() if row["churned"]]
    moments = {(row["customer_id"], row["snapshot_date"]): row["left_at"].replace(tzinfo=None) for row in found}
    return moments, {(row["customer_id"], row["snapshot_date"]): row for row in labels}


CLOSING, SILENCE = "Closure()", 'Inactivity("payments", days=20)'


@pytest.mark.parametrize("event", [CLOSING, SILENCE, f"any_of({CLOSING}, {SILENCE})", f"all_of({CLOSING}, {SILENCE})"])
def test_every_label_of_1_has_a_moment_within_its_horizon_and_no_other_row_has(tmp_path, event):
    moments, labels = moments_and_labels(tmp_path, event)
    assert moments.keys() == labels.keys()
    assert labels or event.startswith("all_of")
    for row, left_at in moments.items():
        label = labels[row]
        assert datetime.combine(label["label_start"], datetime.min.time()) <= left_at
        assert left_at < datetime.combine(label["label_end"], datetime.min.time())


def test_a_closing_is_the_moment_of_closing_and_a_silence_that_of_its_last_day(tmp_path):
    moments, _ = moments_and_labels(tmp_path / "closing", CLOSING)
    assert set(moments.values()) == {datetime(2024, 5, 15)}
    silent, _ = moments_and_labels(tmp_path / "silence", SILENCE)
    # Customers 0, 10, 20 and 30 opened on 1, 11, 21 and 31 July and pay every nine days until 1 April.
    opened = {n: date(2023, 7, 1 + n) for n in (0, 10, 20, 30)}
    last = {n: max(d for s in range(3, 400, 9) if (d := day.toordinal() + s) <= date(2024, 4, 1).toordinal())
            for n, day in opened.items()}  # fmt: skip
    expected = {n: date.fromordinal(day + 20) for n, day in last.items()}
    assert {customer: left_at.date() for (customer, _), left_at in silent.items()} == expected


def test_the_first_of_any_and_the_last_of_all_is_the_moment(tmp_path):
    moments, _ = moments_and_labels(tmp_path, f"any_of({CLOSING}, {SILENCE})")
    closing, _ = moments_and_labels(tmp_path / "closing", CLOSING)
    silence, _ = moments_and_labels(tmp_path / "silence", SILENCE)
    for row, left_at in moments.items():
        assert left_at == min(found[row] for found in (closing, silence) if row in found)


@pytest.mark.parametrize(
    "event",
    [
        Inactivity("payments"),
        BalanceDecline("payments", of="amount"),
        Closure(winback="leaves"),
        any_of(Closure(), Inactivity("payments")),
        all_of(Inactivity("payments", days=20), BalanceDecline("payments", of="amount")),
    ],
)
def test_an_event_that_lasts_a_horizon_has_no_moment(tmp_path, event):
    project = load_project(write_tiny_bank(tmp_path / "bank"), "Tiny Bank")
    churn = ChurnDefinition("leaving", event=event, horizon=30)
    spans = label_spans(project, churn, [date(2024, 1, 31)], date(2024, 7, 1))
    assert leaving_moments(project, churn, "duckdb", spans) is None
