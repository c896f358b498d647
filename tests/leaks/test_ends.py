"""What closing writes into a table without versions is found by its relation to the end, before training.

customers.csv as it is today           the same, in versions
id  opened      closed      reason     id  opened  closed  reason  updated
1   2022-01-03  2024-02-10  rates      1   2022-01-03                2022-01-03
2   2022-01-03                         1   2022-01-03  2024-02-10  rates  2024-02-10     honest: it comes with the end
"""

import csv
from datetime import date, timedelta

import pytest
from tiny_bank import write_tiny_bank

from tenure.errors import CheckFailed
from tenure.leaks.search import data_findings, end_findings
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

CUSTOMERS = 400
OPENED = date(2022, 1, 3)

#: column → (type, what stands there while a customer is open, what closing writes), by the customer's number.
PLANTED = {
    "close_reason": ("string", lambda n: "", lambda n, end: ("rates", "moved", "service")[n % 3]),
    "some_reasons": ("string", lambda n: "", lambda n, end: "rates" if n % 8 == 0 else ""),
    "status": ("string", lambda n: "A" if n % 5 else "D", lambda n, end: "C"),
    "is_active": ("boolean", lambda n: "true", lambda n, end: "false"),
    "balance": ("decimal", lambda n: f"{n * 7 % 900 - 20 * (n % 20 == 0)}.50" if n % 11 else "0", lambda n, end: "0"),
    "contacted_on": ("date", lambda n: OPENED + timedelta(days=n), lambda n, end: end),
    "manager": ("string", lambda n: f"M{n % 9}", lambda n, end: ""),
}

#: Honest columns: the same for both.
HONEST = {
    "region": ("string", lambda n: ("north", "south", "east")[n % 3]),
    "income": ("integer", lambda n: 20_000 + n * 37 % 5_000),
    "premium": ("boolean", lambda n: "true" if n % 7 == 0 else "false"),
    "born_on": ("date", lambda n: date(1950, 1, 1) + timedelta(days=n * 31)),
}


def end_of(n):
    """Every fourth leaves, some of them after the last label."""
    return date(2024, 1, 5) + timedelta(days=n * 11 % 175) if n % 4 == 0 else None


def bank_with(folder, planted, *, versions=False, more=""):
    """The tiny bank with other customers, who have the planted columns beside honest ones, each a feature."""
    bank = write_tiny_bank(folder, customers=CUSTOMERS)
    columns = {name: PLANTED[name][0] for name in planted} | {name: kind for name, (kind, _) in HONEST.items()}
    rows = []
    for n in range(CUSTOMERS):
        end = end_of(n)
        honest = [make(n) for _, make in HONEST.values()]
        opened = [PLANTED[name][1](n) for name in planted]
        closed = [PLANTED[name][2](n, end) for name in planted]
        if versions:
            rows.append([n, OPENED, "", OPENED, *opened, *honest])
            rows += [[n, OPENED, end, end, *closed, *honest]] if end else []
        else:
            rows.append([n, OPENED, end or "", "", *(closed if end else opened), *honest])
    with (bank / "data" / "customers.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([["customer_id", "opened_on", "closed_on", "updated_on", *columns], *rows])
    declared = [f"Column({name!r}, type={kind!r}{more})" for name, kind in columns.items()]
    known = 'known_time="updated_on", ' if versions else ""
    text = (bank / "sources.py").read_text()
    payments = text[text.index("payments = Source(") :]
    (bank / "sources.py").write_text(f"""\
from tenure import Column, Csv, Entity, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers", read=Csv("customers.csv"), key="customer_id", event_time="opened_on", ends="closed_on", {known}
    columns=[
        Column("customer_id", type="integer", role="key"), Column("opened_on", type="date", role="time"),
        Column("closed_on", type="date", role="time"), Column("updated_on", type="date", role="time"),
        {", ".join(declared)},
    ],
)

{payments}""")
    how = {"date": "days_since"}
    features = [f"Attribute({n!r}, of={n!r}, how={how[k]!r}, doc='x')" if k in how
                else f"Attribute({n!r}, of={n!r}, doc='x')" for n, k in columns.items()]  # fmt: skip
    (bank / "features" / "paid.py").write_text(
        "from tenure import Attribute, FeatureView\n\n"
        f"who = FeatureView('who', source='customers', features=[{', '.join(features)}])\n"
    )
    return bank


def staged_findings_of(bank):
    with Work.open(bank) as work:
        list(run(work, ("staging",)))
        return list(end_findings(work))


@pytest.mark.parametrize("column", PLANTED)
def test_what_closing_writes_is_found_and_nothing_honest(tmp_path, column):
    (found,) = staged_findings_of(bank_with(tmp_path / "bank", [column]))
    assert found.detection == "written at the end"
    assert found.subject == f"source 'customers', column '{column}'"
    assert found.alarm
    assert f"Column('{column}', fixed=True, …)" in found.hint


@pytest.mark.parametrize("column", PLANTED)
def test_what_comes_with_the_version_of_the_end_is_honest(tmp_path, column):
    assert staged_findings_of(bank_with(tmp_path / "bank", [column], versions=True)) == []


def test_a_column_that_is_said_to_be_fixed_is_believed(tmp_path):
    assert staged_findings_of(bank_with(tmp_path / "bank", ["manager"], more=", fixed=True")) == []


def test_a_column_that_no_feature_reads_may_say_what_it_likes(tmp_path):
    bank = bank_with(tmp_path / "bank", ["close_reason"])
    file = bank / "features" / "paid.py"
    file.write_text(file.read_text().replace("Attribute('close_reason', of='close_reason', doc='x'), ", ""))
    assert staged_findings_of(bank) == []


def test_check_names_it_and_training_refuses(tmp_path):
    bank = bank_with(tmp_path / "bank", ["close_reason"])
    with Work.open(bank) as work:
        list(run(work, stages_between("staging", "training_set")))
        assert [found.detection for found in data_findings(work)] == ["written at the end"]
        with pytest.raises(CheckFailed, match="column 'close_reason': of 100 rows with a value at all, 100 end"):
            list(run(work, ("train",)))
        assert work.lake.find("models") is None


@pytest.mark.spark
def test_spark_finds_the_same(tmp_path, engine):
    bank = bank_with(tmp_path / "bank", list(PLANTED))
    with Work.open(bank, engine=engine.dialect, overrides={"lake": {"path": str(tmp_path / "lake")}}) as work:
        work.use_engine(engine)
        list(run(work, ("staging",)))
        assert [found.subject for found in end_findings(work)] == [
            f"source 'customers', column '{column}'" for column in PLANTED
        ]
