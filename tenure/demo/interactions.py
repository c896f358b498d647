"""Interactions: calls, complaints, visits, logins and emails of the demo bank's customers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tenure.demo.calendar import DAY_SECONDS, Array, Calendar
from tenure.demo.lives import Lives
from tenure.demo.people import People

KINDS = ("call", "complaint", "branch_visit", "app_login", "email")
CALL, COMPLAINT, VISIT, LOGIN, EMAIL = range(5)

#: Monthly rate for digital customers and for the others, and the usual minutes.
_RATES = {CALL: (0.10, 0.18, 6), VISIT: (0.06, 0.30, 15), LOGIN: (3.2, 0.0, 3), EMAIL: (0.15, 0.04, 0)}
_TOPICS = {
    CALL: ("balance", "card", "loan", "transfer"),
    COMPLAINT: ("fees", "card", "service", "transfer"),
    VISIT: ("cash", "advice", "loan"),
    LOGIN: ("balance", "transfer", "statement"),
    EMAIL: ("statement", "offer", "card"),
}


def interaction_rows(rng: np.random.Generator, calendar: Calendar, who: People, fate: Lives, first_id: int) -> pa.Table:
    """Return interactions.csv's rows, by time, all between joining and closing, ids from `first_id`."""
    place, day, kind, resolved = _events(rng, calendar, who, fate)
    second = day * DAY_SECONDS + rng.integers(7 * 3600, 22 * 3600, len(day))
    order = np.argsort(second, kind="stable")
    place, second, kind, resolved = place[order], second[order], kind[order], resolved[order]
    minutes = np.array([_RATES.get(k, (0, 0, 12))[2] for k in range(5)])[kind]
    minutes = np.maximum((minutes * rng.lognormal(0, 0.5, len(kind))).astype(np.int64), 1)
    topic = np.empty(len(kind), dtype="U9")
    for code, names in _TOPICS.items():
        these = np.flatnonzero(kind == code)
        topic[these] = rng.choice(names, len(these))
    answers = pa.array([None, "true", "false"]).take(pa.array(resolved))
    return pa.table(
        {
            "interaction_id": np.arange(first_id, first_id + len(kind)),
            "customer_id": who.ids[place],
            "occurred_at": pa.array(calendar.instants(second).astype("datetime64[s]")),
            "kind": np.array(KINDS)[kind],
            "topic": topic,
            "resolved": answers,
            "duration_minutes": pa.array(minutes, mask=kind == EMAIL),
        }
    )


def _events(rng: np.random.Generator, calendar: Calendar, who: People, fate: Lives) -> tuple[Array, ...]:
    """Return who, day, kind and resolved (0 blank, 1 true, 2 false) of every interaction."""
    usual = rng.lognormal(-0.12, 0.5, who.size)[:, None] * fate.activity
    found: list[tuple[Array, ...]] = []
    for kind, (digital_rate, other_rate, _) in _RATES.items():
        rate = np.where(who.digital, digital_rate, other_rate)[:, None] * usual
        place, day = _spread(rng, calendar, rng.poisson(rate))
        answered = (kind in (CALL, VISIT)) & (rng.random(len(place)) < 0.9)
        found.append((place, day, np.full(len(place), kind), np.where(answered, 1, 0)))
    place, day = _spread(rng, calendar, (fate.complaint > 0).astype(np.int64))
    month = np.searchsorted(calendar.starts, day, side="right") - 1
    found.append((place, day, np.full(len(place), COMPLAINT), fate.complaint[place, month]))
    place, day, kinds, resolved = map(np.concatenate, zip(*found, strict=True))
    stays = (day >= np.maximum(who.joined[place], 0)) & (day < fate.closes[place]) & (day < fate.dormant[place])
    return place[stays], day[stays], kinds[stays], resolved[stays]


def _spread(rng: np.random.Generator, calendar: Calendar, counts: Array) -> tuple[Array, Array]:
    """Return the row and a day of the month of each of `counts` (customers, months)."""
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    month = cell % calendar.months
    length = np.diff(calendar.starts)[month]
    return cell // calendar.months, calendar.starts[month] + (rng.random(len(cell)) * length).astype(np.int64)
