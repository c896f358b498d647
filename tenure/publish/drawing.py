"""From a Vega-Lite spec to an inline SVG: one look for all charts, no script, no network.

Colours are those of Okabe and Ito, which people with any common colour vision tell apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

Spec: TypeAlias = dict[str, Any]

BLUE, ORANGE, GREEN, PINK, GOLD, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B07C00", "#56B4E9"
COLOURS = (BLUE, ORANGE, GREEN, PINK, GOLD, SKY)
INK, GREY, PALE = "#1d2733", "#66717d", "#c3cad1"
#: A chart is as wide as a phone, so that its text keeps its size there; wide screens set two side by side.
WIDTH, HEIGHT = 460, 270

_FONT = "Arial, Liberation Sans, Helvetica, sans-serif"
_CONFIG: Spec = {
    "aria": False,
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": GREY,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": "#e8ebee",
        "domainColor": PALE,
        "tickColor": PALE,
        "tickCount": 6,
    },
    "axisY": {"domain": False, "ticks": False},
    "text": {"fontSize": 12, "fill": INK},
}


@dataclass(frozen=True)
class Figure:
    """A chart on the page: its SVG, what it shows, and the same in words for those who don't see it."""

    svg: str
    title: str
    summary: str


def figure(name: str, title: str, summary: str, spec: Spec) -> Figure:
    """Return the chart drawn. `name` is its id on the page; `summary` is read aloud in place of the drawing."""
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(
        {
            "$schema": "vega-lite-v6",
            "width": WIDTH,
            "height": HEIGHT,
            "autosize": {"type": "fit", "contains": "padding"},
            "padding": {"left": 2, "right": 10, "top": 6, "bottom": 2},
            "config": _CONFIG,
            **spec,
        },
        vl_version="6.4",
        allowed_base_urls=[],
    )
    return Figure(_inline(drawn, name, title, summary), title, summary)


def _inline(svg: str, name: str, title: str, summary: str) -> str:
    """Return the SVG with a name and words of its own; ids are prefixed, since a page holds several drawings."""
    svg = re.sub(r"\bid=\"([^\"]+)\"", rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r"\s(?:xmlns(?::xlink)?|role|aria-roledescription|aria-hidden)=\"[^\"]*\"", "", svg)
    head = re.search(r"<svg[^>]*viewBox=\"([^\"]+)\"[^>]*>", svg)
    body = svg[head.end() :] if head else svg
    box = head[1] if head else f"0 0 {WIDTH} {HEIGHT}"
    return (
        f'<svg role="img" viewBox="{box}" width="{box.split()[2]}" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(summary)}</desc>{body}'
    )


def values(*records: Spec) -> Spec:
    """Return records as a spec's inline data."""
    return {"values": list(records)}


def quantity(field: str, title: str | None, **rest: Any) -> Spec:
    """Return the encoding of a number on an axis; `axis` and `scale` entries may be given in `rest`."""
    axis = {"title": title, **rest.pop("axis", {})}
    return {"field": field, "type": "quantitative", "axis": axis, **rest}
