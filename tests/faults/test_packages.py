"""A machine without the optional packages: what needs them says so before it begins, and what does not runs."""

import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from tiny_bank import with_train, write_tiny_bank

from tenure import errors

ROOT = Path(__file__).resolve().parents[2]

#: The command on a machine where some modules are not installed.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class WithoutSome(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {absent!r} else PathFinder.find_spec(name, path, target)

sys.meta_path = [WithoutSome if finder is PathFinder else finder for finder in sys.meta_path]
from tenure.cli import main
main()
"""
MODELLING = ["lightgbm", "optuna", "pandas", "sklearn", "skops", "xgboost", "scipy"]


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def tenure(absent, *arguments):
    script = WITHOUT.format(absent=set(absent))
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def test_a_run_that_would_need_the_models_packages_is_refused_before_its_first_stage(bank):
    done = tenure(MODELLING, "run", "--project", bank)
    assert (done.returncode, done.stdout) == (7, "")
    said, hint = done.stderr.splitlines()
    assert said.startswith("MissingDependency: stage 'train' needs lightgbm, optuna, pandas, scikit-learn, skops,")
    assert hint == errors.install_hint("ml")
    assert not (bank / "lake").exists()


@pytest.mark.parametrize("stage", ["train", "segment", "report"])
def test_a_stage_names_the_one_package_that_is_missing(bank, stage):
    done = tenure(["optuna"], stage, "--project", bank)
    assert done.returncode == 7
    assert f"stage '{stage}' needs optuna, which is not installed" in done.stderr


def test_a_library_of_a_model_that_only_some_projects_train_is_asked_of_those_alone(bank):
    config = bank / "tenure.toml"
    assert "models =" not in config.read_text()
    config.write_text(with_train(config.read_text(), "models = ['rule', 'xgboost']"))
    done = tenure(["xgboost"], "train", "--project", bank)
    assert done.returncode == 7
    assert "stage 'train' needs xgboost, which is not installed" in done.stderr


def test_the_stages_before_the_models_run_without_them(bank):
    done = tenure(MODELLING, "run", "--to", "training_set", "--project", bank)
    assert done.returncode == 0, done.stderr
    assert "training_set  built" in done.stdout


def test_spark_that_is_not_installed_says_how_to_install_it(bank):
    done = tenure(["pyspark"], "run", "--engine", "spark", "--to", "staging", "--project", bank)
    assert done.returncode == 7
    assert done.stderr.splitlines()[-1] == errors.install_hint("spark")


def test_no_text_sends_anyone_to_a_package_index_for_tenure():
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "tenure").rglob("*.*")]
    sent = [
        f"{file.name}: {line.strip()}"
        for file in texts
        if file.suffix in {".md", ".py", ".toml", ".html", ".j2"}
        for line in file.read_text().splitlines()
        if "pip install 'tenure[" in line and " @ file://" not in line
    ]
    assert sent == []


@pytest.mark.parametrize("extra", ["aws", "ml", "segments", "spark", "warehouse"])
def test_every_hint_names_an_extra_that_exists(extra):
    assert f"'.[{extra}]'" in errors.install_hint(extra)
    assert any(f"extra == '{extra}'" in text.replace('"', "'") for text in requires("tenure"))
