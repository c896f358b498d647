"""The report stage: three files written whole, made again only when something changed or is gone."""

import csv
import shutil

import pyarrow.parquet as pq
import pytest
from tiny_bank import write_leavers, write_tiny_bank

from tenure.define.stage import STAGES
from tenure.errors import MissingTable, ModelError
from tenure.session.work import Work
from tenure.stages import report as deliver
from tenure.stages.run import run

FILES = ["attrition_list.csv", "attrition_list.parquet", "quality.html", "report.html"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The tiny bank's project, with enough leavers to learn from, and every stage run."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("tiny") / "bank")
    write_leavers(folder / "data")
    with Work.open(folder, overrides={"train": {"trials": 1}}) as work:
        records = list(run(work, STAGES))
    assert records[-1].stage == "report"
    return folder


def worked(folder):
    return Work.open(folder, overrides={"train": {"trials": 1}})


def reported(work):
    (record,) = run(work, ["report"])
    return record


@pytest.fixture
def project(built, tmp_path):
    """A copy of the built project, to change."""
    return shutil.copytree(built, tmp_path / "bank")


def test_the_list_holds_every_scored_customer_once_by_rank(built):
    with worked(built) as work:
        scores = {row["customer_id"]: row for row in work.read("scores").to_pylist()}
        kept = work.lake.read("attrition_list")
    rows = pq.read_table(built / "out" / "attrition_list.parquet").to_pylist()
    assert [row["rank"] for row in rows] == list(range(1, len(scores) + 1))
    assert {row["customer_id"]: row["score"] for row in rows} == {k: row["score"] for k, row in scores.items()}
    assert all(row["reason_1"] for row in rows[:3])
    assert kept.to_pylist() == rows
    with (built / "out" / "attrition_list.csv").open(newline="") as lines:
        written = list(csv.DictReader(lines))
    assert [int(row["customer_id"]) for row in written] == [row["customer_id"] for row in rows]
    assert [float(row["score"]) for row in written] == [row["score"] for row in rows]


def test_only_whole_files_are_left_in_the_output(built):
    assert sorted(file.name for file in (built / "out").iterdir()) == FILES


def test_the_page_says_what_the_tables_hold(built):
    html = (built / "out" / "report.html").read_text()
    with worked(built) as work:
        intake = {row["source"]: row for row in work.read("intake").to_pylist()}
        version = next(row["model_version"] for row in work.read("models").to_pylist() if row["champion"])
    assert f"{intake['payments']['rows_read']:,}" in html
    assert version in html
    assert html.startswith("<!doctype html>")


def test_nothing_is_made_again_while_nothing_changed(project):
    before = {name: (project / "out" / name).stat().st_mtime_ns for name in FILES}
    with worked(project) as work:
        assert reported(work).status == "current"
    assert {name: (project / "out" / name).stat().st_mtime_ns for name in FILES} == before


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_made_again_to_the_same_bytes(project, name):
    before = (project / "out" / name).read_bytes()
    (project / "out" / name).unlink()
    with worked(project) as work:
        record = reported(work)
    assert record.status == "built"
    assert (project / "out" / name).read_bytes() == before


def test_new_costs_make_a_new_report_once_the_campaign_is_evaluated_with_them(project):
    with Work.open(project, overrides={"train": {"trials": 1}, "value": {"currency": "CHF"}}) as work:
        with pytest.raises(MissingTable, match="'evaluations' was made of other inputs") as caught:
            reported(work)
        assert caught.value.hint == "Run 'tenure evaluate'."
        assert [record.status for record in run(work, ["evaluate", "report"])] == ["built", "built"]
    assert "CHF" in (project / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("table", "stage"), [("intake", "staging"), ("curves", "evaluate"), ("reasons", "explain"), ("segments", "segment")]
)
def test_a_missing_table_names_itself_and_the_stage_to_run(project, table, stage):
    shutil.rmtree(project / "lake" / table)
    with worked(project) as work, pytest.raises(MissingTable, match=f"'{table}'") as error:
        reported(work)
    assert error.value.hint == f"Run 'tenure {stage}'."


def test_a_failure_leaves_the_old_files_as_they_were(project):
    before = {name: (project / "out" / name).read_bytes() for name in FILES}
    with worked(project) as work:
        digest = work.lake.require("reasons").fingerprint
        short = work.lake.read("reasons").slice(1)
        of_today = {name: short[name][0].as_py() for name in ("snapshot_date", "model_version")}
        work.lake.write_partition(short, work.contracts["reasons"], of_today, fingerprint=f"{digest} a customer short")
        with pytest.raises(ModelError, match="have reasons"):
            deliver.report(work)
    assert {name: (project / "out" / name).read_bytes() for name in FILES} == before
