"""tenure.toml: every key documented, every mistake named with its file, its key and what is allowed."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from tenure.config import Config, config_reference, load_config
from tenure.errors import InvalidConfig, MissingFile

REFERENCE = Path(__file__).parents[1] / "docs" / "config.md"
PROJECT = '[project]\nname = "Bank"\n'


def written(folder, text):
    (folder / "tenure.toml").write_text(text, encoding="utf-8")
    return folder


def sections():
    return {name: field.annotation for name, field in Config.model_fields.items()}


def test_smallest_config_has_the_documented_defaults(tmp_path):
    config = load_config(written(tmp_path, PROJECT))
    assert config.project.name == "Bank"
    assert config.engine.name == "duckdb"
    assert config.snapshots.every == "month-end"
    assert config.train.models == ("rule", "logistic", "lightgbm", "blend")
    assert config.data.end is None


def test_every_kind_of_value_is_read(tmp_path):
    text = PROJECT + (
        "[data]\nend = 2024-05-01\n[engine]\nname = 'spark'\nthreads = 2\noptions = { 'spark.x' = 'y' }\n"
        "[train]\nmodels = ['rule']\nseconds = 3\n[value]\nsave_rate = 0.5\n"
    )
    config = load_config(written(tmp_path, text))
    assert str(config.data.end) == "2024-05-01"
    assert (config.engine.name, config.engine.threads, config.engine.options) == ("spark", 2, {"spark.x": "y"})
    assert (config.train.models, config.train.seconds, config.value.save_rate) == (("rule",), 3.0, 0.5)


def test_overrides_go_before_the_file_and_are_checked_alike(tmp_path):
    folder = written(tmp_path, PROJECT + "[engine]\nname = 'duckdb'\nthreads = 2\n")
    config = load_config(folder, {"engine": {"name": "spark"}, "lake": {"path": "elsewhere"}})
    assert (config.engine.name, config.engine.threads, config.lake.path) == ("spark", 2, "elsewhere")
    with pytest.raises(InvalidConfig, match=r"\[engine\] name = 'oracle': input should be 'duckdb' or 'spark'"):
        load_config(folder, {"engine": {"name": "oracle"}})


def test_config_is_frozen(tmp_path):
    config = load_config(written(tmp_path, PROJECT))
    with pytest.raises(ValidationError, match="frozen"):
        config.engine.name = "spark"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"tenure\.toml lacks the key \[project\]\."),
        ("[project]\n", r"tenure\.toml lacks the key \[project\] name\."),
        ("[project]\nname = ''\n", r"\[project\] name = '': string should have at least 1 character"),
        (
            PROJECT + "[nope]\nx = 1\n",
            r"unknown key \[nope\]; allowed: data, drift, engine, evaluate, lake, lineage, output, project, ",
        ),
        (
            PROJECT + "[train]\ntrial = 1\n",
            r"unknown key \[train\] trial; allowed: exclude, models, seconds, seed, select, trials, trust\.",
        ),
        (PROJECT + "[train]\ntrials = '5'\n", r"\[train\] trials = '5': input should be a valid integer"),
        (PROJECT + "[train]\ntrials = 0\n", r"\[train\] trials = 0: input should be greater than or equal to 1"),
        (
            PROJECT + "[train]\nmodels = ['xgb']\n",
            r"\[train\] models\.0 = 'xgb': input should be 'rule', 'logistic', 'lightgbm', 'xgboost' or 'blend'",
        ),
        (
            PROJECT + "[train]\nmodels = ['logistic', 'blend']\n",
            r"\[train\] models = \['logistic', 'blend'\]: a blend is made of two other kinds at the least; name them",
        ),
        (PROJECT + "[train]\nmodels = []\n", r"\[train\] models = \[\]: the list is too short\."),
        (PROJECT + "[train]\nmodels = 'rule'\n", r"\[train\] models = 'rule': input should be a list\."),
        (PROJECT + "[value]\ncontact_cost = '5'\n", r"\[value\] contact_cost = '5': input should be a valid number"),
        (PROJECT + "[value]\ncontact_cost = inf\n", r"\[value\] contact_cost = inf: input should be a finite number"),
        (
            PROJECT + "[value]\nsave_rate = 1.5\n",
            r"\[value\] save_rate = 1\.5: input should be less than or equal to 1",
        ),
        (
            PROJECT + "[snapshots]\nfirst = '2024-01-31'\n",
            r"\[snapshots\] first = '2024-01-31': input should be a valid",
        ),
        (PROJECT + "[snapshots]\nevery = 'month'\n", r"\[snapshots\] every = 'month': input should be 'month-end', "),
        (PROJECT + "[engine]\nmemory = '4 GB'\n", r"\[engine\] memory = '4 GB': string should match pattern .*MB\|GB"),
        (PROJECT + "[engine]\nthreads = true\n", r"\[engine\] threads = True: input should be a valid integer"),
        (PROJECT + "[engine]\noptions = { a = 1 }\n", r"\[engine\] options\.a = 1: input should be a valid string"),
        ("engine = 'spark'\n" + PROJECT, r"\[engine\] = 'spark': input should be a section with keys of its own"),
        (PROJECT + "x =\n", r"tenure\.toml: Invalid value"),
        (PROJECT + PROJECT, r"tenure\.toml: Cannot declare .*project.* twice"),
    ],
)
def test_mistake_is_named_with_its_key_and_what_is_allowed(tmp_path, text, told):
    with pytest.raises(InvalidConfig, match=told) as caught:
        load_config(written(tmp_path, text))
    assert caught.value.hint == "See docs/config.md for every key."


def test_several_mistakes_are_told_at_once(tmp_path):
    folder = written(tmp_path, PROJECT + "[train]\ntrials = 0\nsed = 1\n")
    with pytest.raises(InvalidConfig, match=r"trials = 0.*; .*unknown key \[train\] sed"):
        load_config(folder)


def test_section_that_is_no_section_is_told_even_when_the_command_overrides_it(tmp_path):
    folder = written(tmp_path, "engine = 'spark'\n" + PROJECT)
    with pytest.raises(InvalidConfig, match=r"\[engine\] = 'spark'"):
        load_config(folder, {"engine": {"name": "duckdb"}})


def test_file_in_another_encoding_is_told(tmp_path):
    (tmp_path / "tenure.toml").write_bytes('[project]\nname = "Zoë"\n'.encode("latin-1"))
    with pytest.raises(InvalidConfig, match=r"tenure\.toml, line 2: byte 0xeb is not UTF-8"):
        load_config(tmp_path)


def test_folder_without_a_config_is_no_project(tmp_path):
    with pytest.raises(MissingFile, match=r"is not a Tenure project: it has no tenure\.toml") as caught:
        load_config(tmp_path)
    assert "tenure init DIR" in caught.value.hint


def test_every_key_says_what_it_means():
    keys = {f"[{name}] {key}": field for name, model in sections().items() for key, field in model.model_fields.items()}
    assert len(keys) > 20
    assert [key for key, field in keys.items() if not (field.description or "").strip().endswith(".")] == []


def test_every_section_is_a_frozen_model_without_unknown_keys():
    for model in (Config, *sections().values()):
        assert issubclass(model, BaseModel)
        assert model.model_config["frozen"]
        assert model.model_config["extra"] == "forbid"


def test_reference_names_every_key_with_its_default():
    text = config_reference()
    for name, model in sections().items():
        part = text.partition(f"## [{name}]")[2].partition("\n## ")[0]
        assert [line.split("`")[1] for line in part.splitlines() if line.startswith("| `")] == list(model.model_fields)
    assert '| `every` | `"month-end"` | `"month-end"`, `"month-start"`, ' in text
    assert "| `save_rate` | `0.3` | number from 0 to 1 | " in text


def test_docs_are_the_reference():
    rewrite = "from tenure.config import config_reference as r; open('docs/config.md', 'w').write(r())"
    assert REFERENCE.read_text(encoding="utf-8") == config_reference(), f'Run: .venv/bin/python -c "{rewrite}"'
