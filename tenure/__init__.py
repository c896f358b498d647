"""Tenure: from a bank's raw tables to a feature store and a customer attrition model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# LightGBM's OpenMP threads spin while they wait; on shared cores that makes training several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from tenure.define import events
from tenure.define.check import Check
from tenure.define.churn import Activity, ChurnDefinition
from tenure.define.definitions import load_project
from tenure.define.events import *  # noqa: F403  (a new event is exported by its own module's __all__)
from tenure.define.feature import Aggregate, Attribute, DatePart, FeatureService, FeatureView, Ratio, Trend
from tenure.define.flat import FlatTable
from tenure.define.project import Entity, Project
from tenure.define.raw_tables import Csv, Excel, FixedWidth, JsonLines, Odbc, Parquet, Postgres
from tenure.define.reconciliation import Reconciliation
from tenure.define.snapshot import SnapshotPlan
from tenure.define.source import Column, Source
from tenure.define.window import days, months
from tenure.errors import TenureError
from tenure.version import __version__ as __version__

if TYPE_CHECKING:
    from tenure.feature_store.store import FeatureStore

__all__ = [
    "Activity",
    "Aggregate",
    "Attribute",
    "Check",
    "ChurnDefinition",
    "Column",
    "Csv",
    "DatePart",
    "Entity",
    "Excel",
    "FeatureService",
    "FeatureStore",
    "FeatureView",
    "FixedWidth",
    "FlatTable",
    "JsonLines",
    "Odbc",
    "Parquet",
    "Postgres",
    "Project",
    "Ratio",
    "Reconciliation",
    "SnapshotPlan",
    "Source",
    "TenureError",
    "Trend",
    "days",
    "load_project",
    "months",
]
__all__ += events.__all__
__all__.sort()


def __getattr__(name: str) -> Any:
    """Import what needs engines when it is first asked for: a bank's definitions need none."""
    if name == "FeatureStore":
        from tenure.feature_store.store import FeatureStore

        return FeatureStore
    raise AttributeError(f"module 'tenure' has no attribute '{name}'")
