"""A SELECT is row-wise if the rows of two files together are those of the one and those of the other."""

import pytest

from tenure.sql.row_wise import row_wise

JOINED = "SELECT b.*, a.owner FROM booked AS b JOIN held AS a ON a.account = b.account"


@pytest.mark.parametrize(
    "select",
    [
        "SELECT x, UPPER(y) AS y FROM booked WHERE z > 3",
        JOINED,
        JOINED.replace("JOIN", "LEFT JOIN"),
        "SELECT b.x, a.n FROM booked AS b JOIN (SELECT k, COUNT(*) AS n FROM held GROUP BY k) AS a ON a.k = b.k",
        "SELECT x FROM booked WHERE k IN (SELECT k FROM held)",
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
def test_a_select_that_looks_at_one_row_at_a_time_is_row_wise(select, dialect):
    found = row_wise(select, dialect)
    assert found is not None
    assert found.grows == "booked"


@pytest.mark.parametrize(
    "select",
    [
        "SELECT COUNT(*) AS n FROM booked",
        "SELECT DISTINCT x FROM booked",
        "SELECT x, SUM(y) AS y FROM booked GROUP BY x",
        "SELECT x, ROW_NUMBER() OVER (ORDER BY y) AS n FROM booked",
        "SELECT x FROM booked ORDER BY y LIMIT 10",
        "SELECT x FROM booked UNION ALL SELECT x FROM held",
        "SELECT x, NOW() AS at FROM booked",
        "SELECT x, RANDOM() AS r FROM booked",
        "SELECT x, CURRENT_DATE AS d FROM booked",
        "SELECT x, whatever(y) AS y FROM booked",
        "SELECT b.x FROM booked AS b JOIN booked AS c ON c.x = b.y",
        "SELECT b.x FROM booked AS b RIGHT JOIN held AS a ON a.k = b.k",
        "SELECT b.x FROM booked AS b FULL JOIN held AS a ON a.k = b.k",
        "SELECT x FROM booked JOIN held USING (k)",
        "SELECT x FROM booked WHERE y = (SELECT MAX(y) FROM booked)",
        "WITH booked AS (SELECT x FROM held) SELECT x FROM booked",
        "SELECT UNNEST(x) AS x FROM booked",
    ],
)
def test_a_select_that_looks_at_several_rows_at_once_is_not(select):
    assert row_wise(select, "duckdb") is None


def test_of_a_joined_table_the_columns_count_that_the_select_reads():
    (held,) = row_wise(JOINED, "duckdb").joined
    assert held.rows == "SELECT a.account, a.owner FROM held AS a"
    assert (held.drops, held.stands_alone, held.raws) == (True, True, {"held"})


def test_a_condition_is_told_where_it_speaks_of_the_growing_table_alone():
    assert row_wise(f"{JOINED} WHERE b.amount > 0", "duckdb").where == "b.amount > 0"
    assert row_wise(f"{JOINED} WHERE a.owner > 0", "duckdb").where is None
    assert row_wise(f"{JOINED} WHERE amount > 0", "duckdb").where is None
    assert row_wise("SELECT x FROM booked WHERE amount > 0", "duckdb").where == "amount > 0"
