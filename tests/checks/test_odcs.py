"""Contracts as ODCS: the generated part says what sources.py says, what stands by hand outlives it."""

import json
from importlib.resources import files

import pytest
from tiny_bank import write_tiny_bank

from tenure.checks.odcs import (
    DIGEST,
    as_yaml,
    columns_of,
    custom_of,
    digest,
    facts,
    from_yaml,
    is_edited,
    merged,
    of_source,
    of_table,
)
from tenure.define.contract_base import Contract
from tenure.define.definitions import load_project
from tenure.define.table_contracts import contracts
from tenure.errors import InvalidDefinition


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("odcs") / "bank")
    file = folder / "sources.py"
    text = file.read_text(encoding="utf-8")
    region = 'Column("region", role="attribute"),'
    text = text.replace(region, f'{region}\n        Column("phone", role="pii", raw="PHONE", doc="At home"),')
    file.write_text(text.replace('unit="USD"', 'unit="USD", required=True'), encoding="utf-8")
    return load_project(folder, "Tiny Bank")


def made_of(project, name):
    return of_source(project.name, project.sources[name], contracts(project)[f"staging/{name}"])


def test_the_generated_part_says_what_the_source_says(project):
    customers, payments = columns_of(made_of(project, "customers")), columns_of(made_of(project, "payments"))
    assert customers["customer_id"] == {
        "name": "customer_id",
        "physicalType": "integer",
        "customProperties": [{"property": "role", "value": "key"}],
        "primaryKey": True,
        "primaryKeyPosition": 1,
        "logicalType": "integer",
        "physicalName": "customer_id",
        "required": True,
    }
    phone = customers["phone"]
    assert (phone["classification"], phone["physicalName"], phone["description"]) == ("PII", "PHONE", "At home")
    assert "classification" not in customers["region"]
    assert customers["opened_on"]["required"], "an event time is never null"
    assert "required" not in customers["closed_on"]
    assert (payments["amount"]["logicalType"], payments["amount"]["physicalType"]) == ("number", "decimal")
    assert custom_of(payments["amount"], "unit") == "USD"
    assert payments["amount"]["required"]
    table = made_of(project, "customers")["schema"][0]
    assert [custom_of(table, name) for name in ("eventTime", "endTime", "partitionStrategy")] == [
        "opened_on",
        "closed_on",
        "none",
    ]


def test_a_table_of_tenures_says_its_keys_partitions_and_types():
    contract = Contract(
        table="tiles/payments",
        keys=("customer_id", "period_end"),
        partition_by=("period_end",),
        required=("customer_id",),
        personal=frozenset({"customer_id"}),
        doc="Sums",
    )
    document = of_table("Bank", contract, [("customer_id", "int64", ""), ("period_end", "date32[day]", "Until when")])
    columns = columns_of(document)
    assert document["schema"][0]["physicalName"] == "tiles/payments"
    assert custom_of(document["schema"][0], "partitionStrategy") == "by period_end"
    assert (columns["customer_id"]["classification"], columns["customer_id"]["required"]) == ("PII", True)
    day = columns["period_end"]
    assert (day["partitioned"], day["partitionKeyPosition"], day["primaryKeyPosition"]) == (True, 1, 2)
    assert (day["logicalType"], day["description"]) == ("date", "Until when")


@pytest.mark.parametrize("name", ["customers", "payments"])
def test_yaml_comes_back_as_it_was_written(project, name):
    text = as_yaml(made_of(project, name))
    read = from_yaml(text, "contracts/x.yaml")
    assert read == made_of(project, name)
    assert as_yaml(read) == text
    assert not is_edited(read)


def test_what_is_written_has_only_words_that_the_standard_knows(project):
    schema = json.loads((files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8"))
    document = made_of(project, "payments")
    assert set(document) <= set(schema["properties"])
    assert set(schema["required"]) <= set(document)
    assert "v3.1.0" in schema["properties"]["apiVersion"]["enum"]


def test_what_stands_by_hand_outlives_a_renewed_generated_part(project):
    made = made_of(project, "payments")
    old = from_yaml(as_yaml(made), "x")
    amount = columns_of(old)["amount"]
    amount |= {"physicalType": "float", "logicalTypeOptions": {"minimum": 0}, "tags": ["money"]}
    amount["customProperties"].append({"property": "evidence", "value": "seen"})
    old |= {"status": "active", "version": "2.1.0", "team": {"name": "Payments"}}
    old["schema"][0]["relationships"] = [{"from": "payments.customer_id", "to": "customers.customer_id"}]
    old["schema"][0]["properties"].append({"name": "gone", "logicalType": "string", "tags": ["old"]})
    assert is_edited(old)
    found = merged(made, old)
    assert not is_edited(found)
    assert facts(found) == facts(made)
    renewed = columns_of(found)["amount"]
    assert (renewed["physicalType"], renewed["logicalTypeOptions"], renewed["tags"]) == (
        "decimal",
        {"minimum": 0},
        ["money"],
    )
    assert custom_of(renewed, "evidence") == "seen"
    assert (found["status"], found["version"], found["team"]) == ("active", "2.1.0", {"name": "Payments"})
    assert found["schema"][0]["relationships"] == old["schema"][0]["relationships"]
    assert "gone" not in columns_of(found)
    assert as_yaml(merged(made, found)) == as_yaml(found), "a second time changes nothing"


def test_the_digest_is_of_the_generated_part_alone(project):
    made = made_of(project, "payments")
    assert custom_of(made, DIGEST) == digest(facts(made))
    assert digest(facts(made | {"team": {"name": "x"}, "version": "9.0.0"})) == digest(facts(made))
    assert digest(facts(made | {"name": "other"})) != digest(facts(made))


BROKEN = {
    "no YAML": ("kind: [", r"contracts/x.yaml:1 is no YAML: .+\."),
    "no mapping": ("- a\n- b\n", "contracts/x.yaml is no data contract: it holds no mapping."),
    "a type": ("version: 1.0\n", "contracts/x.yaml: version: input should be a valid string."),
    "unknown at the top": ("kinds: DataContract\n", "contracts/x.yaml: kinds: extra inputs are not permitted."),
    "unknown below": (
        "schema:\n- name: t\n  properties:\n  - name: amount\n    logicalTypeOption: {minimum: 0}\n",
        r"'schema\[t\].properties\[amount\].logicalTypeOption' is no property of the Open Data Contract Standard.",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_no_contract_is_refused_with_its_place(case):
    text, message = BROKEN[case]
    with pytest.raises(InvalidDefinition, match=message) as refused:
        from_yaml(text, "contracts/x.yaml")
    assert refused.value.hint


def test_days_that_yaml_reads_are_texts_as_the_standard_wants():
    text = "schema:\n- name: t\n  properties:\n  - name: d\n    logicalTypeOptions: {minimum: 2020-01-01}\n"
    document = from_yaml(text, "x")
    assert columns_of(document)["d"]["logicalTypeOptions"] == {"minimum": "2020-01-01"}
