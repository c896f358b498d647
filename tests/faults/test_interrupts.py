"""Ctrl-C and SIGTERM: one line, exit 130 or 143, the ledger says 'interrupted', and the same command goes on."""

import random
import signal
import subprocess
import sys
import time

import pytest
from conftest import THOROUGH
from faults.command import edit, rows_of_ledger, started, tenure, wait_for_stage
from tiny_bank import with_train, write_tiny_bank

#: Joins that no machine ends within a test: DuckDB looks for no signal in either, and is told to stop.
ENDLESS = """
    select=\"\"\"SELECT p.* FROM payments_raw AS p
        CROSS JOIN payments_raw AS a CROSS JOIN payments_raw AS b CROSS JOIN payments_raw AS c
        WHERE p.amount || a.amount || b.amount || c.amount = 'nothing'\"\"\",
"""
DEAF = """
    select=\"\"\"SELECT p.* FROM payments_raw AS p
        JOIN payments_raw AS a ON a.amount >= p.amount
        JOIN payments_raw AS b ON b.amount >= a.amount
        JOIN payments_raw AS c ON c.amount >= b.amount\"\"\",
"""


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.fixture
def endless(bank):
    """A bank whose payments are staged by SQL without an end."""
    edit(bank / "sources.py", 'read=Csv("payments.csv"),', 'read={"payments_raw": Csv("payments.csv")},' + ENDLESS)
    return bank


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A bank ready to be trained, for longer than a test waits."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("interrupts") / "bank", customers=240)
    toml = folder / "tenure.toml"
    toml.write_text(with_train(toml.read_text(), 'models = ["rule", "lightgbm"]\ntrials = 10000\nseconds = 6000'))
    done = tenure("run", "--project", folder, "--to", "training_set")
    assert done.returncode == 0, done.stderr
    return folder


def stopped(running, number, stage):
    """Send a signal; return stderr after making sure that it is the one line."""
    running.send_signal(number)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 128 + number, err
    name = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[number]
    assert err == (
        f"Interrupted by {name}: stage '{stage}'. Nothing half-done is visible; run the same command again, and it "
        "goes on from the last table that was finished.\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_duckdb_computes_is_told_in_one_line(endless, number):
    with started("run", "--project", endless) as running:
        wait_for_stage(running, endless / "lake", "staging")
        time.sleep(1.5)
        stopped(running, number, "staging")
    assert rows_of_ledger(endless / "lake") == [("staging", "interrupted")]
    line = tenure("status", "--project", endless).stdout
    assert line.split()[:2] == ["staging", "interrupted"]
    assert "stopped by Ctrl-C or SIGTERM" in line


@pytest.mark.slow
@pytest.mark.parametrize(("number", "times"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
def test_a_join_that_looks_for_no_signal_is_stopped(bank, number, times):
    edit(bank / "sources.py", 'read=Csv("payments.csv"),', 'read={"payments_raw": Csv("payments.csv")},' + DEAF)
    with started("run", "--project", bank) as running:
        wait_for_stage(running, bank / "lake", "staging")
        time.sleep(2)
        for _ in range(times):
            running.send_signal(number)
            time.sleep(0.2)
        _, err = running.communicate(timeout=120)
    assert running.returncode == 128 + number
    assert err.startswith("Interrupted by ")
    assert "Nothing half-done is visible" in err
    assert len(err.splitlines()) == 1
    tenure("staging", "--project", bank, "--data", bank / "nowhere")
    assert rows_of_ledger(bank / "lake")[0] == ("staging", "interrupted")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_lightgbm_trains_is_told_in_one_line(trained, number):
    with started("train", "--project", trained) as running:
        wait_for_stage(running, trained / "lake", "train")
        time.sleep(6)
        stopped(running, number, "train")
    assert rows_of_ledger(trained / "lake")[-1] == ("train", "interrupted")
    assert not (trained / "lake" / "models" / "_delta_log").exists()


def test_the_same_command_goes_on_after_an_interrupt(bank):
    with started("run", "--project", bank, "--to", "labels") as running:
        wait_for_stage(running, bank / "lake", "features")
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
    assert running.returncode == 143
    again = tenure("run", "--project", bank, "--to", "labels")
    assert (again.returncode, again.stderr) == (0, "")
    assert [line.split()[:2] for line in again.stdout.splitlines()] == [
        ["staging", "current"],
        ["reconcile", "current"],
        ["snapshots", "current"],
        ["features", "built"],
        ["labels", "built"],
    ]


def test_signals_one_after_the_other_at_any_moment_give_no_traceback(endless):
    chance = random.Random(5)  # noqa: S311  (moments, not secrets)
    for _ in range(6 if THOROUGH else 3):
        with started("run", "--project", endless) as running:
            wait_for_stage(running, endless / "lake", "staging")
            time.sleep(chance.uniform(0, 1))
            for _ in range(4):
                running.send_signal(chance.choice([signal.SIGINT, signal.SIGTERM]))
                time.sleep(chance.uniform(0, 0.05))
            out, err = running.communicate(timeout=60)
        assert running.returncode in (130, 143), err
        assert "Traceback" not in out + err
        assert "Exception ignored" not in err
        assert err.startswith("Interrupted by "), err
        assert len(err.splitlines()) <= 2  # the first signal's line, and the second's that ended the process at once
    last = tenure("staging", "--project", endless, "--data", endless / "nowhere")
    assert last.returncode == 4
    assert {status for _, status in rows_of_ledger(endless / "lake")[:-1]} == {"interrupted"}


@pytest.fixture(scope="module")
def with_features(tmp_path_factory):
    """A bank whose features are built, to be looked at."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("looked_at") / "bank")
    assert tenure("run", "--project", folder, "--to", "features").returncode == 0
    return folder


@pytest.mark.parametrize("verb", ["check", "plan", "verify", "history"])
def test_verbs_that_only_look_are_interrupted_without_a_traceback(with_features, verb):
    with started(verb, "--project", with_features) as running:
        time.sleep(1.2)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert "Traceback" not in err
    # -2: the verb had ended, or said so, and Python was about to end.
    assert (running.returncode, err[:12]) in ((130, "Interrupted "), (0, ""), (-2, ""), (-2, "Interrupted "))


def test_a_killed_run_is_told_by_the_next_one(endless):
    with started("run", "--project", endless) as running:
        wait_for_stage(running, endless / "lake", "staging")
        running.kill()
        running.communicate(timeout=60)
    assert rows_of_ledger(endless / "lake") == []
    assert tenure("staging", "--project", endless, "--data", endless / "nowhere").returncode == 4
    assert rows_of_ledger(endless / "lake") == [("staging", "interrupted"), ("staging", "failed")]


def test_ctrl_c_while_code_of_a_text_runs_ends_by_the_exit_code(tmp_path):
    """CPython would else end by the signal: dataclasses of a stage's modules are made of texts."""
    (tmp_path / "stopped.py").write_text(
        "import os, signal, sys\n"
        "from tenure.cli import signals\n"
        "try:\n"
        "    exec('os.kill(os.getpid(), signal.SIGINT)\\nwhile True: pass')\n"
        "except KeyboardInterrupt:\n"
        "    pass\n"
        "if len(sys.argv) > 1:\n"
        "    signals.forget_interrupted_code()\n"
        "sys.exit(130)\n"
    )

    def ended(*arguments):
        return subprocess.run([sys.executable, "-m", "stopped", *arguments], cwd=tmp_path, check=False).returncode

    assert ended() == -signal.SIGINT, "Python no longer needs it: take it out"
    assert ended("forgotten") == 130
