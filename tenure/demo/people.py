"""People: who the demo bank's customers are, and the versions of their records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tenure.demo.calendar import DAY_SECONDS, Array, Calendar

FIRST_CUSTOMER_ID = 100_001

#: The share of customers who joined before the data begin; the others join during them, evenly.
JOINED_BEFORE = 0.2

GENDERS = {"female": 0.49, "male": 0.48, "undisclosed": 0.03}
REGIONS = {
    "north": 0.10,
    "north-east": 0.08,
    "east": 0.11,
    "south-east": 0.16,
    "south": 0.13,
    "west": 0.12,
    "capital": 0.22,
    "islands": 0.08,
}
TYPES = ("retail", "premium", "student", "business-owner")
EMPLOYMENT = ("employed", "self-employed", "retired", "unemployed", "student")
MARITAL = {"single": 0.36, "married": 0.44, "divorced": 0.13, "widowed": 0.07}
CHANNELS = {"branch": 0.30, "web": 0.24, "mobile-app": 0.22, "referral": 0.14, "partner": 0.10}
INCOME_BANDS = ("under 2k", "2k-3k", "3k-5k", "5k and over")

_GIVEN_NAMES = tuple(
    "Ada Ben Cara Dan Elsa Finn Greta Hugo Ida Jon Kaja Leo Mira Nils Olga Per Rosa Sam Tara Ugo Vera".split()
)
_FAMILY_NAMES = tuple(
    "Alder Birch Cedar Dogwood Elm Fir Gorse Hazel Ivy Juniper Larch Maple Oak Pine Rowan Spruce Willow".split()
)


@dataclass(frozen=True)
class People:
    """One chunk's customers, an array entry each; `joined` is a day number, `income` cents a month."""

    ids: Array
    joined: Array
    age: Array
    type: Array
    employment: Array
    income: Array
    digital: Array
    salaried: Array
    texts: Mapping[str, Array]

    @property
    def size(self) -> int:
        """How many customers."""
        return len(self.ids)


def people(rng: np.random.Generator, calendar: Calendar, first_id: int, size: int) -> People:
    """Return `size` customers with ids from `first_id`."""
    age = np.clip(rng.normal(44, 16, size), 18, 88)
    employment = _employment(rng, age)
    type_ = _customer_type(rng, age, employment)
    level = np.array([2_700, 6_200, 1_150, 4_300])[type_] * np.where(employment == 3, 0.55, 1.0)
    income = (level * rng.lognormal(0, 0.28, size) * 100).astype(np.int64)
    digital = rng.random(size) < np.interp(age, [20, 45, 70, 88], [0.93, 0.82, 0.45, 0.2])
    before = rng.random(size) < JOINED_BEFORE
    joined = np.where(
        before,
        -1 - np.minimum(rng.exponential(1_500, size), 7_000).astype(np.int64),
        rng.integers(0, calendar.days - 1, size),
    )
    return People(
        ids=np.arange(first_id, first_id + size),
        joined=joined,
        age=age,
        type=type_,
        employment=employment,
        income=income,
        digital=digital,
        salaried=np.isin(employment, (0, 2)) & (rng.random(size) < 0.85),
        texts=_texts(rng, income, size),
    )


def chosen(rng: np.random.Generator, weights: Mapping[str, float], size: int) -> Array:
    """Return `size` keys of `weights`, drawn by their shares."""
    return np.array(list(weights))[rng.choice(len(weights), size, p=list(weights.values()))]


def _employment(rng: np.random.Generator, age: Array) -> Array:
    draw = rng.random(len(age))
    working = np.select([draw < 0.79, draw < 0.92], [0, 1], 3)
    return np.select([(age < 25) & (draw < 0.55), age > 65], [4, 2], working)


def _customer_type(rng: np.random.Generator, age: Array, employment: Array) -> Array:
    draw = rng.random(len(age))
    return np.select(
        [employment == 4, (employment == 1) & (draw < 0.7), (age > 32) & (draw > 0.86)],
        [2, 3, 1],
        0,
    )


def _texts(rng: np.random.Generator, income: Array, size: int) -> dict[str, Array]:
    band = np.array(INCOME_BANDS)[np.digitize(income, [200_000, 300_000, 500_000])].astype(object)
    band[rng.random(size) < 0.06] = None
    return {
        "given": rng.choice(_GIVEN_NAMES, size),
        "family": rng.choice(_FAMILY_NAMES, size),
        "gender": chosen(rng, GENDERS, size),
        "region": chosen(rng, REGIONS, size),
        "income_band": band,
        "marital_status": chosen(rng, MARITAL, size),
        "acquisition_channel": chosen(rng, CHANNELS, size),
    }


def customer_rows(rng: np.random.Generator, calendar: Calendar, who: People, closes: Array) -> pa.Table:
    """Return customers.csv's rows: a first version of each customer and up to two later ones, in order.

    A later version changes the region or the employment; none is written on or after the closing day.
    """
    begin = np.maximum(who.joined, 0) + 30
    room = np.minimum(closes, calendar.days) - 1 - begin
    later = np.where(room > 0, np.minimum(rng.poisson(np.maximum(room, 0) / 365 * 0.11), 2), 0)
    of = np.repeat(np.arange(who.size), later + 1)
    version = np.arange(len(of)) - np.repeat(np.cumsum(later + 1) - later - 1, later + 1)
    moved = rng.random(len(of)) < 0.55
    region = who.texts["region"][of]
    employment = who.employment[of]
    span = np.maximum(room[of], 1) / 2
    day = np.where(
        version == 0,
        who.joined[of],
        begin[of] + ((version - 1 + rng.random(len(of))) * span).astype(np.int64),
    )
    for number in (1, 2):
        rows = np.flatnonzero(version == number)
        region[rows] = np.where(moved[rows], chosen(rng, REGIONS, len(rows)), region[rows - 1])
        employment[rows] = np.where(moved[rows], employment[rows - 1], rng.choice([0, 1, 3], len(rows)))
    seconds = day * DAY_SECONDS + rng.integers(8 * 3600, 18 * 3600, len(of))
    return _customer_table(calendar, who, of, region, employment, seconds)


def _customer_table(
    calendar: Calendar, who: People, of: Array, region: Array, employment: Array, seconds: Array
) -> pa.Table:
    given, family, ids = who.texts["given"][of], who.texts["family"][of], who.ids[of]
    born = (-who.age * 365.25).astype(np.int64)[of]
    return pa.table(
        {
            "customer_id": ids,
            "full_name": [f"{g} {f}" for g, f in zip(given, family, strict=True)],
            "email": [f"{g}.{f}.{i}@example.com".lower() for g, f, i in zip(given, family, ids, strict=True)],
            "phone": [f"+00 555 {i:07d}" for i in ids],
            "birth_date": pa.array(calendar.dates(born)),
            "gender": who.texts["gender"][of],
            "region": region,
            "customer_type": np.array(TYPES)[who.type[of]],
            "income_band": pa.array(who.texts["income_band"][of], pa.string()),
            "marital_status": who.texts["marital_status"][of],
            "employment_status": np.array(EMPLOYMENT)[employment],
            "acquisition_channel": who.texts["acquisition_channel"][of],
            "digital_enrolled": who.digital[of],
            "joined_on": pa.array(calendar.dates(who.joined[of])),
            "updated_at": pa.array(calendar.instants(seconds).astype("datetime64[s]")),
        }
    )
