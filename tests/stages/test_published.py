"""Published columns: on the attrition list as known at the snapshot, and in no other output."""

import csv

import pytest
from canaries import leaks_in_files
from tiny_bank import write_leavers, write_tiny_bank

from tenure.errors import InvalidDefinition
from tenure.session.work import Work
from tenure.stages.run import run

SETTINGS = {"train": {"models": ("rule",)}, "verify": {"customers": 0}}
REGION = 'Column("region", role="attribute"),'
ADDED = """Column("full_name", role="pii", publish=True),
        Column("branch", role="metadata", publish=True),
        Column("phone", role="pii"),"""


def publishing(folder):
    bank = write_tiny_bank(folder)
    sources = bank / "sources.py"
    sources.write_text(sources.read_text().replace(REGION, f"{REGION}\n        {ADDED}"))
    return bank


def test_published_columns_are_on_the_list_and_nowhere_else(tmp_path):
    bank = publishing(tmp_path / "bank")
    write_leavers(bank / "data")
    with (bank / "data" / "customers.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    with (bank / "data" / "customers.csv").open("w", newline="") as lines:
        more = [[*row, f"=Qzxname {row[0]}", f"Qzxbranch {int(row[0]) % 3}", "Qzxphone"] for row in rows]
        csv.writer(lines).writerows([[*header, "full_name", "branch", "phone"], *more])
    with Work.open(bank, overrides=SETTINGS) as work:
        assert {record.status for record in run(work)} <= {"built", "current"}
        listed = work.read("attrition_list").to_pylist()
    assert listed
    assert all(row["full_name"] == f"=Qzxname {row['customer_id']}" for row in listed)
    assert all(row["branch"] == f"Qzxbranch {row['customer_id'] % 3}" for row in listed)
    with (bank / "out" / "attrition_list.csv").open(newline="", encoding="utf-8-sig") as lines:
        written = next(csv.DictReader(lines))
    assert written["full_name"].lstrip("'") == f"=Qzxname {written['customer_id']}"
    assert written["full_name"] != written["full_name"].lstrip("'"), "a spreadsheet would run it as a formula"
    own = ("data/", "lake/staging/", "lake/landing/", "lake/spill")
    assert (
        leaks_in_files(bank, ["Qzxname", "Qzxbranch"], but=(*own, "lake/attrition_list/", "out/attrition_list.")) == []
    )
    assert leaks_in_files(bank, ["Qzxphone"], but=own) == []
    page = (bank / "out" / "report.html").read_text()
    assert (
        "On the list, not on this page, because the bank publishes them: customers.full_name, customers.branch." in page
    )
    assert "Declared personal, and in no feature, list or page: customers.phone." in page
    assert "The list names customers by customer_id." in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (REGION, 'Column("region", publish=True),', "has role 'attribute' and publish=True"),
        (REGION, 'Column("region", role="protected", publish=True),', "has role 'protected' and publish=True"),
        (
            'Column("amount", type="decimal", role="measure", unit="USD")',
            'Column("amount", type="decimal", role="pii", publish=True)',
            "source 'payments' publishes 'amount', and has many rows a customer",
        ),
        (REGION, 'Column("reason_1", role="pii", publish=True),', "publishes 'reason_1', a name that is on the list"),
    ],
)
def test_what_cant_be_published_is_refused(bank, old, new, message):
    sources = bank / "sources.py"
    assert old in sources.read_text()
    sources.write_text(sources.read_text().replace(old, new))
    features = bank / "features" / "paid.py"
    features.write_text(
        "from tenure import Aggregate, FeatureView, days\n"
        'paid = FeatureView("paid", source="payments", features=[\n'
        '    Aggregate("p", how="count", windows=days(30), doc="P")])\n'
    )
    with pytest.raises(InvalidDefinition) as caught:
        Work.open(bank)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'Column("region", role="attribute")',
            'Column("region", role="metadata")',
            "reads 'region', which is metadata",
        ),
        (
            'type="decimal", role="measure"',
            'type="decimal", role="metadata"',
            "feature 'amount' reads 'amount', which is metadata",
        ),
    ],
)
def test_no_feature_reads_metadata(bank, old, new, message):
    sources = bank / "sources.py"
    sources.write_text(sources.read_text().replace(old, new))
    with pytest.raises(InvalidDefinition, match="metadata") as caught:
        Work.open(bank)
    assert message in caught.value.message.replace(" (features/paid.py:3)", "")


def test_no_condition_of_a_feature_reads_metadata(bank):
    sources = bank / "sources.py"
    sources.write_text(sources.read_text().replace('type="decimal", role="measure"', 'type="decimal", role="metadata"'))
    features = bank / "features" / "paid.py"
    features.write_text(
        "from tenure import Aggregate, FeatureView, days\n"
        'paid = FeatureView("paid", source="payments", features=[\n'
        '    Aggregate("p", how="count", windows=days(30), where="amount > 5", doc="P")])\n'
    )
    with (
        Work.open(bank) as work,
        pytest.raises(InvalidDefinition, match="'amount > 5', which is metadata: it reaches no"),
    ):
        next(run(work))
