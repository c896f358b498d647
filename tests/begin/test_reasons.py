"""`tenure init --from` where the bank says why customers end: `where=` by its words, a question, and no feature."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date, timedelta

import pytest

from tenure.begin.project import begin_project
from tenure.define.churn import ENDED
from tenure.define.events import Closure
from tenure.demo import generate_bank
from tenure.session.work import Work
from tenure.stages.run import run

OPENED, CUSTOMERS = date(2022, 1, 3), 120


def write_csv(file, rows):
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def members(reasons, *, always=""):
    """Every second customer ends, for each of the reasons in turn; `always` stands where nobody ends."""
    for n in range(CUSTOMERS):
        end = OPENED + timedelta(days=400 + n) if n % 2 else ""
        reason = reasons[n // 2 % len(reasons)] if end else always
        yield {"customer_id": 1000 + n, "joined_on": OPENED, "closed_on": end, "close_reason": reason}


def payments():
    for n in range(CUSTOMERS * 8):
        paid = OPENED + timedelta(days=n * 700 // (CUSTOMERS * 8))
        yield {"payment_id": n, "customer_id": 1000 + n % CUSTOMERS, "paid_on": paid, "amount": f"{n % 90}.50"}


def begun(folder, customers, **tables):
    raw = folder / "raw"
    raw.mkdir()
    for name, rows in ({"customers": customers, "payments": payments()} | tables).items():
        write_csv(raw / f"{name}.csv", list(rows))
    made = begin_project(folder / "bank", str(raw))
    with Work.open(folder / "bank") as work:
        return work.project, "\n".join(made.questions)


def read_by_features(project):
    return {getattr(f, "of", "") or getattr(f, "by", "") for view in project.views.values() for f in view.features}


def test_ends_that_nobody_chooses_are_told_apart_by_their_words_and_asked_about(tmp_path):
    project, asked = begun(tmp_path, members(("better rate", "Deceased", "service", "Charged-Off")))
    assert project.churn.event == Closure(where="close_reason IN ('better rate', 'service')")
    assert "is each of better rate, service leaving, and none of Deceased, Charged-Off?" in asked
    assert project.sources["customers"].column("close_reason").role == "metadata"
    assert "close_reason" not in read_by_features(project)
    told = (tmp_path / "bank" / "sources.py").read_text()
    assert "filled in 60 of 60 rows seen that end, in 0 of the others" in told


def test_ends_without_a_reason_count_as_before(tmp_path):
    project, _ = begun(tmp_path, members(("service", "deceased", "")))
    assert project.churn.event == Closure(where="close_reason IS NULL OR close_reason = 'service'")


@pytest.mark.parametrize(
    ("reasons", "seen"),
    [
        (("service", "better rate", "moved to another bank"), " (service, better rate, moved to another bank)"),
        (("deceased", "merged"), " (deceased, merged)"),
        ([f"Mrs {n} called, is deceased" for n in range(60)], ""),
    ],
    ids=["all_chosen", "none_chosen", "somebodys_own_words"],
)
def test_where_its_words_do_not_tell_it_is_asked(tmp_path, reasons, seen):
    project, asked = begun(tmp_path, members(reasons))
    assert project.churn.event == Closure()
    assert f"close_reason says why customers end{seen}: which are no leaving" in asked
    assert "Mrs" not in asked + (tmp_path / "bank" / "churn.py").read_text()


def test_a_reason_that_stands_everywhere_is_none_of_the_end(tmp_path):
    project, asked = begun(tmp_path, members(("service", "deceased"), always="service"))
    assert project.churn.event == Closure()
    assert "says why customers end" not in asked
    assert project.sources["customers"].column("close_reason").role == "dimension"


def test_the_reason_of_the_account_that_ended_last_is_the_customers(tmp_path):
    """Accounts as they are today, two each: the first closed early because it was not wanted."""
    people = [{"customer_id": row["customer_id"], "joined_on": OPENED} for row in members(("x",))]
    held = []
    for row in members(("own wish", "deceased")):
        key = row["customer_id"]
        first = {"closed_on": OPENED + timedelta(days=300), "close_reason": "own wish"}
        last = {"closed_on": row["closed_on"], "close_reason": row["close_reason"]}
        for number, closed in enumerate((first, last)):
            held.append({"account_id": key * 10 + number, "customer_id": key, "opened_on": OPENED} | closed)
    project, _ = begun(tmp_path, people, accounts=held)
    assert project.churn.event == Closure(where="left_reason = 'own wish'")
    assert not {"left_reason", "close_reason"} & read_by_features(project)
    with Work.open(tmp_path / "bank") as work:
        list(run(work, ("staging",)))
        customers = work.read("customers").to_pylist()
    found = Counter((row["left_on"] is not None, row["left_reason"]) for row in customers)
    assert found == {(False, None): 60, (True, "own wish"): 30, (True, "deceased"): 30}


def test_the_demo_banks_deceased_have_no_label_under_what_init_wrote(tmp_path):
    facts = generate_bank(tmp_path, customers=300)
    (tmp_path / "data" / "FACTS.json").unlink()
    begin_project(tmp_path / "bank", str(tmp_path / "data"))
    with Work.open(tmp_path / "bank") as work:
        assert work.project.churn.event == Closure(where="left_reason = 'customer_request'")
        list(run(work, ("staging", "snapshots", "labels")))
        customers = work.read("customers").to_pylist()
        reasons = {row["customer_id"]: row["left_reason"] for row in customers if row["left_on"]}
        labels = work.read("labels").to_pylist()
        counted = {row["reason"] for row in work.read("unlabelled").to_pylist()}
    assert Counter(reasons.values()) == facts.reasons
    assert {reasons[row["customer_id"]] for row in labels if row["churned"]} == {"customer_request"}
    assert f"{ENDED}deceased" in counted
