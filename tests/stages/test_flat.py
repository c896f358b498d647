"""A project of one table without dates, from the file to the report."""

import csv
import re
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from tenure.catalog.check import check
from tenure.catalog.models import loaded_models, newest_training
from tenure.cli import application
from tenure.define.flat import NOMINAL_DAY
from tenure.define.snapshot import SnapshotPlan
from tenure.errors import BadValue, InvalidConfig, InvalidDefinition, OneClassTarget, TenureError
from tenure.feature_store.store import FeatureStore
from tenure.model.cross_fit import CrossFitModel
from tenure.session.work import Work
from tenure.stages.run import backfill, materialize, run
from tenure.stages.verify import verify

TOML = """\
[project]
name = "Card Issuer"

[train]
models = ["rule", "logistic"]
"""

SOURCES = """\
from tenure import Column, Csv, FlatTable

customers = FlatTable(
    "customers",
    read=Csv("customers.csv"),
    key="customer_id",
    group="household",
    target="status",
    churned="Attrited Customer",
    held_out=0.25,
    columns=[
        Column("customer_id", role="key"),
        Column("household", type="integer"),
        Column("status", raw="Status"),
        Column("gender", role="protected"),
        Column("payments", type="integer", doc="Payments in the year"),
        Column("card", role="dimension"),
    ],
)
"""
CUSTOMERS = 600


def write_project(folder, rows):
    (folder / "data").mkdir(parents=True)
    (folder / "tenure.toml").write_text(TOML)
    (folder / "sources.py").write_text(SOURCES)
    with (folder / "data" / "customers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "household", "Status", "gender", "payments", "card"])
        writer.writerows(rows)
    return folder


def customers():
    """Who pays seldom leaves; two customers a household."""
    dice = np.random.default_rng(5)
    for number in range(CUSTOMERS):
        payments = int(dice.integers(0, 41))
        left = dice.random() < (0.8 if payments < 12 else 0.08)
        status = "Attrited Customer" if left else "Existing Customer"
        yield [f"C{number:04}", number // 2, status, "FM"[number % 2], payments, str(dice.choice(["blue", "gold"]))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("flat") / "bank", list(customers()))


@pytest.fixture(scope="module")
def records(folder):
    with Work.open(folder) as work:
        return {record.stage: record for record in run(work)}


@pytest.fixture
def work(folder, records):
    with Work.open(folder) as opened:
        yield opened


def told():
    return pd.DataFrame(customers(), columns=["customer_id", "household", "status", "gender", "payments", "card"])


def test_every_stage_runs_but_those_that_compare_times(records):
    assert list(records) == (
        "staging snapshots features labels splits training_set train evaluate score explain segment report".split()
    )
    assert {record.status for record in records.values()} == {"built"}


def test_a_second_run_does_nothing(folder, records):
    with Work.open(folder) as again:
        assert {record.status for record in run(again)} == {"current"}


def test_the_label_is_the_target_and_features_are_the_columns(work):
    made = work.read("training_set").to_pandas().merge(told(), on="customer_id", suffixes=("", "_told"))
    assert len(made) == CUSTOMERS
    assert (made["churned"] == (made["status"] == "Attrited Customer")).all()
    assert (made["payments"] == made["payments_told"]).all()
    assert not {"status", "gender", "household"} & set(work.read("training_set").column_names)
    assert set(made["snapshot_date"]) == {NOMINAL_DAY}


def test_households_are_held_out_and_in_folds_by_their_hash(work):
    made = work.read("splits").to_pandas().merge(told(), on="customer_id")
    for row in made.itertuples():
        digits = sha256(str(row.household).encode()).hexdigest()
        is_held_out = int(digits[4:8], 16) < 0x10000 * 0.25
        fold = int(digits[:4], 16) * 5 // 0x10000
        assert row.split == ("test" if is_held_out else "train")
        assert row.seen_in_train == (not is_held_out)
        assert pd.isna(row.fold) if is_held_out else row.fold == fold
    assert 0.15 < (made["split"] == "test").mean() < 0.35
    (proof,) = work.read("split_proof").to_pylist()
    assert (proof["holds"], proof["customers_in_two_folds"], proof["folds"]) == (True, 0, 5)
    assert proof["train_rows"] + proof["test_rows"] == CUSTOMERS


def test_what_is_printed_says_that_no_figure_is_out_of_time(records):
    assert re.search(r"held out by household, not out of time: AUROC 0\.\d+", records["evaluate"].message)
    assert records["splits"].message == "25% held out by household, not out of time"
    assert "not out of time" in records["score"].message
    assert "nominal day" in records["snapshots"].message


def test_who_has_not_left_is_scored_by_what_never_saw_them(work):
    stayed = told().query("status == 'Existing Customer'")
    scores = work.read("scores").to_pandas().set_index("customer_id")
    assert set(scores.index) == set(stayed["customer_id"])
    assert sorted(scores["rank"]) == list(range(1, len(stayed) + 1))
    (model,) = loaded_models(work, newest_training(work)[:1]).values()
    assert isinstance(model, CrossFitModel)
    rows = work.read("training_set").to_pandas().set_index("customer_id", drop=False).loc[scores.index]
    learnt = rows["split"] == "train"
    assert scores.loc[learnt, "score"].tolist() == model.predict_unseen(rows[learnt]).tolist()
    assert scores.loc[~learnt, "score"].tolist() == model.predict(rows[~learnt]).tolist()


def test_the_report_says_so_at_every_figure(folder, records):
    page = (folder / "out" / "report.html").read_text()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)))
    assert "No figure here is out of time" in text
    assert "AUROC on the test, not out of time" in text
    assert "Model quality, held out by household, not out of time" in text
    titles = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    judged = [title for title in titles if "(not out of time)" in title]
    assert len(judged) == 5
    assert not re.search(r"(?<!not )(?<!no figure here is )out of time", text.lower())
    assert str(NOMINAL_DAY) not in text
    assert "2000-01-01" not in text
    assert "Embargo" not in text


