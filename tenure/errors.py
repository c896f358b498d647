"""Every error that a user of Tenure can meet.

TenureError
├── ProjectError            the bank's own files
│   ├── InvalidConfig         tenure.toml: unknown key, wrong value
│   ├── InvalidDefinition     sources.py, churn.py, features/*.py: a definition that can't stand
│   ├── UnknownColumn         a definition reads a column its source does not have
│   └── UnknownSource         a definition reads a source the project does not have
├── InputError              the bank's raw data
│   ├── MissingFile           nothing matches the path
│   ├── MissingColumn         the file or query lacks a column
│   ├── UnreadableFile        broken structure: an unclosed quote, a row of another width, not Parquet
│   ├── BadValue              a value that is not of its column's type
│   ├── DuplicateKey          two rows claim one key
│   ├── UnmatchedKeys         rows of a source whose customer is none
│   ├── ExtractTime           when an extract was made can't be told, or is before the last one's
│   ├── VanishedRows          rows that stored snapshots rest on are gone from the extract
│   ├── EmptyTable            no rows at all
│   ├── InvalidSpine          the rows that features are asked for can't be answered
│   └── WarehouseError        the database can't be reached or refuses the query
├── LabelError              the churn definition does not fit the data
│   ├── CensoredHorizon       the horizon is longer than the data
│   ├── OneClassTarget        nobody, or everybody, churns
│   └── EmptySplit            a split would hold no rows
├── EngineError             where it runs
│   └── MissingDependency     an optional package or Java is not installed
├── StoreError              the lake
│   ├── MissingTable          a stage's input is not built yet
│   ├── DamagedLake           a file of the lake is not as it was written
│   ├── UnknownSnapshot       a snapshot date that is not built
│   ├── UnknownCustomer       a key to be forgotten that is none, or that no table holds
│   ├── NotReproducible       a manifest whose definitions or table versions are no longer there
│   ├── LakeBusy              another run holds the lake
│   ├── LakeFormat            the lake was made by an older or a newer Tenure
│   ├── LakeOfAnotherProject  the lake holds another project's rows
│   ├── StorageError          S3 refuses, can't be reached, or holds another object than before
│   ├── DiskFull              the disk, a quota or the limit of a file's size is reached
│   └── FileAccessError       the machine refuses a file or folder: its rights, a read-only disk, too many open files
├── CheckFailed             a table broke its contract or a proof; nothing of it was committed
│   ├── DataCheckFailed       rows of a source fail a check of the contract or of the bank's own
│   └── UnprovenCondition     a where= that plain Python can't evaluate for sure, so that its columns are not proved
├── ModelError              training, scoring, explaining
│   ├── MissingFeature        a model wants a column that the frame lacks
│   ├── UnsafeModelFile       a model file holds a type that is not on the trusted list
│   ├── DamagedModel          a model file is not the one that was registered
│   ├── OutdatedModel         a model learned from other definitions, or with other libraries, than those here
│   └── AdditivityError       SHAP values that do not add up to the prediction
└── InternalError           a bug in Tenure
"""

from __future__ import annotations

from collections.abc import Iterable


