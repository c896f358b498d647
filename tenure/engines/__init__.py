"""WHERE it runs: the only place that opens a connection."""

from __future__ import annotations

from typing import get_args

from tenure.engines.base import Engine, EngineName, EngineSettings
from tenure.errors import InvalidConfig


def open_engine(settings: EngineSettings) -> Engine:
    """Return a running engine; close it when done. Raises MissingDependency if it is not installed."""
    if settings.name == "duckdb":
        from tenure.engines.duckdb import DuckDBEngine

        return DuckDBEngine(settings)
    if settings.name == "spark":
        from tenure.engines.spark import SparkEngine

        return SparkEngine(settings)
    raise InvalidConfig(f"[engine] name = '{settings.name}'; allowed: {', '.join(get_args(EngineName))}.")
