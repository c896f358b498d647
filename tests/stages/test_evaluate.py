"""Evaluation: every model of the newest training, judged by the same rows, each split over all and by snapshot."""

import csv
from collections import Counter
from datetime import date

import pytest
from canaries import leaks_in_files
from tiny_bank import write_leavers, write_tiny_bank

from tenure.errors import InvalidConfig
from tenure.session.work import Work
from tenure.stages.evaluate import evaluate
from tenure.stages.run import run

SETTINGS = {"train": {"models": ("logistic",)}, "verify": {"customers": 0}}


def test_every_model_is_judged_by_the_same_rows(two_months):
    held_out = Counter(two_months.lake.read("splits")["split"].to_pylist())
    judged = two_months.lake.read("evaluations").to_pylist()
    newest = max(row["created_at"] for row in two_months.lake.read("models").to_pylist())
    models = {r["model_version"] for r in two_months.lake.read("models").to_pylist() if r["created_at"] == newest}
    for split, judged_of in (("validation", "train"), ("test", "test")):
        of_all = [row for row in judged if row["population"] == "all" and row["split"] == split]
        pooled = {row["model_version"]: row["rows"] for row in of_all if row["snapshot_date"] is None}
        assert pooled == dict.fromkeys(models, held_out[judged_of])
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


def test_each_model_is_held_against_the_other_on_the_same_customers(two_months):
    test = [row for row in two_months.lake.read("training_set").to_pylist() if row["split"] == "test"]
    found = two_months.lake.read("comparisons").to_pylist()
    pooled = {
        row["model_version"]: row
        for row in two_months.lake.read("evaluations").to_pylist()
        if (row["split"], row["population"], row["snapshot_date"]) == ("test", "all", None)
    }
    assert len(found) == 2 * 2
    for row in found:
        one, other = pooled[row["model_version"]], pooled[row["against_version"]]
        assert row["difference"] == pytest.approx(one[row["metric"]] - other[row["metric"]])
        assert row["customers"] == len({row["customer_id"] for row in test})


def test_one_test_snapshot_is_one_period_without_an_interval(two_months):
    for row in two_months.lake.read("back_test").to_pylist():
        assert (row["snapshots"], row["independent_periods"]) == (1, 1)
        assert row["value"] == row["least"] == row["greatest"]
        assert row["periods_low"] is None or row["periods_low"] != row["periods_low"]


def test_a_silence_of_a_whole_horizon_bounds_its_warning(two_months):
    churners = {
        row["customer_id"]
        for row in two_months.lake.read("training_set").to_pylist()
        if row["split"] == "test" and row["churned"]
    }
    found = two_months.lake.read("warning_time").to_pylist()
    assert {row["until"] for row in found} == {"label_start", "label_end"}
    for row in found:
        assert row["churners"] == len(churners)
        # One test snapshot, a horizon of 30 days without a gap.
        assert row["longest_possible"] == (0 if row["until"] == "label_start" else 30)


def test_the_threshold_is_where_a_contact_pays(two_months):
    # (40 + 5) / (0.3 · (600 - 40) + 40), the amounts of [value] that nobody has set.
    thresholds = {row["threshold"] for row in two_months.lake.read("evaluations").to_pylist()}
    assert list(thresholds) == [pytest.approx(45 / 208)]


