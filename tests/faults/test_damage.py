"""Damage of any file that the lake names is found by verify --integrity, and used by no verb.

TENURE_DAMAGES=2000 TENURE_SEED=5 .venv/bin/pytest tests/faults/test_damage.py    does so 2,000 times, not 15
"""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import THOROUGH
from faults.harm import FEATURES, KINDS, SORTS, SPINE, Harm, by_sort, do_harm, named_files, write_run_bank

from tenure import FeatureStore
from tenure.errors import TenureError
from tenure.session.work import Work
from tenure.stages.run import run
from tenure.stages.verify import verify_integrity

BANK_TABLES = {
    "arrivals", "attrition_list", "campaign_value", "evaluations", "fairness", "features", "historical/asked", "intake",
    "labels", "manifests", "models", "reasons", "runs", "scores", "segments", "shap_values", "snapshots", "splits",
    "staging/customers", "staging/payments", "tiles/payments", "training_set",
}  # fmt: skip

#: In turn: fifteen are every sort of file before every verb, and kinds of damage go round. Which file is drawn.
DAMAGES = int(os.environ.get("TENURE_DAMAGES", "40" if THOROUGH else "15"))
SEED = int(os.environ.get("TENURE_SEED", "7"))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A small bank, run from raw files to its report, with a persisted training set."""
    return write_run_bank(tmp_path_factory.mktemp("pristine") / "bank")


def run_all(folder: Path) -> pa.Table:
    with Work.open(folder) as work:
        for _ in run(work):
            pass
        return scores_of(work)


def scores_of(work: Work) -> pa.Table:
    return work.read("scores").select(["customer_id", "snapshot_date", "score"]).sort_by("customer_id")


def score_alone(folder: Path) -> pa.Table:
    with Work.open(folder) as work:
        for _ in run(work, ["score"]):
            pass
        return scores_of(work)


def historical(folder: Path) -> pa.Table:
    with FeatureStore(folder) as store:
        return store.get_historical_features(SPINE, FEATURES).to_arrow()


VERBS: dict[str, Callable[[Path], pa.Table]] = {"run": run_all, "score": score_alone, "historical": historical}


@pytest.fixture(scope="module")
def right_answers(pristine):
    return {name: verb(pristine) for name, verb in VERBS.items()}


def test_whole_lake_has_no_damage_and_covers_every_table(pristine):
    with Work.open(pristine) as work:
        found = verify_integrity(work)
        assert set(work.lake.tables()) >= BANK_TABLES
    assert (found.damages, found.strangers) == ((), ())


@pytest.mark.slow
@pytest.mark.parametrize("fifth", range(5))
def test_damage_is_found_and_not_used(pristine, right_answers, tmp_path, fifth):
    chance = random.Random(f"{SEED} {fifth}")  # noqa: S311  (draws faults, no secrets)
    sorts = by_sort(named_files(pristine / "lake"))
    for number in range(fifth, DAMAGES, 5):
        folder = tmp_path / "bank"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(pristine, folder)
        remember(folder)
        file = chance.choice(sorts[SORTS[fifth]])
        harm = Harm(KINDS[number % 4], file, put_back=number // 4 % 2 == 0)
        do_harm(harm, folder / "lake", chance)
        with Work.open(folder) as work:
            damages = verify_integrity(work).damages
        assert harm.file in {damage.file for damage in damages}, f"{harm} was not found: {damages}"
        name = list(VERBS)[number % 3]
        require_unused(harm, name, folder, right_answers[name])


def remember(folder: Path) -> None:
    """Find every file right once, so that only its times could tell that it changed since."""
    with Work.open(folder) as work:
        for table in work.lake.tables():
            work.lake.find(table)


def require_unused(harm: Harm, name: str, folder: Path, right: pa.Table) -> None:
    """The verb ends with a sentence, or with the answer that it gives without the damage."""
    try:
        answer = VERBS[name](folder)
    except TenureError as error:
        refusal = error
    else:
        assert answer.equals(right), f"{harm} changed what '{name}' gives"
        return
    assert refusal.message
    assert refusal.hint
