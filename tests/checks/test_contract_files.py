"""Contracts of a project: hand edits of the generated part refused one by one, and how sources.py went on since."""

import pytest
from tiny_bank import write_tiny_bank

from tenure.checks.contract_files import Change, changes, contract_file, read_contracts
from tenure.checks.odcs import DIGEST, as_yaml, columns_of, facts, from_yaml, of_source
from tenure.define.definitions import load_project
from tenure.define.table_contracts import contracts
from tenure.errors import InvalidDefinition


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("files") / "bank")
    file = folder / "sources.py"
    old = 'Column("region", role="attribute"),'
    new = f'{old}\n        Column("phone", role="pii", doc="At home"),'
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return load_project(folder, "Tiny Bank")


def made_of(project, name):
    return of_source(project.name, project.sources[name], contracts(project)[f"staging/{name}"])


def written(folder, name, document):
    file = contract_file(folder, name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(as_yaml(document), encoding="utf-8")
    return file


def test_a_project_without_the_folder_has_no_contracts(tmp_path, project):
    assert read_contracts(tmp_path, project) == {}


def test_a_contract_as_it_was_written_is_read(tmp_path, project):
    written(tmp_path, "payments", made_of(project, "payments") | {"team": {"name": "Payments"}})
    found = read_contracts(tmp_path, project)
    assert list(found) == ["payments"]
    agreed = found["payments"]
    assert (agreed.file, agreed.version, agreed.changes) == ("contracts/payments.yaml", "1.0.0", ())
    assert (agreed.rules.table, agreed.rules.owner) == ("payments", "Payments")


def column(name, **parts):
    return lambda d: columns_of(d)[name].update(parts)


def without(name, part):
    return lambda d: columns_of(d)[name].pop(part)


def custom(name, property_, value):
    return column(name, customProperties=[{"property": property_, "value": value}])


def table(**parts):
    return lambda d: d["schema"][0].update(parts)


EDITS = {
    "type": (
        column("region", logicalType="integer"),
        "column 'region', logicalType is 'integer'; sources.py says 'string'",
    ),
    "stored type": (
        column("customer_id", physicalType="decimal"),
        "column 'customer_id', physicalType is 'decimal'; sources.py says 'integer'",
    ),
    "key": (without("customer_id", "primaryKey"), "column 'customer_id', primaryKey is nothing; sources.py says True"),
    "key's place": (
        column("customer_id", primaryKeyPosition=2),
        "column 'customer_id', primaryKeyPosition is 2; sources.py says 1",
    ),
    "nulls": (column("region", required=True), "column 'region', required is True; sources.py says nothing"),
    "raw name": (column("region", physicalName="R"), "column 'region', physicalName is 'R'; sources.py says 'region'"),
    "doc": (column("phone", description="Work"), "column 'phone', description is 'Work'; sources.py says 'At home'"),
    "personal": (
        without("phone", "classification"),
        "column 'phone', classification is nothing; sources.py says 'PII'",
    ),
    "role": (custom("region", "role", "pii"), "column 'region', role is 'pii'; sources.py says 'attribute'"),
    "unit": (
        lambda d: columns_of(d)["region"]["customProperties"].append({"property": "unit", "value": "USD"}),
        "column 'region', unit is 'USD'; sources.py says nothing",
    ),
    "partition": (
        column("region", partitioned=True),
        "column 'region', partitioned is True; sources.py says nothing",
    ),
    "partition's place": (
        column("region", partitionKeyPosition=1),
        "column 'region', partitionKeyPosition is 1; sources.py says nothing",
    ),
    "strategy and times": (
        table(customProperties=[{"property": "eventTime", "value": "closed_on"}]),
        "eventTime is 'closed_on'; sources.py says 'opened_on'",
    ),
    "table's name": (table(name="clients"), "name is 'clients'; sources.py says 'customers'"),
    "table's place": (table(physicalName="x"), "physicalName is 'x'; sources.py says 'staging/customers'"),
    "table's doc": (table(description="x"), "description is 'x'; sources.py says nothing"),
    "file's name": (lambda d: d.update(name="clients"), "name is 'clients'; sources.py says 'customers'"),
    "file's id": (lambda d: d.update(id="x"), "id is 'x'; sources.py says 'Tiny Bank: customers'"),
    "standard": (lambda d: d.update(apiVersion="v3.0.0"), "apiVersion is 'v3.0.0'; sources.py says 'v3.1.0'"),
    "a column more": (
        lambda d: d["schema"][0]["properties"].append({"name": "age", "logicalType": "integer"}),
        "column 'age' is there, and sources.py has no such column; columns are declared in sources.py alone",
    ),
    "a column less": (
        lambda d: d["schema"][0]["properties"].pop(1),
        "column 'region' is missing, and sources.py has it; columns are declared in sources.py alone",
    ),
    "digest": (
        lambda d: d.update(customProperties=[{"property": DIGEST, "value": "0"}]),
        f"the custom property {DIGEST} is '0', and it is not that of the generated part",
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_a_hand_edit_of_the_generated_part_is_refused(case, tmp_path, project):
    edit, message = EDITS[case]
    document = from_yaml(as_yaml(made_of(project, "customers")), "x")
    edit(document)
    written(tmp_path, "customers", document)
    with pytest.raises(InvalidDefinition) as refused:
        read_contracts(tmp_path, project)
    assert refused.value.message.startswith(f"contracts/customers.yaml: {message}")
    assert refused.value.hint.startswith("Run 'tenure contract export': it rewrites the generated part and keeps")


WRONG_FILES = {
    "of no source": (
        "clients.yaml",
        "",
        r"contracts/clients.yaml is the contract of no source; allowed: NAME.yaml, of",
    ),
    "another ending": ("customers.yml", "", "contracts/customers.yml is the contract of no source"),
    "no table": ("customers.yaml", "version: 1.0.0\n", "contracts/customers.yaml: schema has 0 tables; allowed: one"),
    "no version": ("customers.yaml", "schema: [{name: a}]\n", "version is 'None'; allowed: three numbers, such as"),
    "a version of two": ("customers.yaml", "version: '1.0'\nschema: [{name: a}]\n", "version is '1.0'; allowed: three"),
    "a column twice": (
        "customers.yaml",
        "version: 1.0.0\nschema: [{name: a, properties: [{name: b}, {name: b}]}]\n",
        "column 'b' stands there twice",
    ),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_file_that_is_no_source_s_contract_is_refused(case, tmp_path, project):
    name, text, message = WRONG_FILES[case]
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / name).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDefinition, match=message) as refused:
        read_contracts(tmp_path, project)
    assert refused.value.hint


def test_what_sources_py_changed_since_is_no_hand_edit(tmp_path, project):
    older = made_of(project, "customers")
    older["schema"][0]["properties"].pop(1)
    older["customProperties"] = made_digest(older)
    written(tmp_path, "customers", older)
    agreed = read_contracts(tmp_path, project)["customers"]
    assert agreed.changes == (Change("additive", "region", "new"),)
    assert agreed.of_kind("breaking") == ()


def made_digest(document):
    from tenure.checks.odcs import digest

    return [{"property": DIGEST, "value": digest(facts(document))}]


CHANGES = {
    "removed": (lambda d: d["schema"][0]["properties"].pop(1), "breaking", "region", "removed"),
    "type": (column("region", physicalType="date"), "breaking", "region", "physicalType was 'string', is 'date'"),
    "key": (column("region", primaryKey=True), "breaking", "region", "primaryKey was nothing, is True"),
    "unit": (custom("customer_id", "unit", "x"), "additive", "customer_id", "unit was nothing, is 'x'"),
    "nulls come": (without("opened_on", "required"), "breaking", "opened_on", "required was True, is nothing"),
    "nulls go": (column("region", required=True), "additive", "region", "required was nothing, is True"),
    "no longer personal": (
        without("phone", "classification"),
        "breaking",
        "phone",
        "classification was 'PII', is nothing",
    ),
    "doc": (column("phone", description="x"), "wording", "phone", "description was 'At home', is 'x'"),
    "new": (
        lambda d: d["schema"][0]["properties"].append({"name": "age", "logicalType": "integer"}),
        "additive",
        "age",
        "new",
    ),
    "new in the key": (
        lambda d: d["schema"][0]["properties"].append({"name": "age", "primaryKey": True}),
        "breaking",
        "age",
        "new, in the key",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_is_additive_breaking_or_wording(case, project):
    edit, kind, name, words = CHANGES[case]
    before = made_of(project, "customers")
    after = from_yaml(as_yaml(before), "x")
    edit(after)
    assert Change(kind, name, words) in changes(facts(before), facts(after))


def test_breaking_changes_come_first(project):
    before = made_of(project, "customers")
    after = from_yaml(as_yaml(before), "x")
    after["schema"][0]["properties"].append({"name": "age", "logicalType": "integer"})
    columns_of(after)["region"]["physicalType"] = "date"
    assert [change.kind for change in changes(facts(before), facts(after))] == ["breaking", "additive"]
    assert changes(facts(before), facts(before)) == []
