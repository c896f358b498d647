"""The stage horizons: labels over several horizons worked by hand, and one run from raw files to the report."""

import csv
import re
import shutil
from datetime import date, timedelta

import pytest
from stages.runs import edit, ran
from tiny_bank import LAST_DAY, write_leavers, write_tiny_bank

from tenure.errors import CensoredHorizon, MissingTable
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

SETTINGS = {"train": {"models": ("rule", "logistic")}, "verify": {"customers": 0}}

BY_HAND = """
from tenure import ChurnDefinition, Closure, Inactivity, any_of

gone = ChurnDefinition(
    "gone", event=any_of(Closure(), Inactivity("payments", days=20)), horizon=60, horizons=(30, 90)
)
"""

#: Each pays every five days for months, up to a day; the first two close on it.
LAST_PAID = {1: date(2024, 2, 20), 2: date(2024, 3, 15), 3: date(2024, 3, 1), 4: date(2024, 4, 1), 5: LAST_DAY}


def by_hand(folder):
    bank = write_tiny_bank(folder / "bank")
    (bank / "churn.py").write_text(BY_HAND)
    edit(bank / "tenure.toml", "[snapshots]\n", "[data]\nend = 2024-05-01\n\n[snapshots]\n")
    with (bank / "data" / "customers.csv").open("w", newline="") as lines:
        rows = [(n, "north", "2023-11-01", LAST_PAID[n] if n < 3 else "") for n in LAST_PAID]
        csv.writer(lines).writerows([("customer_id", "region", "opened_on", "closed_on"), *rows])
    paid = [
        (n, last - timedelta(days=ago))
        for n, last in LAST_PAID.items()
        for ago in range(0, (last - date(2023, 12, 1)).days, 5)
    ]
    with (bank / "data" / "payments.csv").open("w", newline="") as lines:
        rows = [(number, n, day, 10) for number, (n, day) in enumerate(paid)]
        csv.writer(lines).writerows([("payment_id", "customer_id", "paid_on", "amount"), *rows])
    return bank


def by_month(work, table):
    """The labels of each month's snapshot, by customer."""
    found = {}
    for row in work.lake.read(table).to_pylist():
        found.setdefault(row["snapshot_date"].month, {})[row["customer_id"]] = row["churned"]
    return found


def test_labels_over_several_horizons_worked_by_hand(tmp_path):
    bank = by_hand(tmp_path)
    with Work.open(bank) as work:
        *_, record = run(work, stages_between("staging", "labels"))
        tables = ("labels_of/gone_30d", "labels", "labels_of/gone_90d")
        found = {days: by_month(work, table) for days, table in zip((30, 60, 90), tables, strict=True)}
        assert {row["definition"] for row in work.lake.read("labels_of/gone_30d").to_pylist()} == {"gone_30d"}
        (ends,) = {row["label_end"] for row in work.lake.read("labels_of/gone_90d").to_pylist()}
    assert record.message == "also over 30, 90 days"
    # 1 closes 20 days after 31 January, 2 after 44; the silence of 3 completes after 50, that of 4 after 81.
    # In March 2 has closed, and 3 is silent too long to be asked.
    assert found[30] == {1: {1: 1, 2: 0, 3: 0, 4: 0, 5: 0}, 2: {2: 1, 3: 1, 4: 0, 5: 0}, 3: {4: 1, 5: 0}}
    # The data end on 30 April: 60 days from 31 March, and 90 from 29 February, are censored and have no row.
    assert found[60] == {1: {1: 1, 2: 1, 3: 1, 4: 0, 5: 0}, 2: {2: 1, 3: 1, 4: 1, 5: 0}}
    assert found[90] == {1: {1: 1, 2: 1, 3: 1, 4: 1, 5: 0}}
    assert ends == date(2024, 4, 30)


def test_a_horizon_that_no_snapshot_is_answered_over_is_refused_with_its_cure(tmp_path):
    bank = by_hand(tmp_path)
    edit(bank / "churn.py", "(30, 90)", "(30, 92)")
    with (
        pytest.raises(CensoredHorizon, match=r"'gone_92d' looks 0 \+ 92 days ahead") as caught,
        Work.open(bank) as work,
    ):
        list(run(work, stages_between("staging", "labels")))
    assert "Leave 92 out of horizons=" in caught.value.hint
    edit(bank / "churn.py", "(30, 92)", "(30,)")
    ran(bank, stages_between("staging", "labels"))


CURVE = """
from tenure import ChurnDefinition, Inactivity

churn = ChurnDefinition("quiet", event=Inactivity("payments", days=20), horizon=60, horizons=(15, 30), min_tenure=30)
"""


