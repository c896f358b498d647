"""A where= is a condition on one row, and a select= reads the raw tables of its read=: the rest is refused by name."""

from __future__ import annotations

import re

import pytest
from tiny_bank import write_tiny_bank

from tenure.catalog.check import check
from tenure.errors import InvalidDefinition, ProjectError
from tenure.session.work import Work
from tenure.sql import DIALECTS
from tenure.sql.conditions import condition
from tenure.sql.selects import raw_relations

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


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def refused(bank):
    with pytest.raises(ProjectError) as caught, Work.open(bank) as work:
        check(work)
    return caught.value


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
def test_check_refuses_what_is_no_condition_wherever_it_stands(bank, file, old, new, where):
    if "by=" in new:
        rows = (bank / "data" / "payments.csv").read_text().splitlines()
        (bank / "data" / "payments.csv").write_text(
            "\n".join([f"{rows[0]},kind", *(f"{r},a" for r in rows[1:])]) + "\n"
        )
        ratio = re.search(r".*Ratio\(.*\n", (bank / "features" / "paid.py").read_text())[0]
        edit(bank / "features" / "paid.py", ratio, "")  # of a column that by= names otherwise
        edit(bank / "sources.py", 'unit="USD"),\n', 'unit="USD"),\n        Column("kind"),\n')
    edit(bank / file, old, new.format(where))
    error = refused(bank)
    assert isinstance(error, InvalidDefinition)
    assert re.search(rf"where(=| ).*{re.escape(where[:3])}", error.message), error.message
    assert re.search(r"\.py:\d+\)", error.message)


OUTSIDE = {
    "SELECT * FROM read_csv('/etc/passwd')": "read_csv",
    "SELECT * FROM read_csv_auto('x.csv')": "read_csv_auto",
    "SELECT * FROM read_parquet(['x.parquet'])": "read_parquet",
    "SELECT * FROM parquet_scan('x')": "parquet_scan",
    "SELECT * FROM read_json('x')": "read_json",
    "SELECT * FROM read_text('x')": "read_text",
    "SELECT * FROM read_blob('x')": "read_blob",
    "SELECT * FROM sniff_csv('x')": "sniff_csv",
    "SELECT * FROM duckdb_secrets()": "duckdb_secrets",
    "SELECT * FROM pragma_table_info('payments')": "pragma_table_info",
    "SELECT * FROM postgres_scan('dsn', 's', 't')": "postgres_scan",
    "SELECT * FROM query('SELECT 1')": "query",
    "SELECT * FROM range(3)": "range",
    "SELECT p.* FROM payments AS p, read_text('x')": "read_text",
    "SELECT p.* FROM payments AS p JOIN read_json('x') AS r USING (payment_id)": "read_json",
    "SELECT * FROM payments WHERE EXISTS (SELECT 1 FROM read_csv('x'))": "read_csv",
    "SELECT (SELECT COUNT(*) FROM read_csv('x')) AS n FROM payments": "read_csv",
    "WITH x AS (SELECT * FROM read_csv('x')) SELECT * FROM x": "read_csv",
    "SELECT * FROM payments UNION ALL SELECT * FROM read_csv('x')": "read_csv",
    "SELECT * FROM payments, LATERAL read_csv('x')": "read_csv",
    "SELECT * FROM '/etc/passwd'": "/etc/passwd",
    "FROM '/etc/passwd'": "/etc/passwd",
    "SELECT * FROM 'other.parquet' AS payments": "other.parquet",
    "SELECT * FROM information_schema.tables": "information_schema.tables",
    "SELECT getenv('HOME') AS home FROM payments": "getenv",
    "SELECT current_setting('secret_directory') AS s FROM payments": "current_setting",
}


@pytest.mark.parametrize(("select", "name"), OUTSIDE.items())
def test_a_select_that_reads_elsewhere_is_refused_by_name(select, name):
    with pytest.raises(InvalidDefinition) as caught:
        raw_relations(select, "duckdb", asked_by="source 'payments' (sources.py:7)")
    assert f"{name}" in caught.value.message
    assert "allowed: the raw tables of its read=" in caught.value.message


@pytest.mark.parametrize("select", ["SELECT * FROM parquet.`/x`", "SELECT * FROM json.`/x`", "SELECT * FROM csv.`/x`"])
def test_files_are_refused_as_spark_spells_them(select):
    with pytest.raises(InvalidDefinition, match="reads the file or name '/x' in its SELECT"):
        raw_relations(select, "spark", asked_by="source 'payments'")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "select",
    [
        "SELECT * FROM payments",
        "SELECT p.amount AS read_csv FROM payments AS p",
        "WITH big AS (SELECT * FROM payments WHERE amount > 5) SELECT * FROM big",
        "SELECT payment_id, ROW_NUMBER() OVER (ORDER BY paid_on) AS n FROM payments",
        "SELECT * FROM payments UNION ALL SELECT * FROM payments",
        "SELECT * FROM payments AS p JOIN (VALUES ('a', 1)) AS v(kind, n) ON p.kind = v.kind",
    ],
)
def test_a_select_of_raw_tables_is_read(select, dialect):
    assert raw_relations(select, dialect, asked_by="source 'payments'") == {"payments"}


@pytest.mark.parametrize("outside", ["read_csv('{}')", "'{}'", "read_text('{}')", "glob('{}')"])
def test_check_and_staging_refuse_a_file_in_a_select(bank, outside):
    file = bank / "data" / "customers.csv"
    edit(
        bank / "sources.py",
        'read=Csv("payments.csv"),',
        f'read=Csv("payments.csv"),\n    select="SELECT * FROM {outside.format(file)}",',
    )
    error = refused(bank)
    assert "source 'payments'" in error.message
    assert "in its SELECT; allowed: the raw tables of its read=" in error.message
