"""The page of every column: one HTML file that opens from disk, loads nothing, and is searched in the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tenure.insight.associations import Association
from tenure.insight.profile_rows import Subject
from tenure.publish import words
from tenure.publish.sparklines import bars, line

Row: TypeAlias = dict[str, Any]

#: From where on the page points at a column.
MISSING, SAME, MOVED = 0.5, 0.98, 0.5

#: Columns that go with a column which the page names; columns named for each thing to look at.
_PARTNERS, _NAMED = 4, 12

_EPOCH = date(1970, 1, 1)

#: What the page points at: its word on a column, what that means, in the order of the page.
FLAGS = {
    "leak?": "that may be the label in disguise: ask when it is written",
    "one value": "with a single value, which says nothing",
    "mostly missing": "missing in more than half of the rows",
    "placeholder days": "with days that systems write where they know none, such as 1900-01-01",
    "lies apart": "with values behind a wide gap, far from all others",
    "moved": "whose mean moved by half a standard deviation since the first snapshot, or half of whose rows changed",
    "twin": f"with an association of {SAME} or more with another: a model needs one of the two",
}


@dataclass(frozen=True, kw_only=True)
class ExploreInput:
    """The inputs of the page; rows have the columns of the lake's tables explore/*, `rows` is by table.

    `left_out` counts the columns that are declared personal or metadata.
    """

    project: str
    subjects: Sequence[Subject]
    rows: Mapping[str, int]
    left_out: int
    profiles: Sequence[Row]
    distributions: Sequence[Row]
    correlations: Sequence[Association]
    labels: Sequence[Row]


@dataclass
class Card:
    """A column on the page."""

    subject: Subject
    whole: Row
    missing: float
    drawn: Markup
    drawn_words: str
    change: Markup
    absent: Markup
    moved: float | None
    label: Row | None
    partners: list[tuple[str, str, float]]
    flags: list[str] = field(default_factory=list)

    @property
    def search(self) -> str:
        """What a search looks through."""
        subject = self.subject
        return f"{subject.name} {subject.text} {subject.unit} {subject.relation} {' '.join(self.flags)}".lower()


def explore_page(inputs: ExploreInput) -> str:
    """Return the page: HTML with its style, drawings and script inside, nothing to fetch."""
    pages = Environment(
        loader=PackageLoader("tenure", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(share=words.share, whole=words.whole, decimal=words.decimal, figure=figure)
    cards = _cards(inputs)
    return pages.get_template("explore.html.j2").render(
        inputs=inputs,
        cards=cards,
        flags=_flagged(cards),
        named=_NAMED,
        snapshots=sorted({row["snapshot_date"] for row in inputs.profiles if row["snapshot_date"]}),
        relations=list(dict.fromkeys(card.subject.relation for card in cards)),
        labelled=next(iter(inputs.labels), None),
        day=day,
        figure=figure,
    )


def _flagged(cards: Sequence[Card]) -> list[tuple[str, str, list[Card]]]:
    """The flags that some column bears: the flag, what it means, and the columns."""
    found = [(flag, meaning, [card for card in cards if flag in card.flags]) for flag, meaning in FLAGS.items()]
    return [entry for entry in found if entry[2]]


def _cards(inputs: ExploreInput) -> list[Card]:
    """The columns, in their order."""
    whole: dict[tuple[str, str], Row] = {}
    by_snapshot: dict[tuple[str, str], list[Row]] = {}
    spread: dict[tuple[str, str], list[Row]] = {}
    for row in inputs.profiles:
        place = row["relation"], row["column_name"]
        if row["snapshot_date"] is None:
            whole[place] = row
        else:
            by_snapshot.setdefault(place, []).append(row)
    for row in inputs.distributions:
        spread.setdefault((row["relation"], row["column_name"]), []).append(row)
    partners = _partners(inputs.correlations)
    labels = {row["column_name"]: row for row in inputs.labels}
    cards = []
    for subject in inputs.subjects:
        place = subject.relation, subject.name
        is_feature = subject.relation == "features"
        card = _card(subject, whole[place], by_snapshot.get(place, []), spread.get(place, []))
        if is_feature:
            card.label, card.partners = labels.get(subject.name), partners.get(subject.name, [])
        card.flags = _flags(card)
        cards.append(card)
    return cards


def _card(subject: Subject, whole: Row, by_snapshot: Sequence[Row], spread: Sequence[Row]) -> Card:
    shifts = [row.get("shift") for row in by_snapshot]
    absent = [row["missing"] / row["rows"] if row["rows"] else None for row in by_snapshot]
    known = [shift for shift in shifts if shift is not None]
    # A small change is drawn small: half a standard deviation fills the height.
    high, low = max([MOVED, *known]), min([0.0, *known])
    if low < 0:
        low = min(low, -MOVED)
    drawn_words = _spread_words(subject, spread)
    return Card(
        subject=subject,
        whole=whole,
        missing=whole["missing"] / whole["rows"] if whole["rows"] else 0.0,
        drawn=bars([row["rows"] for row in spread], drawn_words),
        drawn_words=drawn_words,
        change=line(shifts, "change since the first snapshot", low=low, high=high),
        absent=line(absent, "share missing by snapshot", low=0.0, high=1.0) if any(absent) else Markup(""),
        moved=known[-1] if known else None,
        label=None,
        partners=[],
    )


def _spread_words(subject: Subject, spread: Sequence[Row]) -> str:
    """What the drawing of a distribution spans."""
    if not spread:
        return ""
    if subject.kind == "category":
        return ", ".join(f"{row.get('value') or 'others'} {row['rows']:,}" for row in spread[:3])
    first, last = (value_of(subject, value) for value in (spread[0]["bin_start"], spread[-1]["bin_end"]))
    return first if first == last else f"{first} to {last}"


def _partners(correlations: Sequence[Association]) -> dict[str, list[tuple[str, str, float]]]:
    """Of each feature the columns that go with it most: name, measure, figure."""
    found: dict[str, list[tuple[float, str, str, float]]] = {}
    for pair in correlations:
        figures = [
            (abs(value), measure, value)
            for value, measure in zip(pair[3:], _MEASURES, strict=True)
            if isinstance(value, float)
        ]
        if figures:
            strength, measure, value = max(figures)
            found.setdefault(pair.first, []).append((strength, pair.second, measure, value))
            found.setdefault(pair.second, []).append((strength, pair.first, measure, value))
    return {name: _strongest(entries) for name, entries in found.items()}


def _strongest(entries: list[tuple[float, str, str, float]]) -> list[tuple[str, str, float]]:
    ordered = sorted(entries, key=lambda entry: (-entry[0], entry[1]))
    return [entry[1:] for entry in ordered[:_PARTNERS]]


#: The figures of an association, in its order.
_MEASURES = ("correlation", "rank correlation", "Cramér’s V", "correlation ratio")


def _flags(card: Card) -> list[str]:
    whole, moved = card.whole, card.moved
    apart = (whole.get("outliers_below") or 0) + (whole.get("outliers_above") or 0)
    holds = {
        "leak?": bool(card.label and card.label["suspect"]),
        "one value": whole.get("distinct_values") is not None and whole["distinct_values"] <= 1,
        "mostly missing": card.missing > MISSING,
        "placeholder days": bool(whole.get("placeholder_days")),
        "lies apart": bool(apart),
        "moved": moved is not None and abs(moved) > MOVED,
        "twin": bool(card.partners) and abs(card.partners[0][2]) >= SAME,
    }
    return [flag for flag in FLAGS if holds[flag]]


def figure(value: object) -> str:
    """Return a number to four digits, 'n/a' if there is none."""
    if not isinstance(value, int | float) or value != value:  # noqa: PLR0124  (NaN)
        return "n/a"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def day(value: object) -> str:
    """Return days since 1970 as a date, 'n/a' if there is none or the calendar has no such day."""
    if not isinstance(value, int | float):
        return "n/a"
    try:
        return str(_EPOCH + timedelta(days=int(value // 1)))
    except (OverflowError, ValueError):
        return "n/a"


def value_of(subject: Subject, value: object) -> str:
    """Return a value of a column in words: a day, or a number."""
    return day(value) if subject.kind == "day" else figure(value)
