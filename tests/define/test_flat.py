"""FlatTable: what it declares, and what it refuses by name."""

import pytest

from tenure import Column, Csv, FlatTable
from tenure.define.definitions import load_project
from tenure.define.flat import NOMINAL_DAY, require_dates
from tenure.errors import InvalidDefinition, MissingFile, UnknownColumn

COLUMNS = [
    Column("customer_id", type="integer", role="key", raw="ID"),
    Column("household", type="integer"),
    Column("status", raw="Status"),
    Column("gender", role="protected"),
    Column("name", role="pii"),
    Column("age", type="integer", doc="Years of age"),
    Column("limit_usd", type="decimal", role="measure", unit="USD"),
]


def declared(**changed):
    said = {
        "read": Csv("customers.csv"),
        "key": "customer_id",
        "target": "status",
        "churned": "it's gone",
        "columns": COLUMNS,
        "group": "household",
    }
    return FlatTable("customers", **{**said, **changed})


def test_features_are_the_columns_that_are_no_key_target_group_or_personal():
    project = declared().project("bank", {})
    assert list(map(str, project.columns)) == ["age", "limit_usd"]
    assert project.columns[next(iter(project.columns))].text == "Years of age"
    assert project.flat.together == ("household",)
    assert project.flat.basis == "held out by household, not out of time"
    assert declared(group="").project("bank", {}).flat.basis == "held out by customer_id, not out of time"


def test_the_target_is_no_feature_and_required_and_its_value_is_quoted():
    source = declared().source
    assert (source.column("status").role, source.column("status").required) == ("metadata", True)
    assert f"TRIM(CAST(Status AS STRING)) = 'it''s gone' THEN '{NOMINAL_DAY}' END" in source.select


REFUSED = {
    "an unknown target": ({"target": "left"}, UnknownColumn, "has target='left', which is none of its columns: age,"),
    "an unknown group": ({"group": "branch"}, UnknownColumn, "has group='branch'"),
    "an unknown key": ({"key": "id"}, UnknownColumn, "has key='id'"),
    "the key as target": ({"target": "customer_id"}, InvalidDefinition, "as its target and as its key or group"),
    "the target as group": ({"group": "status"}, InvalidDefinition, "as its target and as its key or group"),
    "nothing held out": ({"held_out": 0}, InvalidDefinition, r"has held_out=0 .* a share in \(0, 1\)"),
    "all held out": ({"held_out": 1.0}, InvalidDefinition, "has held_out=1.0"),
    "several raw tables": ({"read": {"a": Csv("a.csv")}}, InvalidDefinition, "one raw table, such as Csv"),
    "no value of leavers": ({"churned": ""}, InvalidDefinition, "churned"),
    "no features": ({"columns": COLUMNS[:5]}, InvalidDefinition, "has no column to learn from"),
    "a date": (
        {"columns": [*COLUMNS, Column("joined_on", type="date")]},
        InvalidDefinition,
        "has 'joined_on', a date .*, and no day from which to count it",
    ),
    "a target that needs quotes": (
        {"columns": [*COLUMNS[:2], Column("status", raw="Churn Label"), *COLUMNS[3:]]},
        InvalidDefinition,
        "has the target 'Churn Label' .*; allowed: letters, digits and _",
    ),
    "a name of Tenure's": ({"columns": [*COLUMNS, Column("churn_sum")]}, InvalidDefinition, "ends like an aggregate"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_can_t_stand_is_refused_by_name(why):
    changed, error, message = REFUSED[why]
    with pytest.raises(error, match=message):
        declared(**changed)


def test_a_date_may_stand_aside_as_metadata():
    made = declared(columns=[*COLUMNS, Column("joined_on", type="date", role="metadata")])
    assert "joined_on" not in map(str, made.project("bank", {}).columns)


FLAT = """\
from tenure import Column, Csv, FlatTable

customers = FlatTable(
    "customers",
    read=Csv("customers.csv"),
    key="customer_id",
    target="left",
    churned="yes",
    columns=[Column("customer_id", role="key"), Column("left_it"), Column("age", type="integer")],
)
""".replace('target="left"', 'target="left_it"')


def test_it_stands_alone_in_sources(tmp_path):
    (tmp_path / "sources.py").write_text(FLAT)
    assert load_project(tmp_path, "bank").flat.name == "customers"


MONEY = """\
from tenure import Aggregate, FeatureView, days

sums = [Aggregate("payment", how="count", windows=days(30), doc="Payments")]
money = FeatureView("money", source="customers", features=sums)
"""


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "features/money.py",
            MONEY,
            "feature view 'money' stands beside flat table 'customers' .*no window",
        ),
        (
            "churn.py",
            'from tenure import ChurnDefinition, Closure\nchurn = ChurnDefinition("gone", event=Closure(), horizon=90)',
            "churn definition 'gone' stands beside flat table",
        ),
        (
            "sources.py",
            FLAT + FLAT.partition("\n")[2].replace("customers", "others"),
            r"declares 2 flat tables \(customers, others\); allowed: one",
        ),
        (
            "sources.py",
            FLAT + 'from tenure import Entity\ncustomer = Entity("customer", key="customer_id", source="customers")\n',
            "entity 'customer' stands beside flat table",
        ),
    ],
)
def test_what_needs_dates_is_refused_beside_it(tmp_path, file, text, message):
    (tmp_path / "features").mkdir()
    (tmp_path / "sources.py").write_text(FLAT)
    (tmp_path / file).write_text(text)
    with pytest.raises(InvalidDefinition, match=message):
        load_project(tmp_path, "bank")


def test_a_project_with_dates_still_needs_its_churn_definition(tmp_path):
    (tmp_path / "sources.py").write_text("")
    with pytest.raises(MissingFile, match=r"has no churn\.py"):
        load_project(tmp_path, "bank")


def test_what_needs_dates_is_refused_by_its_name():
    with pytest.raises(InvalidDefinition, match="'tenure backfill' needs dates, and flat table 'customers' has none"):
        require_dates(declared().project("bank", {}), "'tenure backfill'")
