"""ProductClosure, worked out by hand: who closes all share drafts and stays.

                 t          gap  label_start                 label_end
    ─────────────┊···············[···································)───►
              03-31            04-10                               05-10
    asked of whom?                                        none open any more?
    an open share draft, as known then                    as known then, of those who are still customers

The data end on 05-10: the label of 03-31 is whole, that of 04-30 is censored.
"""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta

import pytest
from conftest import make_engine
from hypothesis import find, given
from hypothesis import strategies as st
from oracle import Oracle, staged

from tenure.define.definitions import load_project
from tenure.errors import LabelError, UnknownColumn
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tables.labels import eligible, generate_churn_label
from tenure.tables.time_travel import DESTRUCTIONS, destroyed

T = date(2024, 3, 31)
CUSTOMER, ACCOUNT = (
    ("customer_id", "joined_at", "left_at", "known_at"),
    (*("account_id", "customer_id", "kind", "opened_at", "closed_at", "known_at"),),
)

FILES = {
    "tenure.toml": """\
[project]
name = "Share Drafts"

[data]
end = 2024-05-10

[snapshots]
every = "month-end"
first = 2024-03-31
""",
    "sources.py": """\
from tenure import Column, Csv, Entity, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read=Csv("customers.csv"),
    key="customer_id",
    event_time="joined_at",
    known_time="known_at",
    ends="left_at",
    columns=[
        Column("customer_id", role="key"),
        Column("joined_at", type="timestamp"),
        Column("left_at", type="timestamp", planned=True),
        Column("known_at", type="timestamp"),
    ],
)

accounts = Source(
    "accounts",
    read=Csv("accounts.csv"),
    key="account_id",
    event_time="opened_at",
    known_time="known_at",
    ends="closed_at",
    columns=[
        Column("account_id", role="key"),
        Column("customer_id", role="key"),
        Column("kind"),
        Column("opened_at", type="timestamp"),
        Column("closed_at", type="timestamp", planned=True),
        Column("known_at", type="timestamp"),
    ],
)
""",
    "churn.py": """\
from tenure import ChurnDefinition, ProductClosure

churn = ChurnDefinition(
    "no_share_draft", event=ProductClosure("accounts", where="kind = 'share_draft'"), gap=10, horizon=30
)
""",
    "features/held.py": """\
from tenure import Aggregate, FeatureView

held = FeatureView("held", source="accounts", features=[Aggregate("account", how="count", doc="Accounts open")])
""",
}

DRAFT = "share_draft"


def at(month_day, clock="00:00:00"):
    return datetime.fromisoformat(f"2024-{month_day} {clock}")


OPENED = at("01-05")

