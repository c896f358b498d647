"""The quality of a small bank as it is stored: over two runs, of a run that a check stops, and after it."""

import pytest
from tiny_bank import write_tiny_bank

from tenure.catalog.quality import quality
from tenure.errors import BadValue, DataCheckFailed
from tenure.intake.facts import reasons_in, reasons_words, refused_in, refused_words
from tenure.publish.quality import quality_page
from tenure.session.work import Work
from tenure.stages.run import run

CHECK = """
from tenure import Check

small = Check(
    "amount_is_small", source="payments", where="amount < 50", severity="{}", tolerance={}, doc="amounts of 50 and more"
)
"""


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def staged(folder):
    with Work.open(folder) as work:
        return [record.status for record in run(work, ["staging"])]


def found(folder):
    with Work.open(folder) as work:
        return quality(work)


def html_of(folder):
    return (folder / "out" / "quality.html").read_text()


def add(folder, *rows):
    with (folder / "data" / "payments.csv").open("a") as file:
        file.writelines(f"{row}\n" for row in rows)


def allow_refused(folder):
    sources = folder / "sources.py"
    sources.write_text(sources.read_text().replace('key="payment_id",', 'key="payment_id", quarantine=0.01,'))


def test_nothing_is_known_before_the_first_run(bank):
    before = found(bank)
    assert (before.headline, before.not_staged) == ("Nothing has come in yet.", ("customers", "payments"))
    assert (before.runs, before.scores, before.drift, before.stopped) == ((), (), (), "")


def test_two_runs_are_looked_back_on_and_refused_rows_have_their_reasons(bank):
    allow_refused(bank)
    (bank / "checks.py").write_text(CHECK.format("warning", 0))
    staged(bank)
    add(bank, "90001,3,2024-06-30,VALUE-TO-HIDE", "90002,3,2024-06-30,12.00", "90003,3,,12.00")
    staged(bank)
    now = found(bank)
    (payments,) = (one for one in now.came if one.source == "payments")
    assert (payments.files, payments.read, payments.staged, payments.refused) == (1, 1508, 1506, 2)
    assert sorted(payments.reasons) == [("amount: not a decimal", 1), ("paid_on: missing", 1)]
    (large,) = (one for one in now.failed if one.code == "amount_is_small")
    assert (large.source, large.column, large.severity, large.failing) == ("payments", "amount", "warning", 833)
    assert [(one.status, one.refused, one.rows) for one in now.runs] == [("built", 2, 1546), ("built", 0, 1545)]
    assert [one.failed["warning"] >= 1 for one in now.runs] == [True, True]
    scores = {one.source: one for one in now.scores}
    # Customers were staged and checked once: nothing of them was new.
    assert (len(scores["payments"].history), len(scores["customers"].history)) == (2, 1)
    assert scores["payments"].score == scores["payments"].history[-1] < 100
    assert scores["payments"].lowest[0][0] == "amount"
    assert now.stopped == ""
    assert "VALUE-TO-HIDE" not in quality_page("Bank", now)


def test_a_run_that_finds_nothing_new_leaves_the_page_as_it_was(bank):
    staged(bank)
    before = found(bank)
    assert staged(bank) == ["current"]
    assert found(bank) == before


def test_a_check_that_stops_a_source_writes_the_page_without_a_value(bank):
    (bank / "checks.py").write_text(CHECK.format("error", 0.5))
    with pytest.raises(DataCheckFailed, match=r"payment_id=4: 54\.04"):
        staged(bank)
    html = html_of(bank)
    assert "The newest staging did not go through." in html
    assert "Checks stopped payments; the errors stand below." in html
    assert "amounts of 50 and more" in html
    assert "<code>tenure show failing_rows/payments</code>" in html
    assert "54.04" not in html
    assert "payment_id" not in html
    assert "Not staged yet: payments." in html


def test_once_the_check_is_met_the_page_shows_what_is_staged_and_keeps_the_history(bank):
    staged(bank)
    payments = (bank / "data" / "payments.csv").read_text()
    (bank / "checks.py").write_text(CHECK.format("error", 0))
    add(bank, "90002,3,2024-06-30,99.00")
    with pytest.raises(DataCheckFailed):
        staged(bank)
    assert (found(bank).stopped, found(bank).stopping) == ("failed", ("payments",))
    (bank / "data" / "payments.csv").write_text(payments)
    assert staged(bank) == ["current"]
    after = found(bank)
    assert (after.stopped, after.stopping, [one.status for one in after.runs]) == ("", (), ["failed", "built"])
    assert "amount_is_small" not in {one.code for one in after.failed}
    (scores,) = (one for one in after.scores if one.source == "payments")
    assert (scores.score, len(scores.history)) == (100, 2)
    assert "did not go through" not in html_of(bank)


def test_what_else_stops_staging_writes_the_page_too_and_names_no_value(bank):
    add(bank, "90001,3,2024-06-30,VALUE-TO-HIDE")
    with pytest.raises(BadValue, match="VALUE-TO-HIDE"):
        staged(bank)
    assert "The newest staging did not go through." in html_of(bank)
    assert "Checks stopped" not in html_of(bank)
    assert "VALUE-TO-HIDE" not in html_of(bank)


def test_customers_who_are_gone_are_counted_and_not_named(bank):
    with Work.open(bank) as work:
        list(run(work, ["staging", "snapshots"]))
    with (bank / "tenure.toml").open("a") as file:
        file.write("\n[data]\nhistory_may_change = true\n")
    customers = bank / "data" / "customers.csv"
    customers.write_text("".join(line for line in customers.read_text().splitlines(True) if not line.startswith("17,")))
    sources = bank / "sources.py"
    sources.write_text(sources.read_text().replace('key="payment_id",', 'key="payment_id", unmatched=1,'))
    staged(bank)
    lacks = [one.finding for one in found(bank).lacks if one.code == "TEN-I001"]
    assert lacks == ["1 customer of stored snapshots no longer in it"]


@pytest.mark.parametrize(("message", "rows"), [("", 0), ("a: 2 rows", 0), (f"x; {refused_words(1234)}; y", 1234)])
def test_refused_rows_are_read_from_what_staging_said(message, rows):
    assert refused_in(message) == rows


def test_the_reasons_of_refused_rows_are_read_as_they_were_written():
    reasons = {"amount: not a number": 3, "email: x; y (2)": 1200, "two rows claim one key": 1}
    assert reasons_in(reasons_words(reasons)) == reasons
    assert reasons_in("") == {}
