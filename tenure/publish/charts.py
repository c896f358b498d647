"""The report's charts of the customers: what moves their scores, who is alike, what a campaign earns."""

from __future__ import annotations

import pandas as pd

from tenure.publish.drawing import BLUE, COLOURS, GREY, HEIGHT, PALE, WIDTH, Figure, Spec, figure, quantity

_MOST_POINTS = 1500


def importances(strongest: pd.DataFrame) -> Figure:
    """Draw the mean absolute SHAP value of features, strongest first, each named in words above its bar."""
    bars = [
        {"word": str(r.description), "x": float(r.mean_abs_shap), "row": int(r.rank), "zero": 0}
        for r in strongest.itertuples()
    ]
    row = {"field": "row", "type": "ordinal", "axis": None}
    across = quantity("x", "mean push on the score, either way (log-odds)", axis={"tickCount": 4})
    words = {"type": "text", "align": "left", "dy": -14, "limit": WIDTH - 20}
    number = {"type": "text", "align": "left", "dx": 4, "color": GREY, "fontSize": 11}
    layers: list[Spec] = [
        {"mark": {"type": "bar", "height": 9, "color": BLUE}, "encoding": {"x": across, "y": row}},
        {"mark": words, "encoding": {"x": {**across, "field": "zero"}, "y": row, "text": {"field": "word"}}},
        {"mark": number, "encoding": {"x": across, "y": row, "text": {"field": "x", "format": ".2f"}}},
    ]
    spec: Spec = {"height": 36 * len(bars) + 44, "data": {"values": bars}, "layer": layers}
    summary = "; ".join(f"{b['word']}: {b['x']:.2f}" for b in bars[:5]) + "."
    return figure("importances", f"The {len(bars)} features that move scores most", summary, spec)


def segment_map(segments: pd.DataFrame) -> Figure:
    """Draw customers as dots on the projection's first two axes, coloured and named by segment.

    The outermost 1 % of each axis are left out, and of many customers evenly spaced ones are drawn.
    """
    inner = segments
    for axis in ("x", "y"):
        low, high = segments[axis].quantile([0.005, 0.995])
        inner = inner[inner[axis].between(low, high)]
    shown = inner.iloc[:: max(1, -(-len(inner) // _MOST_POINTS))]
    dots = [
        {"x": round(float(r.x), 2), "y": round(float(r.y), 2), "colour": segment_colour(int(r.segment_id))}
        for r in sorted(shown.itertuples(), key=lambda r: r.segment_id)
    ]
    middles = inner[inner["segment_id"] >= 0].groupby("segment_id")[["x", "y"]].median()
    names = [{"x": float(m.x), "y": float(m.y), "word": f"Segment {m.Index}"} for m in middles.itertuples()]
    blank = {"labels": False, "ticks": False, "grid": False, "domain": True}
    across = quantity("x", "first axis of the projection (no unit)", axis=blank, scale={"zero": False})
    up = quantity("y", "second axis (no unit)", axis=blank, scale={"zero": False})
    place = {"x": across, "y": up}
    halo = {"type": "text", "fontWeight": "bold", "fontSize": 13, "stroke": "white", "strokeWidth": 4}
    label = {"type": "text", "fontWeight": "bold", "fontSize": 13}
    named = {"data": {"values": names}, "encoding": {**place, "text": {"field": "word"}}}
    layers: list[Spec] = [
        {
            "data": {"values": dots},
            "mark": {"type": "circle", "size": 14, "opacity": 0.55},
            "encoding": {**place, "color": {"field": "colour", "scale": None}},
        },
        {**named, "mark": halo},
        {**named, "mark": label},
    ]
    summary = f"{len(dots):,} customers drawn, in {len(names)} segments; grey dots belong to none."
    return figure(
        "segment-map", "Customers who are alike lie close together", summary, {"height": 330, "layer": layers}
    )


def segment_colour(segment_id: int) -> str:
    """Return the colour that a segment has wherever it is shown; grey for customers of none."""
    return PALE if segment_id < 0 else COLOURS[segment_id % len(COLOURS)]


def campaign(value: pd.DataFrame) -> Figure | None:
    """Draw what a campaign earns by its size, the best size marked; None without rows."""
    if value.empty:
        return None
    unit = str(value["currency"].iloc[0])
    points: list[Spec] = [
        {
            "x": float(r.share),
            "y": float(r.expected_profit),
            "best": bool(r.best),
            "word": f"{r.share:.0%} contacted: {r.expected_profit:,.0f} {unit}",
        }
        for r in value.itertuples()
    ]
    across = quantity("x", "share of customers contacted, highest scores first", axis={"format": ".0%"})
    up = quantity("y", f"expected profit of one snapshot, {unit}", axis={"format": ",.0f"})
    best = [p for p in points if p["best"]]
    nearer_right = bool(best) and best[0]["x"] > 0.5
    words = {
        "type": "text", "align": "right" if nearer_right else "left", "dx": -8 if nearer_right else 8, "dy": -10,
        "fontWeight": "bold", "color": BLUE,
    }  # fmt: skip
    place = {"x": across, "y": up}
    rule = {"type": "rule", "color": GREY}
    line = {"type": "line", "color": BLUE, "strokeWidth": 2, "point": {"color": BLUE, "size": 22}}
    layers: list[Spec] = [
        {"data": {"values": [{"y": 0}]}, "mark": rule, "encoding": {"y": up}},
        {"data": {"values": points}, "mark": line, "encoding": place},
        {"data": {"values": best}, "mark": {"type": "point", "size": 130, "color": BLUE}, "encoding": place},
        {"data": {"values": best}, "mark": words, "encoding": {**place, "text": {"field": "word"}}},
    ]
    summary = f"Best: {best[0]['word']}." if best else "No size of campaign earns money."
    return figure("campaign", "What a campaign earns, by its size", summary, {"height": HEIGHT, "layer": layers})
