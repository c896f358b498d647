"""The report's charts over time: the population at each snapshot, and what is read and asked around one."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from statistics import median

import pandas as pd

from tenure.define.churn import ChurnDefinition
from tenure.publish.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    SKY,
    WIDTH,
    Figure,
    Spec,
    figure,
    quantity,
)

SPLIT_WORDS = {"train": "training", "embargo": "embargo", "test": "test", "unlabelled": "no label"}
_SHADES = {"train": "#e3eef6", "embargo": "#f1f2f4", "test": "#fbe9dd", "unlabelled": "#ffffff"}
_WORD_WIDTH = 84


def customers_over_time(population: pd.DataFrame) -> Figure:
    """Draw the customers at each snapshot, over shades for the splits."""
    first, last = population.iloc[0], population.iloc[-1]
    summary = (
        f"From {first['customers']:,} customers at {first['snapshot_date']} to {last['customers']:,} at "
        f"{last['snapshot_date']}."
    )
    return figure("customers", "Customers at each snapshot", summary, _over_time(population, "customers", ",.0f", BLUE))


def churn_over_time(population: pd.DataFrame) -> Figure | None:
    """Draw the share who left at each labelled snapshot, over shades for the splits; None without labels."""
    labelled = population.dropna(subset=["churn_rate"])
    if labelled.empty:
        return None
    low, high = labelled["churn_rate"].min(), labelled["churn_rate"].max()
    summary = f"Between {low:.1%} and {high:.1%} of the customers asked about left, over {len(labelled)} snapshots."
    return figure(
        "churn-rate",
        "Share of customers who left, by snapshot",
        summary,
        _over_time(population, "churn_rate", ".0%", ORANGE),
    )


def _over_time(population: pd.DataFrame, column: str, number: str, colour: str) -> Spec:
    top = float(population[column].max()) * 1.6 or 1.0
    points = [
        {"t": row.snapshot_date.isoformat(), "n": float(getattr(row, column))}
        for row in population.itertuples()
        if not pd.isna(getattr(row, column))
    ]
    axis = {
        "title": None,
        "grid": False,
        "format": "%b %Y",
        "tickCount": 5,
        "labelOverlap": True,
        "labelSeparation": 16,
    }
    time = {"field": "t", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}
    height = quantity("n", None, scale={"domain": [0, top], "nice": False}, axis={"format": number})
    line = {"type": "line", "color": colour, "strokeWidth": 2, "point": {"color": colour, "size": 16, "filled": True}}
    place = {"x": time, "y": height}
    letters = {"type": "text", "dy": -12, "fontWeight": "bold"}
    inks = ({"color": "white", "stroke": "white", "strokeWidth": 5}, {"color": colour})
    encoding = {**place, "text": {"field": "n", "format": number.replace(".0%", ".1%")}}
    layers = [*_shades(population, time, top), {"data": {"values": points}, "mark": line, "encoding": place}]
    first_and_last = points[:: max(1, len(points) - 1)]
    for point, align in zip(first_and_last, ("left", "right"), strict=False):
        for ink in inks:
            mark = {**letters, "align": align, **ink}
            layers.append({"data": {"values": [point]}, "mark": mark, "encoding": encoding})
    return {"layer": layers}


def _shades(population: pd.DataFrame, time: Spec, top: float) -> list[Spec]:
    """Shade each run of snapshots of one split, with its word lying or, where it is narrow, standing."""
    bands = _bands(list(population["snapshot_date"]), list(population["split"]))
    start, end = {**time, "field": "start"}, {"field": "end"}
    layers: list[Spec] = [
        {
            "data": {"values": bands},
            "mark": {"type": "rect"},
            "encoding": {"x": start, "x2": end, "color": {"field": "shade", "scale": None}},
        }
    ]
    for narrow, turn in (
        (False, {"baseline": "top", "dy": 4, "dx": 4}),
        (True, {"angle": 270, "align": "right", "baseline": "top", "dx": -4, "dy": 2}),
    ):
        words = [band for band in bands if band["narrow"] is narrow]
        mark = {"type": "text", "align": "left", "color": GREY, "fontSize": 11, **turn}
        place = {"x": start, "y": {"datum": top, "type": "quantitative"}, "text": {"field": "word"}}
        layers += [{"data": {"values": words}, "mark": mark, "encoding": place}] if words else []
    return layers


def _bands(dates: list[date], splits: list[str]) -> list[Spec]:
    """The runs of snapshots of one split, each from its first day to that of the next run."""
    step = timedelta(days=median((b - a).days for a, b in pairwise(dates))) if len(dates) > 1 else timedelta(days=1)
    end_of_all = dates[-1] + step
    whole = (end_of_all - dates[0]).days
    starts = [0]
    for number, (before, split) in enumerate(pairwise(splits), start=1):
        if split != before:
            starts.append(number)
    bands: list[Spec] = []
    for start, end in pairwise([*starts, len(dates)]):
        first, after = dates[start], dates[end] if end < len(dates) else end_of_all
        band = {
            "start": first.isoformat(),
            "end": after.isoformat(),
            "word": SPLIT_WORDS[splits[start]],
            "shade": _SHADES[splits[start]],
            "narrow": (after - first).days / whole * (WIDTH - 60) < _WORD_WIDTH,
        }
        bands.append(band)
    return bands


def timeline(churn: ChurnDefinition, longest_window: int) -> Figure:
    """Draw which days before and after a snapshot t are read for what."""
    ends = churn.gap + churn.horizon
    active = churn.active.within if churn.active else 0
    spans = [
        ("features: known before t", -longest_window, 0, BLUE),
        ("eligible: active here", -active, 0, SKY),
        ("gap: nothing is asked", 0, churn.gap, PALE),
        ("label: did it happen here", churn.gap, ends, ORANGE),
    ]
    left = -max(longest_window, active, 1)
    drawn: list[Spec] = []
    for word, a, b, colour in spans:
        if b > a:
            place = {"a": a, "b": b, "row": len(drawn), "from": left, "to": ends}
            drawn.append({"word": f"{word}, {b - a} days", "colour": colour, **place})
    summary = "; ".join(str(bar["word"]) for bar in drawn) + "."
    spec: Spec = {"height": 58 * len(drawn) + 40, "layer": _spans(drawn, left, ends)}
    return figure("timeline", "What is read before a snapshot t, and what is asked after", summary, spec)


def _spans(drawn: list[Spec], left: int, ends: int) -> list[Spec]:
    """Bars over days, the words of those before t flush left, of those after it flush right."""
    axis = {"title": "days from the snapshot t", "grid": False, "tickMinStep": 30}
    across = quantity("a", None, scale={"domain": [left, ends], "nice": False}, axis=axis)
    row = {"field": "row", "type": "ordinal", "axis": None}
    bars: Spec = {
        "data": {"values": drawn},
        "mark": {"type": "bar", "height": 14, "cornerRadius": 2},
        "encoding": {"x": across, "x2": {"field": "b"}, "y": row, "color": {"field": "colour", "scale": None}},
    }
    now: Spec = {
        "data": {"values": [{"zero": 0}]},
        "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3], "strokeWidth": 1.5},
        "encoding": {"x": {**across, "field": "zero"}},
    }
    words: list[Spec] = []
    for after, align, edge in ((False, "left", "from"), (True, "right", "to")):
        layer: Spec = {
            "data": {"values": [bar for bar in drawn if (bar["b"] > 0) is after]},
            "mark": {"type": "text", "align": align, "dy": -17},
            "encoding": {"x": {**across, "field": edge}, "y": row, "text": {"field": "word"}},
        }
        words.append(layer)
    # The white edge keeps a long word readable where it crosses t; it lies under the bars, so it bites into none.
    edges = [{**layer, "mark": {**layer["mark"], "stroke": "white", "strokeWidth": 5}} for layer in words]
    return [now, *edges, bars, *words]
