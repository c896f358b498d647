"""Traces of customers: where a file, decoded, still tells of them; and rows and texts without them.

Parquet       the key's columns, texts that name them, the statistics of row groups, the footer's own texts
Delta's log   the range of the key's column, checkpoints row by row
CSV           the key's columns; any text
JSON          the key's columns, in records and in lists; any text
HTML          what stands between two tags
packed files  what is packed, as what it is
any file      a text key in the raw bytes
A whole number is no trace by itself: it is looked for in the key's columns, by whatever name the entity gives them, and
in texts beside such a name. A measure, a rank or a count of the same number is none.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import PurePath
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenure.storage.location import Location, for_arrow, open_to_read
from tenure.store.refused import Accounts

#: What stands where a text named a customer.
GONE = "(forgotten)"

#: A text key of fewer characters may be any word's part, and is looked for like a number.
_LEAST_WORD = 4

#: What may stand between a column's name and its value in a text, and between two such pairs.
_BETWEEN, _PAIRS = r"[\"' ]{0,2}[=:][\"' ]{0,2}", r"[\"']?[,; ]{1,2}[\"' ]{0,2}"

#: How files begin that are told by that, whatever their names are.
_PARQUET, _ZIP, _GZIP = b"PAR1", b"PK\x03\x04", b"\x1f\x8b"

_JSON_FILES = {".json", ".jsonl", ".log", ""}

_TEXT_FILES = {".json", ".jsonl", ".log", ".txt", ".md", ".yml", ".yaml", ".xml", ".toml", ".sql"}


@dataclass(frozen=True)
class Sought:
    """Customers who are looked for: the key's columns, each customer's key in text, and which parts are numbers.

    `others` are keys that are theirs alone, such as of their accounts: columns → values. They count where a table has
    no column of the entity's key. `aliases` are columns of other names that hold the entity's key.
    """

    names: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    is_whole: tuple[bool, ...]
    others: Accounts = field(default_factory=dict)
    aliases: tuple[tuple[str, ...], ...] = ()

    def rows(self, rows: pa.Table | pa.RecordBatch) -> Any:
        """Return which rows are theirs, as a mask; None where the rows don't tell whose they are."""
        masks = [_any(rows, names, self.keys, self.is_whole) for names in self._told_by(rows.schema.names)]
        if not masks:
            there = [(names, values) for names, values in self.others.items() if set(names) <= set(rows.schema.names)]
            masks = [_any(rows, names, values, [False] * len(names)) for names, values in there if values]
        return reduce(pc.or_, masks) if masks else None

    def tells(self, names: Collection[str]) -> bool:
        """Return whether rows of these columns tell of each whose it is."""
        return bool(self._told_by(names))

    def _told_by(self, names: Collection[str]) -> list[tuple[str, ...]]:
        return [way for way in (self.names, *self.aliases) if set(way) <= set(names)]

    @cached_property
    def _named_keys(self) -> tuple[tuple[tuple[str, ...], Collection[tuple[str, ...]]], ...]:
        """Columns → the keys that are traces in them."""
        return (*((way, self.keys) for way in (self.names, *self.aliases)), *self.others.items())

    def without(self, rows: pa.Table) -> pa.Table | None:
        """Return rows without theirs, and texts without their names; None if nothing of them is there."""
        mask = self.rows(rows)
        kept = rows if mask is None else rows.filter(pc.invert(mask))
        is_changed = kept.num_rows < rows.num_rows
        for place, column in enumerate(kept.schema):
            if _is_text(column.type) and self._in_texts(kept[column.name]):
                texts = [text and self.text_without(text) for text in kept[column.name].to_pylist()]
                kept = kept.set_column(place, column, pa.array(texts, column.type))
                is_changed = True
        return kept if is_changed else None

    def text_without(self, text: str) -> str:
        """Return a text in which nothing names them."""
        return self._named.sub(_replaced, text) if self.patterns else text

    def is_in_text(self, text: str) -> bool:
        """Return whether a text names one of them."""
        return bool(self.patterns) and self._named.search(text) is not None

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Keys that are told by themselves wherever they stand: single texts that are long enough."""
        if len(self.names) > 1 or self.is_whole[0]:
            return ()
        return tuple(key[0] for key in self.keys if len(key[0]) >= _LEAST_WORD)

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Regular expressions of what names one of them in a text, without what stands around."""
        pairs = [
            _PAIRS.join(f"{re.escape(name)}{_BETWEEN}{re.escape(part)}" for name, part in zip(names, key, strict=True))
            for names, keys in self._named_keys
            for key in keys
        ]
        return (*map(re.escape, self.words), *pairs)

    @cached_property
    def _named(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![0-9A-Za-z_])(?:{'|'.join(self.patterns)})(?![0-9A-Za-z_]|[.][0-9])")

    def _in_texts(self, texts: Any) -> bool:
        """Whether a column of texts names one of them; Arrow's expressions can't look behind."""
        near = rf"(^|[^0-9A-Za-z_])({'|'.join(self.patterns)})($|[^0-9A-Za-z_])"
        found = pc.match_substring_regex(texts.cast(pa.string()), near)
        if not pc.any(found).as_py():
            return False
        return any(text and self.is_in_text(text) for text in pc.unique(texts.filter(found)).to_pylist())

    def in_file(self, file: Location) -> bool:
        """Return whether a file, decoded as its kind is, tells of one of them; raise what reading it raises."""
        with open_to_read(file) as begun:
            head = begun.read(4)
        if head == _PARQUET:
            return self._in_parquet(file)
        if head == _ZIP:
            with ZipFile(io.BytesIO(file.read_bytes())) as packed:
                return any(self._in_content(PurePath(name), packed.read(name)) for name in packed.namelist())
        return self._in_content(file, file.read_bytes())

    def _in_content(self, file: Location | PurePath, content: bytes) -> bool:
        if content[:2] == _GZIP:
            return self._in_content(PurePath(str(file)).with_suffix(""), gzip.decompress(content))
        if any(re.search(_alone(word), content) for word in self.words):
            return True
        text = content.decode("utf-8", errors="replace")
        if file.suffix == ".csv":
            return self._in_csv(text)
        if file.suffix in (".html", ".htm"):
            return self.is_in_text(text) or self._in_page(text)
        records = list(_records(text)) if file.suffix in _JSON_FILES else []
        if file.parent.name == "_delta_log" and any(map(self._in_action, records)):
            return True
        is_read = file.suffix in _TEXT_FILES or not file.suffix
        return any(map(self._in_record, records)) or (is_read and self.is_in_text(text))

    def _in_record(self, value: Any) -> bool:
        """Whether JSON tells of them: an object with the key's columns, each with a value or with a list of them."""
        if isinstance(value, list):
            return any(map(self._in_record, value))
        if not isinstance(value, dict):
            return False
        for names, keys in self._named_keys:
            if set(names) <= set(value):
                columns = [one if isinstance(one, list) else [one] for one in map(value.get, names)]
                if any(tuple(map(_plain, row)) in keys for row in zip(*columns, strict=False)):
                    return True
        return any(map(self._in_record, value.values()))

    def _in_parquet(self, file: Location) -> bool:
        stored = pq.ParquetFile(for_arrow(file))
        if self._in_footer(stored.metadata):
            return True
        if ".checkpoint." in file.name:
            return any(
                self._in_action(row) or self.is_in_text(json.dumps(row, default=str))
                for row in stored.read().to_pylist()
            )
        return any(map(self._in_batch, stored.iter_batches(batch_size=65_536)))

    def _in_batch(self, batch: pa.RecordBatch) -> bool:
        mask = self.rows(batch)
        if mask is not None and pc.any(mask).as_py():
            return True
        for column in batch.columns:
            texts = pc.list_flatten(column) if pa.types.is_list(column.type) else column
            if _is_text(texts.type) and self._in_texts(texts):
                return True
        return False

    def _in_footer(self, footer: pq.FileMetaData) -> bool:
        """Whether the statistics or the footer's texts tell of a key of one column."""
        noted = b" ".join([*(footer.metadata or {}), *(footer.metadata or {}).values()])
        if any(re.search(_alone(word), noted) for word in self.words):
            return True
        names = footer.schema.names
        for group in range(footer.num_row_groups):
            for place in range(footer.num_columns):
                column = footer.row_group(group).column(place)
                told = column.statistics
                ends = (told.min, told.max) if told is not None and told.has_min_max else ()
                if self._is_key(column.path_in_schema, names, *ends):
                    return True
        return False

    def _in_action(self, action: Mapping[str, Any]) -> bool:
        """Whether an action of Delta's log tells a range that ends with a key of one column."""
        for kind in ("add", "remove"):
            stats = json.loads((action.get(kind) or {}).get("stats") or "{}")
            least, greatest = stats.get("minValues") or {}, stats.get("maxValues") or {}
            names = {*least, *greatest}
            if any(self._is_key(name, names, least.get(name), greatest.get(name)) for name in names):
                return True
        return False

    def _is_key(self, name: str, names: Collection[str], *values: object) -> bool:
        """Whether a value of a column, one of some `names`, is the key of one of them, or a text that names one."""
        if any(isinstance(value, str) and self.is_in_text(value) for value in values):
            return True
        counting = self._told_by(names) or self.others
        return (name,) in counting and any(
            (str(value),) in keys
            for way, keys in self._named_keys
            for value in values
            if way == (name,) and value is not None
        )

    def _in_csv(self, text: str) -> bool:
        return self.csv_without(text) != text

    def csv_without(self, text: str) -> str:
        """Return a CSV file's text without their rows, the other lines as they are, and without what names them."""
        lines = text.splitlines(keepends=True)
        header = next(csv.reader(lines[:1]), [])
        names = [name.lstrip("\ufeff") for name in header]
        told = self._told_by(names) or [way for way in self.others if set(way) <= set(names)]
        places = [([names.index(name) for name in way], dict(self._named_keys)[way]) for way in told]
        kept, number, reader = lines[:1], 1, csv.reader(io.StringIO(text))
        next(reader, None)
        for row in reader:
            own = "".join(lines[number : reader.line_num])
            number = reader.line_num
            if not any(tuple(row[at].strip("' ") for at in ats if at < len(row)) in keys for ats, keys in places):
                kept.append(own)
        return self.text_without("".join(kept))

    def _in_page(self, text: str) -> bool:
        """Whether a page shows a key of one column between two tags."""
        shown = {(re.sub(r"\s+", " ", cell).strip(),) for cell in re.findall(r">([^<>]+)<", text)}
        return any(not shown.isdisjoint(keys) for _, keys in self._named_keys)


