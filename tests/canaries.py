"""Looking for planted values: in text, and in every byte and cell of a folder, however they are written."""

import base64
import html
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq


def spellings(canary: str) -> set[bytes]:
    """A planted value as it could stand in a file: raw, in UTF-16, percent-encoded, escaped, in base64."""
    plain = {canary, quote(canary, safe=""), quote(canary), quote_plus(canary), html.escape(canary)}
    plain |= {canary.encode("unicode_escape").decode(), canary.replace("'", "''"), canary.upper(), canary.lower()}
    found = {text.encode() for text in plain}
    found |= {canary.encode("utf-16-le"), canary.encode("utf-16-be")}
    # In base64 a value's inner bytes read in three ways, by where it begins.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + canary.encode())
        found.add(encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4])
    return {text for text in found if len(text) >= min(6, len(canary))}


def leaks_in_text(text: str | bytes, canaries) -> list[str]:
    """The planted values that a text holds."""
    content = text.encode() if isinstance(text, str) else text
    return [canary for canary in canaries if any(spelled in content for spelled in spellings(canary))]


def leaks_in_files(folder: Path, canaries, *, but=()) -> list[str]:
    """Each file below a folder that holds a planted value, in its name, its bytes or a cell; `but` are left out."""
    found = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        place = file.relative_to(folder).as_posix()
        if any(place.startswith(left_out) for left_out in but):
            continue
        held = leaks_in_text(place, canaries) + leaks_in_text(file.read_bytes(), canaries)
        if file.suffix == ".parquet":
            held += leaks_in_text(cells(file), canaries)
        found += [f"{canary} in {place}" for canary in dict.fromkeys(held)]
    return found


def cells(file: Path) -> str:
    """All of a Parquet file that a reader sees: its pages are compressed, so bytes alone do not tell."""
    table = pq.ParquetFile(file).read()
    return "\n".join([str(table.schema), str(pq.read_metadata(file).metadata), *(str(c.to_pylist()) for c in table)])


def command(capfd, monkeypatch, *arguments: str) -> tuple[int, str]:
    """Run the command in this process; return its exit code and all that it printed."""
    from tenure.cli import main

    capfd.readouterr()
    monkeypatch.setattr(sys, "argv", ["tenure", *arguments])
    try:
        main()
        code = 0
    except SystemExit as left:
        code = int(left.code or 0)
    printed = capfd.readouterr()
    return code, printed.out + printed.err
