"""The corners of labels, worked out by hand: ends that are no leaving, silences that complete, rows that arrive late.

             t          gap  label_start                 label_end       answered
─────────────┊···············[···································)───────────┊───►
          03-31            04-10                               05-10       05-15
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pytest
from conftest import make_engine
from hypothesis import find, given
from hypothesis import strategies as st
from oracle import Oracle, staged

from tenure import ChurnDefinition, Closure, Inactivity, any_of
from tenure.define.churn import CENSORED
from tenure.define.definitions import load_project
from tenure.errors import CensoredHorizon, InvalidDefinition
from tenure.tables.label_spans import Outage, all_spans
from tenure.tables.labels import eligible, generate_churn_label
from tenure.tables.splits import SplitPlan, splits
from tenure.tables.unlabelled import unlabelled

T = date(2024, 3, 31)
FILES = {
    "tenure.toml": '[project]\nname = "Corners"\n',
    "sources.py": """\
from tenure import Column, Csv, Entity, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers", read=Csv("customers.csv"), key="customer_id",
    event_time="joined_at", known_time="known_at", ends="left_at",
    columns=[
        Column("customer_id", role="key"),
        Column("joined_at", type="timestamp"),
        Column("left_at", type="timestamp", planned=True),
        Column("reason"),
        Column("known_at", type="timestamp"),
    ],
)

payments = Source(
    "payments", read=Csv("payments.csv"), key="payment_id", event_time="paid_at", arrival_delay=5,
    columns=[
        Column("payment_id", role="key"), Column("customer_id", role="key"), Column("paid_at", type="timestamp"),
    ],
)
""",
    "churn.py": """\
from tenure import ChurnDefinition, Closure

churn = ChurnDefinition("closed", event=Closure(), horizon=30)
""",
    "features/paid.py": """\
from tenure import Aggregate, FeatureView

