"""The two dialects of SQL in which a bank writes its conditions, and in which every table is compiled."""

from __future__ import annotations

from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["duckdb", "spark"]

DIALECTS: tuple[Dialect, ...] = ("duckdb", "spark")
