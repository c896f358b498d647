"""Plain words: a churn definition as sentences, and numbers as people write them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal

from tenure.define.churn import ChurnDefinition
from tenure.define.event_base import Event, simple_events
from tenure.define.events import where_words
from tenure.model.learners import model_kind

_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_UNKNOWN = "n/a"


def kind_words(kind: str) -> str:
    """Return a kind of model in words; raise ModelError for one that has none."""
    return model_kind(kind, place="the words of the report").words


def event_words(event: Event) -> str:
    """Return what counts as leaving, as a clause: 'no row of payments (amount > 0)'.

    Raises InvalidDefinition for an event of a class that Tenure does not know.
    """
    simple_events(event)
    return event.words


def eligibility_words(churn: ChurnDefinition) -> str:
    """Return who is asked about, as a clause."""
    parts = ["open at the snapshot"]
    if churn.min_tenure:
        parts.append(f"customers for at least {churn.min_tenure} days")
    if churn.active:
        parts.append(
            f"active before it (a row of {churn.active.source}{where_words(churn.active.where)} in the "
            f"{churn.active.within} days before)"
        )
    if churn.event.asks_only:
        parts.append(churn.event.asks_only)
    return ", ".join(parts)


def eligibility_brief(churn: ChurnDefinition) -> str:
    """Return who is asked about, without details: 'customers for 90 days or more and active in the 90 days before'."""
    parts = [f"customers for {churn.min_tenure} days or more"] if churn.min_tenure else ["open"]
    parts += [f"active in the {churn.active.within} days before"] if churn.active else []
    parts += [churn.event.asks_only] if churn.event.asks_only else []
    return " and ".join(parts)


def span_words(churn: ChurnDefinition) -> str:
    """Return when the event is looked for, as a clause."""
    gap = f"after a gap of {churn.gap} days, " if churn.gap else ""
    return f"{gap}within {churn.horizon} days of the {'gap' if churn.gap else 'snapshot'}"


def count_word(number: int) -> str:
    """Return 'three' for 3; digits from 13 on."""
    return _SMALL[number] if 0 <= number < len(_SMALL) else f"{number:,}"


def plural(number: int, noun: str) -> str:
    """Return '1 row' for 1 and 'row', '1,200 rows' for 1200."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def minute(at: datetime) -> str:
    """Return an instant to the minute, as it is in UTC: '2024-03-01 06:30'."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def share(value: object) -> str:
    """Return a share as percent, 'n/a' if there is none."""
    number = _number(value)
    return _UNKNOWN if number is None else f"{number:.1%}"


def whole(value: object) -> str:
    """Return a count with thousands separated, 'n/a' if there is none."""
    number = _number(value)
    return _UNKNOWN if number is None else f"{number:,.0f}"


def decimal(value: object, places: int = 3) -> str:
    """Return a number with so many places, 'n/a' if there is none."""
    number = _number(value)
    return _UNKNOWN if number is None else f"{number:,.{places}f}"


def money(value: Decimal | None) -> str:
    """Return an amount exactly, with two places and thousands separated, 'n/a' if there is none."""
    return _UNKNOWN if value is None else f"{value:,.2f}".replace("-", "\u2212")


def seconds(value: object) -> str:
    """Return a duration in seconds, to the hundredth under ten."""
    number = _number(value)
    return _UNKNOWN if number is None else f"{number:.2f}" if number < 10 else f"{number:.1f}"


def day(value: object) -> str:
    """Return the day of a date or an instant, 'n/a' if there is none."""
    return value.isoformat()[:10] if isinstance(value, date) and value == value else _UNKNOWN  # noqa: PLR0124  NaT


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) and not hasattr(value, "__float__"):
        return None
    number = float(value)
    return None if math.isnan(number) else number
