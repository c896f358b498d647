"""The rooms that print SQL do not load the parser of the bank's own SQL."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["tenure.sql.query", "tenure.sql.expressions", "tenure.tables.snapshots"])
def test_printing_sql_needs_no_parser(module):
    script = f"import sys, {module}; sys.exit('sqlglot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
