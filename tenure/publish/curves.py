"""The four charts of model quality; in each, every model has its colour, its dash and its name beside the lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from tenure.publish.drawing import COLOURS, GREY, Figure, Spec, figure, quantity

_DASHES = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3])


@dataclass(frozen=True)
class Sketch:
    """How one kind of curve is drawn: its words, axes and where the models' names stand (shares of each axis)."""

    curve: str
    title: str
    across: str
    up: str
    x_format: str
    y_format: str
    names_at: tuple[float, float]


SKETCHES = (
    Sketch(
        "roc",
        "Leavers found against stayers disturbed (ROC)",
        "share of stayers ranked above the cut",
        "share of leavers ranked above it",
        ".0%",
        ".0%",
        (0.52, 0.3),
    ),
    Sketch(
        "gain", "Leavers reached (cumulative gain)", "share contacted", "share of leavers reached", ".0%", ".0%",
        (0.52, 0.3),
    ),
    Sketch("lift", "Times better than chance (lift)", "share contacted", "lift", ".0%", ".1f", (0.52, 0.95)),
    Sketch(
        "calibration", "Does a score of 30% mean 30%? (calibration)", "mean score of a tenth of the rows",
        "share who left", ".0%", ".0%", (0.04, 0.95),
    ),
)  # fmt: skip


def quality_charts(curves: pd.DataFrame, names: Mapping[str, str]) -> list[Figure]:
    """Return a chart for each kind of curve that has points; `names` maps a model version to its words, in order."""
    drawn = []
    for sketch in SKETCHES:
        points = curves[(curves["curve"] == sketch.curve) & curves["model_version"].isin(list(names))]
        if sketch.curve == "lift":
            points = points[points["x"] >= 0.02]  # below, a handful of rows make the line jump
        if len(points):
            summary = f"{sketch.up} by {sketch.across}, for {', '.join(names.values())}."
            drawn.append(figure(sketch.curve, sketch.title, summary, _spec(sketch, points, names)))
    return drawn


def _spec(sketch: Sketch, points: pd.DataFrame, names: Mapping[str, str]) -> Spec:
    right, top = _ends(sketch, points)
    across = quantity("x", sketch.across, axis={"format": sketch.x_format}, scale={"domain": [0, right], "nice": False})
    up = quantity("y", sketch.up, axis={"format": sketch.y_format}, scale={"domain": [0, top], "nice": False})
    place = {"x": across, "y": up}
    chance = [{"x": a, "y": b} for a, b in _chance(sketch.curve, right, top)]
    faint = {"type": "line", "color": GREY, "strokeDash": [2, 3], "strokeWidth": 1}
    layers: list[Spec] = [{"data": {"values": chance}, "mark": faint, "encoding": place}]
    for n, version in reversed(list(enumerate(names))):
        rows = points[points["model_version"] == version]
        mark: Spec = {
            "type": "line", "color": COLOURS[n % len(COLOURS)], "strokeDash": _DASHES[n % len(_DASHES)],
            "strokeWidth": 2.5 if n == 0 else 1.5,
        }  # fmt: skip
        if sketch.curve == "calibration":
            mark["point"] = {"size": 22, "color": COLOURS[n % len(COLOURS)]}
        dots = [{"x": round(float(r.x), 5), "y": round(float(r.y), 5)} for r in rows.itertuples()]
        layers.append({"data": {"values": dots}, "mark": mark, "encoding": place})
    return {"layer": [*layers, *_named(sketch, list(names.values()), right, top, place)]}


def _named(sketch: Sketch, names: Sequence[str], right: float, top: float, place: Spec) -> list[Spec]:
    """The models' names one under another where the lines leave room, each beside a stroke of its line."""
    layers: list[Spec] = []
    rows = [*names, "chance" if sketch.curve != "calibration" else "as scored"]
    # The last one stands above the axis, however many there are.
    first = max(sketch.names_at[1], 0.05 + 0.075 * (len(rows) - 1))
    for n, name in enumerate(rows):
        last = n == len(names)
        colour = GREY if last else COLOURS[n % len(COLOURS)]
        dash = [2, 3] if last else _DASHES[n % len(_DASHES)]
        x, y = sketch.names_at[0] * right, (first - 0.075 * n) * top
        stroke = [{"x": x, "y": y}, {"x": x + 0.07 * right, "y": y}]
        layers += [
            {
                "data": {"values": stroke},
                "mark": {"type": "line", "color": colour, "strokeDash": dash, "strokeWidth": 2},
                "encoding": place,
            },
            {
                "data": {"values": [{**stroke[1], "word": name}]},
                "mark": {"type": "text", "align": "left", "dx": 6, "color": colour, "fontWeight": "bold"},
                "encoding": {**place, "text": {"field": "word"}},
            },
        ]
    return layers


def _ends(sketch: Sketch, points: pd.DataFrame) -> tuple[float, float]:
    if sketch.curve in ("roc", "gain"):
        return 1.0, 1.0
    if sketch.curve == "lift":
        return 1.0, max(1.5, float(points["y"].max()) * 1.1)
    most = min(1.0, max(0.05, float(points[["x", "y"]].max().max()) * 1.1))
    return most, most


def _chance(curve: str, right: float, top: float) -> tuple[tuple[float, float], ...]:
    return ((0, 1), (right, 1)) if curve == "lift" else ((0, 0), (right, top))
