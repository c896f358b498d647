"""Customers who objected: neither trained on nor scored, counted in words, and a changed list makes both stale."""

import pytest
from canaries import command
from tiny_bank import write_leavers, write_tiny_bank

from tenure.errors import InvalidConfig, MissingFile
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

SETTINGS = {"train": {"models": ("rule",)}, "verify": {"customers": 0}}


def suppress(bank, *keys, path="suppressed.csv"):
    (bank / path).write_text("\n".join(["customer_id", *map(str, keys)]) + "\n")
    toml = bank / "tenure.toml"
    if "[suppress]" not in toml.read_text():
        toml.write_text(f'{toml.read_text()}\n[suppress]\npath = "{path}"\n')


def ran(bank, last="report"):
    with Work.open(bank, overrides=SETTINGS) as work:
        return {record.stage: record for record in run(work, stages_between("staging", last))}


def customers(bank, *tables):
    with Work.open(bank) as work:
        return {table: set(work.read(table, ["customer_id"])["customer_id"].to_pylist()) for table in tables}


@pytest.fixture(scope="module")
def objecting(tmp_path_factory):
    """A bank in which customers 1 and 2 object, as 8675309 does, who is none: every stage, and what each said."""
    bank = write_tiny_bank(tmp_path_factory.mktemp("objecting") / "bank")
    write_leavers(bank / "data")
    suppress(bank, 1, 2, 8675309)
    return bank, ran(bank)


def test_who_objected_is_neither_trained_on_nor_scored(objecting):
    bank, _ = objecting
    found = customers(bank, "labels", "splits", "training_set", "scores", "segments", "reasons", "attrition_list")
    for table, keys in found.items():
        assert keys, table
        assert not keys & {1, 2}, table
    assert customers(bank, "snapshots")["snapshots"] >= {1, 2}


def test_the_counts_are_said_and_no_key_is(objecting):
    bank, records = objecting
    said = "2 customers objected and were left out; WARNING: 1 key of the suppression list is of no customer"
    assert said in records["labels"].message
    assert said in records["score"].message
    assert "8675309" not in "".join(record.message for record in records.values())
    page = (bank / "out" / "report.html").read_text()
    assert "2 customers objected: they are on no list, and no model was trained on them." in page
    assert "8675309" not in page


def test_another_list_makes_labels_and_scores_anew_and_the_same_does_not(objecting):
    bank, _ = objecting
    suppress(bank, 8675309, 2, 1)
    again = ran(bank, "score")
    assert {again[stage].status for stage in ("labels", "splits", "training_set", "train", "score")} == {"current"}
    suppress(bank, 2)
    anew = ran(bank, "score")
    assert {anew[stage].status for stage in ("labels", "training_set", "train", "score")} == {"built"}
    assert {anew[stage].status for stage in ("snapshots", "features")} == {"current"}
    assert "1 customer objected and was left out" in anew["labels"].message
    assert customers(bank, "scores")["scores"] & {1, 2} == {1}


def test_a_list_that_is_missing_is_refused_before_any_stage(bank, capfd, monkeypatch):
    suppress(bank, 1)
    (bank / "suppressed.csv").unlink()
    with Work.open(bank) as work, pytest.raises(MissingFile, match=r"\[suppress\] path is"):
        next(run(work))
    code, printed = command(capfd, monkeypatch, "run", "--project", str(bank))
    assert (code, "there is no such file" in printed) == (4, True)


def test_a_list_in_the_lake_is_refused(bank):
    (bank / "lake").mkdir()
    suppress(bank, 1, path="lake/suppressed.csv")
    with Work.open(bank) as work, pytest.raises(InvalidConfig, match="lies in the lake"):
        next(run(work))


def test_both_engines_leave_the_same_customers_out(build, engine, bank):
    suppress(bank, 1, 3)
    work = build(bank, engine, last="snapshots")
    list(run(work, ["labels"]))
    found = set(work.read("labels", ["customer_id"])["customer_id"].to_pylist())
    assert found
    assert not found & {1, 3}
