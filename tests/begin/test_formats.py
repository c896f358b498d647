"""Formats and personal columns, told by values: each case by hand."""

from __future__ import annotations

import pytest

from tenure.begin.personal import is_card, is_iban, personal
from tenure.intake.formats import format_of


@pytest.mark.parametrize(
    ("values", "kind", "written"),
    [
        ("1 22 333", "integer", {}),
        ("007 22 333", "string", {}),
        ("17850.0 13047.0", "integer", {}),
        ("1.50 -2.25 3", "decimal", {}),
        ("1.123456 2.5", "float", {}),
        ("1,50 2,25", "decimal", {"decimal": ","}),
        ("1.234,50 2,25 1.234.567,00", "decimal", {"decimal": ",", "thousands": "."}),
        ("1,234.50 2.25", "decimal", {"thousands": ","}),
        ("€12.50 €3.00", "decimal", {"currency": "€"}),
        ("(12.50) 3.00", "decimal", {"decimal": "."}),
        ("12.50- 3.00", "decimal", {"decimal": "."}),
        ("true FALSE", "boolean", {}),
        ("Y N", "boolean", {}),
        ("0 1", "integer", {}),
        ("2024-02-29 2023-01-01", "date", {}),
        ("2024-02-29T10:00:00Z 2023-01-01T00:00:00+02:00", "timestamp", {}),
        ("2024-02-30 2023-01-01", "string", {}),
        ("29/02/2024 00/00/0000", "date", {"formats": ("%d/%m/%Y",), "null": ("00/00/0000",)}),
        ("02/29/2024 12/31/2023", "date", {"formats": ("%m/%d/%Y",)}),
        ("29.02.24 01.12.23", "date", {"formats": ("%d.%m.%y",)}),
        ("29/02/2024 2023-12-31", "date", {"formats": ("%Y-%m-%d", "%d/%m/%Y")}),
        ("29-Feb-2024 01-Jan-2023", "date", {"formats": ("%d-%b-%Y",)}),
        ("20240229 20231231", "date", {"formats": ("%Y%m%d",)}),
        ("2024-02-29 9999-12-31", "date", {"null": ("9999-12-31",)}),
        ("7 ? 9", "integer", {"null": ("?",)}),
        ("red NULL blue", "string", {"null": ("NULL",)}),
        ("9007199254740993123", "string", {}),
    ],
)
def test_a_column_is_written_as_its_values_say(values, kind, written):
    found = format_of("booked_on" if kind == "date" else "x", values.split(" "))
    assert found.type == kind
    assert {name: getattr(found, name) for name in written} == written


def test_a_time_of_day_is_part_of_the_format():
    assert format_of("issued", ["931107 00:00:00", "940119 10:00:00"]).formats == ("%y%m%d %H:%M:%S",)
    assert format_of("at", ["29/02/2024 10:30", "01/12/2023 00:00"]).formats == ("%d/%m/%Y %H:%M",)


def test_numbers_of_six_digits_are_days_only_where_something_says_so():
    days = [f"93{month:02d}{day:02d}" for month in (1, 2, 3) for day in range(1, 15)]
    assert format_of("x", days).formats == ("%y%m%d",)
    assert format_of("x", days[:5]).type == "integer"
    assert format_of("birth_number", ["706213", "450204"]).type == "integer"


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("x", [f"u{n}@bank.example" for n in range(9)], "e-mail addresses"),
        ("x", [f"+420 601 10{n} 200" for n in range(9)], "phone numbers"),
        (
            "x",
            ["4111111111111111", "5500005555555559", "340000000000009", "30000000000004", "6011000000000004"],
            "card",
        ),
        ("x", [f"80515{n}/1234" for n in range(9)], "national ids"),
        ("x", [f"123-4{n}-6789" for n in range(9)], "national ids"),
        ("x", [f"10.0.0.{n}" for n in range(9)], "network addresses"),
        ("surname", ["a"], "name"),
        ("vorname", ["a"], "name"),
        ("date_of_birth", ["1990-01-01"], "birth"),
        ("counterparty_iban", ["a"], "account number"),
    ],
)
def test_personal_columns_are_told_without_their_values(name, values, why):
    found = personal(name, values)
    assert why in found
    assert not any(value in found for value in values if len(value) > 1)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("product_name", ["a", "b"]),
        ("account_id", ["1001", "1002", "1003", "1004", "1005"]),
        ("amount", [f"{n}.50" for n in range(50)]),
        ("booked_at", [f"2024-01-{n:02d} 10:00:00" for n in range(10, 28)]),
        ("card_id", [f"{n}" for n in range(100, 150)]),
        ("channel", ["atm", "branch"]),
    ],
)
def test_what_is_not_personal_is_not_called_so(name, values):
    assert personal(name, values) == ""


def test_check_digits_decide():
    assert is_iban("DE89 3704 0044 0532 0130 00")
    assert not is_iban("DE88370400440532013000")
    assert is_card("4111 1111 1111 1111")
    assert not is_card("4111111111111112")
