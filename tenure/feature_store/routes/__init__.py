"""Routes: the ways in which tiles and windows are computed. This is the one place that chooses between them."""

from __future__ import annotations

from collections.abc import Callable

from tenure.define.dialect import Dialect
from tenure.feature_store.routes.arrays import ArrayRoute
from tenure.feature_store.routes.base import Route
from tenure.feature_store.routes.sql import SqlRoute
from tenure.session.work import Work

#: Engine, by its dialect → the route that its runs take. Arrays need an engine in this very process.
ROUTES: dict[Dialect, Callable[[Work], Route]] = {"duckdb": ArrayRoute, "spark": SqlRoute}


def route_for(work: Work) -> Route:
    """Return the route of the run's engine, by its dialect: a plan is made before any engine is started."""
    return ROUTES[work.dialect](work)
