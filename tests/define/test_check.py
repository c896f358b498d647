"""A check of the bank's own: what it may say, where it stands, and what is refused."""

import pytest
from tiny_bank import write_tiny_bank

from tenure import Check
from tenure.define.check import CODES, DIMENSIONS, CheckOutcome
from tenure.define.definitions import load_project
from tenure.errors import InvalidDefinition, UnknownSource

OWN = """
from tenure import Check

paid = Check("paid_is_small", source="{source}", where="amount < 50", severity="warning", doc="large payments")
"""


def test_a_projects_checks_stand_in_a_file_of_their_own(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    assert load_project(folder, "Bank").checks == {}
    before = load_project(folder, "Bank").fingerprint
    (folder / "checks.py").write_text(OWN.format(source="payments"))
    project = load_project(folder, "Bank")
    assert project.checks["paid_is_small"].where_defined == "bank/checks.py:4"
    assert project.fingerprint == before, "no feature and no model depends on a check"


def test_a_check_of_a_source_that_is_none_is_refused(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    (folder / "checks.py").write_text(OWN.format(source="loans"))
    with pytest.raises(UnknownSource, match=r"check 'paid_is_small' \(bank/checks.py:4\) reads source 'loans'"):
        load_project(folder, "Bank")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"severity": "fatal"}, "error, warning, note"),
        ({"tolerance": 1.5}, r"a share in \[0, 1\]"),
        ({"tolerance": True}, r"a share in \[0, 1\]"),
        ({"where": ""}, "text that is not empty"),
    ],
)
def test_what_a_check_may_not_say(said, words):
    with pytest.raises(InvalidDefinition, match=words):
        Check("one", **{"source": "payments", "where": "amount > 0", **said})


def test_every_code_is_of_a_dimension_and_has_its_place_in_the_docs(pytestconfig):
    page = (pytestconfig.rootpath / "docs" / "checks.md").read_text(encoding="utf-8")
    for code, one in CODES.items():
        assert one.dimension in DIMENSIONS
        assert f'<a id="{one.anchor.partition("#")[2]}"></a>`{code}` | {one.dimension} | {one.severity} |' in page


def test_only_an_error_that_failed_stops():
    said = {"source": "s", "code": "c", "column": "", "dimension": "validity", "title": "t", "tolerance": 0.0}
    found = CheckOutcome(**said, severity="error", rows=8, failing=2, verdict="failed")
    assert (found.stops, found.share) == (True, 0.25)
    assert found.words == "t (c): 2 of 8 rows (25.00%); allowed are 0.00%"
    warned = CheckOutcome(**said, severity="warning", rows=0, failing=0, verdict="passed")
    assert (warned.stops, warned.share) == (False, 0.0)
