"""The bank's own conditions: parsed, checked, printed."""

import re

import pytest

from tenure.errors import InvalidDefinition, UnknownColumn
from tenure.sql import DIALECTS
from tenure.sql.conditions import condition

COLUMNS = ("amount", "direction", "booked_at")


def checked(where, dialect="duckdb"):
    return condition(where, COLUMNS, dialect, relation="r", asked_by="feature 'debit' (features/money.py:3)")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("where", "qualified"),
    [
        ("amount > 0", "r.amount > 0"),
        ("direction = 'out' AND amount > 1", "r.direction = 'out' AND r.amount > 1"),
        ("direction IN ('in', 'out')", "r.direction IN ('in', 'out')"),
        ("NOT (amount IS NULL OR amount = 0)", "NOT (r.amount IS NULL OR r.amount = 0)"),
        ("ABS(amount) BETWEEN 1 AND 2", "ABS(r.amount) BETWEEN 1 AND 2"),
        ("direction LIKE 'o%'", "r.direction LIKE 'o%'"),
        ("direction = 'amount'", "r.direction = 'amount'"),
    ],
)
def test_condition_reads_its_own_relation_only(dialect, where, qualified):
    assert checked(where, dialect) == qualified


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("amount > (SELECT 1)", "a sub-query"),
        ("EXISTS (SELECT 1 FROM labels)", "a sub-query"),
        ("amount IN (SELECT churned FROM labels)", "a sub-query"),
        ("SUM(amount) > 1", "an aggregate"),
        ("COUNT(*) > 1", "an aggregate"),
        ("ROW_NUMBER() OVER (ORDER BY amount) = 1", "a window function"),
    ],
)
def test_condition_is_about_one_row(dialect, where, told):
    with pytest.raises(InvalidDefinition, match="allowed: a condition on one row") as caught:
        checked(where, dialect)
    assert f"feature 'debit' (features/money.py:3) has {told}" in caught.value.message
    assert where in caught.value.message


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "where",
    ["amount >", "amount > 0; DROP TABLE labels", "SELECT 1", "amount) OR (1 = 1", "DROP TABLE labels", "a b c d"],
)
def test_condition_that_is_not_sql_is_refused(dialect, where):
    with pytest.raises(InvalidDefinition, match=r"feature 'debit' .* has a where that is not SQL"):
        checked(where, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_condition_on_an_unknown_column_names_those_there_are(dialect):
    with pytest.raises(
        UnknownColumn, match=r"reads 'amout' in where=.*columns: amount, booked_at, direction"
    ) as caught:
        checked("amout > 0", dialect)
    assert caught.value.hint == "Run 'tenure check'."


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "call",
    ["CURRENT_DATE", "CURRENT_TIMESTAMP", "NOW()", "TODAY()", "RANDOM()", "RAND()", "GETDATE()", "LOG(2)"],
)
def test_condition_calls_no_clock_no_chance_and_nothing_that_engines_spell_differently(dialect, call):
    with pytest.raises(InvalidDefinition, match="allowed of functions: ABS") as caught:
        condition(f"amount < {call}", ["amount"], dialect, relation="r", asked_by="feature 'debit' (money.py:3)")
    assert "feature 'debit' (money.py:3) calls" in caught.value.message
    assert "select=" in caught.value.hint


@pytest.mark.parametrize("dialect", DIALECTS)
def test_condition_may_call_functions_of_the_row(dialect):
    told = condition(
        "LOWER(kind) = 'fee' AND ABS(amount) > 1 OR amount BETWEEN 1 AND 2 AND kind LIKE 'x%' AND kind IN ('a', 'b')",
        ["kind", "amount"], dialect, relation="r", asked_by="feature 'debit'",
    )  # fmt: skip
    assert "LOWER(r.kind)" in told
    assert "ABS(r.amount)" in told


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("where", ['"amount" > 1', "`amount` > 1", "amount > ?", "amount > $1"])
def test_condition_is_of_plain_names(dialect, where):
    with pytest.raises(InvalidDefinition, match="feature 'debit'"):
        condition(where, ["amount"], dialect, relation="r", asked_by="feature 'debit'")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_condition_reads_no_other_relation(dialect):
    with pytest.raises(UnknownColumn, match="reads 'amount'"):
        condition("labels.amount > 1", ["amount"], dialect, relation="r", asked_by="feature 'debit'")


TYPES = {"amount": "decimal", "kind": "string", "flag": "boolean", "paid_on": "date"}

