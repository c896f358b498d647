"""The SQL of labels.

The golden SQL is rewritten by `TENURE_REWRITE_GOLDEN=1 .venv/bin/pytest tests/tables/test_labels.py -k golden`.
"""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from tenure.define.project import load_project
from tenure.sql import DIALECTS
from tenure.tables.labels import eligible, generate_churn_label

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
