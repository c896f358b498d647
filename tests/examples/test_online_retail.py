"""The web shop: 305 daily drops to an attrition list, measured out of time."""

import re
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.compute as pc
import pytest

from tenure.define.stage import STAGES
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.leaks.search import every_finding
from tenure.proofs.differences import compare
from tenure.session.work import Work
from tenure.stages.run import run

SHOP = Path(__file__).parents[2] / "examples" / "online_retail"
#: The codes of what contracts say.
CONTRACT_RULES = {f"TEN-Q00{number}" for number in range(1, 6)}


@pytest.fixture(scope="module")
def work(real_data, tmp_path_factory):
    lake = tmp_path_factory.mktemp("shop") / "lake"
    overrides = {"lake": {"path": str(lake)}, "output": {"path": str(lake.with_name("out"))}}
    made = Work.open(SHOP, data=real_data, overrides=overrides)
    made.use_engine(DuckDBEngine(EngineSettings(memory="2GB", threads=2)))
    assert [record.stage for record in run(made, STAGES)] == list(STAGES)
    yield made
    made.engine.close()


def test_what_alarms_is_what_the_readme_lists_with_its_reason(work):
    checks = work.read("checks").to_pylist()
    alarms = {
        row["code"]: f"{row['failing']} of {row['rows']:,} {row['source']}"
        for row in checks
        if row["outcome"] == "failed"
    }
    page = (SHOP / "README.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE)
    assert alarms == dict(listed) == {"sale_has_a_value": "4 of 22,190 invoices"}
    assert [row["finding"] for row in work.read("completeness").to_pylist() if row["finding"]] == []
    rules = sum(row["code"] in CONTRACT_RULES for row in checks)
    assert f"Its {rules} rules hold" in page


def test_every_line_with_a_customer_is_in_an_invoice(real_data, work):
    assert len(list((real_data / "online_retail_ii" / "by_day").glob("*.csv"))) == 305
    assert work.read("customers").num_rows == 4372
    invoices = work.read("invoices")
    assert pc.sum(invoices["line_count"]).as_py() == 541_909 - 135_080, "135,080 lines have no customer"
    facts = {row["source"]: row for row in work.lake.read("intake").to_pylist()}
    assert facts["invoices"]["rows_read"] == facts["invoices"]["rows_staged"] == invoices.num_rows == 22_190
    assert facts["invoices"]["last_event"].date() == date(2011, 12, 9)
    assert not (work.lake.folder / "quarantine").exists()


def test_invoices_that_begin_with_c_are_the_cancellations(work):
    invoices = work.read("invoices").to_pylist()
    cancelled = [row for row in invoices if row["invoice_no"].startswith("C")]
    assert len(cancelled) == 3654
    assert all(row["amount"] < 0 for row in cancelled)
    assert all(row["amount"] >= 0 for row in invoices if not row["invoice_no"].startswith("C"))


def test_one_customers_invoices_are_right_to_the_penny_and_the_day(work):
    invoices = work.read("invoices")
    mine = invoices.filter(pc.equal(invoices["customer_id"], 12347)).sort_by("invoiced_at").to_pylist()
    assert [row["amount"] for row in mine] == [
        Decimal(a) for a in ("711.79", "475.39", "636.25", "382.52", "584.91", "1294.32", "224.82")
    ]
    assert [row["gap"] for row in mine] == [None, 50, 71, 63, 54, 90, 37]
    assert mine[0]["event_time"] == datetime(2010, 12, 7, 14, 57, tzinfo=UTC)
    assert mine[0]["new_products"] == mine[0]["line_count"] == 31, "the first invoice is all new"
    assert sum(row["new_products"] for row in mine) == 103


def test_days_and_gaps_do_not_count_invoices_of_one_day_twice(work):
    invoices = work.read("invoices")
    mine = invoices.filter(pc.equal(invoices["customer_id"], 17850)).to_pylist()
    bought = {row["invoiced_at"].date() for row in mine if row["amount"] > 0}
    assert sum(row["new_day"] for row in mine) == len(bought) < len(mine)
    gaps = [row["gap"] for row in mine if row["gap"] is not None]
    assert sum(gaps) == (max(bought) - min(bought)).days
    assert len(gaps) == len(bought) - 1


def test_churn_is_twenty_to_thirty_one_percent_by_snapshot(work):
    rows = work.read("labels", columns=["snapshot_date", "churned", "label_end"]).to_pylist()
    asked, lost = Counter(r["snapshot_date"] for r in rows), Counter(r["snapshot_date"] for r in rows if r["churned"])
    rates = {day: lost[day] / n for day, n in asked.items()}
    assert len(rates) == 28
    assert all(day.weekday() == 5 for day in rates), "Saturdays"
    assert all(0.18 <= rate <= 0.31 for rate in rates.values()), rates
    assert max(r["label_end"] for r in rows) == date(2011, 12, 9), "the day that is not whole is in no horizon"


def test_label_is_no_purchase_in_ninety_days(work):
    t = date(2011, 9, 10)
    days = {}
    for row in work.read("invoices").to_pylist():
        if row["amount"] > 0:
            days.setdefault(row["customer_id"], []).append((row["invoiced_at"].date() - t).days)
    first = {row["customer_id"]: row["first_invoice"].date() for row in work.read("customers").to_pylist()}
    expected = {
        customer: int(not any(0 <= day < 90 for day in bought))
        for customer, bought in days.items()
        if (t - first[customer]).days >= 90 and any(-90 <= day < 0 for day in bought)
    }
    labels = {r["customer_id"]: r["churned"] for r in work.read("labels").to_pylist() if r["snapshot_date"] == t}
    assert labels == expected


def test_test_split_is_the_last_three_snapshots_behind_an_embargo_of_the_horizon(work):
    (proof,) = work.read("split_proof").to_pylist()
    assert proof["holds"]
    assert proof["first_test_snapshot"] == date(2011, 8, 27)
    assert proof["last_train_label_end"] < proof["first_test_snapshot"]
    rows = work.read("splits").to_pylist()
    assert len({row["snapshot_date"] for row in rows if row["split"] == "test"}) == 3


def test_models_rank_well_out_of_time(work):
    assert len(work.project.columns) >= 40
    pooled = {
        row["kind"]: row
        for row in work.read("evaluations").to_pylist()
        if row["split"] == "test" and row["population"] == "all" and row["snapshot_date"] is None
    }
    assert pooled["lightgbm"]["auroc"] > 0.72, pooled
    assert pooled["lightgbm"]["auroc"] > pooled["rule"]["auroc"]
    scores = work.read("scores").to_pylist()
    assert {row["snapshot_date"] for row in scores} == {date(2011, 12, 3)}
    assert sorted(row["rank"] for row in scores) == list(range(1, len(scores) + 1))


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.thorough  # test_berka.py stages real rows on Spark
def test_spark_stages_the_same_rows(work, real_data, tmp_path, spark_session):
    from tenure.engines.spark import SparkEngine

    spark = Work.open(SHOP, data=real_data, engine="spark", overrides={"lake": {"path": str(tmp_path / "lake")}})
    spark.use_engine(SparkEngine(EngineSettings(name="spark"), spark_session))
    for _ in run(spark, ["staging"]):
        pass
    for table in work.project.sources:
        found = compare(table, work.read(table), spark.read(table), work.contract_of(table).keys)
        assert found.equal, found
        assert found.rows > 0


def test_no_leak_is_alarmed(work):
    assert [finding for finding in every_finding(work) if finding.alarm] == []