def _any(
    rows: pa.Table | pa.RecordBatch, names: Sequence[str], keys: Collection[tuple[str, ...]], is_whole: Sequence[bool]
) -> Any:
    """The mask of rows of one of the keys."""
    if len(names) == 1 and len(keys) > 1 and not any(is_whole):
        texts = pc.utf8_trim_whitespace(rows[names[0]].cast(pa.string()))
        return pc.is_in(pc.utf8_normalize(texts, form="NFC"), pa.array([part for (part,) in keys], pa.string()))
    masks = []
    for key in keys:
        parts = [
            _same(rows[name], part, is_whole=whole) for name, part, whole in zip(names, key, is_whole, strict=True)
        ]
        masks.append(pc.fill_null(reduce(pc.and_, parts), fill_value=False))
    return reduce(pc.or_, masks)


def _same(column: Any, part: str, *, is_whole: bool) -> Any:
    """Which values of a column are a part of a key, also where a number is kept as text."""
    if pa.types.is_integer(column.type) and is_whole and abs(int(part)) < 2**63:
        return pc.equal(column, pa.scalar(int(part), pa.int64()))
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if is_whole:
        return pc.match_substring_regex(texts, f"^{re.escape(part)}([.]0*)?$")
    return pc.equal(texts if part.isascii() else pc.utf8_normalize(texts, form="NFC"), part)


def _replaced(found: re.Match[str]) -> str:
    """What stands in the place of a text that names a customer; the value alone goes where a column is named."""
    text = found[0]
    head = re.match(rf"[^\"'=:]+{_BETWEEN}", text)
    if head is None:
        return GONE
    # In JSON a number is not in quotes, and a word in its place would be no JSON.
    is_number_in_json = '":' in head[0] and not head[0].rstrip().endswith(('"', "'"), 1 + head[0].rindex(":"))
    return head[0] + ("null" if is_number_in_json else GONE)


def _alone(word: str) -> bytes:
    return rb"(?<![0-9A-Za-z_])" + re.escape(word.encode()) + rb"(?![0-9A-Za-z_])"


def _records(text: str) -> Iterator[Any]:
    """The values of JSON, of one or of one a line; none of what is no JSON, which its own digest tells."""
    with suppress(ValueError):
        yield json.loads(text)
        return
    for line in text.splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def _plain(value: Any) -> str:
    """A value of JSON as a key's part is written."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_dictionary(type_))
