"""Only rows of keys that occur more than once are looked at closely; what is staged is as if all were."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure import ChurnDefinition, Column, Entity, Inactivity, Parquet, Source
from tenure.define.project import Project
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.tables import staging

NAMES = ["booking_id", "part", "customer_id", "booked_on", "known_at", "amount"]
DAY, NOON = date(2024, 3, 31), datetime(2024, 4, 2, 12)
TYPES = [pa.int64(), pa.string(), pa.int64(), pa.date32(), pa.timestamp("us"), pa.decimal128(18, 2)]
SCHEMA = pa.schema([*zip(NAMES, TYPES, strict=True)])

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "booking_id": st.sampled_from([1, 2, 3, 4, None]),
            "part": st.sampled_from(["a", "b", None]),
            "customer_id": st.sampled_from([7, 8, None]),
            "booked_on": st.sampled_from([DAY, DAY + timedelta(days=1), None]),
            "known_at": st.sampled_from([NOON, NOON + timedelta(days=40), NOON + timedelta(days=80), None]),
            "amount": st.sampled_from([Decimal("1.00"), Decimal("2.50"), None]),
        }
    ),
    min_size=1,
    max_size=12,
)


def source_of(*, key, has_known_time):
    return Source(
        "bookings",
        read=Parquet("bookings.parquet"),
        key=key,
        event_time="booked_on",
        known_time="known_at" if has_known_time else "",
        columns=[
            Column("booking_id", type="integer", role="key"),
            Column("part", role="key" if "part" in key else "attribute"),
            Column("customer_id", type="integer", role="key"),
            Column("booked_on", type="date", role="time"),
            Column("known_at", type="timestamp", role="time"),
            Column("amount", type="decimal", role="measure", unit="EUR"),
        ],
    )


def project_of(source):
    entity = Entity("customer", key="customer_id", source="bookings")
    churn = ChurnDefinition("quiet", event=Inactivity("bookings"), horizon=30)
    return Project(name="Bank", entity=entity, sources={"bookings": source}, views={}, churn=churn)


def by_engine(engine, source, rows, folder, *, cached):
    """What both statements and those before them make of raw rows: staged, rivals with their claims, set aside."""
    file = folder / "bookings.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), file)
    types = engine.read_parquet("bookings", source.raws["bookings"], [file])
    project = project_of(source)
    typed = staging.typed_rows(project, source, engine.dialect, types)
    (engine.cache if cached else engine.view)(typed.table, typed.text)
    for step in staging.steps(source):
        engine.cache(step.table, step.text)
    staged = naive(engine.run(staging.staging(project, source).text))
    rivals = naive(engine.run(staging.rival_rows(source).text))
    aside = engine.run(staging.set_aside_rows(project, source, engine.dialect, types).text)
    return staged, rivals, sorted(aside["quarantine_reason"].to_pylist())


def naive(table):
    return [
        {name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]


def by_hand(source, rows):
    """The same in plain Python, over every row alike."""
    needed = ["booking_id", *(["part"] if "part" in source.keys else []), "customer_id", "booked_on"]
    needed += ["known_at"] if source.known_time else []
    missing = [next((name for name in NAMES if name in needed and row[name] is None), "") for row in rows]
    clean = {tuple(row[name] for name in NAMES): row for row, name in zip(rows, missing, strict=True) if not name}
    claims = defaultdict(list)
    for cells in sorted(clean, key=lambda cells: [(cell is None, cell or 0) for cell in cells]):
        row = dict(clean[cells])
        row["event_time"] = datetime.combine(row["booked_on"], datetime.min.time())
        day_is_over = row["event_time"] + timedelta(days=1, microseconds=-1)
        row["known_time"] = row["known_at"] if source.known_time else day_is_over
        claims[(*(row[key] for key in source.keys), *([row["known_at"]] if source.known_time else []))].append(row)
    staged = [rows[0] for rows in claims.values()]
    for row in staged:
        same_key = [other for other in staged if all(other[key] == row[key] for key in source.keys)]
        later = [other["known_time"] for other in same_key if other["known_time"] > row["known_time"]]
        row["known_until"] = min(later, default=None)
    once = [*source.keys, *([source.known_time] if source.known_time else [])]
    rivals = [
        dict(zip(once, values, strict=True)) | {"claims": len(rows)} for values, rows in claims.items() if rows[1:]
    ]
    losers = sum(len(rows) - 1 for rows in claims.values())
    return (
        sorted(staged, key=lambda row: order(source, row)),
        sorted(rivals, key=lambda row: [row[name] for name in once]),
        sorted([f"{name}: missing" for name in missing if name] + [staging.RIVAL] * losers),
    )


def order(source, row):
    counted = max(row["event_time"], row["known_time"])
    keys = [row[key] for key in source.keys]
    return [(counted.year, counted.month), row["customer_id"], row["event_time"], *keys, row["known_time"]]


@pytest.fixture(scope="module")
def duckdb_engine():
    made = DuckDBEngine(EngineSettings(memory="1GB", threads=1))
    yield made
    made.close()


@settings(max_examples=150)
@given(rows=ROWS, key=st.sampled_from(["booking_id", ("booking_id", "part")]), has_known_time=st.booleans())
def test_rows_rivals_and_what_is_set_aside_are_those_of_looking_at_every_row(
    duckdb_engine, tmp_path_factory, rows, key, has_known_time
):
    source = source_of(key=key, has_known_time=has_known_time)
    wanted = by_hand(source, rows)
    folder = tmp_path_factory.mktemp("rows")
    assert by_engine(duckdb_engine, source, rows, folder, cached=False) == wanted
    assert by_engine(duckdb_engine, source, rows, folder, cached=True) == wanted


def test_versions_duplicates_rivals_and_bad_rows_on_both_engines(engine, tmp_path):
    alone = dict(zip(NAMES, [9, "a", 8, DAY, NOON, Decimal("3.00")], strict=True))
    first = dict(zip(NAMES, [1, "a", 7, DAY, NOON, Decimal("1.00")], strict=True))
    corrected = first | {"known_at": NOON + timedelta(days=40), "amount": Decimal("2.50")}
    rival = first | {"amount": None}
    bad = alone | {"customer_id": None}
    source = source_of(key="booking_id", has_known_time=True)
    rows = [corrected, alone, rival, first, first, bad]
    staged, rivals, aside = by_engine(engine, source, rows, tmp_path, cached=False)
    until = {(row["booking_id"], row["known_time"]): row["known_until"] for row in staged}
    assert until == {
        (1, NOON): NOON + timedelta(days=40),
        (1, NOON + timedelta(days=40)): None,
        (9, NOON): None,
    }
    assert [row["amount"] for row in staged] == [Decimal("1.00"), Decimal("3.00"), Decimal("2.50")]
    assert rivals == [{"booking_id": 1, "known_at": NOON, "claims": 2}]
    assert aside == ["customer_id: missing", staging.RIVAL]
    assert (staged, rivals, aside) == by_hand(source, rows)


def test_a_source_whose_keys_are_all_single_is_staged_whole(engine, tmp_path):
    source = source_of(key=("booking_id", "part"), has_known_time=False)
    rows = [dict(zip(NAMES, [n, "a", 7, DAY, None, None], strict=True)) for n in (2, 1)]
    staged, rivals, aside = by_engine(engine, source, rows, tmp_path, cached=True)
    assert ([row["booking_id"] for row in staged], rivals, aside) == ([1, 2], [], [])
