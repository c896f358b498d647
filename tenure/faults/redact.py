"""Redaction: what a message may say of a value that it may not show, and text of others without values or secrets.

```
1985-03-17          ──► 9999-99-99 (10 characters)
Jane O'Neil         ──► Xxxx X?Xxxx (11 characters)
4929123412341234    ──► 16 digits
```

A text that others wrote (an engine, a driver, a library) may quote rows. What may be a value in it is replaced by its
shape, and what can't be distinguished from one is left out: `LEFT_OUT` stands there instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

#: What stands in the place of text that can't be redacted.
LEFT_OUT = "[left out]"

#: Signs that tell a format and no value.
_SEPARATORS = frozenset(" -./:,+@_")

#: Signs of a value that its shape shows.
_MOST_SIGNS = 40

#: Endings that tell what a file is, and of whom nothing.
_ENDINGS = frozenset("asc bz2 csv dat gz orc parquet pq tsv txt xls xlsx zip zst".split())

#: Quotes and what closes them; servers and libraries of other languages have their own.
_CLOSES = {"'": "'", '"': '"', "`": "`", "»": "«", "«": "»", "„": "“", "“": "”", "\u2018": "\u2019"}

#: A URL of another scheme than http may hold a password, a host or a customer's name, up to the end of its line.
_URL = re.compile(r"\b(?!https?://[^\s@?]*(?:\s|$))[a-z][a-z0-9+.-]*://[^\n]*", re.IGNORECASE)

#: A password may hold blanks and quotes, so that all of its line goes.
_SECRET = re.compile(
    r"\b(\w*(?:password|passwd|passphrase|pwd|passfile|secret|token|credential|api_?key|access_?key|authorization)\w*)"
    r"[\"']?\s*[=:][^\n]*",
    re.IGNORECASE,
)

#: A key as PostgreSQL quotes it: Key (ssn)=(123-45-6789) already exists.
_KEY = re.compile(r"\)=\((.*)\)|\)=\(.*", re.DOTALL)

#: Sentences that end in a whole row or line of a file, with no quotes around it.
_ROW = re.compile(
    r"((?:failing row contains|original line:|expected \d+ columns?, got \d+:|\brow:|\bline:|\bquery was:)).*",
    re.IGNORECASE | re.DOTALL,
)

#: A frame of a traceback: the code's file and line, which hold no row.
_FRAME = re.compile(r'^(\s*File )"([^"\n]+\.py)", line (\d+)(, in [\w<>.]+)?$')

#: What stands between the tracebacks of errors that led to one another.
_BETWEEN_TRACEBACKS = ("Traceback (", "During handling of the above", "The above exception was")

#: An unquoted value of any length: "Integer value 17 not in range", "Float value 1.5 was truncated".
_NAMED_VALUE = re.compile(r"\b(values? )([+-]?\d\S*)", re.IGNORECASE)

#: Words that may stand between two quoted values; a value that holds quotes could have put others there.
_PLAIN = frozenset(
    "a an and are argument as at be but by can cannot cast column columns could did does doesn error errors exist "
    "expected field file for format from function got has have in into invalid is it key line must name named not of "
    "on only or out range relation row source string table than that the to type types unknown value values was were "
    "while with does not found".split()
)


def shape(value: object) -> str:
    """Return what a value looks like, without the value: letters as X or x, digits as 9, and how long it is.

    Separators such as `-` and `.` stay, any other sign is `?`. Of a value that its shape would repeat, and of one made
    of digits alone, only the length is shown; null is 'null'.
    """
    if value is None:
        return "null"
    text = value.decode("latin-1") if isinstance(value, bytes | bytearray) else str(value)
    if not text:
        return "empty"
    if text.isdecimal():
        return f"{len(text)} {'digit' if len(text) == 1 else 'digits'}"
    length = f"{len(text)} {'character' if len(text) == 1 else 'characters'}"
    drawn = "".join(_sign(sign) for sign in text[:_MOST_SIGNS])
    if drawn == text[:_MOST_SIGNS]:
        return length
    return f"{drawn}{'…' if len(text) > _MOST_SIGNS else ''} ({length})"


def shown(value: object, *, personal: bool) -> str:
    """Return a value for a message: as it is, or its shape where it is personal data."""
    return shape(value) if personal else str(value)


def shown_row(row: Collection[tuple[str, object]], personal: Collection[str]) -> str:
    """Return columns and values for a message, such as a key; those named in `personal` by their shape."""
    return ", ".join(f"{name}={shown(value, personal=name in personal)}" for name, value in row)


def file_shape(name: str) -> str:
    """Return what a file's name looks like, for a message: its shape, with an ending that tells what it is."""
    stem, dot, ending = name.rpartition(".")
    if not dot or ending.lower() not in _ENDINGS:
        return shape(name)
    drawn, opens, _ = shape(stem).partition(" (")
    return f"{drawn if opens else '…'}.{ending}"


def redacted(text: str, names: Collection[str] = ()) -> str:
    """Return a text of others without what may be a value or a secret.

    Connection strings and passwords go to the end of their line; quoted text, numbers of four and more digits,
    addresses and paths are replaced by their shape; of what can't be distinguished, `LEFT_OUT` says that it was there.
    `names` are words that may stay in quotes, such as the names of columns. Of a message of several lines the first
    is kept. Files and lines of a traceback stay.
    """
    kept: list[str] = []
    block: list[str] = []
    for line in text.split("\n"):
        frame = _FRAME.match(line)
        if frame:
            kept += [*_block(block, names), _frame(frame)]
            block = []
        else:
            block.append(line)
    return "\n".join([*kept, *_block(block, names)])


