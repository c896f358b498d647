"""Sparklines: the distribution of a column and its way through the snapshots, each a few strokes of inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from tenure.publish.drawing import BLUE, GREY, PALE

WIDTH, HEIGHT = 168, 40

#: Widest bar, so that a column of two values is not drawn as two walls.
_WIDEST = 14


def bars(rows: Sequence[int], words: str) -> Markup:
    """Draw rows by bin as bars from the left; `words` are read aloud in place of the drawing."""
    if not rows or not max(rows):
        return Markup("")
    step = min(_WIDEST, WIDTH / len(rows))
    drawn = []
    for at, number in enumerate(rows):
        tall = max(1.0, HEIGHT * number / max(rows)) if number else 0.0
        if tall:
            place = f'x="{at * step:.1f}" y="{HEIGHT - tall:.1f}" width="{step - 1:.1f}" height="{tall:.1f}"'
            drawn.append(f"<rect {place}/>")
    return _svg(f'<g fill="{BLUE}">{"".join(drawn)}</g>', words)


def line(values: Sequence[float | None], words: str, *, low: float, high: float) -> Markup:
    """Draw values as a line from `low` to `high`, broken where there is none, with a dot at its end."""
    points = [
        (at * (WIDTH - 8) / max(1, len(values) - 1) + 4, HEIGHT - 4 - (value - low) / (high - low) * (HEIGHT - 8))
        for at, value in enumerate(values)
        if value is not None
    ]
    if len(points) < 2 or high <= low:
        return Markup("")
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    zero = HEIGHT - 4 + low / (high - low) * (HEIGHT - 8)
    base = f'<path d="M4 {zero:.1f}H{WIDTH - 4}" stroke="{PALE}"/>' if low <= 0 <= high else ""
    stroke = f'<polyline points="{path}" fill="none" stroke="{GREY}" stroke-width="1.6"/>'
    return _svg(f'{base}{stroke}<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{BLUE}"/>', words)


def _svg(body: str, words: str) -> Markup:
    head = f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return Markup(f'{head} aria-label="{escape(words)}">{body}</svg>')  # noqa: S704  (numbers, and words escaped)
