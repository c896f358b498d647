"""Narrowing: the project that makes some columns and nothing more, so that only what they need is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TypeVar, cast

from tenure.define.aggregates import KINDS, How
from tenure.define.feature import Aggregate, Attribute, Feature, FeatureView, Ratio, Trend
from tenure.define.project import Project
from tenure.define.shape import refuse
from tenure.define.window import ColumnName

F = TypeVar("F", Aggregate, Ratio, FeatureView)


def narrowed(project: Project, columns: Collection[ColumnName]) -> Project:
    """Return the project with the views and features that make `columns`, and what ratios and trends are made of."""
    wanted = set(columns)
    for view in project.views.values():
        for _, name, parts in view.comparisons:
            if name in wanted:
                wanted |= {*parts}
    views = {}
    for view in project.views.values():
        features = tuple(kept for feature in view.features for kept in _kept(feature, wanted))
        if features:
            aged = any(isinstance(feature, Attribute) for feature in features)
            views[view.name] = _placed(view, replace(view, features=features, ttl=view.ttl if aged else 0))
    return replace(project, views=views, services={})


def _kept(feature: Feature, wanted: Collection[ColumnName]) -> Iterator[Feature]:
    """The feature's part that makes wanted columns: of an Aggregate, each aggregate on its own."""
    if isinstance(feature, Aggregate):
        for part in feature.simple:
            for how in part.hows:
                spans = [w for w in part.windows_of(how) if ColumnName(part.name, how, w) in wanted]
                if spans:
                    values = part.values if KINDS[how].lists_values else ()
                    windows = tuple(w for w in spans if w)
                    yield _placed(feature, replace(part, how=(cast(How, how),), windows=windows, values=values))
    elif isinstance(feature, Ratio):
        spans = [name.window for name in feature.columns if name in wanted]
        if spans:
            yield _placed(feature, replace(feature, windows=tuple(w for w in spans if w)))
    elif isinstance(feature, Attribute | Trend):
        if wanted & feature.columns.keys():
            yield feature
    else:
        refuse("feature", feature)


def _placed(defined: F, made: F) -> F:
    """What is made of a definition stands where that stands."""
    object.__setattr__(made, "where_defined", defined.where_defined)
    return made
