"""Keys as they are typed, of one column and of several."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tenure import Column, Csv, Entity, Source
from tenure.catalog.forgotten_keys import sought
from tenure.errors import UnknownCustomer


def work(*columns):
    names = [column.name for column in columns]
    people = Source(
        "people",
        read=Csv("people.csv"),
        key=names,
        event_time="joined",
        columns=[*columns, Column("joined", type="date", role="time")],
    )
    entity = Entity("customer", key=names, source="people")
    project = SimpleNamespace(entity=entity, sources={"people": people}, account_columns=())
    return SimpleNamespace(project=project)


BRANCH, NUMBER = Column("branch", role="key"), Column("number", type="integer", role="key")


@pytest.mark.parametrize(
    "typed", ["north,2", "north, 2", "branch=north,number=2", "number=2,branch=north", '"north",2']
)
def test_a_key_of_two_columns_is_typed_in_order_or_by_name(typed):
    assert sought(work(BRANCH, NUMBER), [typed]).keys == (("north", "2"),)


@pytest.mark.parametrize("typed", ["a,b", "branch=a,b"])
def test_a_comma_in_a_key_of_one_column_is_its_own(typed):
    assert sought(work(BRANCH), [typed]).keys == (("a,b",),)


def test_a_customer_who_is_typed_twice_counts_once():
    assert sought(work(NUMBER), ["7", "number=7", "8"]).keys == (("7",), ("8",))


@pytest.mark.parametrize("typed", ["north", "north,2,3", "branch=north,branch=south"])
def test_too_few_or_too_many_parts_are_refused_with_how_to_write_them(typed):
    with pytest.raises(UnknownCustomer, match=r"has 2 parts, branch, number; [123] were given") as raised:
        sought(work(BRANCH, NUMBER), [typed])
    assert "branch=…,number=…" in raised.value.hint


@pytest.mark.parametrize("typed", ["north,007", "north,x", "north,2.0"])
def test_an_integer_is_written_one_way_alone(typed):
    with pytest.raises(UnknownCustomer, match=r"'number', .* is an integer"):
        sought(work(BRANCH, NUMBER), [typed])
