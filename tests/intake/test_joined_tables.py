"""Rows that a source's SELECT loses or multiplies by its joins, before a key is looked at, are counted and limited."""

from __future__ import annotations

import re

import pytest

from tenure import ChurnDefinition, Column, Csv, Entity, Inactivity, Source
from tenure.config import Config
from tenure.define.project import Project
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import UnmatchedKeys
from tenure.intake.staging import staging
from tenure.session.work import Work

INNER = "SELECT b.*, a.customer FROM booked AS b JOIN held AS a ON a.account = b.account"
LEFT = "SELECT b.*, a.customer FROM booked AS b LEFT JOIN held AS a ON a.account = b.account"


@pytest.fixture
def duckdb():
    made = DuckDBEngine(EngineSettings(memory="1GB", threads=2))
    yield made
    made.close()


def bank(folder, select, owners, *, key="booking", **definition):
    """Twenty bookings of accounts 0 to 9, of which `owners` (account, customer) tells whose they are."""
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "customers.csv").write_text("customer,joined\n" + "".join(f"{n},2023-12-01\n" for n in range(10)))
    (data / "accounts.csv").write_text("account,customer\n" + "".join(f"{a},{c}\n" for a, c in owners))
    rows = "".join(f"{n},{n % 10},2024-01-{n + 1:02}\n" for n in range(20))
    (data / "bookings.csv").write_text("booking,account,booked_on\n" + rows)
    whole = {"type": "integer", "role": "key"}
    customers = Source(
        "customers",
        read=Csv("customers.csv"),
        key="customer",
        event_time="joined",
        columns=[Column("customer", **whole), Column("joined", type="date", role="time")],
    )
    bookings = Source(
        "bookings",
        read={"booked": Csv("bookings.csv"), "held": Csv("accounts.csv")},
        select=select,
        key=key,
        event_time="booked_on",
        columns=[
            Column("booking", **whole),
            Column("customer", **whole),
            Column("booked_on", type="date", role="time"),
        ],
        **definition,
    )
    return folder, Project(
        name="Joins",
        entity=Entity("customer", key="customer", source="customers"),
        sources={"customers": customers, "bookings": bookings},
        views={},
        churn=ChurnDefinition("silent", event=Inactivity("bookings"), horizon=30),
    )


def staged(made, engine):
    """Stage; return the bookings' facts, their findings by code, and how many rows there are."""
    folder, project = made
    with Work(folder, Config(project={"name": "Joins"}), project) as work:
        work.use_engine(engine.new_session())
        with work.lake.locked():
            staging(work)
        columns = ["source", "rows_joined", "rows_dropped", "rows_multiplied"]
        facts = [row for row in work.lake.read("intake", columns=columns).to_pylist() if row["source"] == "bookings"]
        found = work.lake.read("completeness", where={"source": "bookings"}).to_pylist()
        return facts[0], {row["code"]: row["finding"] for row in found}, work.require("bookings").rows


NINE = [(account, account) for account in range(9)]


def test_rows_that_an_inner_join_leaves_out_refuse_the_source(tmp_path, engine):
    words = "2 of 20 rows have no match in the inner joins of its select and would be left out; allowed are 1.0%"
    with pytest.raises(UnmatchedKeys, match=re.escape(words)) as caught:
        staged(bank(tmp_path / "bank", INNER, NINE), engine)
    assert "LEFT JOIN" in caught.value.hint


@pytest.mark.parametrize(
    ("select", "definition", "rows"),
    [
        (LEFT, {"quarantine": 0.2}, 18),
        (f"{INNER} WHERE b.account <> '9'", {}, 18),
        (INNER, {"unmatched": 0.2}, 18),
    ],
    ids=["LEFT JOIN", "WHERE", "unmatched="],
)
def test_each_cure_that_the_refusal_names_is_one(tmp_path, duckdb, select, definition, rows):
    assert staged(bank(tmp_path / "bank", select, NINE, **definition), duckdb)[2] == rows


def test_rows_that_are_left_out_within_the_limit_are_told(tmp_path, duckdb):
    facts, found, rows = staged(bank(tmp_path / "bank", INNER, NINE, unmatched=0.2), duckdb)
    assert (facts["rows_joined"], facts["rows_dropped"], facts["rows_multiplied"], rows) == (20, 2, 0, 18)
    assert found["TEN-I014"] == "2 of 20 rows have no match in the inner joins of its select and are left out"


def test_rows_that_a_join_multiplies_are_told(tmp_path, duckdb):
    joint = [(account, account) for account in range(10)] + [(3, 9)]
    facts, found, rows = staged(bank(tmp_path / "bank", INNER, joint, key=("booking", "customer")), duckdb)
    assert (facts["rows_dropped"], facts["rows_multiplied"], rows) == (0, 2, 22)
    assert found["TEN-I015"] == "its joins make 22 rows of 20: some match several, and count as often"


def test_a_select_that_joins_each_row_to_one_has_nothing_told(tmp_path, duckdb):
    everyone = [(account, account) for account in range(10)]
    _, found, rows = staged(bank(tmp_path / "bank", INNER, everyone), duckdb)
    assert rows == 20
    assert not {"TEN-I014", "TEN-I015"} & found.keys()
