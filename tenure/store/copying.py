"""A lake copied to another place, from this machine to S3 or back, file by file, each held against its digest.

from ─► every file that a version, a log or the registry names ─► to            `_lake.json` last: until then the copy
        whatever is there already with its digest is not sent again             is no lake, and the next try goes on
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tenure.errors import DamagedLake, StoreError
from tenure.storage.location import Location, below, fetch, files_below, put
from tenure.store.delta_log import LOGS
from tenure.store.digests import FileDigests, digest_in_name, read_own, sha256_of
from tenure.store.identity import FILE_NAME, Owner, begin, is_lake
from tenure.store.lake import Lake
from tenure.store.log_digests import DIGESTS

#: Of one machine or one run, and nothing of any table.
_NOT_COPIED = {".lock", ".lease", "_verified.json", "_raw.json", "_committing", FILE_NAME}
_NOT_COPIED_FOLDERS = ("spill", "logs", "damaged", ".proof-")

#: What the copy itself knows of the files that it has.
_MEMORY = "_verified.json"


@dataclass(frozen=True)
class Copied:
    """What a copy did: the files of the lake, those that were sent now, and their bytes."""

    files: int
    sent: int
    bytes: int


def copy_lake(source: Lake, target: Location, owner: Owner, sent: Callable[[str], None] = lambda _: None) -> Copied:
    """Copy a lake to a place that holds none, or the beginning of this one; the copy belongs to `owner`.

    Both lakes are held meanwhile. `sent` is called with the name of each file that is sent. Raises StoreError if the
    target is a lake already or the source is none, DamagedLake, with nothing of that file copied, if a file is not as
    it was written.
    """
    if not is_lake(source.folder):
        raise StoreError(f"'{source.folder}' is no lake yet: there is nothing to copy.", hint="Run 'tenure run'.")
    if is_lake(target):
        raise StoreError(
            f"'{target}' is a lake already; a copy takes no other's place.",
            hint="Give a place that holds nothing, or remove what lies there.",
        )
    digests = FileDigests(target / _MEMORY)
    files = number = size = 0
    with source.locked(), Lake(target).writing():
        expected = _expected(source)
        for file in _files(source.folder):
            way = below(file, source.folder)
            files += 1
            place, wanted = target / str(way), expected.get(str(way)) or digest_in_name(file)
            if _is_there(place, wanted, digests):
                continue
            with _fetched(file) as local:
                found = sha256_of(local)
                if wanted and found != wanted:
                    raise DamagedLake(
                        f"'{file}' is not as it was written: its SHA-256 is {found[:12]}…, not {wanted[:12]}…; "
                        "the copy ends there.",
                        hint="See all damage with 'tenure verify --integrity'.",
                    )
                size += local.stat().st_size
                stamp = put(local, place)
            digests.note(place, found, stamp)
            number += 1
            sent(str(way))
        digests.save()
        begin(target, owner)
    return Copied(files=files, sent=number, bytes=size)


def _files(lake: Location) -> Iterator[Location]:
    """The files that a copy holds, data before the logs that name them."""
    found = [file for file in files_below(lake, "*") if _is_copied(below(file, lake).parts)]
    yield from sorted(found, key=lambda file: LOGS in file.parts)


def _is_copied(parts: tuple[str, ...]) -> bool:
    return parts[-1] not in _NOT_COPIED and not parts[0].startswith(_NOT_COPIED_FOLDERS)


def _expected(lake: Lake) -> dict[str, str]:
    """The SHA-256 that files without one in their name must have: of logs and of models."""
    from tenure.store.model_files import registered_digests

    found: dict[str, str] = {}
    for table in lake.tables():
        for name, digest in (read_own(lake.path(table) / DIGESTS) or {}).items():
            # The hint of the newest checkpoint may be rewritten by Delta's tools.
            if name.endswith(".json"):
                found[f"{table}/{LOGS}/{name}"] = str(digest)
    return found | registered_digests(lake)


def _is_there(place: Location, wanted: str, digests: FileDigests) -> bool:
    """Whether an earlier try copied a file that is known by its digest."""
    try:
        return bool(wanted) and digests.of(place) == wanted
    except FileNotFoundError:
        return False


@contextmanager
def _fetched(file: Location) -> Iterator[Path]:
    """A copy on this machine, to be moved or sent."""
    with TemporaryDirectory(prefix="tenure-copy-") as made:
        local = Path(made) / "file"
        fetch(file, local)
        yield local
