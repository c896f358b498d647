"""What each engine can do: the page is the code's, every yes is tested, and a gap is refused with its reason."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import make_engine
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure.cli import app
from tenure.define.definitions import load_project
from tenure.define.feature import READINGS
from tenure.define.window import AGGREGATES
from tenure.errors import InvalidDefinition
from tenure.session.work import Work
from tenure.sql import DIALECTS
from tenure.stages.verify import compare_engines, travel_in_time
from tenure.tiles import support
from tenure.tiles.support import CAPABILITIES, GAPS, Unsupported, engines_reference, needs, require_supported

WORLDS = Path(__file__).parents[1] / "worlds"
PAGE = Path(__file__).parents[2] / "docs" / "engines.md"
REASON = "it has no such function"


@pytest.fixture
def gap(monkeypatch):
    """Return a function that plants a gap."""

    def planted(kind, name, dialect):
        assert (kind, name) in CAPABILITIES
        monkeypatch.setitem(support.GAPS, ((kind, name), dialect), Unsupported(REASON))

    return planted


def test_the_page_is_written_from_the_code():
    assert PAGE.read_text() == engines_reference()


def test_there_are_no_gaps_today_so_every_row_says_yes_twice():
    rows = re.findall(r"^\| `[^`]+` \|.*\|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len(CAPABILITIES)
    assert [row for row in rows if not row.endswith("| yes | yes |")] == []
    assert GAPS == {}


def test_every_aggregate_and_reading_is_on_the_page():
    assert {name for kind, name in CAPABILITIES if kind == "aggregate"} == set(AGGREGATES) - {"ratio", "share"}
    assert {name for kind, name in CAPABILITIES if kind == "reading"} == set(READINGS)


def test_every_yes_is_of_something_that_the_worlds_compute_on_both_engines(tmp_path):
    """test_oracle.py and test_time_rules.py build these worlds on each engine, test_time_travel.py the proofs."""
    asked = set()
    for world in ("branch_bank", "twelve_customers"):
        folder = shutil.copytree(WORLDS / world, tmp_path / world)
        for churn in (WORLDS / world / "churn_definitions").glob("*.py"):
            shutil.copy(churn, folder / "churn.py")
            project = load_project(folder, world)
            asked |= {capability for capability, _ in needs(project, project.churn)}
    assert set(CAPABILITIES) - asked == {("proof", "time travel"), ("proof", "two engines")}
    assert asked <= set(CAPABILITIES)


def test_a_gap_is_on_the_page_with_its_reason():
    told = engines_reference({(("aggregate", "p90"), "spark"): Unsupported(REASON)})
    assert f"| `p90` | 90th percentile | yes | Unsupported: {REASON} |" in told
    assert told.count("Unsupported: ") == 1


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("kind", "name", "asked_by"),
    [
        ("aggregate", "p25", "feature 'size' (features/every_kind.py:"),
        ("window", "months", "feature 'size' (features/every_kind.py:"),
        ("window", "open", "feature 'holdings' (features/every_kind.py:"),
        ("window", "all history", "feature 'online_amount' (features/every_kind.py:"),
        ("reading", "is_known", "feature 'income_is_known' (features/every_kind.py:"),
        ("comparison", "trend", "feature 'moves_count' (features/every_kind.py:"),
        ("point in time", "ttl", "feature view 'recently_described' (features/every_kind.py:"),
        ("point in time", "known_time", "source 'clients' (branch_bank/sources.py:"),
        ("point in time", "composite keys", "entity 'client' (branch_bank/sources.py:"),
        ("churn event", "AnyOf", "churn definition 'any_event' (branch_bank/churn.py:"),
    ],
)
def test_a_definition_that_needs_a_gap_is_refused_on_that_engine_alone(gap, dialect, kind, name, asked_by):
    project = load_project(WORLDS / "branch_bank", "Branch Bank")
    require_supported(project, dialect, project.churn)
    gap(kind, name, dialect)
    (other,) = set(DIALECTS) - {dialect}
    require_supported(project, other, project.churn)
    with pytest.raises(InvalidDefinition) as caught:
        require_supported(project, dialect, project.churn)
    assert caught.value.message.startswith(asked_by)
    assert caught.value.message.endswith(f" needs the {kind} '{name}', which engine {dialect} can't compute: {REASON}.")
    assert caught.value.hint == f"Run it with --engine {other}, or change the definition."


def test_what_no_engine_can_do_names_none_to_run_it_with(gap):
    for dialect in DIALECTS:
        gap("aggregate", "p25", dialect)
    with pytest.raises(InvalidDefinition) as caught:
        require_supported(load_project(WORLDS / "branch_bank", "Branch Bank"), "duckdb")
    assert caught.value.hint == "Change the definition."


def test_a_run_is_refused_before_its_first_stage(gap, tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")
    gap("comparison", "ratio", "duckdb")
    result = CliRunner().invoke(app, ["run", "-p", str(bank), "--to", "staging"])
    assert isinstance(result.exception, InvalidDefinition)
    assert "feature 'large_to_all'" in result.exception.message
    assert not (bank / "lake").exists()


def test_check_tells_of_an_engine_that_is_not_the_projects_own(gap, tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")
    gap("comparison", "ratio", "spark")
    result = CliRunner().invoke(app, ["check", "-p", str(bank)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "SQL for spark: not on this engine: feature 'large_to_all' (features/paid.py:" in result.output
    assert re.search(r"SQL for duckdb: \d+ tables compile", result.output)


def test_a_proof_that_an_engine_lacks_is_refused(gap, tmp_path, request):
    bank = write_tiny_bank(tmp_path / "bank")
    gap("proof", "time travel", "duckdb")
    gap("proof", "two engines", "spark")
    with Work.open(bank) as work:
        work.use_engine(make_engine("duckdb", request))
        with pytest.raises(InvalidDefinition, match="'tenure verify --time-travel' needs the proof 'time travel'"):
            list(travel_in_time(work))
    with pytest.raises(InvalidDefinition, match="'tenure verify' needs the proof 'two engines', which engine spark"):
        list(compare_engines(bank, None, "duckdb", "spark"))
