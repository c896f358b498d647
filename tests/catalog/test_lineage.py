"""Lineage: from a column back to the raw columns, and on to what reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny_bank
from typer.testing import CliRunner

import tenure
from tenure.catalog.lineage import lineage
from tenure.cli import app
from tenure.errors import UnknownColumn
from tenure.session.origins import Origins
from tenure.session.work import Work
from tenure.sql.selects import origins
from tenure.stages.run import run, stages_between

TEMPLATE = Path(tenure.__file__).parent / "templates" / "bank"
EXAMPLES = Path(__file__).parents[2] / "examples"
BRANCH = Path(__file__).parents[1] / "worlds" / "branch_bank"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_bank.write_tiny_bank(tmp_path_factory.mktemp("lineage") / "bank")


def traced(folder, name):
    with Work.open(folder) as work:
        return lineage(work, name)


def below(origin, kind):
    """The names of every step of a kind under a column, each once, in order."""
    found = [origin.name] if origin.kind == kind else []
    for part in origin.upstream:
        found += below(part, kind)
    return list(dict.fromkeys(found))


def whys(origin):
    return {part.name: part.summary for part in origin.upstream}


def test_an_aggregate_reads_its_values_its_condition_its_key_and_its_times(tiny):
    found = traced(tiny, "large_count_90d").origin
    assert found.summary.startswith("aggregate 'large' of view 'paid' (features/paid.py:")
    assert found.summary.endswith("count over [t − 90d, t)")
    assert whys(found) == {
        "payments.amount": "where amount > 50",
        "payments.customer_id": "whose row it is (customer)",
        "payments.payment_id": "which versions are of one row",
        "payments.paid_on": "when it happened: in [t − 90d, t); when it was known: before t",
    }
    assert below(found, "raw column") == [
        *("payments.amount", "payments.customer_id", "payments.payment_id", "payments.paid_on")
    ]


def test_a_ratio_and_a_trend_go_through_their_parts(tiny):
    ratio, trend = (traced(tiny, n).origin for n in ("large_to_all_ratio_90d", "payment_count_30d_over_90d"))
    assert [part.name for part in ratio.upstream] == ["large_count_90d", "payment_count_90d"]
    assert [part.name for part in trend.upstream] == ["payment_count_30d", "payment_count_90d"]
    assert "payments.amount" in below(ratio, "raw column")
    assert "payments.amount" not in below(trend, "raw column")


def test_a_part_of_the_snapshot_date_reads_that_and_no_source():
    found = traced(BRANCH, "month_of_snapshot").origin
    assert found.summary.startswith("date part 'month_of_snapshot' of view 'described' (features/every_kind.py:")
    assert found.summary.endswith(": month_of_year")
    assert whys(found) == {"snapshots.snapshot_date": "a date of [snapshots] in tenure.toml"}
    assert below(found, "source column") == []
    with Work.open(BRANCH) as work:
        reads = Origins(work.project, "duckdb", work.churn).reads("features", "month_of_snapshot")
    assert reads == ([("snapshots", "snapshot_date")], [])


def test_by_is_told_from_where_and_an_open_row_reads_its_end():
    spent = whys(traced(TEMPLATE, "spent_groceries_sum_30d").origin)
    assert spent["transactions.category"] == "by= this column"
    assert spent["transactions.direction"].startswith("where (direction = 'debit')")
    held = whys(traced(TEMPLATE, "accounts_count").origin)
    assert held["accounts.closed_on"] == "open at t: not ended before it"
    assert "accounts.closed_on" not in whys(traced(TEMPLATE, "account_openings_count_365d").origin)
    assert whys(traced(TEMPLATE, "contacts_count_7d").origin)["interactions.occurred_at"] == (
        "when it happened: in [t − 7d, t); when it was known: before t, 1 day after it"
    )


def test_raw_columns_are_found_through_a_select_with_their_file():
    spend = traced(EXAMPLES / "berka", "transactions.direction").origin
    assert [(part.name, part.summary) for part in spend.upstream] == [("trans.type", "berka/trans_prefix_49102.asc")]
    assert below(traced(EXAMPLES / "berka", "transactions.customer_id").origin, "raw column") == ["disp.client_id"]
    assert below(traced(EXAMPLES / "berka", "customers.region").origin, "raw column") == ["district.A3"]
    (constant,) = traced(EXAMPLES / "berka", "orders.extracted_on").origin.upstream
    assert constant.summary.startswith("a constant in the source's select (berka/sources.py:")
    (untold,) = traced(TEMPLATE, "customers.closed_on").origin.upstream
    assert untold.summary.startswith("through the source's select (bank/sources.py:")


@pytest.mark.parametrize(
    ("select", "found"),
    [
        ("SELECT a FROM x", (("x", "a"),)),
        ("SELECT t.B + t.C AS a FROM x AS t", (("x", "B"), ("x", "C"))),
        ("WITH q AS (SELECT b + 1 AS a FROM x) SELECT a FROM q", (("x", "b"),)),
        ("SELECT a FROM x UNION ALL SELECT c AS a FROM y", (("x", "a"), ("y", "c"))),
        ("SELECT * FROM x", (("x", "a"),)),
        ("SELECT x.*, y.b FROM x JOIN y ON x.i = y.i", (("x", "a"),)),
        ("SELECT 1 AS a FROM x", ()),
        ("SELECT a FROM x JOIN y ON x.i = y.i", None),
        ("SELECT * FROM x JOIN y ON x.i = y.i", None),
        ("SELECT x.*, y.* FROM x JOIN y ON x.i = y.i", None),
        ("SELECT q.* FROM (SELECT b AS c FROM x) AS q", None),
        ("WITH q AS (SELECT * FROM x) SELECT * FROM q", None),
        ("SELECT x.*, 1 AS a FROM x UNION ALL SELECT x.*, x.b FROM x", None),
    ],
)
def test_a_select_is_traced_or_said_to_be_untold(select, found):
    assert origins(select, "a", "duckdb") == found


@pytest.mark.parametrize("folder", [TEMPLATE, EXAMPLES / "berka", EXAMPLES / "online_retail"], ids=lambda f: f.name)
def test_every_column_of_every_table_has_a_way_back(folder):
    with Work.open(folder) as work:
        ways = Origins(work.project, work.dialect, work.churn)
        for table, columns in ways.table_columns.items():
            for column in columns:
                upstream = ways.origin(table, column)
                is_told = column in ("snapshot_date", "label_start", "label_end", "definition")
                assert below(upstream, "raw column") or is_told, column


def test_the_tables_have_the_columns_that_lineage_knows(tiny):
    with Work.open(tiny) as work:
        list(run(work, stages_between("staging", "training_set")))
        for table, columns in Origins(work.project, work.dialect, work.churn).table_columns.items():
            assert work.read(table).column_names == columns, table


def test_the_label_reads_what_decides_who_is_asked_and_who_churned(tiny):
    label = traced(tiny, "churned").origin
    assert (label.name, label.summary) == ("labels.churned", "churn definition 'quiet' (bank/churn.py:3)")
    assert whys(label)["payments.paid_on"] == (
        "activity in the horizon; when it was known: before the answer is read; active before t; "
        "when it was known: before t"
    )
    assert whys(label)["customers.closed_on"] == "when the customer left"
    assert below(traced(tiny, "training_set.split").origin, "raw column")[0] == "customers.customer_id"


def test_the_reverse_goes_on_to_features_services_and_models(tmp_path):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank", customers=300)  # enough churners to learn from
    with (bank / "features" / "paid.py").open("a") as file:
        file.write(
            "\nfrom tenure import FeatureService\n"
            'till = FeatureService("till", features=["region", "large_count_90d"], doc="What the till sees")\n'
        )
    toml = bank / "tenure.toml"
    toml.write_text(tiny_bank.with_train(toml.read_text(), 'models = ["logistic"]'))
    with Work.open(bank) as work:
        before = lineage(work, "payments.amount").read_by
        list(run(work, stages_between("staging", "train")))
        found, own = (lineage(work, name).read_by for name in ("payments.amount", "large_count_90d"))
        (registered,) = work.read("models").to_pylist()
    told = {(r.kind, r.name.partition(" ")[0]): r.columns for r in found}
    assert told["feature", "large"] == ("large_count_90d",)
    assert told["feature", "large_to_all"] == ("large_to_all_ratio_90d",)
    assert told["feature service", "till"] == ("large_count_90d",)
    assert ("churn definition", "quiet") not in told
    reached = {column for (kind, _), columns in told.items() if kind == "feature" for column in columns}
    used = told["model", registered["model_version"]]
    assert set(used) == reached - set(json.loads(registered["dropped"]))
    assert (found[-1].name, found[-1].summary) == (registered["model_version"], "logistic, champion")
    assert found[:-1] == before
    assert {(r.kind, r.name.partition(" ")[0]): r.columns for r in own} == {
        ("feature", "large_to_all"): ("large_to_all_ratio_90d",),
        ("feature service", "till"): ("large_count_90d",),
        ("model", registered["model_version"]): ("large_count_90d", "large_to_all_ratio_90d"),
    }


def test_a_query_is_named_by_the_variable_of_its_connection_and_an_untold_table_is_said(tmp_path):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    text = (bank / "sources.py").read_text().replace("import Column, Csv", "import Column, Csv, Postgres")
    text = text.replace('read=Csv("payments.csv")', 'read=Postgres("SELECT * FROM payments")')
    text = text.replace('read=Csv("customers.csv")', 'read=Csv("customers.csv"), select="SELECT c.* FROM other AS c"')
    (bank / "sources.py").write_text(text)
    (raw,) = traced(bank, "payments.amount").origin.upstream
    assert (raw.name, raw.summary) == ("payments.amount", "query on $TENURE_POSTGRES_DSN")
    (untold,) = traced(bank, "customers.region").origin.upstream
    assert untold.summary.endswith(", of customers")


def test_a_source_that_labels_read_names_the_churn_definition(tiny):
    assert ("churn definition", "quiet") in {(r.kind, r.name) for r in traced(tiny, "payments.paid_on").read_by}
    assert ("churn definition", "quiet") in {(r.kind, r.name) for r in traced(tiny, "customers.closed_on").read_by}


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("amount", "near: payments.amount."),
        ("large_count_91d", "large_count_90d"),
        ("payment.amount", "payments.amount"),
        ("qqq.zzz", "tables: customers, features, labels, payments, snapshots, split_proof, splits, training_set."),
    ],
)
def test_a_column_that_is_none_is_refused_with_those_near_it(tiny, asked, near):
    with pytest.raises(UnknownColumn) as caught:
        traced(tiny, asked)
    assert caught.value.message.startswith(f"'{asked}' is no feature column of project 'Tiny Bank'")
    assert near in caught.value.message
    assert "TABLE.COLUMN" in caught.value.hint


def test_the_command_draws_a_tree_or_prints_json(tiny):
    def told(*words):
        result = CliRunner().invoke(app, ["lineage", *words, "-p", str(tiny)], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    drawn = told("large_count_90d")
    assert "├─ payments.amount  where amount > 50\n│  └─ payments.amount  payments.csv\n" in drawn
    assert "\nread by " in drawn
    record = json.loads(told("large_count_90d", "--json"))
    assert record["upstream"][0]["upstream"][0] == {
        "type": "raw column",
        "name": "payments.amount",
        "message": "payments.csv",
        "upstream": [],
    }
    assert record["read_by"][0]["columns"] == ["large_to_all_ratio_90d"]


def test_the_page_shows_what_comes_out(tmp_path):
    berka = shutil.copytree(EXAMPLES / "berka", tmp_path / "berka", ignore=shutil.ignore_patterns("lake", "out"))
    page = (Path(__file__).parents[2] / "docs" / "features.md").read_text()
    shown = page.partition("$ tenure lineage spent_cash_sum_30d --project examples/berka\n")[2].partition("```")[0]
    assert shown == traced(berka, "spent_cash_sum_30d").drawn() + "\n"
