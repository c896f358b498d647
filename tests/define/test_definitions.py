"""One entity and one churn definition are chosen out of the bank's definitions, in one place."""

import pytest

from tenure.define.definitions import load_definitions, load_project
from tenure.errors import InvalidDefinition

BRANCH = 'branch = Entity("branch", key="branch_id", source="branches")\n'
LATER = 'later = ChurnDefinition("later", event=Closure(), horizon=60)\n'


@pytest.fixture
def several(bank):
    for file, text in (("sources.py", BRANCH), ("churn.py", LATER)):
        with (bank.folder / file).open("a") as lines:
            lines.write(text)
    return load_definitions(bank.folder, "bank")


def test_the_only_ones_need_no_name(bank):
    definitions = load_definitions(bank.folder, "bank")
    (entity,), (churn,) = definitions.entities.values(), definitions.churns.values()
    project = definitions.of()
    assert (project.entity, project.churn) == (entity, churn)
    assert project.fingerprint == load_project(bank.folder, "bank").fingerprint


def test_one_of_several_is_chosen_by_its_name(bank, several):
    first = next(iter(several.churns))
    assert [several.of("customer", name).churn.name for name in (first, "later")] == [first, "later"]
    assert several.of("customer", first).fingerprint != several.of("customer", "later").fingerprint


def test_a_project_is_checked_for_the_entity_that_was_chosen(several, told):
    with pytest.raises(InvalidDefinition) as refused:
        several.of("branch", "later")
    told(refused.value, "churn definition 'later'", "source 'branches' has no ends= column")


@pytest.mark.parametrize(
    ("entity", "churn", "message"),
    [
        ("", "later", "sources.py must define exactly one Entity; found 2."),
        ("customer", "", "churn.py defines 2 ChurnDefinitions"),
        ("household", "later", "sources.py defines no Entity named 'household'; it defines: branch, customer."),
    ],
)
def test_what_is_not_named_or_not_there_is_refused(several, told, entity, churn, message):
    with pytest.raises(InvalidDefinition) as refused:
        several.of(entity, churn)
    told(refused.value, message)
