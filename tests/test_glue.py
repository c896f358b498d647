"""The Glue job's entry: the same stages in a session that is already there, with Glue's own arguments around ours."""

import pytest
from tiny_bank import ASKED, write_tiny_bank

from tenure import glue
from tenure.define.stage import SQL_STAGES
from tenure.errors import MissingTable
from tenure.proofs.differences import compare
from tenure.session.work import Work
from tenure.stages.run import run

GLUE_ARGUMENTS = ["--JOB_NAME", "attrition", "--job-bookmark-option", "job-bookmark-disable", "--TempDir", "s3://tmp/x"]


@pytest.mark.spark
def test_spark_job_builds_what_the_laptop_builds(spark_session, tmp_path):
    laptop, job = (write_tiny_bank(tmp_path / name) for name in ("laptop", "job"))
    records = glue.main([*GLUE_ARGUMENTS[:4], "--project", str(job), *GLUE_ARGUMENTS[4:], "--to", "training_set"])
    assert [record.stage for record in records] == list(SQL_STAGES)
    assert [record.stage for record in records if record.status == "built"] == list(ASKED)
    assert {record.engine for record in records} == {f"spark {spark_session.version}"}
    with Work.open(laptop) as work:
        assert [record.stage for record in run(work, SQL_STAGES) if record.status == "built"] == list(ASKED)
    with Work.open(job) as other:
        for table in (*work.project.sources, *ASKED[1:]):
            told = compare(table, work.read(table), other.read(table), work.contract_of(table).keys)
            assert told.equal, told
            assert told.rows > 0
    assert spark_session.range(2).count() == 2, "Glue's session is left running"


@pytest.mark.spark
def test_spark_job_fails_with_the_stage_that_fails(spark_session, tmp_path, monkeypatch):
    project = write_tiny_bank(tmp_path / "bank")
    monkeypatch.setattr("sys.argv", ["job.py", *GLUE_ARGUMENTS, "--project", str(project), "--from", "features"])
    with pytest.raises(MissingTable, match="staging/"):
        glue.main()


def test_job_needs_a_project(capsys):
    with pytest.raises(SystemExit) as caught:
        glue.main(GLUE_ARGUMENTS)
    assert caught.value.code == 2
    assert "--project" in capsys.readouterr().err