#: Of each customer: the accounts as (kind, opened, closed, known), one version each line; when the customer left and
#: when that was known; and the label by hand, 'not asked', or 'no answer'.
BY_HAND = {
    # t                    label_end
    # ┊▬▬▬▬▬▬▬▬▬▬▌─────────┊        closed within the horizon
    "closes": ([("a", DRAFT, OPENED, None, OPENED), ("a", DRAFT, OPENED, at("04-20"), at("04-20"))], None, 1),
    # ┊▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬┊▬▬▬
    "keeps": ([("a", DRAFT, OPENED, None, OPENED)], None, 0),
    # ┊▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▌        closed at label_end itself: not before it
    "closes_at_the_end": ([("a", DRAFT, OPENED, at("05-10"), OPENED)], None, 0),
    "closes_a_second_before": ([("a", DRAFT, OPENED, at("05-09", "23:59:59"), OPENED)], None, 1),
    # ┊▬▬▌─[───────────────┊        within the gap: none is open at label_end
    "closes_in_the_gap": ([("a", DRAFT, OPENED, at("04-05"), OPENED)], None, 1),
    # ▌────────────────────┊        at t: it did not end before t
    "closes_at_t": ([("a", DRAFT, OPENED, at("03-31"), OPENED)], None, 1),
    "closed_a_second_before_t": ([("a", DRAFT, OPENED, at("03-30", "23:59:59"), OPENED)], None, "not asked"),
    # ▐▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬┊▬▬▬     opened at t: it did not begin before t
    "opens_at_t": ([("a", DRAFT, at("03-31"), None, at("03-30"))], None, "not asked"),
    "opens_a_second_before_t": ([("a", DRAFT, at("03-30", "23:59:59"), None, at("03-30", "23:59:59"))], None, 0),
    "has_another_kind_alone": ([("a", "savings", OPENED, at("04-20"), OPENED)], None, "not asked"),
    "has_a_kind_nobody_knows": ([("a", None, OPENED, at("04-20"), OPENED)], None, "not asked"),
    "has_nothing": ([], None, "not asked"),
    # two of the kind
    "closes_one_of_two": ([("a", DRAFT, OPENED, at("04-20"), OPENED), ("b", DRAFT, OPENED, None, OPENED)], None, 0),
    "closes_both": ([("a", DRAFT, OPENED, at("04-20"), OPENED), ("b", DRAFT, OPENED, at("05-01"), OPENED)], None, 1),
    # ┊▬▬▬▬▬▬▬▌────▐▬▬▬▬▬▬▬┊▬▬▬     another is opened: 0; at label_end it is too late; another kind does not count
    "opens_another": (
        [("a", DRAFT, OPENED, at("04-20"), OPENED), ("b", DRAFT, at("05-01"), None, at("05-01"))],
        None,
        0,
    ),
    "opens_another_at_the_end": (
        [("a", DRAFT, OPENED, at("04-20"), OPENED), ("b", DRAFT, at("05-10"), None, at("05-01"))],
        None,
        1,
    ),
    "opens_another_known_late": (
        [("a", DRAFT, OPENED, at("04-20"), OPENED), ("b", DRAFT, at("05-01"), None, at("05-10"))],
        None,
        1,
    ),
    "opens_another_kind": (
        [("a", DRAFT, OPENED, at("04-20"), OPENED), ("b", "savings", at("05-01"), None, at("05-01"))],
        None,
        1,
    ),
    # ┊▬▬▬▬▬▬▬▌────────X   ┊        the customer leaves: Closure's, no label
    "leaves_in_the_gap": ([("a", DRAFT, OPENED, at("04-05"), OPENED)], (at("04-05"), at("04-05")), "not asked"),
    "leaves_in_the_horizon": ([("a", DRAFT, OPENED, at("04-20"), OPENED)], (at("04-25"), at("04-25")), "no answer"),
    "leaves_at_label_start": ([("a", DRAFT, OPENED, at("04-05"), OPENED)], (at("04-10"), at("04-10")), "no answer"),
    "leaves_and_keeps_it": ([("a", DRAFT, OPENED, None, OPENED)], (at("04-25"), at("04-25")), "no answer"),
    # ┊▬▬▬▬▬▬▬▌────────────X        leaves at label_end: a customer until then
    "leaves_at_the_end": ([("a", DRAFT, OPENED, at("04-20"), OPENED)], (at("05-10"), at("05-01")), 1),
    "leaves_but_nobody_knows": ([("a", DRAFT, OPENED, at("04-20"), OPENED)], (at("04-25"), at("05-10")), 1),
    # what is known late does not count
    "closing_known_at_the_end": (
        [("a", DRAFT, OPENED, None, OPENED), ("a", DRAFT, OPENED, at("04-20"), at("05-10"))],
        None,
        0,
    ),
    "closing_known_a_second_before": (
        [("a", DRAFT, OPENED, None, OPENED), ("a", DRAFT, OPENED, at("04-20"), at("05-09", "23:59:59"))],
        None,
        1,
    ),
    "holding_known_at_t": ([("a", DRAFT, OPENED, None, at("03-31"))], None, "not asked"),
    # ────▌┊···· learned ··┊        closed before t, learned after: open as known at t
    "closed_before_t_learned_after": (
        [("a", DRAFT, OPENED, None, OPENED), ("a", DRAFT, OPENED, at("03-20"), at("04-02"))],
        None,
        1,
    ),
    "turns_into_another_kind": (
        [("a", DRAFT, OPENED, None, OPENED), ("a", "savings", OPENED, None, at("04-15"))],
        None,
        1,
    ),
    "closing_taken_back": (
        [
            ("a", DRAFT, OPENED, None, OPENED),
            ("a", DRAFT, OPENED, at("04-20"), at("04-20")),
            ("a", DRAFT, OPENED, None, at("05-02")),
        ],
        None,
        0,
    ),
}