VALUES = [
    *("5", "1", "0", "-1", "'text'", "NULL", "amount", "kind", "paid_on", "-amount", "amount + 1", "(amount)"),
    *("NOT amount", "amount AND flag", "flag OR 5", "amount > 1 OR kind", "COALESCE(amount, 0)", "LOWER(kind)"),
    *("CASE WHEN flag THEN 1 ELSE 0 END", "CASE WHEN flag THEN flag ELSE amount END", "CAST(amount AS INTEGER)"),
    *("DATE '2024-01-01'", "NULLIF(amount, 0)", "IF(flag, 1, 0)", "kind || 'x'", "GREATEST(amount, 1)"),
]
NOTHING = ["", "  ", "\t\n", ";", "-- a comment", "/* a comment */", "/**/"]
BROKEN = ["(SELECT 1)", "amount > (SELECT 1)", "EXISTS (SELECT 1)", "SUM(amount) > 1", "1; SELECT 2", "amount >", "*"]
CONDITIONS = [
    *("amount > 0", "flag", "NOT flag", "flag AND amount > 1", "(flag)", "TRUE", "FALSE", "amount IS NULL"),
    *("kind IN ('a', 'b')", "kind NOT IN ('a')", "amount BETWEEN 1 AND 2", "kind LIKE 'a%' ESCAPE '!'"),
    *("CASE WHEN amount > 1 THEN flag ELSE FALSE END", "CASE kind WHEN 'a' THEN TRUE END", "IF(flag, TRUE, NULL)"),
    *("COALESCE(flag, FALSE)", "CAST(kind AS BOOLEAN)", "STARTS_WITH(kind, 'a')", "kind IS DISTINCT FROM 'a'"),
    *("amount > 0 -- only what came in", "flag IS NOT TRUE", "amount + 1 > 2 OR NOT (flag)"),
]


def asked(where, dialect):
    return condition(where, TYPES, dialect, relation="r", asked_by="feature 'paid' (features/paid.py:3)")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("where", VALUES)
def test_a_value_is_no_condition(where, dialect):
    with pytest.raises(InvalidDefinition, match=r"feature 'paid' \(features/paid\.py:3\) has where=") as caught:
        asked(where, dialect)
    assert "allowed: what is true or false of one row, such as amount > 0." in caught.value.message


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("where", NOTHING)
def test_nothing_is_no_condition(where, dialect):
    with pytest.raises(InvalidDefinition, match="which holds no condition; allowed: what is true or false"):
        asked(where, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("where", BROKEN)
def test_more_than_a_row_or_no_sql_is_no_condition(where, dialect):
    with pytest.raises(InvalidDefinition, match=r"feature 'paid'"):
        asked(where, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("where", CONDITIONS)
def test_what_is_true_or_false_is_a_condition(where, dialect):
    assert asked(where, dialect)


@pytest.mark.parametrize("where", ["5", "amount", "amount + 1", "(SELECT 1)", ";", "/* */", "amount > 1) OR (1 = 1"])
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("features/paid.py", 'where="amount > 50"', 'where="{}"'),
        ("features/paid.py", 'where="amount > 50"', 'where="{}", by="kind", values=("a", "b")'),
        ("churn.py", 'event=Inactivity("payments")', 'event=Inactivity("payments", where="{}")'),
        ("churn.py", "within=90)", 'within=90, where="{}")'),
    ],
    ids=["feature", "feature by=", "event", "active"],
)
def test_check_refuses_what_is_no_condition_wherever_it_stands(bank, edit, refused, file, old, new, where):
    if "by=" in new:
        rows = (bank / "data" / "payments.csv").read_text().splitlines()
        (bank / "data" / "payments.csv").write_text(
            "\n".join([f"{rows[0]},kind", *(f"{r},a" for r in rows[1:])]) + "\n"
        )
        ratio = re.search(r".*Ratio\(.*\n", (bank / "features" / "paid.py").read_text())[0]
        edit("features/paid.py", ratio, "")  # of a column that by= names otherwise
        edit("sources.py", 'unit="USD"),\n', 'unit="USD"),\n        Column("kind"),\n')
    edit(file, old, new.format(where))
    error = refused()
    assert isinstance(error, InvalidDefinition)
    assert re.search(rf"where(=| ).*{re.escape(where[:3])}", error.message), error.message
    assert re.search(r"\.py:\d+\)", error.message)
