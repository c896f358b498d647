"""The rules of a contract: read where the standard has a place for them, each wrong one refused with its place."""

import copy

import pytest
from tiny_bank import write_tiny_bank

from tenure.checks.odcs import as_yaml, columns_of, from_yaml, merged, of_source
from tenure.checks.odcs_rules import Evidence, rules_of, with_rules
from tenure.define.definitions import load_project
from tenure.define.table_contracts import contracts
from tenure.define.table_rules import ColumnRules, Relation, TableRules
from tenure.errors import InvalidDefinition

RULES = TableRules(
    table="payments",
    owner="Payments, team 4",
    fresh_within_days=3,
    columns={
        "customer_id": ColumnRules(allowed=("1", "2"), most_null=0.014),
        "paid_on": ColumnRules(low="2020-01-01", high="2030-12-31"),
        "amount": ColumnRules(low=0, high=9800.5),
        "channel": ColumnRules(allowed=("atm", "it's"), most_null=0.0),
    },
    relations=(
        Relation(columns=("customer_id",), table="customers", its_columns=("customer_id",), most_unmatched=0.01),
    ),
)

EVIDENCE = Evidence(
    {("amount", "range"): "seen 1 to 980", ("channel", "allowed"): "seen 2 values"},
    "none was later",
    {"customers": "seen unmatched 0 of 9 rows"},
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("rules") / "bank")
    file = folder / "sources.py"
    more = 'Column("amount", type="decimal", role="measure", unit="USD"),\n        Column("channel"),'
    old = 'Column("amount", type="decimal", role="measure", unit="USD"),'
    file.write_text(file.read_text(encoding="utf-8").replace(old, more), encoding="utf-8")
    return load_project(folder, "Tiny Bank")


@pytest.fixture
def document(project):
    source = project.sources["payments"]
    return copy.deepcopy(with_rules(made(project, source), RULES, EVIDENCE))


def made(project, source):
    return of_source(project.name, source, contracts(project)[f"staging/{source.name}"])


def read(document, project):
    return rules_of(document, project.sources["payments"], project, "contracts/payments.yaml")


def test_rules_come_back_from_yaml_and_are_written_to_the_same_bytes(document, project):
    text = as_yaml(document)
    back = from_yaml(text, "x")
    assert read(back, project) == RULES
    assert as_yaml(merged(made(project, project.sources["payments"]), back)) == text


def test_evidence_stands_beside_its_rule(document):
    table, columns = document["schema"][0], columns_of(document)
    assert {"property": "evidence", "value": "seen 1 to 980"} in columns["amount"]["customProperties"]
    assert columns["channel"]["quality"][1]["description"] == "seen 2 values"
    assert document["slaProperties"][0]["description"] == "none was later"
    assert {"property": "evidence", "value": "seen unmatched 0 of 9 rows"} in table["relationships"][0][
        "customProperties"
    ]


def test_a_relation_may_stand_at_its_column(document, project):
    del document["schema"][0]["relationships"]
    columns_of(document)["customer_id"]["relationships"] = [{"to": "customers.customer_id"}]
    assert read(document, project).relations == (
        Relation(columns=("customer_id",), table="customers", its_columns=("customer_id",)),
    )


def test_rules_that_people_read_and_other_agreements_are_passed_over(document, project):
    columns_of(document)["amount"]["quality"] = [{"type": "text", "description": "Signed by the branch"}]
    document["schema"][0]["quality"] = [{"type": "text", "description": "Complete by noon"}]
    document["slaProperties"].append({"property": "retention", "value": 10, "unit": "y"})
    assert read(document, project) == RULES


def quality(column, **rule):
    return lambda d: columns_of(d)[column].update(quality=[rule])


def options(column, **bounds):
    return lambda d: columns_of(d)[column].update(logicalTypeOptions=bounds)


def latency(**parts):
    return lambda d: d.update(slaProperties=[{"property": "latency", **parts}])


def relation(**parts):
    start = {"from": "payments.customer_id", "to": "customers.customer_id"}
    named = {"from" if name == "start" else name: value for name, value in parts.items()}
    return lambda d: d["schema"][0].update(relationships=[start | named])


