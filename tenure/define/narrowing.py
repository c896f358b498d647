"""Narrowing: the project cut down to the definitions of some columns, so that only what these need is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TypeVar, cast

from tenure.define.aggregates import KINDS, How
from tenure.define.feature import Aggregate, Attribute, DatePart, Feature, FeatureView, Ratio, Trend
from tenure.define.project import Project
from tenure.define.shape import refuse
from tenure.define.window import ColumnName

F = TypeVar("F", Aggregate, Ratio, FeatureView)


def narrowed(project: Project, columns: Collection[ColumnName]) -> Project:
    """Return the project with the views and features that make `columns`, and the parts of their ratios and trends."""
    wanted = set(columns)
    for view in project.views.values():
        for _, name, parts in view.comparisons:
            if name in wanted:
                wanted.update(parts)
    views = {}
    for view in project.views.values():
        features: list[Feature] = []
        for feature in view.features:
            features += _kept(feature, wanted)
        if features:
            ttl = view.ttl if Attribute in map(type, features) else 0
            views[view.name] = _placed(view, replace(view, features=tuple(features), ttl=ttl))
    return replace(project, views=views, services={})


def _kept(feature: Feature, wanted: Collection[ColumnName]) -> Iterator[Feature]:
    """The parts of a feature that make wanted columns: of an Aggregate, each `how` is a part of its own."""
    if isinstance(feature, Aggregate):
        for part in feature.simple:
            for how in part.hows:
                spans = [w for w in part.windows_of(how) if ColumnName(part.name, how, w) in wanted]
                if spans:
                    values = part.values if KINDS[how].lists_values else ()
                    windows = tuple(filter(None, spans))
                    yield _placed(feature, replace(part, how=(cast(How, how),), windows=windows, values=values))
    elif isinstance(feature, Ratio):
        spans = [name.window for name in feature.columns if name in wanted]
        if spans:
            yield _placed(feature, replace(feature, windows=tuple(filter(None, spans))))
    elif isinstance(feature, Attribute | DatePart | Trend):
        if wanted & feature.columns.keys():
            yield feature
    else:
        refuse("feature", feature)


def _placed(defined: F, made: F) -> F:
    """The definition `made`, given the file and line of the one that it is made of."""
    object.__setattr__(made, "where_defined", defined.where_defined)
    return made
