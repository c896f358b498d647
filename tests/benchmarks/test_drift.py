"""The benchmark of drift, in small: ten quiet panels alarm at most once, each planted fault is found in its column."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "drift.py"

#: A tenth of the columns.
FEWER = {"LEVELS": 8, "MONEY": 6, "COUNTS": 6, "WINDOWS": 4, "TENURES": 2, "SINCE": 2, "RATIOS": 4, "CATEGORIES": 2}


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_drift", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for name, number in FEWER.items():
        setattr(module, name, number)
    module.NUMBERS = sum(FEWER.values()) - FEWER["CATEGORIES"]
    yield module
    del sys.modules[spec.name]


def test_quiet_panels_alarm_at_most_once(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "FIRST", 700)
    assert benchmark.quiet(10, 36) <= 1
    assert "of 10" in capsys.readouterr().out


def test_a_panel_has_customers_who_stay_and_a_bank_that_grows(benchmark):
    panel = benchmark.Panel(np.random.default_rng(1))
    before = panel.cells["effect"].shape[1]
    first = panel.numbers(0)
    panel.step()
    second = panel.numbers(1)
    assert panel.cells["effect"].shape[1] == pytest.approx(before * 1.01, rel=0.02)
    assert len(first) == len(second) == benchmark.NUMBERS


def test_each_planted_fault_is_found_in_its_column(benchmark, capsys):
    shares = benchmark.faults(24, 1)
    assert len(shares) == 6
    assert min(shares.values()) >= 0.9, capsys.readouterr().out
