"""Raw tables as OpenLineage names them: a server by host and port, never by what else its connection string says."""

import pytest

from tenure.catalog.raw_datasets import raw_datasets
from tenure.config import load_config
from tenure.define.raw_tables import Csv, Odbc, Postgres, RawTable
from tenure.errors import InvalidDefinition
from tenure.session.folders import folders_of
from tenure.storage.settings import S3Settings

QUERY = "SELECT p.id, a.kind FROM core.payments p JOIN accounts a USING (account_id)"


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "bank"
    folder.mkdir()
    (folder / "tenure.toml").write_text('[project]\nname = "Tiny Bank"\n')
    return folders_of(folder, load_config(folder), None)


def named(raw, folders):
    return raw_datasets(raw, "payments", folders)


def test_files_are_named_by_their_pattern(bank):
    assert named(Csv("in/payments_*.csv"), bank) == (("file", f"{bank.data.as_posix()}/in/payments_*.csv"),)
    assert named(Csv("s3://first-bank/in/*.csv"), bank) == (("s3://first-bank", "in/*.csv"),)


@pytest.mark.parametrize(
    "said",
    [
        "postgresql://jane:s3cr3t-word@db.bank:6543/core?sslmode=require",
        "host=db.bank port=6543 user=jane password='s3cr3t-word' dbname=core",
    ],
)
def test_tables_of_a_server_are_named_by_host_port_database_and_schema(bank, monkeypatch, said):
    monkeypatch.setenv("BANK_DSN", said)
    found = named(Postgres(QUERY, dsn="BANK_DSN"), bank)
    assert found == (
        ("postgres://db.bank:6543", "core.core.payments"),
        ("postgres://db.bank:6543", "core.public.accounts"),
    )
    assert "s3cr3t" not in str(found)
    assert "jane" not in str(found)


@pytest.mark.parametrize(
    ("said", "namespace"),
    [
        ("postgresql:///core", "postgres://localhost:5432"),
        ("host=/run/postgresql dbname=core", "postgres://localhost:5432"),
        ("postgresql://db.bank/core", "postgres://db.bank:5432"),
        # What may hold a part of the password is not shown, nor is a string that can be read in two ways.
        ("postgresql://jane:word@word.bank/core", "postgres://BANK_DSN"),
        ("postgresql://jane:wo@rd@db.bank/core", "postgres://BANK_DSN"),
        ("", "postgres://BANK_DSN"),
    ],
)
def test_a_server_is_named_by_its_variable_where_its_name_may_hold_a_secret(bank, monkeypatch, said, namespace):
    monkeypatch.setenv("BANK_DSN", said)
    ((found, _),) = named(Postgres("SELECT * FROM payments", dsn="BANK_DSN"), bank)
    assert found == namespace


def test_a_query_that_is_not_understood_is_named_by_its_source(bank, monkeypatch):
    monkeypatch.setenv("BANK_DSN", "postgresql://db.bank/core")
    assert named(Postgres("SELECT FROM WHERE (", dsn="BANK_DSN"), bank) == (
        ("postgres://db.bank:5432", "core.payments"),
    )


def test_a_name_that_the_query_gives_itself_is_no_table(bank, monkeypatch):
    monkeypatch.setenv("BANK_DSN", "postgresql://db.bank/core")
    query = "WITH paid AS (SELECT * FROM payments) SELECT * FROM paid"
    assert named(Postgres(query, dsn="BANK_DSN"), bank) == (("postgres://db.bank:5432", "core.public.payments"),)


def test_other_servers_are_named_by_their_variable(bank):
    assert named(Odbc(table="dbo.payments", dsn_env="BANK"), bank) == (("odbc://BANK", "dbo.payments"),)
    assert named(Odbc("SELECT * FROM dbo.payments", dsn_env="BANK"), bank) == (("odbc://BANK", "dbo.payments"),)


def test_an_unknown_kind_of_raw_table_is_refused(bank):
    class Tape(RawTable):
        path, null = "", ()

    with pytest.raises(InvalidDefinition, match="Tape"):
        named(Tape(), bank)
    assert S3Settings() == bank.s3
