"""The verbs of contracts: drafted, checked, exported and compared on a tiny bank, each message as users see it."""

import json
import subprocess
import sys

import pytest
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure.catalog.contracts import check, diff, draft, export, unread
from tenure.checks.odcs import as_yaml, columns_of, from_yaml
from tenure.cli import app
from tenure.errors import CheckFailed, InvalidDefinition, UnknownSource
from tenure.intake.staging import staging
from tenure.session.work import Work
from tenure.stages.run import run


@pytest.fixture
def bank(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    with Work.open(folder) as work:
        list(run(work, ["staging"]))
    return folder


@pytest.fixture
def agreed(bank):
    """The bank with drafted contracts."""
    with Work.open(bank) as work:
        list(draft(work))
    return bank


def edit_sources(folder, old, new):
    file = folder / "sources.py"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def edit_contract(folder, name, edit):
    file = folder / "contracts" / f"{name}.yaml"
    document = from_yaml(file.read_text(encoding="utf-8"), "x")
    edit(document)
    file.write_text(as_yaml(document), encoding="utf-8")


def exported(folder, **options):
    with unread(folder) as work:
        return {one.file: (one.state, one.note) for one in export(work, **options)}


def test_a_draft_is_written_once_and_holds_on_its_own_rows(bank):
    with Work.open(bank) as work:
        assert [(one.file, one.state) for one in draft(work)] == [
            ("contracts/customers.yaml", "written"),
            ("contracts/payments.yaml", "written"),
        ]
    before = (bank / "contracts" / "payments.yaml").read_bytes()
    with Work.open(bank) as work:
        assert list(work.project.rules) == ["customers", "payments"]
        results = list(check(work))
        assert results
        assert all(result.passed for result in results)
        assert {one.state for one in draft(work, ["payments"])} == {"kept"}
    assert (bank / "contracts" / "payments.yaml").read_bytes() == before
    assert exported(bank) == {f"contracts/{name}.yaml": ("current", "") for name in ("customers", "payments")}


def test_a_draft_of_no_source_is_refused(bank):
    with (
        Work.open(bank) as work,
        pytest.raises(UnknownSource, match="no source 'clients'; sources: customers, payments"),
    ):
        list(draft(work, ["clients"]))


def test_rules_change_no_fingerprint(bank):
    with Work.open(bank) as work:
        before = work.definitions
        list(draft(work))
    with Work.open(bank) as work:
        assert (work.definitions, list(work.project.rules)) == (before, ["customers", "payments"])


def test_a_broken_rule_is_named_with_its_column_rows_and_share(agreed):
    edit_contract(
        agreed, "payments", lambda d: columns_of(d)["amount"].update(logicalTypeOptions={"minimum": 0, "maximum": 50})
    )
    edit_contract(
        agreed,
        "customers",
        lambda d: columns_of(d)["region"].update(
            quality=[{"metric": "invalidValues", "arguments": {"validValues": ["nowhere"]}, "mustBe": 0}]
        ),
    )
    with Work.open(agreed) as work:
        found = {(one.table, one.column, one.rule) for one in check(work) if not one.passed}
    assert found == {("payments", "amount", "at most 50"), ("customers", "region", "one of 1 values")}
    done = CliRunner().invoke(app, ["contract", "check", "-p", str(agreed)])
    assert isinstance(done.exception, CheckFailed)
    assert "2 of 8 rules of contracts are broken, the first of customers.region." in done.exception.message
    assert "BROKEN   customers.region: one of 1 values; 40 of 40 rows, 100.00%" in done.output
    done = CliRunner().invoke(app, ["contract", "check", "-p", str(agreed), "--json"])
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(not record["passed"] for record in records) == 2
    assert len(records) == 8


def test_a_check_reads_each_table_once_and_once_more_a_relation(agreed):
    with Work.open(agreed) as work:
        asked = []
        run = work.engine.run
        work.engine.run = lambda text, *rest: asked.append(text) or run(text, *rest)
        list(check(work))
        relations = sum(len(rules.relations) for rules in work.project.rules.values())
    assert relations == 1
    assert len(asked) == 2 + relations


def test_a_hand_edit_stops_every_verb_until_export_undoes_it(agreed):
    written = (agreed / "contracts" / "payments.yaml").read_text(encoding="utf-8")
    edit_contract(agreed, "payments", lambda d: columns_of(d)["amount"].update(physicalType="float"))
    with pytest.raises(InvalidDefinition, match=r"column 'amount', physicalType is 'float'; sources.py says 'decimal'"):
        Work.open(agreed)
    assert exported(agreed)["contracts/payments.yaml"] == ("written", "a hand edit of the generated part was undone")
    assert (agreed / "contracts" / "payments.yaml").read_text(encoding="utf-8") == written


def test_a_new_column_passes_with_a_note_and_raises_the_second_number(agreed):
    edit_sources(agreed, 'unit="USD"),', 'unit="USD"),\n        Column("again", type="decimal", raw="amount"),')
    with Work.open(agreed) as work:
        assert [(one.table, one.where, one.change.kind, one.change.text) for one in diff(work)] == [
            ("payments", "contract", "additive", "column 'again': new"),
            ("payments", "stored", "additive", "column 'again': new"),
        ]
        message = staging(work).message
    assert "payments: not in contract 1.0.0 yet: column 'again': new" in message
    assert exported(agreed)["contracts/payments.yaml"] == ("written", "version 1.1.0: column 'again': new")
    with Work.open(agreed) as work:
        assert list(diff(work)) == []
        assert work.agreed["payments"].version == "1.1.0"
        assert work.project.rules["payments"].columns["amount"].high, "rules by hand are kept"


def test_a_breaking_change_is_refused_until_it_is_accepted(agreed):
    edit_sources(agreed, '"amount", type="decimal"', '"amount", type="float"')
    with Work.open(agreed) as work:
        kinds = {(one.where, one.change.kind, one.change.column) for one in diff(work)}
        before = work.lake.find("staging/payments").version
        with pytest.raises(CheckFailed) as refused:
            staging(work)
        assert work.lake.find("staging/payments").version == before
    assert kinds == {("contract", "breaking", "amount"), ("stored", "breaking", "amount")}
    assert refused.value.message.startswith(
        "source 'payments' breaks its contract contracts/payments.yaml, version 1.0.0: column 'amount': physicalType "
        "was 'decimal', is 'float' (bank/sources.py:"
    )
    assert refused.value.hint == "Undo the change in sources.py, or accept it: tenure contract export --breaking."
    with pytest.raises(CheckFailed, match=r"would break for those who read the table: column 'amount'.*Nothing was"):
        exported(agreed)
    state, note = exported(agreed, breaking=True)["contracts/payments.yaml"]
    assert (state, note.partition(":")[0]) == ("written", "version 2.0.0")
    with Work.open(agreed) as work:
        assert "payments" not in staging(work).message


def test_rules_of_a_removed_column_wait_for_the_refusal(agreed):
    edit_sources(agreed, '        Column("region", role="attribute"),\n', "")
    features = agreed / "features" / "paid.py"
    text = features.read_text(encoding="utf-8")
    opened = 'Attribute("opened_days", of="opened_on", how="days_since", doc="Days since")'
    features.write_text(text.replace('Attribute("region", of="region", doc="Region")', opened), encoding="utf-8")
    with Work.open(agreed) as work:
        assert "region" not in work.project.rules["customers"].columns
        changes = {(one.where, one.change.kind, one.change.text) for one in diff(work)}
        assert changes == {(where, "breaking", "column 'region': removed") for where in ("contract", "stored")}
        with pytest.raises(CheckFailed, match=r"source 'customers' breaks its contract.*column 'region': removed"):
            staging(work)


def test_a_word_in_the_docs_raises_the_third_number(agreed):
    edit_sources(agreed, 'unit="USD")', 'unit="USD", doc="Money in")')
    assert exported(agreed)["contracts/payments.yaml"] == (
        "written",
        "version 1.0.1: column 'amount': description was nothing, is 'Money in'",
    )


def test_contracts_of_tenures_tables_are_written_of_what_is_built(agreed):
    found = exported(agreed, tables=True)
    assert "contracts/tables/intake.yaml" in found
    assert "contracts/tables/features.yaml" not in found, "it is not built"
    text = (agreed / "contracts" / "tables" / "intake.yaml").read_text(encoding="utf-8")
    columns = columns_of(from_yaml(text, "x"))
    assert (columns["source"]["primaryKey"], columns["rows_read"]["logicalType"]) == (True, "integer")
    with Work.open(agreed) as work:
        assert list(work.agreed) == ["customers", "payments"], "they are never read"


def test_each_verb_says_what_it_did(bank):
    def said(*arguments):
        done = CliRunner().invoke(app, ["contract", *arguments, "-p", str(bank)])
        assert done.exit_code == 0, done.output
        return done.output

    assert "No contract has a rule. Run 'tenure contract draft'." in said("check")
    assert "new; write rules by hand, or draft them: tenure contract draft" in said("export")
    assert "kept     contracts/payments.yaml  it is there; remove it to draft it anew" in said("draft")
    for file in (bank / "contracts").glob("*.yaml"):
        file.unlink()
    assert "written  contracts/payments.yaml  6 rules" in said("draft", "payments")
    assert "ok  6 rules hold" in said("check")
    assert "ok  sources.py, the contracts and the staged rows agree" in said("diff")
    assert json.loads(said("export", "--json").splitlines()[0])["record"] == "contract"
    edit_sources(bank, 'unit="USD")', 'unit="USD", doc="Money in")')
    assert json.loads(said("diff", "--json"))["change"] == "wording"


def test_a_project_without_contracts_loads_without_the_standard(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    code = (
        "import sys; from pathlib import Path; from tenure.session.work import Work; "
        f"Work.open(Path({str(folder)!r})); print('open_data_contract_standard' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
