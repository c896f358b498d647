"""Which verbs run the project's definitions is what SECURITY.md and README say."""

import re
from pathlib import Path

import pytest
import typer
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure.cli import app

ROOT = Path(__file__).resolve().parents[2]
VERBS = {**typer.main.get_command(app).commands}
#: What a verb cannot do without, where it needs more than a project.
ARGUMENTS = {
    "adopt": ["Tiny Bank"],
    "diff": ["snapshots", "0", "0"],
    "sql": ["features"],
    "lineage": ["payment_count_30d"],
    "features": ["list"],
    "show": ["snapshots", "--limit", "1"],
    "restore": ["snapshots", "--version", "0"],
    "lake": ["copy", "lake", "copied"],
    "contract": ["diff"],
    "forget": ["999", "--dry-run"],
    "historical-features": ["--spine", "spine.csv", "--features", "paid", "--out", "out.csv"],
}
#: They take no project: what they do is their own.
WITHOUT_PROJECT = {"init", "demo", "version"}
TRAP = "\nfrom pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


def told(page: str, before: str) -> set[str]:
    """The verbs in backticks of the sentence that lists those which run no definitions."""
    text = (ROOT / page).read_text().replace("\n", " ")
    (sentence,) = re.findall(rf"{before}([^.]* do not|`init[^.:]*)[.:]", text)
    return set(re.findall(r"`([a-z-]+)`", sentence)) & set(VERBS)


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    folder = write_tiny_bank(tmp_path_factory.mktemp("trust") / "bank")
    assert CliRunner().invoke(app, ["run", "--to", "snapshots", "--project", str(folder)]).exit_code == 0
    for name in ("sources.py", "churn.py"):
        with (folder / name).open("a") as file:
            file.write(TRAP)
    return folder


@pytest.mark.parametrize("verb", sorted(set(VERBS) - WITHOUT_PROJECT))
def test_verbs_that_run_no_definitions_are_those_that_the_page_names(verb, bank, monkeypatch):
    monkeypatch.chdir(bank)
    (bank / "ran").unlink(missing_ok=True)
    done = CliRunner().invoke(app, [verb, *ARGUMENTS.get(verb, []), "--project", str(bank)])
    assert done.exit_code != 2, done.output
    assert (bank / "ran").exists() is (verb not in told("SECURITY.md", "Only (?=`init`)")), done.output


def test_readme_names_the_same_verbs():
    assert told("README.md", "with your rights, but ") == told("SECURITY.md", "Only (?=`init`)")
    assert told("SECURITY.md", "Only (?=`init`)") >= {"init", "version", "status", "history", "show"}