def raw_rows():
    customers, accounts = [], []
    for name, (held, left, _) in BY_HAND.items():
        customers.append((name, OPENED, None, OPENED))
        if left:
            customers.append((name, OPENED, *left))
        accounts += [(f"{name}_{number}", name, *rest) for number, *rest in held]
    return {
        "customers": [dict(zip(CUSTOMER, row, strict=True)) for row in customers],
        "accounts": [dict(zip(ACCOUNT, row, strict=True)) for row in accounts],
    }


@pytest.fixture
def bank(tmp_path):
    return write_bank(tmp_path / "bank")


def write_bank(folder):
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    for name, rows in raw_rows().items():
        with (folder / "data" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


EXPECTED = {name: label for name, (_, _, label) in BY_HAND.items() if isinstance(label, int)}


@pytest.fixture(scope="module", params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def built(request, tmp_path_factory):
    """The bank with its labels, built once an engine: to read, not to change."""
    engine = make_engine(request.param, request)
    with Work.open(write_bank(tmp_path_factory.mktemp("built") / "bank"), engine=engine.dialect) as work:
        work.use_engine(engine)
        list(run(work, ["staging", "snapshots", "labels"]))
        yield work
    engine.close()


def test_the_engines_label_whom_the_hand_labels(built):
    work = built
    rows = work.read("labels").to_pylist()
    assert {row["customer_id"]: row["churned"] for row in rows} == EXPECTED
    assert {(row["snapshot_date"], row["label_start"], row["label_end"]) for row in rows} == {
        (T, date(2024, 4, 10), date(2024, 5, 10))
    }


@pytest.mark.parametrize("how", DESTRUCTIONS)
def test_no_label_knows_what_came_after_its_horizon(built, how):
    work = built
    apart, end = work.engine.new_session(), date(2024, 5, 10)
    for name in ("snapshots", "customers", "accounts"):
        version = work.require(name)
        source = work.project.sources.get(name)
        apart.scan(f"{name}_staged" if source else name, version.files, version.schema, version.partition_by)
        if source:
            apart.cache(name, destroyed(source, f"{name}_staged", end, how, work.dialect))
    made = generate_churn_label(work.project, work.churn, work.dialect, [T], end)
    assert {row["customer_id"]: row["churned"] for row in apart.run(made.text).to_pylist()} == EXPECTED
    apart.close()


def test_the_oracle_labels_whom_the_hand_labels(bank):
    project = load_project(bank, "Share Drafts")
    rows = {name: staged(project.sources[name], rows) for name, rows in raw_rows().items()}
    oracle = Oracle(
        project=project, churn=project.churn, rows=rows, dates=[T, date(2024, 4, 30)], data_end=date(2024, 5, 10)
    )
    assert {row["customer_id"]: row["churned"] for row in oracle.labels()} == EXPECTED


def test_scored_are_those_who_hold_one_at_the_snapshot_whatever_comes(built):
    work = built
    asked = eligible(work.project, work.churn, work.dialect, T)
    assert asked.reads == ("snapshots", "customers", "accounts")
    work.scan(asked.reads)
    found = {row["customer_id"] for row in work.engine.run(asked.text).to_pylist()}
    later = {"leaves_in_the_gap"}  # known only after t
    assert found == {name for name, (_, _, label) in BY_HAND.items() if label != "not asked"} | later


def changed(bank, old, new, file="churn.py"):
    text = (bank / file).read_text()
    assert text.count(old) == 1
    (bank / file).write_text(text.replace(old, new))


def test_a_kind_that_no_account_has_asks_nobody_and_says_whom_it_would_ask(bank):
    changed(bank, "kind = 'share_draft'", "kind = 'shared_raft'")
    with Work.open(bank) as work, pytest.raises(LabelError) as caught:
        list(run(work, stages_between("staging", "labels")))
    assert "churn definition 'no_share_draft' has nobody to ask" in caught.value.message
    assert "asked only of customers with an open row of accounts (kind = 'shared_raft')" in caught.value.hint


@pytest.mark.parametrize("where", ["closed_at IS NULL", "colour = 'red'"])
def test_a_condition_on_the_end_or_on_no_column_is_refused(bank, where):
    changed(bank, "kind = 'share_draft'", where)
    with Work.open(bank) as work, pytest.raises(UnknownColumn) as caught:
        list(run(work, stages_between("staging", "labels")))
    assert "churn definition 'no_share_draft' (bank/churn.py:3)" in caught.value.message
    assert where.split()[0] in caught.value.message


#: The edges of both snapshots' spans, and the half days beside them.
EDGES = [at(day) for day in ("03-31", "04-05", "04-10", "04-15", "05-10", "05-15")]
BESIDE = [edge + timedelta(hours=hours) for edge in EDGES for hours in (-12, 0, 12)]
MOMENTS = st.sampled_from(BESIDE)
BEFORE = st.sampled_from([OPENED, OPENED, at("03-01"), *BESIDE[:3]])
HOLDERS = ("ann", "bob")


@st.composite
def spans(draw):
    """(began, ended, known) of one to three versions of a row, with its end coming, going or moving."""
    began, known = draw(BEFORE), draw(BEFORE)
    found = []
    for _ in range(draw(st.integers(1, 3))):
        found.append((began, draw(st.none() | MOMENTS), known))
        known = max(known + timedelta(hours=12), draw(MOMENTS))
    return found


@st.composite
def small_banks(draw):
    """Raw rows of two customers, each with up to four accounts of two kinds; most are customers before t."""
    customers, accounts = [], []
    for name in HOLDERS:
        joined = draw(st.sampled_from([OPENED, OPENED, at("04-02")]))
        customers += [(name, joined, None, joined)]
        later = draw(st.just([]) | spans())
        # Two rows of one key and one known time would be rivals, which staging refuses.
        customers += [(name, joined, ended, known) for _, ended, known in later if known > joined]
        for number in range(draw(st.integers(0, 4))):
            kind = draw(st.sampled_from([DRAFT, DRAFT, "savings", None]))
            accounts += [(f"{name}_{number}", name, kind, *span) for span in draw(spans())]
    return {
        "customers": [dict(zip(CUSTOMER, row, strict=True)) for row in customers],
        "accounts": [dict(zip(ACCOUNT, row, strict=True)) for row in accounts],
    }


@pytest.fixture(scope="module")
def share_drafts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return load_project(folder, "Share Drafts")


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


def types_of(source):
    times = dict.fromkeys(("event_time", "known_time", "known_until"), "TIMESTAMP")
    return {c.name: "TIMESTAMP" if c.type == "timestamp" else "VARCHAR" for c in source.columns} | times


def by_key(rows):
    return {(row["customer_id"], row["snapshot_date"]): row["churned"] for row in rows}


def oracle_of(project, raw):
    rows = {name: staged(project.sources[name], those) for name, those in raw.items()}
    dates, end = [T, date(2024, 4, 5)], date(2024, 6, 30)
    return Oracle(project=project, churn=project.churn, rows=rows, dates=dates, data_end=end)


@given(small_banks())
def test_random_holders_are_labelled_as_the_oracle_does(share_drafts, duckdb, raw):
    oracle = oracle_of(share_drafts, raw)
    for name, rows in oracle.rows.items():
        duckdb.cache(name, rows_in_sql(rows, types_of(share_drafts.sources[name])))
    snapshot = {"customer_id": "VARCHAR", "snapshot_date": "DATE", "tenure_days": "INTEGER"}
    duckdb.cache("snapshots", rows_in_sql(oracle.snapshots(), snapshot))
    labels = generate_churn_label(share_drafts, share_drafts.churn, "duckdb", oracle.dates, oracle.data_end)
    assert by_key(duckdb.run(labels.text).to_pylist()) == by_key(oracle.labels())


@pytest.mark.parametrize("answer", [0, 1, "left out"])
def test_random_holders_meet_every_answer(share_drafts, answer):
    """Guards the comparison itself: a strategy that draws no closing would prove nothing."""

    def meets(raw):
        oracle = oracle_of(share_drafts, raw)
        labels = by_key(oracle.labels())
        return len(labels) < len(oracle.snapshots()) if answer == "left out" else answer in labels.values()

    find(small_banks(), meets)
