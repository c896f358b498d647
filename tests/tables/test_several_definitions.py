"""Several churn definitions in one project: one is the main one, the labels of the others lie beside its own."""

import pytest
from stages.runs import edit
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure.cli import app
from tenure.errors import InvalidDefinition
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

CHURN = """
from tenure import ChurnDefinition, Closure, Inactivity

closed = ChurnDefinition("closed", event=Closure(), horizon=30, main=True)
silent = ChurnDefinition("silent", event=Inactivity("payments"), horizon=30)
"""


@pytest.fixture
def bank(tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")
    (bank / "churn.py").write_text(CHURN)
    edit(bank / "tenure.toml", "[snapshots]\n", "[data]\nend = 2024-07-01\n\n[snapshots]\n")
    return bank


def labels(bank, *more):
    return CliRunner().invoke(app, ["labels", "--project", str(bank), *more])


def rows(bank, table):
    with Work.look(bank) as work:
        return work.lake.read(table).to_pylist()


def test_labels_carry_the_name_of_the_main_definition(bank):
    with Work.open(bank) as work:
        list(run(work, stages_between("staging", "splits")))
    found = rows(bank, "labels")
    assert {row["definition"] for row in found} == {"closed"}
    assert len(rows(bank, "splits")) == len(found)


def test_labels_of_another_definition_lie_beside_those_of_the_main_one(bank):
    with Work.open(bank) as work:
        list(run(work, stages_between("staging", "labels")))
    before = rows(bank, "labels")
    ran = labels(bank, "--churn", "silent")
    assert (ran.exit_code, "of the churn definition silent; models learn closed" in ran.output) == (0, True), ran.output
    found = rows(bank, "labels_of/silent")
    assert {row["definition"] for row in found} == {"silent"}
    assert sum(row["churned"] for row in found) != sum(row["churned"] for row in before)
    assert rows(bank, "labels") == before
    assert "current" in labels(bank, "--churn", "silent").output
    assert "current" in labels(bank).output


def test_they_are_the_labels_of_a_project_of_that_definition_alone(bank, tmp_path):
    with Work.open(bank) as work:
        list(run(work, stages_between("staging", "labels")))
    labels(bank, "--churn", "silent")
    alone = write_tiny_bank(tmp_path / "alone")
    lines = [line for line in CHURN.splitlines() if not line.startswith("closed")]
    (alone / "churn.py").write_text("\n".join(lines) + "\n")
    edit(alone / "tenure.toml", "[snapshots]\n", "[data]\nend = 2024-07-01\n\n[snapshots]\n")
    with Work.open(alone) as work:
        list(run(work, stages_between("staging", "labels")))
    assert rows(bank, "labels_of/silent") == rows(alone, "labels")


@pytest.mark.parametrize(
    ("old", "new", "number"),
    [(", main=True", "", 0), ('"payments"), horizon=30', '"payments"), horizon=30, main=True', 2)],
)
def test_one_of_several_is_the_main_one(bank, old, new, number):
    edit(bank / "churn.py", old, new)
    with pytest.raises(InvalidDefinition, match=rf"defines 2 ChurnDefinitions .*{number} of them with main=True"):
        Work.open(bank)


def test_a_definition_that_there_is_none_of_is_refused_with_those_there_are(bank):
    told = "no ChurnDefinition named 'gone'; it defines: closed, silent"
    with Work.open(bank) as work, pytest.raises(InvalidDefinition, match=told):
        work.project.churn_named("gone")
    assert labels(bank, "--churn", "gone").exit_code != 0