paid = FeatureView("paid", source="payments", features=[Aggregate("payment", how="count", doc="Payments")])
""",
}
CUSTOMER = ("customer_id", "joined_at", "left_at", "reason", "known_at")


def at(month_day, clock="00:00:00"):
    return datetime.fromisoformat(f"2024-{month_day} {clock}")


JOINED = at("01-05")


@pytest.fixture(scope="module")
def corners(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corners")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return load_project(folder, "Corners")


@pytest.fixture(scope="module")
def duckdb(request):
    engine = make_engine("duckdb", request)
    yield engine
    engine.close()


def literal(value, kind):
    return "NULL" if value is None else f"CAST('{value}' AS {kind})"


def rows_in_sql(rows, types):
    """A SELECT of literal rows; it has columns though there be no row."""
    nothing = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in types.items())
    cells = [", ".join(literal(row[name], kind) for name, kind in types.items()) for row in rows]
    return " UNION ALL ".join([f"SELECT * FROM (SELECT {nothing}) WHERE FALSE", *(f"SELECT {row}" for row in cells)])


def types_of(source, dialect):
    text = "STRING" if dialect == "spark" else "VARCHAR"
    instant = "TIMESTAMP_NTZ" if dialect == "spark" else "TIMESTAMP"
    times = dict.fromkeys(("event_time", "known_time", "known_until"), instant)
    return {c.name: instant if c.type == "timestamp" else text for c in source.columns} | times


def asked(project, churn, raw, data_end=date(2024, 6, 30)):
    rows = {name: staged(project.sources[name], those) for name, those in raw.items()}
    return Oracle(project=project, churn=churn, rows=rows, dates=[T, date(2024, 4, 5)], data_end=data_end)


def known_to(engine, project, oracle):
    """Make the staged rows and snapshots relations of the engine."""
    for name, rows in oracle.rows.items():
        engine.cache(name, rows_in_sql(rows, types_of(project.sources[name], engine.dialect)))
    text = "STRING" if engine.dialect == "spark" else "VARCHAR"
    snapshot = {"customer_id": text, "snapshot_date": "DATE", "tenure_days": "INTEGER"}
    engine.cache("snapshots", rows_in_sql(oracle.snapshots(), snapshot))


def labelled(engine, project, oracle):
    known_to(engine, project, oracle)
    made = generate_churn_label(project, oracle.churn, engine.dialect, oracle.dates, oracle.data_end)
    return by_key(engine.run(made.text).to_pylist())


def by_key(rows):
    return {(row["customer_id"], row["snapshot_date"]): row["churned"] for row in rows}


def bank(customers=(), payments=()):
    """Raw rows: customers as (id, left, reason, known) versions, payments as (customer, moment)."""
    named = dict.fromkeys([name for name, *_ in customers] + [name for name, _ in payments])
    rows = [(name, JOINED, None, None, JOINED) for name in named]
    rows += [(name, JOINED, left, reason, known) for name, left, reason, known in customers]
    paid = [
        {"payment_id": f"p{number}", "customer_id": name, "paid_at": moment}
        for number, (name, moment) in enumerate(payments)
    ]
    return {"customers": [dict(zip(CUSTOMER, row, strict=True)) for row in rows], "payments": paid}


BY_CHOICE = "reason NOT IN ('deceased', 'merged')"


def of_t(labels):
    return {name: churned for (name, day), churned in labels.items() if day == T}


ENDS = [
    # name, left, reason, known                                                by Closure(where=BY_CHOICE)
    ("by_choice", at("04-20"), "rate", at("04-20")),
    ("dies", at("04-20"), "deceased", at("04-20")),
    ("dies_at_the_end", at("05-10"), "deceased", at("05-10")),
    ("dies_known_late", at("05-09"), "deceased", at("05-16")),
    ("dies_known_with_the_payments", at("05-09"), "deceased", at("05-14")),
    ("without_a_reason", at("04-20"), None, at("04-20")),
]


@pytest.mark.parametrize("others", [(), (Inactivity("payments"),)])
def test_who_ends_in_another_way_has_no_label_whatever_other_events_say(engine, corners, others):
    closes = Closure(where=BY_CHOICE)
    event = any_of(closes, *others) if others else closes
    churn = ChurnDefinition("gone", event=event, gap=10, horizon=30, wait=5)
    oracle = asked(corners, churn, bank(ENDS, [(name, at("04-15")) for name, *_ in ENDS]))
    found = of_t(labelled(engine, corners, oracle))
    # Who dies at label_end, or is known to have died only after the answer was read, had not left by then.
    assert found == {"by_choice": 1, "dies_at_the_end": 0, "dies_known_late": 0}
    assert by_key(oracle.labels()).items() >= {(name, T): churned for name, churned in found.items()}.items()


def test_the_deceased_are_silent_and_yet_no_leavers(engine, corners):
    churn = ChurnDefinition(
        "gone", event=any_of(Closure(where=BY_CHOICE), Inactivity("payments")), gap=10, horizon=30, min_tenure=30
    )
    oracle = asked(corners, churn, bank([("dies", at("04-20"), "deceased", at("04-20"))], [("silent", at("01-06"))]))
    assert of_t(labelled(engine, corners, oracle)) == {"silent": 1}


@pytest.mark.parametrize("others", [(), (Inactivity("payments"),)])
def test_who_has_no_label_is_counted_by_reason(engine, corners, others):
    closes = any_of(Closure(where="reason = 'rate'"), Closure(where="reason = 'moved'"))
    churn = ChurnDefinition("gone", event=any_of(closes, *others) if others else closes, gap=10, horizon=30, wait=5)
    oracle = asked(corners, churn, bank(ENDS), date(2024, 5, 19))
    known_to(engine, corners, oracle)
    spans = all_spans(corners, churn, [T, date(2024, 4, 30)], oracle.data_end, [])
    made = unlabelled(corners, churn, engine.dialect, spans)
    found = {(row["snapshot_date"], row["reason"]): row["customers"] for row in engine.run(made.text).to_pylist()}
    # The snapshots of the oracle are those of 03-31 and 04-05; of the second nothing is asked here.
    assert found == {(T, "ended otherwise: deceased"): 2, (T, "ended otherwise: none"): 1}
    later = all_spans(corners, churn, oracle.dates, date(2024, 4, 30), [])
    made = unlabelled(corners, churn, engine.dialect, later)
    found = {(row["snapshot_date"], row["reason"]): row["customers"] for row in engine.run(made.text).to_pylist()}
    assert found == dict.fromkeys([(day, CENSORED) for day in oracle.dates], len(ENDS))


def test_where_all_have_a_label_none_is_counted(engine, corners):
    oracle = asked(corners, corners.churn, bank(ENDS))
    known_to(engine, corners, oracle)
    spans = all_spans(corners, corners.churn, oracle.dates, oracle.data_end, [])
    assert engine.run(unlabelled(corners, corners.churn, engine.dialect, spans).text).num_rows == 0


@pytest.mark.parametrize(
    ("first", "until", "lost"),
    [
        # t 03-31 ── gap ──[ 04-10 ······ 05-10 )
        ("2024-04-01", "2024-04-10", False),
        ("2024-04-01", "2024-04-11", True),
        ("2024-05-09", "2024-05-20", True),
        ("2024-05-10", "2024-05-20", False),
    ],
)
def test_an_outage_counts_where_it_meets_the_span(corners, first, until, lost):
    outage = Outage("payments", date.fromisoformat(first), date.fromisoformat(until))
    churn = ChurnDefinition("quiet", event=Inactivity("payments"), gap=10, horizon=30)
    (found,) = all_spans(corners, churn, [T], date(2024, 6, 30), [outage])
    assert bool(found.lost) == lost
    longer = ChurnDefinition("silent", event=any_of(Closure(), Inactivity("payments", days=9)), gap=10, horizon=30)
    (found,) = all_spans(corners, longer, [T], date(2024, 6, 30), [outage])
    assert bool(found.lost) == (lost or until == "2024-04-10")


REOPENED = [
    # closed and open again before label_end:    ▬▬▬▬▌────▐▬▬▬┊
    ("comes_back", at("04-20"), "rate", at("04-20")),
    ("comes_back", None, None, at("05-02")),
    # closed for good
    ("leaves", at("04-20"), "rate", at("04-20")),
    # closed within the gap, and open again
    ("comes_back_within_the_gap", at("04-05"), "rate", at("04-05")),
    ("comes_back_within_the_gap", None, None, at("04-08")),
]


@pytest.mark.parametrize(
    ("winback", "right"),
    [
        ("stays", {"comes_back": 0, "leaves": 1, "comes_back_within_the_gap": 0}),
        ("leaves", {"comes_back": 1, "leaves": 1, "comes_back_within_the_gap": 0}),
    ],
)
def test_who_closes_and_comes_back_is_judged_by_the_rule_that_is_named(engine, corners, winback, right):
    churn = ChurnDefinition("gone", event=Closure(winback=winback), gap=10, horizon=30)
    assert of_t(labelled(engine, corners, asked(corners, churn, bank(REOPENED)))) == right


SILENCES = {
    # days=20          t        [                   )               a payment of 03-26 or later is not known at t
    "completes": ([at("03-25"), at("04-02")], 1),  # ──▌▌────▒        the 20 days are complete on 04-22
    "in_the_gap": ([at("03-15")], None),  # complete on 04-04: gone before the span
    "in_the_gap_and_back": ([at("03-15"), at("04-25")], None),
    "at_label_start": ([at("03-21")], 1),
    "just_before_label_end": ([at("03-25"), at("04-10"), at("04-19", "23:59:59")], 1),
    "at_label_end": ([at("03-25"), at("04-10"), at("04-20")], 0),
    "pays_every_20_days": ([at("03-21"), at("04-10"), at("04-30")], 0),
    "pays_every_21_days": ([at("03-20"), at("04-10"), at("05-01")], None),
    "silent_before": ([at("03-01")], None),
    "comes_back_after": ([at("03-25"), at("05-01")], 1),
}


def test_a_silence_counts_where_it_completes(engine, corners):
    churn = ChurnDefinition("silent", event=Inactivity("payments", days=20), gap=10, horizon=30)
    paid = [(name, moment) for name, (moments, _) in SILENCES.items() for moment in moments]
    found = of_t(labelled(engine, corners, asked(corners, churn, bank(payments=paid))))
    assert {name: found.get(name) for name in SILENCES} == {name: right for name, (_, right) in SILENCES.items()}


def test_only_who_is_not_silent_yet_is_asked_and_scored(engine, corners):
    churn = ChurnDefinition("silent", event=Inactivity("payments", days=20), horizon=30)
    # A payment of 03-28 arrives on 04-02: it is not known at the snapshot.
    paid = [("heard", at("03-20")), ("silent", at("03-10")), ("heard_too_late", at("03-28"))]
    oracle = asked(corners, churn, bank(payments=paid))
    known_to(engine, corners, oracle)
    scored = engine.run(eligible(corners, churn, engine.dialect, T).text).to_pylist()
    assert [row["customer_id"] for row in scored] == ["heard"]


def test_a_payment_of_the_horizon_that_arrives_later_is_waited_for(engine, corners):
    """Rows of payments arrive 5 days late: without the wait, who pays on the last days would have left."""
    paid = [("last_day", at("05-09", "18:00:00")), ("never", at("03-01"))]
    churn = ChurnDefinition("quiet", event=Inactivity("payments"), gap=10, horizon=30)
    assert of_t(labelled(engine, corners, asked(corners, churn, bank(payments=paid)))) == {"last_day": 0, "never": 1}


@pytest.mark.parametrize(("wait", "data_end"), [(None, date(2024, 5, 14)), (9, date(2024, 5, 18))])
def test_a_label_whose_rows_have_not_arrived_has_no_row(corners, wait, data_end):
    churn = ChurnDefinition("quiet", event=Inactivity("payments"), gap=10, horizon=30, wait=wait)
    with pytest.raises(CensoredHorizon, match=f"waits {wait or 5} days for its rows to arrive"):
        generate_churn_label(corners, churn, "duckdb", [T], data_end)
    assert generate_churn_label(corners, churn, "duckdb", [T], data_end + timedelta(days=1)).text


def test_a_label_answered_after_the_first_test_snapshot_is_in_the_embargo(duckdb, corners):
    span = SimpleNamespace
    spans = [
        span(snapshot_date=date(2024, 1, 31), end=date(2024, 2, 25), answered=date(2024, 3, 1)),
        span(snapshot_date=date(2024, 2, 29), end=date(2024, 3, 27), answered=date(2024, 4, 1)),
        span(snapshot_date=date(2024, 3, 31), end=date(2024, 4, 27), answered=date(2024, 5, 2)),
    ]
    rows = [{"customer_id": "a", "snapshot_date": s.snapshot_date, "label_end": s.end} for s in spans]
    duckdb.cache("labels", rows_in_sql(rows, {"customer_id": "VARCHAR", "snapshot_date": "DATE", "label_end": "DATE"}))
    made = splits(corners, "duckdb", spans, SplitPlan(test_snapshots=1))
    assert [row["split"] for row in duckdb.run(made.text).to_pylist()] == ["train", "embargo", "test"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Closure(winback="maybe"), "Closure has winback='maybe'"),
        (lambda: Inactivity("payments", days=0), "Inactivity has days=0"),
        (lambda: Inactivity("payments", days=1.5), "Inactivity has days=1.5"),
        (lambda: ChurnDefinition("x", event=Closure(), horizon=30, wait=-1), "wait=-1"),
    ],
)
def test_what_can_not_be_is_refused(make, said):
    with pytest.raises(InvalidDefinition, match=said):
        make()


def test_days_of_silence_that_are_shorter_than_the_arrival_are_refused(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    silence = 'ChurnDefinition("silent", event=Inactivity("payments", days=5), horizon=30)'
    (tmp_path / "churn.py").write_text(f"from tenure import ChurnDefinition, Inactivity\n\nchurn = {silence}\n")
    with pytest.raises(InvalidDefinition, match="arrive 5 days late: at a snapshot nobody would be seen active"):
        load_project(tmp_path, "Corners")


# Properties

EVENTS = [
    Closure(where=BY_CHOICE),
    Closure(winback="leaves"),
    Closure(where=BY_CHOICE, winback="leaves"),
    Inactivity("payments", days=20),
    any_of(Closure(where=BY_CHOICE), Inactivity("payments")),
    any_of(Closure(where="reason = 'rate'"), Closure(where="reason = 'moved'"), Inactivity("payments", days=30)),
]
MOMENTS = st.integers(0, 2 * 90).map(lambda halves: at("02-20") + timedelta(hours=12 * halves))


@st.composite
def worlds(draw):
    """Two customers with up to three versions of their row and up to eight payments each, and a definition."""
    customers, payments = [], []
    for name in ("a", "b"):
        known = JOINED
        for _ in range(draw(st.integers(0, 3))):
            known = max(known + timedelta(hours=12), draw(MOMENTS))
            left = draw(st.none() | MOMENTS)
            reason = draw(st.sampled_from(["rate", "moved", "deceased", None])) if left else None
            customers.append((name, left, reason, known))
        payments += [(name, draw(MOMENTS)) for _ in range(draw(st.integers(0, 8)))]
    churn = ChurnDefinition(
        "drawn",
        event=draw(st.sampled_from(EVENTS)),
        gap=draw(st.sampled_from([0, 10])),
        horizon=draw(st.sampled_from([20, 30])),
        wait=draw(st.sampled_from([None, 0, 8])),
    )
    return churn, bank(customers, payments)


@given(worlds())
def test_random_corners_are_labelled_as_the_oracle_does(corners, duckdb, world):
    churn, raw = world
    oracle = asked(corners, churn, raw)
    assert labelled(duckdb, corners, oracle) == by_key(oracle.labels())


@pytest.mark.parametrize("answer", [0, 1, "left out"])
@pytest.mark.parametrize("event", EVENTS)
def test_random_corners_meet_every_answer_of_every_event(corners, event, answer):
    """Guards the comparison itself."""

    def meets(world):
        churn, raw = world
        if churn.event != event:
            return False
        oracle = asked(corners, churn, raw)
        found = by_key(oracle.labels())
        return len(found) < len(oracle.snapshots()) if answer == "left out" else answer in found.values()

    find(worlds(), meets)


@given(worlds(), st.sampled_from([20, 30]))
def test_the_label_of_a_silence_that_completes_grows_with_the_horizon(corners, world, horizon):
    raw = {"customers": world[1]["customers"][:1], "payments": world[1]["payments"]}

    def of(days):
        churn = ChurnDefinition("silent", event=Inactivity("payments", days=10), horizon=days, wait=5)
        return by_key(asked(corners, churn, raw).labels())

    shorter, longer = of(horizon), of(horizon + 15)
    assert shorter.keys() == longer.keys()
    assert all(shorter[row] <= longer[row] for row in shorter)
