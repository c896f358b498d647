"""What a stranger's machine gets: the lock, the wheel and the public names."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import tenure

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED: dict[str, set[Version]] = {}  # one version for each fork of markers
for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", LOCK, re.MULTILINE):
    LOCKED.setdefault(canonicalize_name(name), set()).add(Version(version))
EXTRAS = PROJECT["project"]["optional-dependencies"]
OPTIONAL = [text for texts in EXTRAS.values() for text in texts]
PINNED = PROJECT["tool"]["uv"]["constraint-dependencies"]
DECLARED = PROJECT["project"]["dependencies"] + OPTIONAL + PROJECT["dependency-groups"]["dev"] + PINNED


def _imported():
    for file in (ROOT / "tenure").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield (node.module or "").partition(".")[0]


IMPORTED = set(_imported())


def test_lock_holds_no_registry_address():
    assert "http" not in LOCK
    assert "--index-url" not in LOCK
    assert "--find-links" not in LOCK


def test_every_locked_package_carries_a_hash():
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("text", DECLARED)
def test_lock_holds_every_declared_dependency_in_its_range(text):
    wanted = Requirement(text)
    if wanted.name == PROJECT["project"]["name"]:
        assert wanted.extras <= set(EXTRAS)
        return
    locked = LOCKED.get(canonicalize_name(wanted.name))
    assert locked is not None, f"{wanted.name} is not in requirements.lock. Run 'make lock'."
    refused = {str(version) for version in locked if version not in wanted.specifier}
    assert not refused, f"{wanted} is not met by the locked {refused}. Run 'make lock'."


@pytest.mark.parametrize("text", PROJECT["project"]["dependencies"] + OPTIONAL)
def test_every_package_that_users_install_is_imported_somewhere(text):
    wanted = Requirement(text)
    names = {canonicalize_name(wanted.name)}
    if wanted.name == PROJECT["project"]["name"] or not _is_for_here(wanted):
        return
    modules = {
        module for module, owners in packages_distributions().items() if names & {*map(canonicalize_name, owners)}
    }
    assert modules & IMPORTED, f"nothing in tenure imports {wanted.name}; an extra comes with the code that imports it."


def _is_for_here(wanted):
    return wanted.marker is None or wanted.marker.evaluate()


def test_wheel_ships_the_package_its_types_and_nothing_else(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    built = subprocess.run(build, cwd=ROOT, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("tenure-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "tenure/py.typed" in names
    assert {"tenure/__init__.py", "tenure/errors.py"} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tenure"}


def test_public_names_are_sorted_few_and_importable():
    names = list(tenure.__all__)
    assert names == sorted(names)
    assert len(names) == len(set(names))
    # 35 since checks.py needs Check as sources.py needs Source, a month of t is no Attribute, and a table without dates
    # no Source.
    assert 1 <= len(names) <= 35
    assert [name for name in names if not hasattr(tenure, name)] == []
