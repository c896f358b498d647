"""A small bank in text: each test breaks one line of it and reads what the bank is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tenure.define.definitions import load_project
from tenure.errors import ProjectError

SOURCES = """\
from tenure import Column, Csv, Entity, Source

customer = Entity("customer", key="customer_id", source="customers")
customers = Source(
    "customers",
    read=Csv("customers.csv"),
    columns=[
        Column("customer_id", role="key"),
        Column("region"),
        Column("birth_date", type="date", role="pii"),
        Column("email", role="pii"),
        Column("gender", role="protected"),
        Column("opened_on", type="date"),
        Column("closed_on", type="date"),
    ],
    key="customer_id",
    event_time="opened_on",
    ends="closed_on",
)
payments = Source(
    "payments",
    read=Csv("payments.csv"),
    columns=[
        Column("payment_id", role="key"),
        Column("customer_id", role="key"),
        Column("paid_at", type="timestamp"),
        Column("direction"),
        Column("sex", role="protected"),
        Column("amount", type="decimal"),
    ],
    key="payment_id",
    event_time="paid_at",
)
branches = Source(
    "branches",
    read=Csv("branches.csv"),
    columns=[Column("branch_id", role="key"), Column("founded_on", type="date")],
    key="branch_id",
    event_time="founded_on",
)
"""

CHURN = """\
from tenure import ChurnDefinition, Closure

churn = ChurnDefinition("closed", event=Closure(), horizon=30)
"""

FEATURES = """\
from tenure import Aggregate, Attribute, FeatureView, Ratio, Trend, days
from tenure.define.window import Window

described = FeatureView("described", source="customers", features=[
    Attribute("region", of="region", doc="Region"),
    Attribute("age", of="birth_date", how="years_since", doc="Age"),
])
paid = FeatureView("paid", source="payments", features=[
    Aggregate("payments", how=("count", "days_since_last"), windows=days(30, 90), doc="Payments"),
    Aggregate("amount", of="amount", how="sum", windows=days(30, 90), doc="Money moved"),
    Aggregate("spent", of="amount", how="sum", where="direction = 'out'", windows=days(90), doc="Money out"),
    Ratio("spent", of="spent_sum", to="amount_sum", windows=days(90), doc="Money out of money moved"),
    Trend("amount_sum", short=Window(30), long=Window(90), doc="Money moved"),
])
"""


@dataclass
class Bank:
    """A project folder whose files can be changed line by line."""

    folder: Path

    def change(self, file: str, old: str, new: str) -> str:
        """Put `new` where `old` stands, once; return that place as the messages write it."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))
        return f"{path.parent.name}/{path.name}:{text[: text.index(old)].count(chr(10)) + 1}"

    def refusal(self, kind: type[ProjectError]) -> ProjectError:
        """Load the project, which must fail with just this error; return it."""
        with pytest.raises(kind) as caught:
            load_project(self.folder, "Test Bank")
        assert caught.type is kind
        return caught.value


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """A bank that loads as it is."""
    folder = tmp_path / "bank"
    (folder / "features").mkdir(parents=True)
    (folder / "sources.py").write_text(SOURCES)
    (folder / "churn.py").write_text(CHURN)
    (folder / "features" / "all.py").write_text(FEATURES)
    return Bank(folder)


@pytest.fixture
def told() -> Callable[..., None]:
    """Return a function that demands every fragment in an error's message."""

    def demands(error: Exception, *fragments: str) -> None:
        assert [fragment for fragment in fragments if fragment not in str(error)] == [], str(error)

    return demands
