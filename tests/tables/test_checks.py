"""Checks of staged rows as SQL: a hand-worked table of six rows, on both engines."""

from datetime import date

import pytest

from tenure import Check, ChurnDefinition, Column, Csv, Inactivity, Source
from tenure.checks.coded import count, failing, outcome
from tenure.define.project import Project
from tenure.define.table_rules import ColumnRules, Relation, TableRules
from tenure.errors import InvalidDefinition, UnknownColumn
from tenure.tables import checks as table

PAID = Source(
    "paid",
    read=Csv("paid.csv"),
    key="paid_id",
    event_time="paid_at",
    known_time="seen_at",
    columns=[
        Column("paid_id", type="integer", role="key"),
        Column("account_id", type="integer"),
        Column("paid_at", type="timestamp", role="time"),
        Column("seen_at", type="timestamp", role="time"),
        Column("due", type="date", planned=True),
        Column("amount", type="decimal"),
        Column("kind", role="dimension"),
        Column("email", role="pii"),
    ],
)

ROWS = [
    # paid_id, account_id, paid_at, days until seen, due, amount, kind, email
    (1, "7", "2024-01-05", 0, "'2024-01-10'", "10.00", "'card'", "'ann@bank.com'"),
    (2, "8", "2024-01-06", 1, "'2024-01-10'", "-5.00", "'cash'", "NULL"),
    (3, "9", "2024-01-31", 4, "NULL", "NULL", "'chque'", "'bob'"),
    (4, "NULL", "2024-02-01", 0, "'1900-01-01'", "20.00", "'card'", "NULL"),
    (5, "7", "2024-02-02", 9, "'2024-02-10'", "99.50", "NULL", "NULL"),
    (6, "8", "2024-02-29", 3, "'2024-02-10'", "30.00", "'it''s'", "NULL"),
]


@pytest.fixture
def rows(engine):
    text = "STRING" if engine.dialect == "spark" else "VARCHAR"
    lines = [
        f"SELECT CAST({key} AS BIGINT) AS paid_id, CAST({account} AS BIGINT) AS account_id, "
        f"TIMESTAMP '{day} 12:00:00' AS event_time, TIMESTAMP '{day} 12:00:00' AS paid_at, "
        f"TIMESTAMP '{day} 12:00:00' + INTERVAL '{late}' DAY AS known_time, CAST({due} AS DATE) AS due, "
        f"CAST({amount} AS DECIMAL(18, 2)) AS amount, CAST({kind} AS {text}) AS kind, CAST({email} AS {text}) AS email"
        for key, account, day, late, due, amount, kind, email in ROWS
    ]
    if engine.dialect == "spark":
        lines = [line.replace("'it''s'", "'it\\'s'") for line in lines]
    engine.cache(table.CHECKED, "\nUNION ALL\n".join(lines))
    return engine


RULED = {
    "kind null": ({"kind": ColumnRules(most_null=0.1)}, [5]),
    "amount low": ({"amount": ColumnRules(low=0)}, [2]),
    "amount high": ({"amount": ColumnRules(high=30.0)}, [5]),
    "due low": ({"due": ColumnRules(low="2000-01-01")}, [4]),
    "paid_at high": ({"paid_at": ColumnRules(high="2024-02-29T11:00:00")}, [6]),
    "paid_at last day": ({"paid_at": ColumnRules(high="2024-02-28")}, [6]),
    "kind listed": ({"kind": ColumnRules(allowed=("card", "cash", "it's"))}, [3]),
    "account listed": ({"account_id": ColumnRules(allowed=("7", "8"))}, [3]),
}


@pytest.mark.parametrize("named", RULED)
def test_a_rule_finds_the_planted_row_and_no_other(rows, named):
    rules, planted = RULED[named]
    (check,) = table.rule_checks(PAID, TableRules(table="paid", columns=rules), rows.dialect)
    assert check.column in rules
    found = failing(rows, PAID, check)
    assert found.keys["paid_id"].to_pylist() == planted
    counts = count(rows, [check])
    assert counts.rows == {date(2024, 1, 1): 3, date(2024, 2, 1): 3}
    assert sum(counts.failing[0].values()) == len(planted)
    assert outcome(check, counts.all_rows, len(planted)).stops


def test_rows_later_than_allowed_are_found(rows):
    (check,) = table.rule_checks(PAID, TableRules(table="paid", fresh_within_days=3), rows.dialect)
    assert (check.code, check.column) == ("TEN-Q005", "seen_at")
    assert count(rows, [check]).failing == [{date(2024, 1, 1): 1, date(2024, 2, 1): 1}]


def test_an_own_check_passes_over_what_is_unknown_and_hides_personal_values(rows):
    own = Check("small", source="paid", where="amount < 50 OR email IS NOT NULL", tolerance=0.2)
    (check,) = table.own_checks(a_project(own), PAID, rows.dialect)
    found = failing(rows, PAID, check)
    assert found.keys["paid_id"].to_pylist() == [5]
    assert found.values == ["amount=99.50, email=null"]
    assert outcome(check, 6, 1).verdict == "passed"
    hidden = Check("no_ann", source="paid", where="email <> 'ann@bank.com'")
    (check,) = table.own_checks(a_project(hidden), PAID, rows.dialect)
    assert failing(rows, PAID, check).values == ["xxx@xxxx.xxx (12 characters)"]


def test_all_checks_of_rows_are_one_statement_that_reads_the_rows_once(rows):
    rules = TableRules(
        table="paid", fresh_within_days=3, columns={n: r for one, _ in RULED.values() for n, r in one.items()}
    )
    checks = list(table.rule_checks(PAID, rules, rows.dialect))
    assert len(checks) > 5
    text = table.counted_by_month(checks).text
    assert text.count("FROM") == 1
    assert len(count(rows, checks).failing) == len(checks)


def test_orphans_are_rows_whose_key_no_other_row_has(rows):
    rows.cache(table.OTHER, "SELECT CAST(7 AS BIGINT) AS its_id UNION ALL SELECT 7 UNION ALL SELECT 8")
    relation = Relation(columns=("account_id",), table="accounts", its_columns=("its_id",))
    counted = rows.run(table.counted_orphans(relation).text).to_pylist()
    assert counted == [{"n_rows": 5, "n": 1}], "a row twice in the other table counts once; a null names no row"
    assert rows.run(table.orphans(PAID, relation).text)["paid_id"].to_pylist() == [3]


def test_a_rule_that_fits_no_column_is_refused():
    with pytest.raises(UnknownColumn, match="source 'paid' has no column 'amuont'"):
        list(table.rule_checks(PAID, TableRules(table="paid", columns={"amuont": ColumnRules(low=0)}), "duckdb"))


@pytest.mark.parametrize("where", ["amount", "amount > (SELECT 1)", "amuont > 0", "SUM(amount) > 0"])
def test_an_own_check_is_a_condition_on_one_row(where):
    with pytest.raises((InvalidDefinition, UnknownColumn), match="check 'one'"):
        list(table.own_checks(a_project(Check("one", source="paid", where=where)), PAID, "duckdb"))


QUIET = ChurnDefinition("quiet", event=Inactivity("paid"), horizon=10)


def a_project(check):
    return Project(name="b", entity=None, sources={"paid": PAID}, views={}, churn=QUIET, checks={check.name: check})
