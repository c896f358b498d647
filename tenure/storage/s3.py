"""Locations on S3: an object or a prefix, with those of a Path's verbs that objects can answer.

s3://bank-lake/first/features/snapshot_date=2024-05-31/part-….parquet
     └ bucket └ key, whose '/' divides a name only by agreement: S3 knows no folders
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from functools import cached_property, total_ordering
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from tenure.errors import InvalidConfig, StorageError
from tenure.storage.credentials import s3_client
from tenure.storage.settings import S3Settings

_URL = re.compile(r"[sS]3[aAnN]?://?([^/]+)/?(.*)", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

#: A range that breaks off is asked for again, with what has come kept; botocore retries a request, not its body.
_TRIES = 6

#: Parts of an upload. S3 takes 10,000 of them, so that files of 640 GB fit.
_PART = 64 * 1024 * 1024

Got = TypeVar("Got")


@dataclass(frozen=True)
class ObjectStat:
    """What S3 tells of an object without sending it; the `etag` changes with every write."""

    size: int
    etag: str
    modified: datetime = field(default=datetime(1970, 1, 1, tzinfo=UTC), compare=False)


@total_ordering
@dataclass(frozen=True, eq=False)
class S3Location:
    """An object, or the prefix of objects, in a bucket. Two are equal if bucket and key are."""

    bucket: str
    key: str
    settings: S3Settings = field(default_factory=S3Settings, repr=False)
    #: What it must be to be read, its ETag above all; None if whatever is there may be read.
    noted: ObjectStat | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, settings: S3Settings, *, asked_by: str) -> S3Location:
        """Return the place that a URL names; raise InvalidConfig if it is none."""
        found = _URL.fullmatch(url.strip())
        if not found or not _BUCKET.fullmatch(found[1]):
            raise InvalidConfig(
                f"{asked_by} is '{url}', which names no bucket; allowed: 's3://bucket' or 's3://bucket/prefix'.",
                hint="A bucket's name has 3 to 63 small letters, digits, dots and hyphens.",
            )
        return cls(found[1], found[2].strip("/"), settings)

    # What the name itself says

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its last suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The name's last suffix, such as '.parquet'."""
        return PurePosixPath(self.name).suffix

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket and the parts of the key."""
        return (self.bucket, *filter(None, self.key.split("/")))

    @property
    def parent(self) -> S3Location:
        """The prefix that holds it; the bucket's own parent is itself."""
        return S3Location(self.bucket, self.key.rpartition("/")[0], self.settings)

    def __truediv__(self, below: str | PurePosixPath) -> S3Location:
        """Return the place below this prefix."""
        return S3Location(self.bucket, f"{self.key}/{below}".strip("/"), self.settings)

    def as_noted(self, size: int, etag: str) -> S3Location:
        """Return the place, to be read only while its object has this ETag."""
        return replace(self, noted=ObjectStat(size, etag))

    def with_name(self, name: str) -> S3Location:
        """Return the place beside it."""
        return self.parent / name

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, S3Location) and (self.bucket, self.key) == (other.bucket, other.key)

    def __lt__(self, other: S3Location) -> bool:
        return (self.bucket, self.key) < (other.bucket, other.key)

    def __hash__(self) -> int:
        return hash((self.bucket, self.key))

    # What S3 says

    @property
    def _client(self) -> Any:
        return s3_client(self.settings)

    @cached_property
    def _object(self) -> Mapping[str, str]:
        return {"Bucket": self.bucket, "Key": self.key}

    def stat(self) -> ObjectStat:
        """Return the object's size, ETag and time; raise FileNotFoundError if there is none."""
        with _asking(self):
            found = self._client.head_object(**self._object)
        return ObjectStat(found["ContentLength"], found["ETag"], found["LastModified"])

    def age(self) -> float:
        """Return the seconds since the object was written, by the service's own clock."""
        with _asking(self):
            answer = self._client.head_object(**self._object)
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return float((now - answer["LastModified"]).total_seconds())

    def exists(self) -> bool:
        """Return whether there is such an object, or any below such a prefix."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Return whether there is such an object."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Return whether there are objects below such a prefix."""
        return next(self._listed(most=1), None) is not None

    def holds(self, text: str) -> bool:
        """Return whether the key of one of the first thousand objects below the prefix holds a text."""
        return any(text in place.key for place, _ in islice(self._listed(), 1000))

    def listed(self) -> dict[S3Location, ObjectStat]:
        """Return every object below the prefix, at any depth, sorted by key."""
        return dict(self._listed())

    def glob(self, pattern: str) -> list[S3Location]:
        """Return the objects below the prefix whose keys match, sorted: '*' within a part, '**' over parts."""
        parts = [*filter(None, pattern.split("/"))]
        fixed = next((number for number, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts))
        if fixed == len(parts):
            place = self / "/".join(parts)
            return [place] if place.is_file() else []
        base, wild = self / "/".join(parts[:fixed]), parts[fixed:]
        return [place for place in base.listed() if _matches(place.parts[len(base.parts) :], wild)]

    def rglob(self, pattern: str) -> Iterator[S3Location]:
        """Yield the objects below the prefix, at any depth, whose names match."""
        return (place for place, _ in self._listed() if fnmatchcase(place.name, pattern))

    def _listed(self, most: int = 1000) -> Iterator[tuple[S3Location, ObjectStat]]:
        prefix = f"{self.key}/" if self.key else ""
        with _asking(self):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, PaginationConfig={"PageSize": most}
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    if not found["Key"].endswith("/"):  # A 'folder' that some console made.
                        place = S3Location(self.bucket, found["Key"], self.settings)
                        yield place, ObjectStat(found["Size"], found["ETag"], found["LastModified"])

    # Bytes

    def read_bytes(self) -> bytes:
        """Return the whole object; raise FileNotFoundError if there is none."""
        with _asking(self):
            return _tried(lambda: bytes(self._client.get_object(**self._object)["Body"].read()))

    def read_range(self, start: int, end: int, etag: str = "") -> bytes:
        """Return the bytes from `start` up to `end`, of the object that has this ETag.

        Raises StorageError if the object has another by now, FileNotFoundError if there is none.
        """
        condition = {"IfMatch": etag} if etag else {}
        got = bytearray()

        def rest() -> None:
            answer = self._client.get_object(**self._object, Range=f"bytes={start + len(got)}-{end - 1}", **condition)
            for block in answer["Body"].iter_chunks(1 << 20):
                got.extend(block)

        with _asking(self):
            _tried(rest)
        return bytes(got)

    def write(self, content: bytes) -> str:
        """Put an object in place of what is there, whole or not at all; return its ETag."""
        with _asking(self):
            put = self._client.put_object(**self._object, Body=content, **self.settings.encryption_headers)
        return str(put["ETag"])

    def create(self, content: bytes) -> str:
        """Put an object where there is none, and return its ETag; return '', with nothing written, if there is one.

        An answer that was lost is made good: an object of just this content is taken for our own, so let the content
        hold something of the writer's own.
        """
        return self._put_if(content, {"IfNoneMatch": "*"})

    def replace(self, content: bytes, etag: str) -> str:
        """Put an object in place of the one that has this ETag; return its own, or '' with nothing written."""
        return self._put_if(content, {"IfMatch": etag})

    def _put_if(self, content: bytes, condition: Mapping[str, str]) -> str:
        from botocore.exceptions import ClientError

        with _asking(self):
            try:
                headers = {**condition, **self.settings.encryption_headers}
                return str(self._client.put_object(**self._object, Body=content, **headers)["ETag"])
            except ClientError as error:
                if _status(error) not in (404, 409, 412):
                    raise
        return self._etag_of(content)

    def _etag_of(self, content: bytes) -> str:
        """The object's ETag if this is its content, else ''."""
        try:
            with _asking(self):  # one request: between two, another writer may have put its own here
                return _tried(lambda: self._etag_if(content))
        except FileNotFoundError:
            return ""

    def _etag_if(self, content: bytes) -> str:
        answer = self._client.get_object(**self._object)
        return str(answer["ETag"]) if bytes(answer["Body"].read()) == content else ""

    def upload(self, file: Path) -> ObjectStat:
        """Put a local file here, in parts where it is large; parts of an upload that fails are given up at once."""
        size = file.stat().st_size
        if size < _PART:
            return ObjectStat(size, self.write(file.read_bytes()))
        from boto3.s3.transfer import TransferConfig

        parts = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=4)
        with _asking(self):
            self._client.upload_file(
                str(file), self.bucket, self.key, Config=parts, ExtraArgs=self.settings.encryption_headers or None
            )
        return self.stat()

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002  (as a Path's)
        """Remove the object; where it is versioned, S3 keeps what it was."""
        if not missing_ok:
            self.stat()
        with _asking(self):
            self._client.delete_object(**self._object)

    def remove(self, objects: Sequence[S3Location]) -> None:
        """Remove objects of this bucket, a thousand a request."""
        for begin in range(0, len(objects), 1000):
            named = [{"Key": place.key} for place in objects[begin : begin + 1000]]
            with _asking(self):
                answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": named, "Quiet": True})
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise StorageError(
                    f"S3 refuses to remove 's3://{self.bucket}/{first['Key']}': {first['Code']}.", hint=_RIGHTS
                )


_RIGHTS = "Give this identity the right to read, write, list and delete below the prefix: see docs/storage.md."


def _matches(parts: Sequence[str], wild: Sequence[str]) -> bool:
    """Whether the parts of a key match those of a pattern."""
    if not wild:
        return not parts
    if wild[0] == "**":
        return any(_matches(parts[begin:], wild[1:]) for begin in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wild[0]) and _matches(parts[1:], wild[1:])


def _tried(ask: Callable[[], Got]) -> Got:
    """Ask until an answer has come whole; wait longer, and by chance differently, each time."""
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError, IncompleteReadError, ResponseStreamingError

    for attempt in range(1, _TRIES):
        try:
            return ask()
        except (NoConnection, HTTPClientError, IncompleteReadError, ResponseStreamingError):
            time.sleep(random.uniform(0, min(8.0, 0.1 * 2**attempt)))  # noqa: S311  (no secret)
    return ask()


@contextmanager
def _asking(place: S3Location) -> Iterator[None]:
    """Turn what boto3 raises into FileNotFoundError, or StorageError with the place and what to do."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _refused(place, error) from error
    except (BotoCoreError, Boto3Error) as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, ClientError):
            raise _refused(place, cause) from error
        raise StorageError(
            f"'{place}' can't be reached: {_first_line(error)}.",
            hint="Check the network, and endpoint, region, proxy and ca_bundle under [s3] in tenure.toml.",
            original=error,
        ) from error


def _refused(place: S3Location, error: Any) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = _status(error)
    if code == "NoSuchBucket":
        return StorageError(f"there is no bucket '{place.bucket}'.", hint="Make it, or correct the URL.")
    if status == 404:
        return FileNotFoundError(2, "No such object", str(place))
    if status == 412:
        return StorageError(
            f"'{place}' was changed while it was read.", hint="Something other than Tenure wrote it. Run again."
        )
    if status in (401, 403):
        return StorageError(f"S3 refuses '{place}': {code or status}.", hint=_RIGHTS, original=error)
    return StorageError(
        f"S3 can't answer for '{place}': {code or status}.",
        hint="Run again; what was built stays, and the next run goes on after it.",
        original=error,
    )


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
