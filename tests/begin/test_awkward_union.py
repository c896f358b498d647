"""A stranger's export, from the raw files to the list: `tenure init --from`, `tenure run`."""

import subprocess
import sys

import pyarrow.compute as pc
import pytest
from awkward_union import MISSING, write_unions

from tenure.catalog.personal import personal_origins
from tenure.define.churn import ENDED
from tenure.errors import CheckFailed, InvalidDefinition
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

#: The bank is small and the search short: what is compared are two forms of one bank.
CUSTOMERS = 240
QUICK = {"train": {"models": ["logistic"], "trials": 1}, "verify": {"customers": 0}}


@pytest.fixture(scope="module")
def unions(tmp_path_factory):
    return write_unions(tmp_path_factory.mktemp("unions"), CUSTOMERS)


def begun(export):
    project = export.parent / f"{export.name}-project"
    command = [sys.executable, "-m", "tenure.cli", "init", str(project), "--from", str(export)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return project


def built(project):
    with Work.open(project, overrides=QUICK) as work:
        list(run(work, stages_between("staging", "evaluate")))
        return work


def refused_with_a_feature_of_the_reason(project):
    """A feature that reads what closing wrote is caught before training; then the project is as it was."""
    file = project / "features" / "customer.py"
    text = file.read_text()
    assert "close_reason" not in text
    first = text.index("        Attribute(")
    feature = '        Attribute("close_reason", of="close_reason", doc="Close reason"),\n'
    file.write_text(f"{text[:first]}{feature}{text[first:]}")
    with pytest.raises(InvalidDefinition, match="'close_reason', which is metadata"):
        built(project)
    sources = project / "sources.py"
    drafted = sources.read_text()
    metadata = 'Column("close_reason", role="metadata"'
    assert metadata in drafted
    sources.write_text(drafted.replace(metadata, metadata.replace("metadata", "attribute")))
    with pytest.raises(CheckFailed, match="'close_reason'"):
        built(project)
    file.write_text(text)
    sources.write_text(drafted)


def auroc(work):
    rows = work.read("evaluations")
    test = rows.filter(pc.and_(pc.equal(rows["split"], "test"), pc.equal(rows["population"], "all")))
    return max(row["auroc"] for row in test.to_pylist() if row["snapshot_date"] is None and row["auroc"] is not None)


@pytest.mark.slow
def test_from_a_strangers_export_to_a_model_without_an_edit(unions):
    awkward, clean = unions
    project = begun(awkward)
    refused_with_a_feature_of_the_reason(project)
    churn = (project / "churn.py").read_text()
    assert "close_reason IN (" in churn
    assert "# no leaving, by their words: MOVED; who ends so has no label" in churn
    work = built(project)
    (ended,) = {row["reason"] for row in work.read("unlabelled").to_pylist() if row["reason"].startswith(ENDED)}
    assert ended == "ended otherwise: MOVED"
    intake = {row["source"]: row for row in work.read("intake").to_pylist()}
    assert intake["customers"]["rows_staged"] == CUSTOMERS
    assert intake["transactions"]["rows_quarantined"] < 30
    months = {str(row["month"])[:7] for row in work.read("completeness").to_pylist() if row["code"] == "TEN-I005"}
    assert MISSING in months
    told = personal_origins(work.project, work.dialect, work.churn)
    assert {name: made for name, made in told.items() if made} == {"customers.born": ("age",)}  # whole years alone
    assert auroc(work) == pytest.approx(auroc(built(begun(clean))), abs=0.01)
