"""Names: what is an identifier in every engine, and the file:line of a definition."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure import Column
from tenure.define.naming import RESERVED_COLUMNS, RESERVED_WORDS, check_name, definition_place
from tenure.errors import InvalidDefinition, choices


@given(st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True))
def test_a_lower_snake_case_name_is_allowed_unless_reserved(name):
    if name in RESERVED_WORDS:
        with pytest.raises(InvalidDefinition, match=f"'{name}' is a reserved word"):
            check_name("column", name)
    else:
        check_name("column", name)


@given(st.text(max_size=70))
def test_no_other_text_is_a_name(text):
    if re.fullmatch(r"[a-z][a-z0-9_]{0,62}", text, re.ASCII) and text not in RESERVED_WORDS:
        return
    with pytest.raises(InvalidDefinition):
        check_name("column", text)


@pytest.mark.parametrize("name", ["", "Amount", "1st", "_hidden", "with space", "a-b", "a" * 64, "höhe", "ends\n"])
def test_a_refused_name_is_told_with_the_rule(name):
    with pytest.raises(InvalidDefinition) as caught:
        check_name("column", name, where="bank/sources.py:7")
    assert caught.value.message == (
        f"column '{name}' is not a name: use a-z, 0-9 and _, begin with a letter, at most 63 characters "
        "(bank/sources.py:7)."
    )
    assert "raw=" in caught.value.hint


@pytest.mark.parametrize("name", sorted(RESERVED_COLUMNS))
def test_a_column_that_tenure_writes_is_refused_of_a_source(name):
    with pytest.raises(InvalidDefinition, match=f"column '{name}' is a reserved word of SQL or of Tenure"):
        Column(name)


def test_the_place_is_the_line_that_makes_the_definition():
    assert re.fullmatch(r"define/test_naming\.py:\d+", definition_place())


def test_choices_are_sorted_and_cut_with_a_count_of_the_rest():
    assert choices(["b", "c", "a"]) == "a, b, c"
    assert choices("abcde", most=3) == "a, b, c, … (2 more)"
    assert choices([]) == ""
