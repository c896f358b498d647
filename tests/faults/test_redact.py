"""What a message may say of a value, and what is left of a text that others wrote."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.faults.redact import LEFT_OUT, redacted, shape


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ABCD-EF-12", "XXXX-XX-99 (10 characters)"),
        ("Jane O'Neil", "Xxxx X?Xxxx (11 characters)"),
        (date(1985, 3, 17), "9999-99-99 (10 characters)"),
        (4929123412341234, "16 digits"),
        ("7", "1 digit"),
        ("żółć", "xxxx (4 characters)"),
        ("a\x1b[31m\nb", "x??99x?x (8 characters)"),
        ("XXX", "3 characters"),
        ("99-99", "5 characters"),
        ("?", "1 character"),
        ("", "empty"),
        (None, "null"),
        (b"ab1", "xx9 (3 characters)"),
        ("a" * 50, "x" * 40 + "… (50 characters)"),
    ],
)
def test_shape_tells_the_format_and_the_length_alone(value, expected):
    assert shape(value) == expected


@given(st.text(min_size=1))
def test_shape_never_repeats_a_letter_or_digit_of_the_value(value):
    drawn = shape(value).partition("(")[0]
    # A length may happen to be written with a sign of the value: that of '1' is 1.
    drawn = re.sub(r"^\d+ (digits?|characters?)", "", drawn)
    assert not set(drawn) & {sign for sign in value if sign.isalnum()} - set("Xx9") or not drawn.strip("Xx9 -./:,+@_?…")


@pytest.mark.parametrize(
    "text",
    [
        'ERROR:  invalid input syntax for type integer: "C4NARY x"',
        "Key (ssn)=(C4NARY) already exists.",
        "Key (ssn, name)=(1, C4NARY (junior)) already exists.",
        "DETAIL:  Failing row contains (1, C4NARY, null).",
        "Could not convert 'C4NARY' with type str: tried to convert to int64",
        "could not convert string to float: 'O' C4NARY'",
        "bad value 'a' C4NARY 'b' here",
        "bad value 'it\\'s C4NARY' here",
        "bad value 'it''s C4NARY' here",
        "bad value 'two\nlines C4NARY'",
        "bad value 'never closed C4NARY",
        "KeyError: b'C4NARY'",
        "syntax of E'C4NARY'",
        "ungültige Eingabesyntax für Typ integer: »C4NARY«",
        "CSV parse error: Expected 3 columns, got 4: 1,C4NARY,x",
        "Original Line: 1,C4NARY,x",
        "connect to postgresql://bob:p@C4NARY@host/bank failed",
        "connect to postgresql://bob:a b C4NARY@host/bank",
        "host=h password='x' C4NARY",
        "PGPASSWORD=C4NARY",
        'api_key": "C4NARY"',
        "No such file or directory: '/data/C4NARY.csv'",
        "cannot open /data/in/C4NARY.csv",
        r"cannot open C:\data\C4NARY.csv",
        "write to C4NARY@bank.example",
        "DE89C4NARY3704004405 is no account",
        "s3://bucket/C4NARY.parquet is not there",
        "https://host/x?name=C4NARY",
        "Binder Error: `C4NARY` cannot be resolved",
        '[{"name": "C4NARY"}]',
        'Could not parse string "x-1" according to format "%Y"\nC4NARY\n^\nError: Expected a number',
    ],
)  # fmt: skip
def test_nothing_that_may_be_a_value_or_a_secret_is_left(text):
    left = redacted(f"{text}\n\nnext line")
    assert "C4NARY" not in left
    assert left != f"{text}\n\nnext line"
    assert any(sign in left for sign in ("?", "X", "…", LEFT_OUT)), "that something was there is said"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Integer value 17 not in range: -128 to 127", "Integer value 2 digits not in range: -128 to 127"),
        ("customer 4711 at 2024-02-30", "customer 4 digits at 9999-99-99 (10 characters)"),
        ("can't open the customers' file", "can't open the customers' file"),
        ('column "amount" must surely not "secret"', 'column "amount" must … not "xxxxxx (6 characters)"'),
        ("ModuleNotFoundError: No module named 'x1'", "ModuleNotFoundError: No module named 'x9 (2 characters)'"),
        ("[Errno 28] No space left on device", "[Errno 28] No space left on device"),
    ],
)
def test_what_is_no_value_stays(text, expected):
    assert redacted(text, {"amount"}) == expected


def test_frames_of_a_traceback_keep_file_and_line_but_no_folder_of_the_user():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/home/jane/.venv/lib/python3.11/site-packages/pyarrow/io.py", line 12345, in read\n'
        '  File "/home/jane/bank/features/paid.py", line 3, in <module>\n'
        "    read(x)\n"
        "ValueError: bad 'C4NARY'\n"
        "and more of C4NARY\n"
        "\n"
        "During handling of the above exception, another exception occurred:\n"
    )
    assert redacted(text) == (
        "Traceback (most recent call last):\n"
        '  File "pyarrow/io.py", line 12345, in read\n'
        '  File "paid.py", line 3, in <module>\n'
        "    read(x)\n"
        "ValueError: bad 'X9XXXX (6 characters)'\n"
        "[left out]\n"
        "\n"
        "During handling of the above exception, another exception occurred:\n"
    )


@given(st.text(st.characters(codec="utf-8"), min_size=4), st.sampled_from(["bad '{}' x", 'bad "{}"', "Key (a)=({})"]))
def test_any_text_is_redacted_without_an_error(value, template):
    assert isinstance(redacted(template.format(value)), str)
