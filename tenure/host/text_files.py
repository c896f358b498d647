"""Text files as editors and shells write them: UTF-8 with or without a byte order mark, UTF-16, UTF-32.

bytes FF FE 5B 00 70 00 … ──► '[project] …'
"""

from __future__ import annotations

import codecs
from typing import Protocol

from tenure.errors import TenureError

#: Byte order marks; the longer one first, since UTF-32's begins as UTF-16's does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(start: bytes) -> str:
    """Return the encoding that the first bytes of a text file tell: 'utf-8' where they tell none."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    # UTF-16 without a mark: text that begins with a Latin letter or sign has a zero in each pair of bytes.
    if len(start) >= 2 and start[0] and not start[1]:
        return "utf-16-le"
    if len(start) >= 2 and start[1] and not start[0]:
        return "utf-16-be"
    return "utf-8"


class File(Protocol):
    """A file on this machine or on S3."""

    @property
    def name(self) -> str:
        """Its name without its folder."""
        ...

    def read_bytes(self) -> bytes:
        """Return all that it holds."""
        ...


def read_text(file: File, *, refused: type[TenureError]) -> str:
    """Return a file's text, its lines ended by newlines; raise `refused`, with the line, for bytes that are no text."""
    content = file.read_bytes()
    encoding = encoding_of(content[:4]).removesuffix("-sig")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refused(
            f"{file.name}, line {line}: byte 0x{content[error.start]:02x} is not {encoding.upper()}.",
            hint="Save the file as UTF-8.",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise refused(f"{file.name}, line {line}: a zero byte; it is not a text file.", hint="Save the file as UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