WRONG = {
    "a text as a number": (
        options("amount", minimum="low"),
        "column 'amount', logicalTypeOptions.minimum is 'low'; allowed: a number, as the column is of type decimal",
    ),
    "a flag as a number": (options("amount", maximum=True), "logicalTypeOptions.maximum is True; allowed: a number"),
    "a number as a day": (options("paid_on", minimum=2020), "minimum is 2020; allowed: a date as ISO text, such as"),
    "no day": (options("paid_on", minimum="2020-02-30"), "minimum is '2020-02-30'; allowed: a date as ISO text"),
    "low above high": (options("amount", minimum=5, maximum=1), "minimum is 5; allowed: no more than maximum, 1"),
    "days the wrong way round": (
        options("paid_on", minimum="2024-01-02", maximum="2024-01-01"),
        "minimum is '2024-01-02'; allowed: no more than maximum, '2024-01-01'",
    ),
    "bounds of texts": (
        options("channel", minimum="a"),
        "column 'channel', logicalTypeOptions.minimum is 'a'; allowed: nothing: the column is of type string",
    ),
    "another option": (options("amount", multipleOf=5), "an option is 'multipleOf'; allowed: minimum, maximum"),
    "another metric": (
        quality("amount", metric="duplicateValues", mustBe=0),
        "column 'amount', quality: metric is 'duplicateValues'; allowed: nullValues, invalidValues",
    ),
    "a rule in SQL": (
        quality("amount", type="sql", query="SELECT 1", mustBe=1),
        "column 'amount', quality: a rule of type is 'sql'; allowed: text, which people read",
    ),
    "a rule of the table": (
        lambda d: d["schema"][0].update(quality=[{"metric": "rowCount", "mustBe": 1}]),
        "quality of the table: a rule of type is 'library'; allowed: text",
    ),
    "values of a decimal": (
        quality("amount", metric="invalidValues", arguments={"validValues": [1]}, mustBe=0),
        "column 'amount', invalidValues is a list for type decimal; allowed: columns of type string or integer",
    ),
    "some may be invalid": (
        quality("channel", metric="invalidValues", arguments={"validValues": ["a"]}, mustBe=3),
        "invalidValues.mustBe is 3; allowed: 0",
    ),
    "another argument": (
        quality("channel", metric="invalidValues", arguments={"pattern": "a"}, mustBe=0),
        "invalidValues.arguments: an argument is 'pattern'; allowed: validValues",
    ),
    "no values": (
        quality("channel", metric="invalidValues", arguments={"validValues": []}, mustBe=0),
        r"validValues is \[\]; allowed: a list of texts, one or more",
    ),
    "values of another type": (
        quality("customer_id", metric="invalidValues", arguments={"validValues": ["1"]}, mustBe=0),
        r"validValues is \['1'\]; allowed: a list of whole numbers",
    ),
    "nulls counted": (
        quality("amount", metric="nullValues", mustBeLessOrEqualTo=5, unit="rows"),
        "nullValues.unit is 'rows'; allowed: percent, with mustBeLessOrEqualTo; or mustBe: 0",
    ),
    "some nulls exactly": (quality("amount", metric="nullValues", mustBe=5), "nullValues.mustBe is 5; allowed: 0, or"),
    "more nulls than rows": (
        quality("amount", metric="nullValues", mustBeLessOrEqualTo=101, unit="percent"),
        "mustBeLessOrEqualTo is 101; allowed: a percentage, 0 to 100",
    ),
    "hours": (latency(value=5, unit="h"), "slaProperties, latency: unit is 'h'; allowed: d"),
    "half a day": (latency(value=0.5, unit="d"), "slaProperties, latency: value is 0.5; allowed: whole days"),
    "a list of people": (lambda d: d.update(team=[{"username": "x"}]), "team is a list; allowed: an object with name"),
    "another table's columns": (
        relation(start="customers.customer_id"),
        "from is 'customers.customer_id'; allowed: columns of payments",
    ),
    "an unknown table": (relation(to="clients.customer_id"), "to is 'clients.customer_id'; allowed: TABLE.COLUMN, of"),
    "an unknown column": (relation(to="customers.id"), "to is 'customers.id'; allowed: a column of customers: "),
    "not the key": (relation(to="customers.region"), "to is 'customers.region'; allowed: the key of customers"),
    "another type": (
        relation(start="payments.channel"),
        "to is 'customers.customer_id'; allowed: columns of the same types; 'channel' is of type string",
    ),
    "fewer columns": (
        relation(start=["payments.customer_id", "payments.channel"], to=["customers.customer_id"]),
        "allowed: as many columns as from has, 2",
    ),
    "two tables": (
        relation(
            start=["payments.customer_id", "payments.payment_id"],
            to=["customers.customer_id", "payments.payment_id"],
        ),
        "allowed: columns of one table",
    ),
    "more than all": (
        relation(customProperties=[{"property": "mostUnmatched", "value": 2}]),
        "mostUnmatched is 2; allowed: a share, 0 to 1",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_rule_that_cannot_stand_is_refused_with_its_place(case, document, project):
    edit, message = WRONG[case]
    edit(document)
    written = from_yaml(as_yaml(document), "x")
    with pytest.raises(InvalidDefinition, match=message) as refused:
        read(written, project)
    assert refused.value.message.startswith("contracts/payments.yaml: ")
    assert "docs/contract.md" in refused.value.hint