def test_check_says_what_the_table_can_t_say(work):
    found = {one.subject: one.message for one in check(work)}
    assert "no figure is out of time" in found["no dates in customers"]
    assert "nominal day" in found["end of the data"]


def test_what_needs_no_dates_is_verified(work):
    assert [proof.proof for proof in verify(work)] == ["rows", "oracle"]


NEED_DATES = {
    "'tenure backfill'": lambda work: list(backfill(work)),
    "'tenure materialize'": lambda work: list(materialize(work)),
    "'tenure drift'": lambda work: list(run(work, ["drift"])),
    "'tenure reconcile'": lambda work: list(run(work, ["reconcile"])),
    "'tenure verify --time-travel'": lambda work: list(verify(work, ["time travel"])),
    "'tenure verify --backfill'": lambda work: list(verify(work, ["backfill"])),
    r"time travel \(historical features\)": lambda work: FeatureStore(work).get_historical_features(
        SnapshotPlan(every="day", first=NOMINAL_DAY, last=NOMINAL_DAY), ["payments"]
    ),
}


@pytest.mark.parametrize("asked", NEED_DATES)
def test_what_needs_dates_is_refused_by_its_name(work, asked):
    with pytest.raises(InvalidDefinition, match=f"{asked} needs dates, and flat table 'customers' has none") as refused:
        NEED_DATES[asked](work)
    assert "tenure run" in refused.value.hint


def test_the_plan_is_refused_at_the_command(folder, records, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["tenure", "plan", "--project", str(folder)])
    with pytest.raises(SystemExit) as ended:
        application.main()
    assert ended.value.code == 3
    assert "'tenure plan' needs dates, and flat table 'customers' has none" in capsys.readouterr().err


def test_a_group_in_the_settings_is_refused(folder, records):
    overrides = {"splits": {"group": ("customer_id",)}}
    with (
        Work.open(folder, overrides=overrides) as work,
        pytest.raises(
            InvalidConfig, match=r"\[splits\] group is set, and flat table 'customers' says itself"
        ) as refused,
    ):
        list(run(work, ["splits"]))
    assert "group=" in refused.value.hint


def test_a_value_that_nobody_has_is_refused_with_its_cure(tmp_path):
    folder = write_project(tmp_path / "bank", list(customers()))
    (folder / "sources.py").write_text(SOURCES.replace("Attrited Customer", "attrited"))
    with Work.open(folder) as work, pytest.raises(OneClassTarget, match="nobody churns") as refused:
        list(run(work))
    assert "churned= must be the value of those who left" in refused.value.hint


def test_a_row_without_outcome_is_a_bad_row(tmp_path):
    rows = list(customers())
    rows[7][2] = ""
    with (
        Work.open(write_project(tmp_path / "bank", rows)) as work,
        pytest.raises(BadValue, match="status"),
    ):
        list(run(work, ["staging"]))


def test_a_column_that_leaving_writes_is_refused_before_training(tmp_path):
    rows = list(customers())
    for row in rows:
        row[5] = "closed by clerk 7" if row[2] == "Attrited Customer" else row[5]
    with (
        Work.open(write_project(tmp_path / "bank", rows)) as work,
        pytest.raises(TenureError, match=r"customers.*card"),
    ):
        list(run(work))
    assert work.lake.find("training_set") is not None
    assert work.lake.find("models") is None
