"""What staging is about to commit is checked: an error leaves nothing, a warning goes on, failing rows are kept."""

import json
import re
import sys

import pytest
from tiny_bank import write_tiny_bank

from tenure import cli
from tenure.define.table_rules import ColumnRules, Relation, TableRules
from tenure.errors import DataCheckFailed
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

LARGE = """
from tenure import Check

small = Check(
    "amount_is_small", source="payments", where="amount < 50", severity="{}", tolerance={}, doc="amounts of 50 and more"
)
"""


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def staged(folder, **rules):
    """Stage with some rules; return the stage's message."""
    with Work.open(folder) as work:
        work.project.rules.update(rules)
        return next(run(work, stages_between("staging", "staging"))).message


def kept(folder, table):
    with Work.look(folder) as work:
        return work.lake.read(table).to_pylist() if work.lake.find(table) else None


def of_code(folder, code):
    return [row for row in kept(folder, "checks") if row["code"] == code]


def test_an_error_of_the_banks_own_leaves_nothing_but_the_failing_rows(bank):
    (bank / "checks.py").write_text(LARGE.format("error", 0.5))
    with pytest.raises(DataCheckFailed) as failed:
        staged(bank)
    assert "source 'payments', column 'amount': amounts of 50 and more (amount_is_small): 833 of 1,505 rows" in str(
        failed.value
    )
    assert "for example payment_id=4: 54.04; allowed are 50.00%. Nothing of it was staged" in str(failed.value)
    assert "tenure show failing_rows/payments" in failed.value.hint
    assert kept(bank, "staging/payments") is None
    rows = kept(bank, "failing_rows/payments")
    assert len(rows) == 833
    assert {(row["code"], row["column_name"], row["reason"]) for row in rows} == {
        ("amount_is_small", "amount", "amounts of 50 and more")
    }
    with Work.look(bank) as work:
        assert work.lake.strangers("staging/payments") == []
    (bank / "checks.py").write_text(LARGE.format("error", 0.6))
    assert staged(bank) == ""
    assert kept(bank, "failing_rows/payments") == []
    outcomes = [(row["code"], row["outcome"], row["failing"]) for row in of_code(bank, "amount_is_small")]
    assert sorted(outcomes) == [("amount_is_small", "failed", 833), ("amount_is_small", "passed", 833)], "history"


def test_a_warning_goes_on_and_is_named(bank):
    (bank / "checks.py").write_text(LARGE.format("warning", 0.0))
    words = "payments: column 'amount': amounts of 50 and more: 833 of 1,505 rows (amount_is_small)"
    assert staged(bank) == words
    assert staged(bank) == words, "a run that finds all current names it too"
    assert len(kept(bank, "staging/payments")) == 1505


def test_each_run_has_a_score_of_each_column_and_a_log_of_each_outcome(bank):
    (bank / "checks.py").write_text(LARGE.format("warning", 0.0))
    staged(bank)
    (score,) = [row for row in kept(bank, "quality") if (row["source"], row["column_name"]) == ("payments", "amount")]
    of_amount = [row for row in kept(bank, "checks") if (row["source"], row["column_name"]) == ("payments", "amount")]
    judged = {row["dimension"] for row in of_amount if row["outcome"] != "not applicable"}
    assert score["score"] == pytest.approx(100 - 100 * 833 / 1505 / len(judged))
    (log,) = (bank / "lake" / "logs").glob("*.checks.jsonl")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["failing"] for line in lines if line["code"] == "amount_is_small"] == [833]
    assert len(lines) == len(kept(bank, "checks"))
    assert "example" not in lines[0]


def test_a_rule_of_the_contract_stops_its_source(bank):
    with pytest.raises(DataCheckFailed, match=r"values below 20 \(TEN-Q002\): 1\d\d of 1,505 rows"):
        staged(bank, payments=TableRules(table="payments", columns={"amount": ColumnRules(low=20)}))
    assert kept(bank, "staging/payments") is None
    assert len(kept(bank, "staging/customers")) == 40


def test_a_relation_is_looked_at_once_both_tables_are_there(bank):
    relation = Relation(columns=("payment_id",), table="customers", its_columns=("customer_id",))
    loose = TableRules(
        table="payments",
        relations=(Relation(columns=("customer_id",), table="customers", its_columns=("customer_id",)),),
    )
    assert staged(bank, payments=loose) == ""
    assert [row["outcome"] for row in of_code(bank, "TEN-Q004")] == ["passed"]
    with pytest.raises(
        DataCheckFailed, match=r"column 'payment_id': rows whose payment_id no row of 'customers' has \(TEN-Q004"
    ):
        staged(bank, payments=TableRules(table="payments", relations=(relation,)))
    with pytest.raises(DataCheckFailed, match="Both tables are staged, and no later stage runs"):
        staged(bank, payments=TableRules(table="payments", relations=(relation,)))


def test_new_files_alone_are_checked_where_they_alone_are_read(bank):
    from tiny_bank import SOURCES

    (bank / "sources.py").write_text(SOURCES.replace("payments.csv", "payments*.csv"))
    staged(bank)
    (bank / "checks.py").write_text(LARGE.format("error", 0.9))
    more = "payment_id,customer_id,paid_on,amount\n90001,11,2024-06-29,60\n90002,11,2024-06-29,70\n"
    (bank / "data" / "payments-2.csv").write_text(more)
    with pytest.raises(DataCheckFailed, match="2 of 2 rows"):
        staged(bank)
    assert len(kept(bank, "staging/payments")) == 1505
    (bank / "checks.py").write_text(LARGE.format("warning", 0.9))
    staged(bank)
    assert len(kept(bank, "staging/payments")) == 1507


@pytest.fixture
def asked(monkeypatch, capsys):
    """Run `tenure check` as `main` does; return its exit code and the records of the bank's own check."""

    def run_check(folder, *options):
        monkeypatch.setattr(sys, "argv", ["tenure", "check", *options, "--project", str(folder), "--json"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return ended.value.code, [line for line in lines if line.get("code") == "amount_is_small"]

    return run_check


def test_check_prints_what_fails_and_counts_the_rest(bank, monkeypatch, capsys):
    staged(bank)
    (bank / "checks.py").write_text(LARGE.format("warning", 0.0))
    monkeypatch.setattr(sys, "argv", ["tenure", "check", "--all", "--project", str(bank)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "amount_is_small" in line] == [
        line for line in lines if line.startswith("WARNING  payments: ") and "833 of 1,505 rows" in line
    ]
    counted = [line for line in lines if line.startswith("ok       ")]
    assert sorted(line.split()[1] for line in counted) == ["customers:", "payments:"]
    assert all(re.search(r"\d+ checks? passed", line) for line in counted)


def test_check_of_a_sample_judges_fewer_rows_than_of_all_and_changes_nothing(bank, asked):
    staged(bank)
    (bank / "checks.py").write_text(LARGE.format("error", 0.0))
    toml = bank / "tenure.toml"
    toml.write_text(toml.read_text() + "\n[verify]\ncustomers = 5\n")
    before = kept(bank, "checks")
    code, (sampled,) = asked(bank, "--sample")
    whole_code, (whole,) = asked(bank, "--all")
    assert (code, whole_code) == (6, 6)
    assert 0 < sampled["rows"] < whole["rows"] == 1505
    assert sampled["failing"] < whole["failing"] == 833
    assert kept(bank, "checks") == before
    assert kept(bank, "failing_rows/payments") is None
    assert asked(bank, "--sample", "--all")[0] == 2
