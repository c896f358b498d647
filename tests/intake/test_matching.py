"""Keys that match nobody: counted for every source, told everywhere, refused beyond the source's limit."""

import json

import pytest
from stages.runs import edit
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.errors import InvalidDefinition, UnmatchedKeys
from tenure.intake.facts import intake_facts
from tenure.session.work import Work
from tenure.stages.run import run


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def staged(bank, engine=None):
    with Work.open(bank, engine=engine.dialect if engine else "") as work:
        if engine:
            work.use_engine(engine)
        (done,) = run(work, ["staging"])
        return done.message, intake_facts(work)["payments"]


def add_payments(bank, *rows):
    with (bank / "data" / "payments.csv").open("a") as payments:
        payments.writelines(f"{row}\n" for row in rows)


def test_every_row_of_the_tiny_bank_has_its_customer(bank):
    message, fact = staged(bank)
    assert (fact["rows_unmatched"], fact["keys_unmatched"], fact["rows_too_early"]) == (0, 0, 0)
    assert "match no customer" not in message


def test_rows_of_nobody_and_rows_before_their_customer_are_counted(bank, engine):
    edit(bank / "sources.py", 'key="payment_id",', 'key="payment_id",\n    unmatched=0.5,')
    # The first customer of the tiny bank joins on a day; what he pays the day before is too early.
    line = (bank / "data" / "customers.csv").read_text().splitlines()[1].split(",")
    rows = ["900001,777,2024-03-01,1.00", "900002,777,2024-03-02,1.00", "900003,778,2024-03-01,1.00"]
    add_payments(bank, *rows, f"900004,{line[0]},2001-01-01,1.00")
    message, fact = staged(bank, engine)
    assert (fact["rows_unmatched"], fact["keys_unmatched"], fact["rows_too_early"]) == (3, 2, 1)
    assert "payments: 3 rows of 2 keys match no customer" in message


def test_more_than_the_source_allows_is_refused_each_time_with_the_cure(bank):
    payments = bank / "data" / "payments.csv"
    lines = payments.read_text().splitlines()
    written = [line.split(",") for line in lines[1:]]
    # The system of payments writes the customers' numbers from another range.
    payments.write_text("\n".join([lines[0], *(f"{p},{int(c) + 5000},{d},{a}" for p, c, d, a in written)]) + "\n")
    for _ in range(2):
        with pytest.raises(UnmatchedKeys) as refused:
            staged(bank)
        assert f"source 'payments', column 'customer_id': {len(written):,} rows of " in refused.value.message
        assert "match no customer of 'customers', such as customer_id=" in refused.value.message
        assert "allowed are 1.0%" in refused.value.message
        assert "sources.py:" in refused.value.message
        assert "unmatched=0.2" in refused.value.hint
    edit(bank / "sources.py", 'key="payment_id",', 'key="payment_id",\n    unmatched=1,')
    assert "match no customer" in staged(bank)[0]


def test_customers_that_come_later_are_matched_again(bank):
    edit(bank / "sources.py", 'key="payment_id",', 'key="payment_id",\n    unmatched=0.5,')
    add_payments(bank, "900001,777,2024-03-01,1.00")
    assert staged(bank)[1]["rows_unmatched"] == 1
    with (bank / "data" / "customers.csv").open("a") as customers:
        customers.write("777,north,2024-01-01,\n")
    assert staged(bank)[1]["rows_unmatched"] == 0


@pytest.mark.parametrize("limit", ["-0.1", "1.5", "True", "'1'"])
def test_a_limit_that_is_no_share_is_refused(bank, limit):
    edit(bank / "sources.py", 'key="payment_id",', f'key="payment_id",\n    unmatched={limit},')
    with pytest.raises(InvalidDefinition, match=r"unmatched="):
        Work.open(bank)


def test_check_and_historical_features_tell_them(bank, tmp_path):
    edit(bank / "sources.py", 'key="payment_id",', 'key="payment_id",\n    unmatched=0.5,')
    add_payments(bank, "900001,777,2024-03-01,1.00")
    staged(bank)
    runner = CliRunner()
    done = runner.invoke(cli.app, ["check", "--json", "--project", str(bank)])
    told = {line["subject"]: line["message"] for line in map(json.loads, done.stdout.splitlines()) if "subject" in line}
    assert told["keys of payments"] == "1 row of 1 key match no customer"
    spine = tmp_path / "spine.csv"
    spine.write_text("customer_id,event_timestamp\n2,2024-03-31\n777,2024-03-31\n777,2024-04-30\n")
    asked = ["historical-features", "--spine", str(spine), "--features", "payment_count_30d"]
    done = runner.invoke(cli.app, [*asked, "--out", str(tmp_path / "out.csv"), "--project", str(bank)])
    assert "2 of the 3 rows, of 1 key, match no customer" in done.output
