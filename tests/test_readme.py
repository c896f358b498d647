"""README's commands work as they are written, on a machine that has only a clone."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tenure.demo import generate_bank
from tenure.errors import install_hint

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
OURS = [line for line in LINES if line.startswith("tenure ")]
MAKE = [line for line in LINES if line.startswith("make ")]
PIP = [line for line in LINES if line.startswith("pip ")]

#: What a command prints, that shows that it did what README says of it; in README's order.
SHOWN = {
    "tenure --version": r"\d+\.\d+\.\d+",
    "tenure init": "wrote mybank/tenure.toml",
    "tenure check": "ok  SQL for duckdb",
    "tenure run": r"report: mybank/out/report\.html",
    "tenure status": r"report +built",
    "tenure plan": r"features: \d+ current",
    "tenure backfill": r"features +current",
    "tenure sql": r"(?m)^SELECT",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where someone follows README: a folder whose PATH has a `tenure`, which is this one's."""
    made = tmp_path_factory.mktemp("readme")
    command = made / "bin" / "tenure"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tenure.cli "$@"\n')
    command.chmod(0o755)
    return made


def shorten(toml: Path) -> None:
    """Fewer snapshots, models and trials: a bank's own data may take as long as they like."""
    text = toml.read_text()
    for old, new in {
        "# first = 2024-01-31": "first = 2024-09-30",
        '["rule", "logistic", "lightgbm", "blend"]': '["rule", "lightgbm"]',
        "trials = 12": "trials = 1",
    }.items():
        assert old in text
        text = text.replace(old, new)
    toml.write_text(text)


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        ["sh", "-ec", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1800
    )


def test_every_command_is_of_a_kind_that_is_tried_here():
    assert [line for line in LINES if line in (*OURS, *MAKE, *PIP)] == LINES
    assert [" ".join(shlex.split(line)[:2]) for line in OURS] == list(SHOWN)


@pytest.mark.slow
def test_commands_run_in_the_order_of_the_page(folder):
    """The demo bank's files, of fewer customers and fewer snapshots, are the bank's own."""
    for line in OURS:
        verb = " ".join(shlex.split(line)[:2])
        done = shell(line, folder)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert re.search(SHOWN[verb], done.stdout), f"{line}\n{done.stdout}"
        if verb == "tenure init":
            generate_bank(folder / "mybank", customers=300)
            shorten(folder / "mybank" / "tenure.toml")
    assert (folder / "mybank" / "out" / "attrition_list.csv").exists()


@pytest.mark.parametrize("line", MAKE)
def test_make_knows_its_targets(line):
    done = subprocess.run(
        ["make", "--dry-run", *line.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def installed(requirement: str, folder: Path) -> str:
    """Install Tenure alone into a folder, from no index and without network; return what its `tenure --version` says.

    Its dependencies are those that are installed here; a folder of its own touches none of them.
    """
    place = folder / "installed"
    options = ["--target", str(place), "--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    pip = [sys.executable, "-m", "pip", "install", *options, "--disable-pip-version-check", requirement]
    done = subprocess.run(pip, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def answer(*command: object) -> str:
        environment = {**os.environ, "PYTHONPATH": str(place)}
        told = subprocess.run(
            [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stderr
        return told.stdout.strip()

    file = answer(sys.executable, "-c", "import tenure; print(tenure.__file__)")
    assert Path(file).is_relative_to(place)
    return answer(place / "bin" / "tenure", "--version")


def wheel_address(folder: Path) -> str:
    """Build the wheel as `make wheel` does, but elsewhere, and return the address that README installs it by."""
    (recipe,) = re.findall(r"^wheel:.*\n\t\$\(BIN\)/python (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    build = [sys.executable, *recipe.split(), "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (name,) = re.findall(r"dist/(tenure-[\w.-]+\.whl)", README)
    assert (folder / name).exists(), "README names another version"
    return f"file://{folder / name}"


@pytest.mark.slow
def test_a_wheel_built_from_the_clone_installs_by_its_address_and_answers(tmp_path):
    (address,) = re.findall(r"pip install '(tenure\[ml\] @ file:///FOLDER/\S+\.whl)'", README)
    wheel = wheel_address(tmp_path)
    asked = address.replace(address.partition(" @ ")[2], wheel)
    assert asked in install_hint("ml").replace("file:///FOLDER/WHEEL", wheel)
    assert re.fullmatch(r"(tenure )?\d+\.\d+\.\d+", installed(asked, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("line", PIP)
def test_what_readme_installs_from_the_clone_answers(line, tmp_path):
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "tenure", clone / "tenure", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    asked = line.removeprefix("pip install ")
    assert asked in install_hint("ml")
    (requirement,) = shlex.split(asked)
    assert re.fullmatch(r"(tenure )?\d+\.\d+\.\d+", installed(requirement.replace(".", str(clone), 1), tmp_path))