@pytest.fixture(scope="module")
def curved(tmp_path_factory):
    """A bank of 240 customers, every stage run, with silences over 15, 30 and 60 days."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("curved") / "bank")
    write_leavers(folder / "data")
    (folder / "churn.py").write_text(CURVE)
    ran(folder, **SETTINGS)
    with Work.open(folder, overrides=SETTINGS) as work:
        records = {record.stage: record for record in run(work)}
    assert records["horizons"].status == "built"
    return folder, records["horizons"]


def read(folder, table):
    with Work.look(folder) as work:
        return work.lake.read(table).to_pylist()


def test_every_customer_scored_has_a_probability_over_each_horizon_in_order(curved):
    scores = {(row["customer_id"], row["snapshot_date"]): row for row in read(curved[0], "scores")}
    found = {}
    for row in read(curved[0], "horizon_scores"):
        found.setdefault((row["customer_id"], row["snapshot_date"]), {})[row["horizon"]] = row
    assert found.keys() == scores.keys()
    for customer, of in found.items():
        assert sorted(of) == [15, 30, 60]
        assert of[15]["score"] <= of[30]["score"] <= of[60]["score"]
        # The list has the champion's own score, whatever the order did.
        assert of[60]["score_raw"] == scores[customer]["score"]
        assert {row["model_version"] for row in of.values()} == {scores[customer]["model_version"]}


def test_figures_are_of_the_test_and_of_what_was_learned(curved):
    folder, record = curved
    rows = {row["horizon"]: row for row in read(folder, "horizons")}
    splits = read(folder, "splits")
    test = {(row["customer_id"], row["snapshot_date"]) for row in splits if row["split"] == "test"}
    first_test = min(day for _, day in test)
    trained = {(row["customer_id"], row["snapshot_date"]) for row in splits if row["split"] != "test"}
    for days, table in ((15, "labels_of/quiet_15d"), (30, "labels_of/quiet_30d"), (60, "labels")):
        labels = {(row["customer_id"], row["snapshot_date"]): row for row in read(folder, table)}
        judged = [row["churned"] for key, row in labels.items() if key in test]
        assert (rows[days]["test_rows"], rows[days]["test_churners"]) == (len(judged), sum(judged))
        assert rows[days]["churn_rate"] == pytest.approx(sum(judged) / len(judged))
        taught = [r["churned"] for key, r in labels.items() if key in trained and r["label_end"] < first_test]
        assert (rows[days]["training_rows"], rows[days]["training_churners"]) == (len(taught), sum(taught))
        assert rows[days]["is_main"] == (days == 60)
    # Over 15 days rows of the embargo teach too, over 60 those of train alone.
    assert rows[15]["training_rows"] > rows[60]["training_rows"]
    assert rows[15]["test_churners"] <= rows[30]["test_churners"] <= rows[60]["test_churners"]
    assert record.message == f"{rows[15]['rows_out_of_order']} of {len(test)} test rows were out of order"


def test_the_report_has_the_curve(curved):
    page = (curved[0] / "out" / "report.html").read_text()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "How the risk grows with time" in text
    rows = read(curved[0], "horizons")
    assert f"{rows[0]['rows_out_of_order']:,} of {rows[0]['rows_scored']:,} rows of the test a longer horizon" in text


def test_a_second_run_does_nothing_and_gives_the_same(curved):
    before = {table: read(curved[0], table) for table in ("horizons", "horizon_models", "horizon_scores")}
    status, _ = ran(curved[0], ("labels", "horizons", "report"), **SETTINGS)
    assert set(status.values()) == {"current"}
    with Work.open(curved[0], overrides=SETTINGS) as work:
        # As if it had never been made: learned and scored again from the same tables.
        work.lake.write(work.lake.read("horizons"), work.contracts["horizons"], fingerprint="another")
        work.lake.write(work.lake.read("horizon_scores"), work.contracts["horizon_scores"], fingerprint="another")
        (record,) = run(work, ("horizons",))
    assert record.status == "built"
    assert {table: read(curved[0], table) for table in before} == before


@pytest.fixture
def again(curved, tmp_path):
    """The same bank, to change."""
    return shutil.copytree(curved[0], tmp_path / "bank")


def test_a_month_is_scored_over_all_horizons_without_learning_again(again):
    """What a nightly job does: the champion and the models like it learned from an older training set, and may."""
    models = read(again, "horizon_models")
    write_leavers(again / "data", last_day=date(2024, 8, 1))
    nightly = ("staging", "snapshots", "features", "score", "horizons", "explain", "segment", "report")
    assert set(ran(again, nightly, **SETTINGS)[0].values()) == {"built"}
    assert read(again, "horizon_models") == models
    months = {row["snapshot_date"].month for row in read(again, "horizon_scores")}
    assert months == {6, 7}


def test_another_horizon_is_missed_by_the_report_until_its_stages_ran(again):
    edit(again / "churn.py", "(15, 30)", "(15, 45)")
    for stage in ("labels", "horizons"):
        with pytest.raises(MissingTable) as caught:
            ran(again, ("report",), **SETTINGS)
        assert caught.value.hint == f"Run 'tenure {stage}'."
        ran(again, (stage,), **SETTINGS)
    assert ran(again, ("report",), **SETTINGS)[0]["report"] == "built"
    assert {row["horizon"] for row in read(again, "horizons")} == {15, 45, 60}


def test_without_further_horizons_nothing_is_made_and_the_list_is_the_same(again):
    listed = read(again, "attrition_list")
    edit(again / "churn.py", "horizons=(15, 30), ", "")
    status, _ = ran(again, ("labels", "train", "score", "horizons", "report"), **SETTINGS)
    # The report loses its section; nothing else rests on the horizons.
    expected = {"labels": "current", "train": "current", "score": "current", "horizons": "current", "report": "built"}
    assert status == expected
    assert "How the risk grows" not in (again / "out" / "report.html").read_text()
    assert read(again, "attrition_list") == listed
