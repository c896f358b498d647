"""Target proxies: the area by hand, each way in which a feature reveals the label, and what is no evidence."""

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tiny_bank

from tenure.define.definitions import load_project
from tenure.leaks.target_proxies import auroc, changes_statement, proxy_by_changes, rows_statement, target_proxy

JANUARY, FEBRUARY, MARCH = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)
CHURNED = np.array([1] * 10 + [0] * 30)
ONE_SNAPSHOT = np.zeros(40, dtype=np.int64)


def told(values, churned=CHURNED, snapshot=ONE_SNAPSHOT, kind=None):
    found = target_proxy(pa.array(values, kind), np.asarray(churned), np.asarray(snapshot))
    return found.message if found else ""


def test_the_area_is_the_share_of_pairs_that_are_ranked_right():
    score, churned = np.array([3, 1, 1, 0, 2]), np.array([1, 1, 0, 0, 0])
    # Pairs of the 3: all three right. Pairs of the 1: a tie with 1, right with 0, wrong with 2.
    assert auroc(score, churned, np.zeros(5, dtype=np.int64)) == pytest.approx(4.5 / 6)
    assert auroc(3 - score, churned, np.zeros(5, dtype=np.int64)) == pytest.approx(4.5 / 6), "backward is as telling"


def test_only_pairs_of_one_snapshot_count():
    score, churned = np.array([5, 4, 1, 0]), np.array([1, 0, 1, 0])
    assert auroc(score, churned, np.array([0, 0, 1, 1])) == 1.0, "in each snapshot the churner is above"
    assert auroc(score, churned, np.zeros(4, dtype=np.int64)) == 0.75, "taken together the 1 is under the 4"
    assert auroc(score, churned, np.arange(4)) == 0.5, "no pairs"


def test_a_value_that_churners_alone_have():
    values = ["lost"] * 10 + ["a", "b"] * 15
    assert told(values) == (
        "of 10 rows with the value 'lost', 100.0% churn, which are 10 of 10 churners; under 98% is plausible"
    )
    assert told(["lost"] * 9 + ["a"] + ["a", "b"] * 15) == "", "nine are too few"


def test_being_there_or_not_tells_too():
    assert "of 10 rows with no value, 100.0% churn" in told([None] * 10 + [float(n) for n in range(30)])
    assert "of 10 rows with a value at all, 100.0% churn" in told([float(n) for n in range(10)] + [None] * 30)
    assert "of 10 rows with no value" in told([float("nan")] * 10 + [1.0] * 30)


def test_a_number_that_ranks_churners():
    above = [float(100 + n) for n in range(60)] + [float(n) for n in range(60)]
    churned, one = [1] * 60 + [0] * 60, [0] * 120
    assert told(above, churned, one) == "it alone ranks churners with an AUROC of 1.000; under 0.98 is plausible"
    assert "AUROC of 1.000" in told([-value for value in above], churned, one)
    mixed = above[:55] + above[60:65] + above[55:60] + above[65:]
    assert told(mixed, churned, one) == "", "a good feature is none"


def test_names_are_no_categories():
    assert told([f"customer {n}" for n in range(120)], [1] * 60 + [0] * 60, [0] * 120) == ""


@pytest.mark.parametrize("churners", [0, 9, 31, 40])
def test_too_few_rows_are_no_evidence(churners):
    churned = np.array([1] * churners + [0] * (40 - churners))
    assert told([float(c) for c in churned], churned) == ""


def test_changes_at_rows_that_churn():
    assert proxy_by_changes(50, 49, 1000, 60).message == (
        "49 of its 50 changes (98.0%) are at rows that churn, 60 of 1,000 rows; under 98% is plausible"
    )
    assert proxy_by_changes(50, 48, 1000, 60) is None
    assert proxy_by_changes(9, 9, 1000, 60) is None, "too few"
    assert proxy_by_changes(50, 50, 100, 60) is None, "most rows churn"
    assert proxy_by_changes(0, 0, 1000, 60) is None


@pytest.fixture
def project(tmp_path: Path):
    return load_project(tiny_bank.write_tiny_bank(tmp_path / "bank"), "Tiny Bank")


def hold(engine, rows):
    values = ", ".join(f"({key}, DATE '{day}', {churned}, {score})" for key, day, churned, score in rows)
    names = "customer_id, snapshot_date, churned, score"
    engine.cache("training_set", f"SELECT {names} FROM (VALUES {values}) AS t({names})")


def test_rows_are_first_churns_after_a_zero_and_customers_who_never_churn(engine, project):
    hold(
        engine,
        [
            (1, JANUARY, 0, 10), (1, FEBRUARY, 1, 11), (1, MARCH, 1, 12),
            (2, JANUARY, 0, 20), (2, FEBRUARY, 0, 21), (2, MARCH, 0, 22),
            (3, JANUARY, 1, 30), (3, FEBRUARY, 1, 31),
        ],
    )  # fmt: skip
    found = engine.run(rows_statement(project, ["score"], 256, engine.dialect)).to_pylist()
    assert sorted((row["snapshot_no"], row["churned"], row["score"]) for row in found) == [
        (1, 0, 20), (2, 0, 21), (2, 1, 11), (3, 0, 22),
    ]  # fmt: skip


def test_changes_are_counted_up_to_the_first_churn(engine, project):
    hold(
        engine,
        [
            (1, JANUARY, 0, "NULL"), (1, FEBRUARY, 1, 7), (1, MARCH, 1, 8),
            (2, JANUARY, 0, 5), (2, FEBRUARY, 0, 5), (2, MARCH, 0, 6),
        ],
    )  # fmt: skip
    (found,) = engine.run(changes_statement(project, ["score"], 256, engine.dialect)).to_pylist()
    assert found == {"row_count": 3, "churners": 1, "changed_0": 2, "ill_0": 1}


def test_a_sample_is_of_whole_customers_and_always_the_same(engine, project):
    hold(engine, [(key, day, 0, key) for key in range(200) for day in (JANUARY, FEBRUARY)])
    found = engine.run(rows_statement(project, ["score"], 64, engine.dialect))["score"].to_pylist()
    sampled = [key for key in range(200) if hashlib.sha256(str(key).encode()).hexdigest()[:2] < "40"]
    assert sorted(found) == sorted(sampled * 2)
    assert 30 <= len(sampled) <= 70