@pytest.fixture(scope="module")
def protecting(tmp_path_factory):
    """A bank of 300 customers that declares their sex and day of birth protected, every stage run."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("protected") / "bank")
    write_leavers(folder / "data", customers=300)
    with (folder / "data" / "customers.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    with (folder / "data" / "customers.csv").open("w", newline="") as lines:
        csv.writer(lines).writerow([*header, "sex", "born"])
        for row in rows:
            n = int(row[0])
            csv.writer(lines).writerow([*row, ("Qzxfemale", "Qzxmale")[n % 2], date(1995 if n < 150 else 1931, 7, 23)])
    sources = folder / "sources.py"
    added = 'Column("sex", role="protected"),\n        Column("born", type="date", role="protected"),'
    region = 'Column("region", role="attribute"),'
    sources.write_text(sources.read_text().replace(region, f"{region}\n        {added}"))
    with Work.open(folder, overrides=SETTINGS) as work:
        assert {record.status for record in run(work)} <= {"built", "current"}
    return folder


def test_groups_of_protected_columns_are_compared_on_the_test(protecting):
    with Work.open(protecting, overrides=SETTINGS) as work:
        found = {row["value"]: row for row in work.read("fairness").to_pylist()}
        test = [row for row in work.read("training_set").to_pylist() if row["split"] == "test"]
    sexes = {row["customer_id"]: row["customer_id"] % 2 for row in test}
    assert set(found) == {"Qzxfemale", "Qzxmale", "25 to 34", "75 and over"}
    for name, sex in (("Qzxfemale", 0), ("Qzxmale", 1)):
        assert found[name]["attribute"] == "customers.sex"
        assert found[name]["customers"] == sum(one == sex for one in sexes.values())
        assert found[name]["churners"] == sum(row["churned"] for row in test if row["customer_id"] % 2 == sex)
    assert found["25 to 34"]["rows"] == sum(row["customer_id"] < 150 for row in test)
    for pair in (("Qzxfemale", "Qzxmale"), ("25 to 34", "75 and over")):
        assert sum(found[name]["selected"] for name in pair) == -(-len(test) // 10)
        assert max(found[name]["selection_ratio"] for name in pair) == 1


def test_protected_values_are_in_no_table_but_staging_and_fairness(protecting):
    own = ("data/", "lake/staging/", "lake/landing/", "lake/spill")
    told = ("lake/fairness/", "out/report.html")
    assert leaks_in_files(protecting, ["Qzx", "1931-07-23"], but=(*own, *told)) == []
    assert leaks_in_files(protecting, ["1931-07-23"], but=own) == []
    page = (protecting / "out" / "report.html").read_text()
    assert "Protected, and read for the section on fairness alone: customers.sex, customers.born." in page
    assert page.count('<td class="w">Qzx') == 2


def test_the_test_is_taken_apart_by_sign_tenure_and_declared_features(protecting):
    settings = SETTINGS | {"evaluate": {"segments": ["region"]}}
    with Work.open(protecting, overrides=settings) as work:
        assert {record.stage: record.status for record in run(work, ["evaluate"])} == {"evaluate": "built"}
        found = work.read("by_group").to_pylist()
        test = [row for row in work.read("training_set").to_pylist() if row["split"] == "test"]
    rows = {(row["attribute"], row["value"]): row["rows"] for row in found}
    not_silent = [row for row in test if row["payment_count_30d"] > 0]
    assert rows["shows the sign", "no"] == len(not_silent)
    assert rows["years as a customer", "under 1"] == len(test)
    assert rows["region", "north"] == sum(row["region"] == "north" for row in test)


@pytest.mark.parametrize(
    ("name", "what"), [("nowhere", "is no feature"), ("payment_count_30d", "is a feature of numbers or days")]
)
def test_a_segment_that_has_no_few_values_is_refused(protecting, name, what):
    said = f"segments has '{name}', which {what}; allowed: region"
    settings = SETTINGS | {"evaluate": {"segments": [name]}}
    with Work.open(protecting, overrides=settings) as work, pytest.raises(InvalidConfig, match=said):
        evaluate(work)


def test_a_declared_threshold_makes_the_evaluation_anew(protecting):
    with Work.open(protecting, overrides=SETTINGS | {"evaluate": {"threshold": 0.4}}) as work:
        status = {record.stage: record.status for record in run(work)}
        assert {row["threshold"] for row in work.read("evaluations").to_pylist()} == {0.4}
    assert (status["train"], status["evaluate"]) == ("current", "built")
    assert "[evaluate] threshold of tenure.toml" in (protecting / "out" / "report.html").read_text()


def test_a_bank_without_protected_columns_compares_none(two_months):
    assert two_months.lake.read("fairness").num_rows == 0
    assert 'id="fairness"' not in (two_months.folder / "out" / "report.html").read_text()


def test_a_change_of_what_is_protected_makes_the_evaluation_anew(protecting):
    sources = protecting / "sources.py"
    text = sources.read_text()
    sources.write_text(text.replace('Column("born", type="date", role="protected")', 'Column("born", type="date")'))
    try:
        with Work.open(protecting, overrides=SETTINGS) as work:
            status = {record.stage: record.status for record in run(work)}
            assert {row["attribute"] for row in work.read("fairness").to_pylist()} == {"customers.sex"}
    finally:
        sources.write_text(text)
    assert status["evaluate"] == "built"
