"""The docs are true as far as a machine can tell: links, commands, snippets, pages and the files they name."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

import tenure
from tenure import errors
from tenure.cli import EXIT_CODES, app
from tenure.define.churn import ChurnDefinition
from tenure.define.definitions import load_project
from tenure.define.feature import FeatureView
from tenure.define.project import Project, validate
from tenure.define.source import Source
from tenure.define.stage import STAGES
from tenure.define.table_contracts import contracts

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")), *sorted(DOCS.glob("*.md"))]
COMMAND = typer.main.get_command(app)
#: Where a stage's word is a verb, its first table has a name of its own.
TABLES = {
    "staging": "staging/<source>",
    "reconcile": "reconciliation/<name>",
    "train": "models",
    "evaluate": "evaluations",
    "score": "scores",
    "explain": "reasons",
    "segment": "segments",
    "report": "attrition_list",
}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in FENCE.findall(text) if language in languages]


def commands(text: str) -> list[tuple[str, bool]]:
    """Return every `tenure …` of a page, and whether it is whole: a line of a block must be, a mention need not."""
    lines = [line.removeprefix("$ ") for block in blocks(text, "", "sh", "bash") for line in block.splitlines()]
    whole = [(line, True) for line in lines if re.match(r"tenure [a-z]", line)]
    spans = re.findall(r"`(tenure [a-z][^`\n]*)`", FENCE.sub("", text))
    return [*whole, *((span, False) for span in spans)]


def wrong_with(told: str, *, whole: bool) -> str:
    """Return what the command line would refuse in `told`, or '' if it is a real verb with real options."""
    _, verb, *arguments = shlex.split(told, comments=True)
    known = getattr(COMMAND, "commands")  # noqa: B009  (typer's own group type is private)
    if verb not in known:
        return f"'{told}': no verb '{verb}'"
    below = getattr(known[verb], "commands", {})
    if arguments and arguments[0] in below:  # the verb of a group, such as 'contract draft'
        known, verb = below, arguments.pop(0)
    options = {name for parameter in known[verb].params for name in parameter.opts} | {"--help"}
    for argument in arguments:
        if argument.startswith("-") and argument.partition("=")[0] not in options:
            return f"'{told}': no option '{argument}'"
    if whole:
        try:
            known[verb].make_context(verb, list(arguments))
        except Exception as error:  # noqa: BLE001  (typer's usage errors are private too)
            return f"'{told}': {error}"
    return ""


def page_id(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_relative_links_resolve(page):
    links = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text()))
    relative = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in relative if link and not (page.parent / link).exists()] == []


def test_every_page_is_on_the_map():
    linked = set(re.findall(r"\]\((\w+\.md)\)", (DOCS / "index.md").read_text()))
    assert {page.name for page in DOCS.glob("*.md")} - {"index.md"} == linked


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_are_real(page):
    told = [wrong_with(command, whole=whole) for command, whole in commands(page.read_text())]
    assert [problem for problem in told if problem] == []


def test_commands_are_found_and_wrong_ones_refused():
    block = "```\n$ tenure sql features --engine spark  # a remark\nfeatures built\n```\n"
    text = block + "Run `tenure train`; see `tenure.toml`."
    assert commands(text) == [("tenure sql features --engine spark  # a remark", True), ("tenure train", False)]
    assert wrong_with("tenure sql features --engine spark  # a remark", whole=True) == ""
    assert "no verb 'trian'" in wrong_with("tenure trian", whole=False)
    assert "no option '--projekt'" in wrong_with("tenure train --projekt x", whole=False)
    assert wrong_with("tenure lineage", whole=True) != ""


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_its_page_that_names_its_table_and_command(stage):
    text = (DOCS / f"{stage}.md").read_text()
    assert f"`{TABLES.get(stage, stage)}`" in text
    assert f"`tenure {stage}`" in text


def test_exit_codes_tell_every_error_and_no_other():
    table = (DOCS / "cli.md").read_text().partition("## Exit codes")[2]
    rows = [line.split("|") for line in table.splitlines() if re.match(r"\| \d+ \|", line)]
    told = {name: int(row[1]) for row in rows for name in re.findall(r"`(\w+)`", row[3])}
    families = {errors.TenureError, errors.ProjectError, errors.InputError, errors.LabelError}
    raised = {e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.TenureError)} - families
    assert told == {e.__name__: next(c for kind, c in EXIT_CODES.items() if issubclass(e, kind)) for e in raised}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_errors_in_tables_are_real(page):
    tables = re.findall(r"^\| error \|.*?(?:\n\n|\Z)", page.read_text(), re.MULTILINE | re.DOTALL)
    named = [
        name for table in tables for name in re.findall(r"`([A-Z]\w+)`", re.sub(r"(?m)^(\|[^|]*\|).*", r"\1", table))
    ]
    assert [name for name in named if not hasattr(errors, name)] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_named_files_of_the_house_exist(page):
    named = re.findall(r"`((?:tenure|tests|examples|benchmarks)/[\w/]+\.\w+)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def row_of(kind: str) -> str:
    (row,) = re.findall(rf"^\| \*\*{re.escape(kind)}\*\* \|.*", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    return str(row)


def test_a_new_engine_is_sent_to_every_place_that_asks_for_a_dialect_by_name():
    asks = re.compile(r"\bdialect (==|!=|in|not in) [\"'({]")
    files = (ROOT / "tenure").rglob("*.py")
    asking = {file.relative_to(ROOT).as_posix() for file in files if asks.search(file.read_text())}
    assert len(asking) >= 2
    assert {file for file in asking if f"`{file}`" not in row_of("engine")} == set()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how_it_works.md"])
def test_names_of_the_code_that_a_page_sends_to_exist(page):
    code = "\n".join(file.read_text() for file in (ROOT / "tenure").rglob("*.py"))
    rows = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("| **")]
    named = {name for row in rows for name in re.findall(r"`(_?[A-Z][A-Z_]+|_[a-z_]+|[a-z]+_reference)`", row)}
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", code)] == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("kind of churn event", "Inactivity"),
        ("aggregate", "days_since_last"),
        ("kind of model", "lightgbm"),
    ],
)
def test_a_new_kind_is_sent_to_every_room_whose_code_names_the_kinds_there_are(kind, name):
    """A file that spells a kind's name out has to learn of a new one; the page of the demo bank is no such file."""
    spelled = re.compile(rf"[\"']{name}[\"']|\b{name}:|\b{name}\)")
    rooms = ("define", "model", "tables", "tiles", "session", "proofs/oracle", "insight", "publish")
    naming = [
        file.relative_to(ROOT).as_posix()
        for room in rooms
        for file in sorted((ROOT / "tenure" / room).rglob("*.py"))
        if spelled.search(file.read_text())
    ]
    assert naming
    assert [file for file in naming if f"`{file}`" not in row_of(kind)] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_python_blocks_compile(page):
    for block in blocks(page.read_text(), "python"):
        compile(block, str(page), "exec")


