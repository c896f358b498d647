"""Definitions of a wrong type or an unknown kind: refused by name, with what was got, what is allowed and the line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

import pytest
from tiny_bank import write_tiny_bank

from tenure import (
    Activity,
    Aggregate,
    Attribute,
    BalanceDecline,
    ChurnDefinition,
    Closure,
    Column,
    Csv,
    Entity,
    Excel,
    FeatureService,
    FeatureView,
    FixedWidth,
    Inactivity,
    JsonLines,
    Odbc,
    Parquet,
    Postgres,
    Ratio,
    SnapshotPlan,
    Source,
    Trend,
    all_of,
    any_of,
    days,
    months,
)
from tenure.catalog.sql import compile_all
from tenure.define import project as projects
from tenure.define.definitions import load_project
from tenure.define.event_base import event_kinds
from tenure.define.events import AnyOf
from tenure.define.feature import FEATURES
from tenure.define.raw_tables import READERS
from tenure.define.shape import ByKind
from tenure.define.window import Window
from tenure.errors import InvalidDefinition
from tenure.intake.calendar import calendar
from tenure.intake.readers import Reader, reader_class
from tenure.proofs.oracle import labels as oracle
from tenure.publish.words import event_words
from tenure.session import origins
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tables import labels
from tenure.tiles import columns, support

KEY = Column("customer_id")
DAY = Column("opened_on", type="date")


def source(**changed):
    fields = {"read": Csv("a.csv"), "columns": [KEY, DAY], "key": "customer_id", "event_time": "opened_on"}
    return Source("customers", **fields | changed)


def view(**changed):
    fields = {"source": "payments", "features": [Attribute("region", of="region", doc="Region")]}
    return FeatureView("paid", **fields | changed)


def aggregate(**changed):
    return Aggregate("amount", **{"of": "amount", "how": "sum", "windows": days(30), "doc": "Money"} | changed)


def attribute(**changed):
    return Attribute("region", **{"of": "region", "doc": "Region"} | changed)


def ratio(**changed):
    return Ratio("fees", **{"of": "fee_sum", "to": "income_sum", "windows": days(30), "doc": "Fees"} | changed)


def trend(**changed):
    return Trend(**{"of": "amount_sum", "short": Window(30), "long": Window(90), "doc": "Money"} | changed)


def churn(**changed):
    return ChurnDefinition("lost", **{"event": Closure(), "horizon": 30} | changed)


def decline(**changed):
    return BalanceDecline(**{"source": "balances", "of": "balance"} | changed)


def activity(**changed):
    return Activity(**{"source": "payments", "within": 90} | changed)


#: What makes a definition → its fields, each with values that are none.
WRONG = {
    source: {
        "read": ["a.csv", None, {}, {"a": "a.csv"}, Csv],
        "columns": ["x", None, [], ["customer_id"], KEY],
        "key": [None, 7, [], [None]],
        "event_time": [None, "", 5],
        "known_time": [None, 5, ["a"]],
        "ends": [None, True],
        "select": [None, ["SELECT 1"]],
        "arrival_delay": [True, -1, 1.5, "1", 3661, None],
        "quarantine": [True, 1, -0.1, "0.1", float("nan"), None],
        "doc": [None, 5],
    },
    view: {
        "source": [None, "", ["payments"]],
        "features": ["amount", None, 5, [None], ["amount"], [Aggregate], attribute()],
        "ttl": [True, -1, "30", 1.5, 36601, None],
        "doc": [None],
    },
    aggregate: {
        "of": [None, 5, ["amount"]],
        "how": [None, 5, [], [None], [["sum"]]],
        "windows": [30, None, "30d", [30], Window(30), [days(30)]],
        "where": [None, 5, ["amount > 0"]],
        "by": [None, ["channel"]],
        "values": ["online", None, [5], 5],
        "unit": [None, 5],
        "doc": [None, 5],
    },
    attribute: {"of": [None, "", ["a"]], "how": [None, ["value"], 5], "unit": [None], "doc": [None, ["a"]]},
    ratio: {"of": [None, "", 5], "to": [None, "", 5], "windows": [30, None, [30]], "doc": [None]},
    trend: {"of": [None, 5], "short": [30, days(30), None], "long": [90, None, "90d"], "doc": [None]},
    churn: {
        "event": ["closed", None, Closure, [Closure()], activity()],
        "horizon": [True, 0, 3661, "30", 30.0, None],
        "gap": [True, -1, None, "0"],
        "min_tenure": [True, -1, 36601, None],
        "active": ["payments", True, 90, Inactivity("payments"), Activity],
        "doc": [None],
    },
    decline: {
        "source": [None, "", ["balances"]],
        "of": [None, "", 5],
        "below": [True, 0, 1, "0.7", float("nan"), None],
        "baseline": [True, 0, 3661, "90", None],
        "where": [None, 5],
    },
    activity: {"source": [None, 5, ""], "within": [True, 0, 3661, "90", None], "where": [None, ["a"]]},
}
CASES = [(make, field, value) for make, fields in WRONG.items() for field, values in fields.items() for value in values]


@pytest.mark.parametrize(("make", "field", "value"), CASES)
def test_a_field_of_a_wrong_type_is_refused_with_field_value_and_place(make, field, value):
    with pytest.raises(InvalidDefinition) as caught:
        make(**{field: value})
    message = caught.value.message
    assert field in message
    assert re.search(r"\(faults/test_definitions\.py:\d+\)", message), message
    assert re.search(r"allowed|is a share|whole days", message), message


@pytest.mark.parametrize(
    "make",
    [
        lambda: Csv(None),
        lambda: Csv(""),
        lambda: Csv("a.csv", delimiter=None),
        lambda: Csv("a.csv", encoding=["utf-8"]),
        lambda: Csv("a.csv", null="?"),
        lambda: Csv("a.csv", null=5),
        lambda: JsonLines(None),
        lambda: JsonLines("a.jsonl", null="?"),
        lambda: Excel("a.xlsx", sheet=None),
        lambda: FixedWidth("a.txt", layout=None),
        lambda: Odbc(5),
        lambda: Parquet(5),
        lambda: Postgres(None),
        lambda: Postgres("SELECT 1", dsn=None),
        lambda: Column(None),
        lambda: Column("a", type=["date"]),
        lambda: Column("a", role=None),
        lambda: Column("a", raw=5),
        lambda: Column("a", required="no"),
        lambda: Column("a", planned=1),
        lambda: Entity("customer", key=None, source="customers"),
        lambda: Entity("customer", key="customer_id", source=["customers"]),
        lambda: Entity(5, key="customer_id", source="customers"),
        lambda: FeatureService("all", features="amount_sum_30d"),
        lambda: FeatureService("all", features=[view()]),
        lambda: Inactivity(None),
        lambda: Inactivity("payments", where=5),
        lambda: any_of("closed", Closure()),
        lambda: all_of(Closure(), None),
        lambda: AnyOf([Closure(), Closure()]) and AnyOf("closed"),
        lambda: days("30"),
        lambda: days(True),
        lambda: days(30.0),
        lambda: days([30]),
        days,
        lambda: months(None),
        lambda: Window(30, ["d"]),
        lambda: SnapshotPlan(every="month", first=date(2024, 1, 1), last=date(2024, 2, 1)),
        lambda: SnapshotPlan(every=None, first=date(2024, 1, 1), last=date(2024, 2, 1)),
        lambda: SnapshotPlan(every="day", first="2024-01-01", last=date(2024, 2, 1)),
        lambda: SnapshotPlan(every="day", first=datetime(2024, 1, 1), last=date(2024, 2, 1)),
        lambda: SnapshotPlan(every="day", first=date(1, 1, 1), last=date(2024, 2, 1)),
        lambda: SnapshotPlan(every="day", first=date(2024, 1, 1), last=None),
    ],
)
def test_every_other_definition_refuses_a_wrong_type(make):
    with pytest.raises(InvalidDefinition, match=r"test_definitions\.py:\d+"):
        make()


def test_a_connection_string_in_place_of_its_name_is_not_shown():
    with pytest.raises(InvalidDefinition) as caught:
        Postgres("SELECT 1", dsn=["postgresql://bank:s3cret@host/db"])
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("features/paid.py", "windows=days(30, 90), doc=", "windows=30, doc=", "aggregate 'payment' has windows=30 "),
        ("features/paid.py", 'source="payments",\n', 'source="payments", ttl=True,\n', "'paid' has ttl=True "),
        ("churn.py", 'active=Activity("payments", within=90)', 'active="payments"', "'quiet' has active='payments' "),
        ("churn.py", 'event=Inactivity("payments")', 'event="payments"', "'quiet' has event='payments' "),
        ("sources.py", 'read=Csv("payments.csv")', 'read="payments.csv"', "'payments' has read='payments.csv' "),
    ],
)
def test_a_project_tells_the_line_of_its_own_file(tmp_path, file, old, new, told):
    bank = write_tiny_bank(tmp_path / "bank")
    text = (bank / file).read_text()
    (bank / file).write_text(text.replace(old, new, 1))
    with pytest.raises(InvalidDefinition) as caught:
        load_project(bank, "Tiny Bank")
    assert told in caught.value.message
    assert re.search(rf"\({(bank / file).parent.name}/{(bank / file).name}:\d+\)", caught.value.message)


@dataclass(frozen=True)
class Dormant:
    """An event that no part of Tenure knows, though it answers as events do."""

    source: str = "payments"
    where: str = ""
    reads: tuple[str, ...] = ("payments",)
    bounds: tuple[str, ...] = ("payments",)
    words: str = "the customer sleeps"


class Quieter(Inactivity):
    """A subclass is another kind: what it adds, nothing reads."""


def smuggled(event):
    """any_of with an event that its own check would refuse."""
    made = any_of(Closure(), Closure())
    object.__setattr__(made, "events", (Closure(), event))
    return made


UNKNOWN = [Dormant(), Quieter("payments")]


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.mark.parametrize("event", UNKNOWN, ids=["class", "subclass"])
@pytest.mark.parametrize("wrap", [lambda e: e, smuggled], ids=["alone", "within any_of"])
def test_an_unknown_event_is_refused_by_name_everywhere(bank, event, wrap):
    with Work.open(bank) as work:
        list(run(work, ("staging",)))
        object.__setattr__(work.project.churn, "event", wrap(event))
        name = type(event).__name__
        dates, day = (date(2024, 1, 31), date(2024, 2, 29)), date(2024, 6, 30)
        question = labels.Question(work.project, work.churn, "duckdb")
        asked = {
            "events": lambda: work.project.churn.events,
            "labels": lambda: labels.generate_churn_label(work.project, work.churn, "duckdb", dates, day),
            "labels alone": lambda: labels.event_sql(question, work.churn.event),
            "words": lambda: event_words(work.project.churn.event),
            "calendar": lambda: calendar(work),
            "checks of definitions": lambda: projects.validate(work.project),
            "check": lambda: compile_all(work, "duckdb"),
            "capabilities": lambda: list(support.needs(work.project, work.churn)),
            "lineage": lambda: origins.Origins(work.project, "duckdb", work.churn).churn_readings(),
            "stage": lambda: list(run(work, stages_between("snapshots", "labels"))),
        }
        for where, ask in asked.items():
            with pytest.raises(InvalidDefinition, match=f"'{name}' is no churn event that Tenure knows") as caught:
                ask()
            assert "Closure" in caught.value.message, where


@pytest.mark.parametrize("make", [lambda e: churn(event=e), lambda e: any_of(Closure(), e), lambda e: all_of(e, e)])
@pytest.mark.parametrize("event", UNKNOWN, ids=["class", "subclass"])
def test_an_unknown_event_is_refused_where_it_is_defined(make, event):
    with pytest.raises(InvalidDefinition, match=type(event).__name__):
        make(event)


class Newer(Aggregate):
    """A subclass of a feature."""


@pytest.mark.parametrize("feature", [object(), Newer("amount", of="amount", how="sum", doc="Money")])
def test_an_unknown_feature_is_refused_by_name_everywhere(bank, feature):
    name = type(feature).__name__
    with pytest.raises(InvalidDefinition, match=name):
        view(features=[feature])
    with Work.open(bank) as work:
        paid = work.project.views["paid"]
        object.__setattr__(paid, "features", (feature,))
        for ask in (
            lambda: paid.attributes,
            lambda: paid.aggregates,
            lambda: list(paid.comparisons),
            lambda: list(support._of_feature(feature)),
            lambda: columns._COMPARED.of(feature),
        ):
            with pytest.raises(InvalidDefinition, match=f"'{name}' is no (feature|comparison) that Tenure knows"):
                ask()


class Tsv(Csv):
    """A subclass of a reader."""


@pytest.mark.parametrize("reader", [object(), Tsv("payments.csv")])
def test_an_unknown_reader_is_refused_by_name_everywhere(bank, reader):
    name = type(reader).__name__
    with pytest.raises(InvalidDefinition, match=name):
        source(read=reader)
    with Work.open(bank) as work:
        work.project.sources["payments"].raws["payments"] = reader
        for ask in (lambda: list(run(work, ("staging",))), lambda: READERS.of(reader)):
            with pytest.raises(InvalidDefinition, match=f"'{name}' is no reader of raw tables that Tenure knows"):
                ask()


def test_every_registry_knows_every_kind_of_event_and_feature():
    """A new kind that somebody forgets to register is found here, not by a bank."""
    assert labels._SQL_OF.kinds == oracle._HAPPENS.kinds == set(event_kinds())
    assert support._CAPABILITIES_OF.kinds == set(FEATURES)
    assert columns._COMPARED.kinds == {Ratio, Trend}
    assert READERS.kinds == {Csv, Excel, FixedWidth, JsonLines, Odbc, Parquet, Postgres}
    queries = (Odbc("SELECT 1 AS a"), Postgres("SELECT 1 AS a"))
    files = (Csv("a.csv"), Excel("a.xlsx"), FixedWidth("a", layout={"a": (1, 1)}), JsonLines("a.jsonl"))
    for declared in (*files, Parquet("a.parquet"), *queries):
        reader = reader_class(declared)
        assert issubclass(reader, Reader)
        assert reader.__name__ == f"{type(declared).__name__}Reader"


def test_a_registry_names_what_it_knows():
    with pytest.raises(InvalidDefinition, match=r"'int' is no shape that Tenure knows; known: bytes, str\."):
        ByKind("shape", {str: 1, bytes: 2}).of(5)
