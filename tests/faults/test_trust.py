"""Which verbs run the project's definitions is what SECURITY.md and README say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from tiny_bank import write_tiny_bank

from tenure.cli import app

ROOT = Path(__file__).resolve().parents[2]
VERBS = {**typer.main.get_command(app).commands}
#: What a verb cannot do without, where it needs more than a project.
ARGUMENTS = {
    "sql": ["features"],
    "lineage": ["payment_count_30d"],
    "features": ["list"],
    "show": ["snapshots", "--limit", "1"],
    "restore": ["snapshots", "--version", "0"],
    "historical-features": ["--spine", "spine.csv", "--features", "paid", "--out", "out.csv"],
}
#: They take no project: what they do is their own.
WITHOUT_PROJECT = {"init", "demo", "version"}
TRAP = "\nfrom pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


def told(page: str, before: str) -> set[str]:
    """The verbs in backticks of the sentence that lists those which run no definitions."""
    text = (ROOT / page).read_text().replace("\n", " ")
    (sentence,) = re.findall(rf"{before}([^.]*)\.", text)
    return set(re.findall(r"`([a-z-]+)`", sentence)) & set(VERBS)


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    folder = write_tiny_bank(tmp_path_factory.mktemp("trust") / "bank")
    command = [sys.executable, "-m", "tenure.cli", "run", "--to", "snapshots", "--project", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("sources.py", "churn.py"):
        with (folder / name).open("a") as file:
            file.write(TRAP)
    return folder


@pytest.mark.parametrize("verb", sorted(set(VERBS) - WITHOUT_PROJECT))
def test_verbs_that_run_no_definitions_are_those_that_the_page_names(verb, bank):
    (bank / "ran").unlink(missing_ok=True)
    command = [sys.executable, "-m", "tenure.cli", verb, *ARGUMENTS.get(verb, []), "--project", str(bank)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=bank)
    assert done.returncode not in (1, 2), done.stderr
    spared = told("SECURITY.md", "Only ")
    assert (bank / "ran").exists() is (verb not in spared), done.stdout + done.stderr


def test_readme_names_the_same_verbs():
    assert told("README.md", "every verb runs them with your rights, but ") == told("SECURITY.md", "Only ")
    assert told("SECURITY.md", "Only ") >= {"init", "demo", "version", "status", "show"}
