"""How the risk grows with time: what was said of each horizon, and what came of it on the test."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tenure.publish.drawing import BLUE, ORANGE, Figure, Spec, figure, quantity


def horizon_rows(figures: pd.DataFrame, today: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row a horizon, the shortest first, of table `horizons`, with `said` and `loss`, what is given of the
    probabilities on the test, and `today`, their mean for the customers of `horizon_scores`.
    """
    means = today.groupby("horizon")["score"].mean()
    found: list[dict[str, Any]] = []
    for row in figures.sort_values("horizon").to_dict("records"):
        given = "ordered" if row["is_ordered"] else "raw"
        said, loss = row[f"mean_score_{given}"], row[f"log_loss_{given}"]
        found.append({**row, "said": said, "loss": loss, "today": means.get(row["horizon"])})
    return found


def growth_chart(rows: list[dict[str, Any]]) -> Figure | None:
    """Draw the mean probability and the share who left by horizon; None without two horizons that were judged."""
    judged = [row for row in rows if row["test_rows"]]
    if len(judged) < 2:
        return None
    lines = (("said", "as scored", ORANGE, [7, 3]), ("churn_rate", "who left", BLUE, [1, 0]))
    top = 1.25 * max(float(row[name]) for row in judged for name, *_ in lines) or 1.0
    last = max(row["horizon"] for row in judged)
    axis = {"format": ",.0f", "values": [row["horizon"] for row in judged]}
    place = {
        "x": quantity("x", "days from the snapshot, after the gap", axis=axis, scale={"domain": [0, last * 1.05]}),
        "y": quantity("y", "share of customers", axis={"format": ".0%"}, scale={"domain": [0, top], "nice": False}),
    }
    layers: list[Spec] = []
    for n, (name, words, colour, dash) in enumerate(lines):
        dots = [{"x": 0, "y": 0}, *({"x": row["horizon"], "y": round(float(row[name]), 5)} for row in judged)]
        mark = {"type": "line", "color": colour, "strokeDash": dash, "point": {"size": 26, "color": colour}}
        label = {"type": "text", "align": "left", "color": colour, "fontWeight": "bold"}
        named = {"x": last * 0.04, "y": top * (0.95 - 0.08 * n), "word": words}
        layers += [
            {"data": {"values": dots}, "mark": mark, "encoding": place},
            {"data": {"values": [named]}, "mark": label, "encoding": {**place, "text": {"field": "word"}}},
        ]
    summary = "; ".join(
        f"within {row['horizon']} days {row['said']:.1%} as scored, {row['churn_rate']:.1%} left" for row in judged
    )
    return figure("growth", "How many leave, by horizon", f"Of the test, {summary}.", {"layer": layers})