class TenureError(Exception):
    """A mistake that the user can fix: what happened, and in `hint` what to do or run next.

    `original` is a library's error that led to this one, until the boundary has kept it in a log.
    """

    def __init__(self, message: str, *, hint: str = "", original: BaseException | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.original = original


class ProjectError(TenureError):
    """The bank's own files are wrong."""


class InvalidConfig(ProjectError):
    """A key of tenure.toml is unknown or holds a value that is not allowed."""


class InvalidDefinition(ProjectError):
    """A definition in sources.py, churn.py or features/*.py can't stand."""


class UnknownColumn(ProjectError):
    """A definition reads a column that its source does not have."""


class UnknownSource(ProjectError):
    """A definition reads a source that the project does not have."""


class InputError(TenureError):
    """The bank's raw data are wrong; nothing was written."""


class MissingFile(InputError):
    """No file matches a source's path."""


class MissingColumn(InputError):
    """A file or query lacks a column that the source declares."""


class UnreadableFile(InputError):
    """A file's structure is broken."""


class BadValue(InputError):
    """A value is not of its column's type."""


class DuplicateKey(InputError):
    """Two rows of a source claim the same key."""


class UnmatchedKeys(InputError):
    """More rows of a source than allowed have a key that no customer has."""


class VanishedRows(InputError):
    """Rows that stored snapshots rest on are gone from a source's new extract."""


class ExtractTime(InputError):
    """When an extract of a captured source was made can't be told, or is before the last one's."""


class EmptyTable(InputError):
    """A source has no rows."""


class InvalidSpine(InputError):
    """The rows that features are asked for can't be answered."""


class WarehouseError(InputError):
    """The database can't be reached, or refuses the query."""


class LabelError(TenureError):
    """The churn definition does not fit the data."""


class CensoredHorizon(LabelError):
    """The horizon ends after the data for every snapshot."""


class OneClassTarget(LabelError):
    """The label has one class, or too few churners to learn from."""


class EmptySplit(LabelError):
    """A split would hold no rows."""


class EngineError(TenureError):
    """The engine can't run."""


class MissingDependency(EngineError):
    """An optional package, or Java, is not installed."""


class StoreError(TenureError):
    """The lake can't be read or written."""


class MissingTable(StoreError):
    """A table that a stage reads is not built yet."""


class DamagedLake(StoreError):
    """A file of the lake is gone, or is not as it was written."""


class UnknownSnapshot(StoreError):
    """Rows are asked of a snapshot date that is not built."""


class UnknownCustomer(StoreError):
    """A key that is to be forgotten is no key of the entity, or no table holds its customer."""


class NotReproducible(StoreError):
    """A manifest can't be rebuilt: definitions, or versions of tables, are no longer what they were."""


class LakeBusy(StoreError):
    """Another run holds the lake's lock."""


class LakeFormat(StoreError):
    """The lake has the format of an older or a newer Tenure."""


class LakeOfAnotherProject(StoreError):
    """The lake belongs to another project."""


class StorageError(StoreError):
    """S3 refuses, can't be reached, or an object there was changed while it was read."""


class DiskFull(StoreError):
    """The disk, a quota or the limit of a file's size is reached; nothing half-written is visible."""


class FileAccessError(StoreError):
    """The machine refuses to read or write a file or folder."""


class CheckFailed(TenureError):
    """A table broke its contract or a proof; nothing of it was committed."""


class DataCheckFailed(CheckFailed):
    """More rows of a source than allowed fail a check of its contract, or one of the bank's own."""


class UnprovenCondition(CheckFailed):
    """A where= that plain Python can't evaluate for sure; the columns that read it are reported as not proved."""


class ModelError(TenureError):
    """Training, scoring or explaining failed."""


class MissingFeature(ModelError):
    """A model wants a feature that the frame lacks."""


class UnsafeModelFile(ModelError):
    """A model file holds a type that is not on the trusted list."""


class DamagedModel(ModelError):
    """A model file is changed, cut, missing or added: it is not what the registry's digests say."""


class OutdatedModel(ModelError):
    """A model learned from other definitions, or was trained with other libraries, than those here."""


class AdditivityError(ModelError):
    """SHAP values and the base value do not add up to the model's margin."""


class InternalError(TenureError):
    """A bug in Tenure, found by an exception that nothing expects."""


def install_hint(extra: str) -> str:
    """Return how to install an optional part of Tenure, which is on no package index."""
    return (
        f"Run pip install '.[{extra}]' in a clone of Tenure; "
        f"from a wheel, pip install 'tenure[{extra}] @ file:///FOLDER/WHEEL'."
    )


def choices(names: Iterable[str], most: int = 12) -> str:
    """Return the allowed names, sorted and comma-separated, cut after `most` with a count of the rest."""
    ordered = sorted(names)
    rest = len(ordered) - most
    shown = ", ".join(ordered[:most])
    return f"{shown}, … ({rest} more)" if rest > 0 else shown
