"""The Czech bank: every count of the data's README, a label that makes sense, and one that is refused."""

import csv
import re
import shutil
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tenure
from tenure import days, load_project
from tenure.define.narrowing import narrowed
from tenure.define.stage import SQL_STAGES, STAGES
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import OneClassTarget
from tenure.leaks.search import every_finding
from tenure.proofs.differences import compare
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

BERKA = Path(__file__).parents[2] / "examples" / "berka"

#: The codes of what contracts say.
CONTRACT_RULES = {f"TEN-Q00{number}" for number in range(1, 6)}

ROWS = {
    "customers": 4500,
    "accounts": 4500,
    "dispositions": 5369,
    "transactions": 49102,
    "loans": 682,
    "cards": 892,
    "orders": 6471,
    "districts": 77,
}


#: Of the bank pack's views about the customer and the accounts, those that the files can fill.
ACCOUNT_VIEWS = ("customer", "accounts", "loans", "cards", "account_use", "balances")


@pytest.fixture(scope="module")
def berka():
    return load_project(BERKA, "Berka")


def test_the_bank_pack_is_mapped_as_far_as_the_files_go(berka):
    counts = {name: len(view.columns) for name, view in berka.views.items()}
    assert sum(counts.values()) >= 220
    assert sum(counts[name] for name in ACCOUNT_VIEWS) >= 156
    assert set(days(7, 30, 60, 90, 180, 365)) <= set(berka.windows)
    pack = load_project(Path(tenure.__file__).parent / "templates" / "bank", "pack")
    # One account has no products: what the pack says of the checking account stands here of the account.
    named = {str(name).replace("_checking", "") for name in pack.columns}
    assert len({str(name) for name in berka.columns} & named) >= 110


def test_every_column_says_something_else(berka):
    texts = Counter(description.text for description in berka.columns.values())
    assert [text for text, times in texts.items() if times > 1] == []


