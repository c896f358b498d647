"""The bank's own SELECTs: which tables they read."""

import pytest

from tenure.errors import InvalidDefinition
from tenure.sql.selects import relations


def test_relations_of_the_banks_own_select():
    select = "WITH own AS (SELECT * FROM accounts) SELECT * FROM own JOIN customers USING (id), (SELECT 1 FROM x) y"
    assert relations(select, "duckdb", asked_by="source 'a'") == {"accounts", "customers", "x"}


@pytest.mark.parametrize(
    "select", ["DROP TABLE accounts", "UPDATE a SET b = 1", "SELECT FROM WHERE", "SELECT 1; SELECT 2"]
)
def test_relations_refuse_what_is_not_one_select(select):
    with pytest.raises(InvalidDefinition, match="source 'a' has a select that is"):
        relations(select, "duckdb", asked_by="source 'a'")
