"""The bank's own SELECTs: which tables they read."""

import pytest

from tenure.errors import InvalidDefinition
from tenure.sql import DIALECTS
from tenure.sql.selects import columns_read, raw_relations, relations


def test_relations_of_the_banks_own_select():
    select = "WITH own AS (SELECT * FROM accounts) SELECT * FROM own JOIN customers USING (id), (SELECT 1 FROM x) y"
    assert relations(select, "duckdb", asked_by="source 'a'") == {"accounts", "customers", "x"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_columns_that_a_select_reads_are_those_of_the_tables_outside_it(dialect):
    """Of a CTE's columns those beneath it; a name that any of two tables may have is no one's."""
    select = """
        WITH ended AS (SELECT a.key, MAX(closed_on) AS last FROM accounts AS a GROUP BY a.key)
        SELECT p.*, p.name, e.last, whose FROM people AS p JOIN ended AS e ON e.key = p.key
    """
    assert set(columns_read(select, dialect)) == {
        ("accounts", "key"), ("accounts", "closed_on"), ("people", "name"), ("people", "key")
    }  # fmt: skip


@pytest.mark.parametrize(
    "select", ["DROP TABLE accounts", "UPDATE a SET b = 1", "SELECT FROM WHERE", "SELECT 1; SELECT 2"]
)
def test_relations_refuse_what_is_not_one_select(select):
    with pytest.raises(InvalidDefinition, match="source 'a' has a select that is"):
        relations(select, "duckdb", asked_by="source 'a'")


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
def test_check_and_staging_refuse_a_file_in_a_select(bank, edit, refused, outside):
    file = bank / "data" / "customers.csv"
    edit(
        "sources.py",
        'read=Csv("payments.csv"),',
        f'read=Csv("payments.csv"),\n    select="SELECT * FROM {outside.format(file)}",',
    )
    error = refused()
    assert "source 'payments'" in error.message
    assert "in its SELECT; allowed: the raw tables of its read=" in error.message