def test_the_readme_has_the_counts_of_the_code(berka):
    page = (BERKA / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted((name, str(len(v.columns)), v.source) for name, v in berka.views.items())
    own = sum(len(berka.views[name].columns) for name in ACCOUNT_VIEWS)
    assert f"{sum(len(v.columns) for v in berka.views.values())} columns, {own} of them" in page


def ran(folder, data, lake, stages):
    overrides = {"lake": {"path": str(lake)}, "output": {"path": str(lake.with_name("out"))}}
    work = Work.open(folder, data=data, overrides=overrides)
    work.use_engine(DuckDBEngine(EngineSettings(memory="2GB", threads=2)))
    records = {record.stage: record for record in run(work, stages)}
    return work, records


@pytest.fixture(scope="module")
def built(real_data, tmp_path_factory):
    work, records = ran(BERKA, real_data, tmp_path_factory.mktemp("berka") / "lake", tuple(STAGES))
    yield work, records
    work.engine.close()


@pytest.fixture(scope="module")
def work(built):
    return built[0]


def test_no_check_alarms_and_every_rule_of_the_contracts_holds(work):
    checks = work.read("checks").to_pylist()
    assert [row for row in checks if row["outcome"] == "failed"] == []
    assert [row["finding"] for row in work.read("completeness").to_pylist() if row["finding"]] == []
    assert {"interest_is_credited", "transfer_names_the_bank"} <= {row["code"] for row in checks}
    rules = sum(row["code"] in CONTRACT_RULES for row in checks)
    assert f"Their {rules} rules" in (BERKA / "README.md").read_text()


def test_every_row_of_every_file_is_staged(work):
    facts = {row["source"]: row for row in work.lake.read("intake").to_pylist()}
    assert {name: row["rows_read"] for name, row in facts.items()} == ROWS
    assert {name: row["rows_staged"] for name, row in facts.items()} == ROWS
    assert all(row["duplicates_dropped"] == row["rows_quarantined"] == 0 for row in facts.values())
    assert not (work.lake.folder / "quarantine").exists()


def bookings_by_day(real_data):
    """Of each account and day, in order: (trans_id, moved, balance), from the raw file."""
    found = defaultdict(lambda: defaultdict(list))
    with (real_data / "berka" / "trans_prefix_49102.asc").open() as lines:
        for row in csv.DictReader(lines, delimiter=";"):
            moved = Decimal(row["amount"]) * (1 if row["type"] == "PRIJEM" else -1)
            found[int(row["account_id"])][row["date"]].append((int(row["trans_id"]), moved, Decimal(row["balance"])))
    for days_of in found.values():
        for rows in days_of.values():
            rows.sort()
    return found


def test_the_ledger_has_32_breaks_that_no_order_of_bookings_explains(built, real_data):
    work, records = built
    assert records["reconcile"].message == "ledger: 32 breaks on 39,960 account-days, 30 of 1,229 accounts"
    expected, in_order = {}, 0
    for account, days_of in bookings_by_day(real_data).items():
        opening, before = Decimal(0), None
        for day, rows in sorted(days_of.items()):
            wanted = opening + sum(moved for _, moved, _ in rows)
            nearest = min((balance for *_, balance in rows), key=lambda one: (abs(one - wanted), one))
            is_met = abs(nearest - wanted) <= Decimal("0.11")
            expected[account, day] = (opening, nearest - wanted, "met" if is_met else "broken")
            opening = nearest if is_met else rows[-1][-1]
            for _, moved, balance in rows:
                in_order += before is not None and abs(before + moved - balance) > Decimal("0.01")
                before = balance
    assert in_order == 18_963, "what a check in the order of (date, trans_id) calls breaks"
    stored = work.read("reconciliation_ledger").to_pylist()
    found = {
        (row["account_id"], f"{row['ledger_day']:%y%m%d}"): (row["opening"], row["difference"], row["outcome"])
        for row in stored
    }
    assert found == expected
    broken = [row for row in stored if row["outcome"] == "broken"]
    assert (len(broken), len(stored), len({row["account_id"] for row in broken})) == (32, 39_960, 30)
    on_last_day = [row for row in broken if row["ledger_day"] == date(1994, 3, 31)]
    assert [row["break_kind"] for row in on_last_day] == ["missing"] * 28, "interest of the day on which it was cut off"
    assert Counter(row["break_kind"] for row in broken) == {"missing": 30, "after_break": 2}
    page = (work.output / "report.html").read_text()
    assert "Do bookings explain balances?" in page
    assert "32 breaks" in page


def test_clients_have_the_known_genders_and_birth_dates(work):
    people = work.read("dispositions").to_pylist()
    assert len({p["client_id"] for p in people}) == 5369
    assert Counter(p["gender"] for p in people) == {"F": 2645, "M": 2724}
    assert Counter(p["right_to"] for p in people) == {"OWNER": 4500, "DISPONENT": 869}
    born = {p["client_id"]: (p["birth_date"], p["gender"]) for p in people}
    assert born[1] == (date(1970, 12, 13), "F"), "706213: 50 added to the month"
    assert born[2] == (date(1945, 2, 4), "M"), "450204"


def test_customer_is_the_owner_of_one_account(work):
    customers = work.read("customers").to_pylist()
    assert len({c["customer_id"] for c in customers}) == len({c["account_id"] for c in customers}) == 4500
    disposed = {p["client_id"]: p["customer_id"] for p in work.read("dispositions").to_pylist()}
    assert disposed[3] == 2, "client 3 may use the account of client 2"
    assert min(c["opened_on"] for c in customers) == date(1993, 1, 1)


def test_question_marks_and_blanks_are_null(work):
    districts = work.read("districts")
    assert {name: districts[name].null_count for name in districts.column_names if districts[name].null_count} == {
        "unemployed_1995": 1,
        "crimes_1995": 1,
        "known_until": 77,
    }
    (jesenik,) = [d for d in districts.to_pylist() if d["unemployed_1995"] is None]
    assert (jesenik["district"], jesenik["crimes_1995"], jesenik["unemployed_1996"]) == ("Jesenik", None, 7.01)
    # 26,197 rows of the file have no k_symbol, 1,677 a single blank.
    transactions = work.read("transactions")
    assert transactions["purpose"].null_count == 27_874
    assert set(transactions["purpose"].drop_null().unique().to_pylist()) == {
        "DUCHOD", "POJISTNE", "SANKC. UROK", "SIPO", "SLUZBY", "UROK", "UVER",
    }  # fmt: skip


def test_ledger_is_whole_and_exact(work):
    ledger = work.read("transactions")
    assert pc.count_distinct(ledger["account_id"]).as_py() == 1229
    assert Counter(ledger["direction"].to_pylist()) == {"credit": 22_994, "debit": 26_108}
    assert pc.min_max(ledger["booked_on"]).as_py() == {"min": date(1993, 1, 1), "max": date(1994, 3, 31)}
    row = ledger.filter(pc.equal(ledger["trans_id"], 695247)).to_pylist()[0]
    assert (row["amount"], row["balance"], row["direction"]) == (Decimal("700.00"), Decimal("700.00"), "credit")
    assert row["event_time"] == datetime(1993, 1, 1, tzinfo=UTC)


def test_future_loans_and_cards_are_staged_but_no_snapshot_sees_them(work):
    loans, cards = work.read("loans").to_pylist(), work.read("cards").to_pylist()
    assert max(loan["granted_on"] for loan in loans).year == max(card["issued_on"] for card in cards).year == 1998
    features = work.read("features", columns=["snapshot_date", "loans_count", "cards_count"])
    last = max(features["snapshot_date"].to_pylist())
    assert last == date(1994, 3, 27)
    newest = features.filter(pc.equal(features["snapshot_date"], last))
    granted = sum(loan["granted_on"] < last for loan in loans)
    issued = sum(card["issued_on"].date() < last for card in cards)
    assert (pc.sum(newest["loans_count"]).as_py(), pc.sum(newest["cards_count"]).as_py()) == (granted, issued)
    assert 0 < granted < 50
    assert 0 < issued < 10


def cells_of(column):
    """What two columns of the same cells have in common; a whole number is the same as the float."""
    if pa.types.is_string(column.type):
        return tuple(column.to_pylist())
    return column.is_null().to_numpy().tobytes(), column.cast(pa.float64()).fill_null(0).to_numpy().tobytes()


def test_no_two_feature_columns_are_the_same_and_none_is_constant(work):
    features = work.read("features")
    own = [name for name in features.column_names[2:] if not name.startswith("history_share")]
    seen = {}
    for name in own:
        seen.setdefault(cells_of(features[name]), []).append(name)
    assert [names for names in seen.values() if len(names) > 1] == []
    assert [name for name in own if pc.count_distinct(features[name], mode="all").as_py() < 2] == []


def test_the_packs_words_are_the_ledgers(work):
    ledger = work.read("transactions").to_pylist()
    assert Counter(r["channel"] for r in ledger) == {"batch": 23_230, "cash": 23_887, "transfer": 1_973, "card": 12}
    assert Counter(r["category"] for r in ledger if r["direction"] == "debit") == {
        "cash": 14_140, "fee": 5_445, "household": 3_719, "transfer": 1_973, "insurance": 644, "loan": 123,
        "penalty": 64,
    }  # fmt: skip
    assert {r["purpose"] for r in ledger if r["category"] == "pension"} == {"DUCHOD"}
    assert sum(r["partner_bank"] is not None for r in ledger) == 49_102 - 38_987


def test_balances_agree_with_a_plain_recount(work):
    t = date(1994, 1, 2)
    balances = {}
    for row in work.read("transactions").to_pylist():
        if 0 < (t - row["booked_on"]).days <= 180:
            balances.setdefault(row["customer_id"], []).append(row["balance"])
    columns = ["customer_id", "snapshot_date", "balance_min_180d", "balance_mean_180d", "usual_balance_median_180d"]
    found = {r["customer_id"]: r for r in work.read("features", columns).to_pylist() if r["snapshot_date"] == t}
    assert len(found) > 800
    for customer, row in found.items():
        mine = balances.get(customer)
        assert row["balance_min_180d"] == (float(min(mine)) if mine else None)
        assert row["balance_mean_180d"] == (pytest.approx(float(sum(mine) / len(mine))) if mine else None)
        assert row["usual_balance_median_180d"] == (pytest.approx(float(median(mine))) if mine else None)


def test_who_takes_part_opened_an_account_before_the_snapshot(work):
    opened = Counter(c["opened_on"] for c in work.read("customers").to_pylist())
    snapshots = Counter(work.read("snapshots", columns=["snapshot_date"])["snapshot_date"].to_pylist())
    for snapshot_date, customers in snapshots.items():
        assert customers == sum(n for day, n in opened.items() if day < snapshot_date)
    assert max(snapshots.values()) < 1229, "those opened from 1994-04 on never take part"


def test_balance_decline_is_four_to_sixteen_percent_by_snapshot(work):
    rows = work.read("labels", columns=["snapshot_date", "churned", "label_end"]).to_pylist()
    asked, churned = (
        Counter(r["snapshot_date"] for r in rows),
        Counter(r["snapshot_date"] for r in rows if r["churned"]),
    )
    assert len(asked) == 30
    rates = {day: churned[day] / n for day, n in asked.items()}
    assert all(0.04 <= rate <= 0.16 for rate in rates.values()), rates
    assert max(r["label_end"] for r in rows) <= date(1994, 3, 31), "the incomplete last day is in no horizon"


def test_label_agrees_with_a_plain_recount(work):
    ledger = [(r["customer_id"], r["booked_on"], r["balance"]) for r in work.read("transactions").to_pylist()]
    t = date(1993, 10, 3)
    labels = {r["customer_id"]: r["churned"] for r in work.read("labels").to_pylist() if r["snapshot_date"] == t}
    assert len(labels) > 500
    spans = {}
    for customer, day, balance in ledger:
        distance = (day - t).days
        if -90 <= distance < 90 and customer in labels:
            spans.setdefault(customer, ([], []))[distance >= 0].append(balance)
    expected = {
        customer: int(sum(after) / len(after) < Decimal("0.7") * sum(before) / len(before))
        for customer, (before, after) in spans.items()
    }
    assert expected == labels


def test_test_split_is_out_of_time_behind_an_embargo_of_the_horizon(work):
    (proof,) = work.read("split_proof").to_pylist()
    assert proof["holds"]
    assert (proof["first_test_snapshot"] - proof["last_train_snapshot"]).days > 90
    assert proof["train_rows"] > 4000
    assert proof["test_rows"] > 2000


def test_whole_run_ends_in_a_ranked_list_of_todays_customers(built):
    work, records = built
    assert list(records) == list(STAGES)
    scores = work.read("scores").to_pylist()
    assert {row["snapshot_date"] for row in scores} == {date(1994, 3, 27)}
    assert sorted(row["rank"] for row in scores) == list(range(1, len(scores) + 1))
    evaluations = work.read("evaluations").to_pylist()
    (found,) = [
        e
        for e in evaluations
        if (e["kind"], e["split"], e["population"], e["snapshot_date"]) == ("lightgbm", "test", "all", None)
    ]
    assert found["auroc"] > 0.75


def test_inactivity_is_refused_with_its_rate_and_the_reason(real_data, tmp_path):
    folder = tmp_path / "inactive"
    shutil.copytree(BERKA, folder)
    (folder / "churn.py").write_text(
        "from tenure import Activity, ChurnDefinition, Inactivity\n"
        "churn = ChurnDefinition('inactive', event=Inactivity('transactions'), horizon=90, min_tenure=90,\n"
        "    active=Activity('transactions', within=90))\n"
    )
    lake = tmp_path / "lake"
    work = Work.open(folder, data=real_data, overrides={"lake": {"path": str(lake)}, "verify": {"customers": 0}})
    work.project = narrowed(work.project, list(work.project.columns)[::40])
    with work, pytest.raises(OneClassTarget) as caught:
        for _ in run(work, [*stages_between("staging", "training_set"), "train"]):
            pass
    assert "churn definition 'inactive' can't be learned" in caught.value.message
    assert "nobody churns; the churn rate is 0.0% (0 of 5,500 rows" in caught.value.message
    assert "churn.py:2" in caught.value.message
    assert caught.value.hint
    assert not (lake / "models").exists()


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.thorough  # test_glue.py has every table of a small bank, test_reconcile.py those of reconciliations
def test_spark_builds_the_same_tables(real_data, tmp_path, spark_session):
    """Every table, and each fourth feature column at month-ends: Spark plans all of them for minutes."""
    from tenure.engines.spark import SparkEngine

    monthly = {"snapshots": {"every": "month-end"}, "verify": {"customers": 0}}
    lakes = [{"lake": {"path": str(tmp_path / name)}, **monthly} for name in ("duckdb", "spark")]
    duck = Work.open(BERKA, data=real_data, overrides=lakes[0])
    spark = Work.open(BERKA, data=real_data, engine="spark", overrides=lakes[1])
    spark.use_engine(SparkEngine(EngineSettings(name="spark"), spark_session))
    for work in (duck, spark):
        work.project = narrowed(work.project, list(work.project.columns)[::4])
        for _ in run(work, SQL_STAGES):
            pass
    reconciled = ("reconciliation_ledger", "reconciled_accounts_ledger")
    made = (*ROWS, *reconciled, *(stage for stage in SQL_STAGES[1:] if stage != "reconcile"))
    for table in made:
        found = compare(table, duck.read(table), spark.read(table), duck.contract_of(table).keys)
        assert found.equal, found
        assert found.rows > 0
    duck.engine.close()


def test_no_leak_is_alarmed(work):
    assert [finding for finding in every_finding(work) if finding.alarm] == []
