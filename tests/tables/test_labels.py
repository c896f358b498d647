"""The SQL of labels, and the proof that no label knows what came after its horizon.

The golden SQL is rewritten by `TENURE_REWRITE_GOLDEN=1 .venv/bin/pytest tests/tables/test_labels.py -k golden`.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from datetime import date
from itertools import product
from pathlib import Path

import pyarrow.compute as pc
import pytest
from fixed_bank import write_fixed_bank

from tenure.define.definitions import load_project
from tenure.session.work import Work
from tenure.sql import DIALECTS
from tenure.stages.run import run, stages_between
from tenure.tables.labels import eligible, generate_churn_label
from tenure.tables.time_travel import DESTRUCTIONS, destroyed

WORLDS = Path(__file__).parents[1] / "worlds"
GOLDEN = Path(__file__).parents[1] / "golden"
DATES = (date(2024, 2, 29), date(2024, 3, 31))
DATA_END = date(2024, 7, 1)


def definitions():
    return sorted(WORLDS.glob("*/churn_definitions/*.py"))


def project_with(definition, folder):
    """The world's project with one of its churn definitions."""
    world = definition.parents[1]
    bank = shutil.copytree(world, folder / f"{world.name}-{definition.stem}")
    shutil.copy(definition, bank / "churn.py")
    return load_project(bank, world.name)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_sql_of_labels_is_golden(tmp_path, dialect):
    texts = []
    for definition in definitions():
        project = project_with(definition, tmp_path)
        named = f"{definition.parents[1].name}, {definition.stem}"
        labelled = generate_churn_label(project, project.churn, dialect, DATES, DATA_END)
        asked = eligible(project, project.churn, dialect, DATES[-1])
        texts += [f"-- labels of {named}: reads {', '.join(labelled.reads)}\n{labelled.text}\n"]
        texts += [f"-- whom to score of {named}: reads {', '.join(asked.reads)}\n{asked.text}\n"]
    out, golden = "\n".join(texts), GOLDEN / f"labels.{dialect}.sql"
    if os.environ.get("TENURE_REWRITE_GOLDEN"):
        golden.write_text(out, encoding="utf-8")
    assert out == golden.read_text(encoding="utf-8"), "see this module's docstring to rewrite it"


TEXTS = {file.stem: file.read_text() for file in definitions() if file.parents[1].name == "twelve_customers"}


@contextmanager
def labelled(bank):
    """The bank with its labels made, and an engine that knows every staged source as `<source>_staged`."""
    with Work.open(bank, overrides={"verify": {"customers": 0}}) as work:
        list(run(work, stages_between("staging", "labels")))
    with Work.open(bank) as work:
        engine = work.engine.new_session()
        names = {"snapshots": "snapshots"} | {name: f"{name}_staged" for name in work.project.sources}
        for name, relation in names.items():
            version = work.require(name)
            engine.scan(relation, version.files, version.schema, version.partition_by)
        yield work, engine
        engine.close()


@pytest.mark.parametrize("definition", TEXTS)
def test_no_label_knows_what_came_after_its_horizon(tmp_path, definition):
    """Every row known at label_end or later is deleted, or filled with nonsense: the same labels, to the cell."""
    bank = shutil.copytree(WORLDS / "twelve_customers", tmp_path / "bank")
    (bank / "churn.py").write_text(TEXTS[definition])
    with labelled(bank) as (work, engine):
        stored = work.read("labels").to_pylist()
        spans = {(row["snapshot_date"], row["label_end"]) for row in stored}
        assert len(spans) == 2
        for (day, end), how in product(sorted(spans), DESTRUCTIONS):
            for name, source in work.project.sources.items():
                engine.cache(name, destroyed(source, f"{name}_staged", end, how, work.dialect))
            made = generate_churn_label(work.project, work.churn, work.dialect, [day], end)
            assert engine.run(made.text).to_pylist() == [row for row in stored if row["snapshot_date"] == day]


def test_a_decline_of_long_decimals_is_that_of_short_ones(tmp_path):
    """Amounts of 26 digits are a hundred thousand million million times those of 8: the same customers' decline."""
    found = {}
    for digits, zeros in (("precision=18", ""), ("precision=38", "0" * 20)):
        bank = write_fixed_bank(tmp_path / f"bank{len(zeros)}")
        shutil.copy(bank / "churn_definitions" / "decline.py", bank / "churn.py")
        sources = bank / "sources.py"
        sources.write_text(
            sources.read_text().replace('"amount", type="decimal"', f'"amount", type="decimal", {digits}')
        )
        moves = bank / "data" / "moves.csv"
        # 123.45 is 12345 behind a point that moves two places: 12345, and 12345 with twenty zeros.
        moves.write_text(re.sub(r"(?<=[,-])([0-9]+)[.]([0-9]{2})(?=\r?\n|,)", rf"\1\g<2>{zeros}", moves.read_text()))
        with Work.open(bank, overrides={"verify": {"customers": 0}}) as work:
            list(run(work, ("staging", "snapshots", "labels")))
            found[digits] = work.read("labels").sort_by(
                [(name, "ascending") for name in ("branch", "number", "snapshot_date")]
            )
            types = work.read("moves").schema.field("amount").type
    assert str(types) == "decimal128(38, 2)"
    assert 0 < pc.sum(found["precision=38"]["churned"].cast("int64")).as_py() < found["precision=38"].num_rows
    assert found["precision=38"].equals(found["precision=18"])