@pytest.fixture(scope="module")
def defined() -> dict[str, object]:
    """What the blocks of definitions.md define, run one after another."""
    names: dict[str, object] = {}
    for block in blocks((DOCS / "definitions.md").read_text(), "python"):
        exec(compile(block, "definitions.md", "exec"), names)  # noqa: S102  (our own page)
    return names


def test_definitions_on_the_page_run_and_fit_together(defined):
    sources = {value.name: value for value in defined.values() if isinstance(value, Source)}
    views = {value.name: value for value in defined.values() if isinstance(value, FeatureView)}
    churn, customer = defined["churn"], defined["customer"]
    assert isinstance(churn, ChurnDefinition)
    assert isinstance(customer, tenure.Entity)
    ledger = defined["ledger"]
    project = Project("bank", customer, sources, views, churn, reconciliations={ledger.name: ledger})
    validate(project)
    columns = {str(name) for name in project.columns}
    text = (DOCS / "definitions.md").read_text()
    grammar = text[text.index("| column name |") : text.index("| `how` |")]
    told = {name for name in re.findall(r"`([a-z0-9_]+)`", grammar) if name != "days_since_last"}
    assert told
    assert told <= columns


def test_every_definition_is_on_the_page(defined):
    others = {"FeatureStore", "Project", "SnapshotPlan", "TenureError", "load_project"}
    assert set(tenure.__all__) - others <= set(defined)


GUIDES = {ROOT / "CONTRIBUTING.md": "## Open this file for", DOCS / "how_it_works.md": "| you want | open |"}


def guide_rows(page, heading):
    """The rows of the table that follows a heading, or begins with it."""
    table = page.read_text(encoding="utf-8").partition(heading)[2]
    return re.findall(r"^\| .+ \|$", table.partition("\n## ")[0], re.MULTILINE)


FILE = r"`((?:tenure|tests|docs)/[\w./]+)`"
NAMES = r"((?:`\w+`(?:, | and )?)+)"


def named_things(row):
    """The files that a row names, each with the names that it says are in it: `file`: `name`, or `name` of `file`."""
    found = [(path, None) for path in re.findall(FILE, row)]
    pairs = re.findall(f"{FILE}: {NAMES}", row)
    pairs += [(path, names) for names, path in re.findall(f"{NAMES} (?:of|in) {FILE}", row)]
    return found + [(path, name) for path, names in pairs for name in re.findall(r"`(\w+)`", names)]


def holds(path, name):
    files = path.rglob("*.py") if path.is_dir() else [path]
    return any(re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) for file in files)


@pytest.mark.parametrize("page", GUIDES, ids=page_id)
def test_what_the_guides_name_is_there(page):
    named = [thing for row in guide_rows(page, GUIDES[page]) for thing in named_things(row)]
    assert len(named) > 5
    wrong = []
    for path, name in named:
        there = ROOT / path
        if not there.exists():
            wrong.append(path)
        elif name and not holds(there, name):
            wrong.append(f"{path}: {name}")
    assert wrong == []


def test_a_guide_that_rots_is_found():
    row = "| x | `tenure/define/feature.py`: `How`, `Nobody` | `_SQL_OF` of `tenure/tables/labels.py`, `tenure/no.py` |"
    assert named_things(row) == [
        ("tenure/define/feature.py", None),
        ("tenure/tables/labels.py", None),
        ("tenure/no.py", None),
        ("tenure/define/feature.py", "How"),
        ("tenure/define/feature.py", "Nobody"),
        ("tenure/tables/labels.py", "_SQL_OF"),
    ]


def test_the_table_of_partitions_is_that_of_the_contracts():
    project = load_project(ROOT / "examples" / "berka", "berka")
    made: dict[tuple[str, ...], set[str]] = {}
    for table, contract in contracts(project).items():
        place = "tiles/<source>" if table.startswith("tiles/") else table
        made.setdefault(contract.partition_by, set()).add(place)
    made.pop(())
    section = (DOCS / "store.md").read_text().partition("## Partitions")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    told = {tuple(re.findall(r"`([^`]+)`", by)): set(re.findall(r"`([^`]+)`", tables)) for tables, by in rows}
    assert told == made