def _block(lines: list[str], names: Collection[str]) -> list[str]:
    if not lines:
        return []
    text = _URL.sub(LEFT_OUT, "\n".join(lines))
    text = _SECRET.sub(rf"\1 {LEFT_OUT}", text)
    text = _ROW.sub(rf"\1 {LEFT_OUT}", text)
    text = _KEY.sub(lambda key: f")=({shape(key[1]) if key[1] is not None else LEFT_OUT})", text)
    return list(_first_lines("".join(_without_values(text, frozenset(names))).split("\n")))


def _first_lines(lines: list[str]) -> Iterator[str]:
    """The code of a frame, and of a message its first line: further ones may quote what was read, as it was."""
    is_said, left_out = False, False
    for line in lines:
        if not line.strip() or line.startswith(_BETWEEN_TRACEBACKS):
            is_said, left_out = False, False
            yield line
        elif not is_said:
            # A frame's code is indented; a message begins where the indent ends.
            is_said = not line.startswith("    ")
            yield line
        elif not left_out:
            left_out = True
            yield LEFT_OUT


def _frame(found: re.Match[str]) -> str:
    """A frame without the folders that lie above the package."""
    path = found[2].replace("\\", "/")
    tail = re.split(r".*/(?:site-packages|lib/python[\d.]+)/|.*/(?=tenure/)", path)[-1]
    file = path.rpartition("/")[2] if tail == path else tail
    return f'{found[1]}"{file}", line {found[3]}{found[4] or ""}'


def _without_values(text: str, names: frozenset[str]) -> Iterator[str]:
    """The text in pieces: quoted values as shapes, and what lies between them without what may be part of one."""
    position, in_line = 0, False
    while position < len(text):
        opening = _next_opening(text, position)
        between = text[position : opening if opening >= 0 else len(text)]
        if in_line and opening >= 0 and "\n" not in between:
            between = _plain_words(between, names)
        yield _without_numbers(between, names)
        if opening < 0:
            return
        closing = _closing(text, opening)
        if closing < 0:
            yield LEFT_OUT
            return
        yield text[opening] + _quoted(text[opening + 1 : closing], names) + text[closing]
        position, in_line = closing + 1, True
        if _is_torn(text, closing):
            yield f" {LEFT_OUT}"
            end = text.find("\n", position)
            position, in_line = (end if end >= 0 else len(text)), False


def _next_opening(text: str, start: int) -> int:
    """Where the next quote opens; an apostrophe, which follows a letter, opens nothing."""
    for position in range(start, len(text)):
        if text[position] in _CLOSES and not _follows_word(text, position):
            return position
    return -1


def _follows_word(text: str, position: int) -> bool:
    """Whether a quote stands after a word: as its apostrophe or its end, and not after a prefix as in b'…' or E'…'."""
    if position == 0 or not text[position - 1].isalnum():
        return False
    is_prefix = text[position - 1] in "bBrRuUfFeEnN" and (position == 1 or not text[position - 2].isalnum())
    return not (is_prefix and text[position] in "'\"")


def _closing(text: str, opening: int) -> int:
    """Where the quote that opens at `opening` closes, or -1: not doubled, not after a backslash, not in a word."""
    closes, position = _CLOSES[text[opening]], opening + 1
    while position < len(text):
        if text[position] == "\\" and closes in "'\"":
            position += 2
            continue
        if text[position] == closes:
            after = text[position + 1 : position + 2]
            if after == closes and closes in "'\"" and position > opening + 1:
                position += 2
                continue
            if not after.isalnum():
                return position
        position += 1
    return -1


def _is_torn(text: str, closing: int) -> bool:
    """Whether the rest of the line closes a quote that it did not open: the value may hold the quote itself."""
    end = text.find("\n", closing + 1)
    rest = text[closing + 1 : end if end >= 0 else len(text)]
    for position, sign in enumerate(rest):
        if sign != text[closing]:
            continue
        before, after = rest[position - 1 : position], rest[position + 1 : position + 2]
        if before.isalnum() and after.isalnum():
            continue
        return bool(before) and not before.isspace() and before not in "([{,=:<>"
    return False


def _quoted(value: str, names: frozenset[str]) -> str:
    return value if value in names else shape(value)


def _plain_words(between: str, names: frozenset[str]) -> str:
    return re.sub(r"\w+", lambda word: word[0] if word[0].lower() in _PLAIN or word[0] in names else "…", between)


def _without_numbers(text: str, names: frozenset[str]) -> str:
    text = _NAMED_VALUE.sub(lambda found: found[1] + shape(found[2]), text)
    return re.sub(r"[^\s()\[\],;]+", lambda token: _token(token[0], names), text)


def _token(token: str, names: frozenset[str]) -> str:
    """A token that may be a value or a path, as its shape: one with an @, folders, or four digits and more."""
    digits = sum(sign.isdigit() for sign in token)
    is_path = token.count("/") > 1 or "\\" in token
    if token in names or (digits < 4 and "@" not in token and not is_path) or token.startswith(("http://", "https://")):
        return token
    is_shape = all(sign in "Xx9" or sign in _SEPARATORS for sign in token)
    return token if is_shape and not is_path else shape(token)


def _sign(sign: str) -> str:
    if sign.isdigit():
        return "9"
    if sign.isalpha():
        return "X" if sign.isupper() else "x"
    return sign if sign in _SEPARATORS else "?"
