"""tenure.toml, the master config: one frozen object, every key documented, an unknown key is an error.

Secrets never stand in the file: a definition names the environment variable that holds one.
Nothing else is read from the environment.
"""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tenure.define.snapshot import FIRST_DAY, LAST_DAY
from tenure.errors import InvalidConfig, MissingFile, choices
from tenure.host.text_files import read_text
from tenure.model.learners import default_kinds, kinds, too_few_to_blend

FILE_NAME = "tenure.toml"

#: Counts beyond these are slips of the keyboard, and would run for ever or out of memory.
MOST_COUNT, MOST_CUSTOMERS, MOST_MONEY = 10_000, 1_000_000, 1e15


def _no_instant(value: object) -> object:
    """TOML's dates with a time of day are refused, not cut."""
    if isinstance(value, datetime):
        raise ValueError("input should be a date without a time of day")  # noqa: TRY004  (pydantic wants it)
    return value


Day: TypeAlias = Annotated[date, BeforeValidator(_no_instant)]


def _known_kind(value: str) -> str:
    """A kind of model that has a learner; another is refused in pydantic's words for a choice."""
    if value not in kinds():
        *others, last = map(repr, kinds())
        raise ValueError(f"input should be {', '.join(others)} or {last}")
    return value


def _enough_to_blend(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Kinds of model that can be trained together."""
    if too_few_to_blend(kinds):
        raise ValueError("a blend is made of two other kinds at the least; name them too, or leave it out")
    return kinds


def _list_kinds(schema: dict[str, Any]) -> None:
    schema["enum"] = list(kinds())


Names: TypeAlias = tuple[Annotated[str, Field(min_length=1)], ...]
Kind: TypeAlias = Annotated[str, AfterValidator(_known_kind), Field(json_schema_extra=_list_kinds)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ProjectSection(_Section):
    """[project]"""

    name: Annotated[str, Field(min_length=1, description="The bank's name, as the report prints it.")]


class DataSection(_Section):
    """[data]"""

    path: str = Field(
        "data",
        description="Folder of the raw files, relative to the project, or `s3://bucket/prefix`; --data overrides it.",
    )
    trust_times: bool = Field(
        default=True,
        description="Whether a raw file is taken to be unchanged, and not read to compare its SHA-256, while its size, "
        "times (mtime and ctime) and inode are what they were; false reads all files in each run.",
    )
    end: Day | None = Field(
        None,
        description="First day that the data do not cover whole. Left out: the day of the newest event of the source "
        "that ends first, of those that labels read, since a last day is seldom whole. Labels whose horizon ends "
        "after it are censored. Refused if after tomorrow, or if a source that bounds labels ends before it by more "
        "than one period and more than the longest gap of its last year.",
    )
    history_may_change: bool = Field(
        default=False,
        description="Whether a new extract may lack customers of stored snapshots, or most of a month that was staged "
        "before. Else it is refused: labels and features of the past would change.",
    )
    gaps_are_real: bool = Field(
        default=False,
        description="Whether days on which no row of a source happened are days without events, however many. Else a "
        "gap far longer than the source's others is taken for rows that never came, and horizons that it lies in have "
        "no labels.",
    )


class LakeSection(_Section):
    """[lake]"""

    path: str = Field(
        "lake",
        description="Folder of the feature store, relative to the project, or `s3://bucket/prefix`; it holds nothing "
        "else. In every path here a leading `~` is the home folder.",
    )
    mode: Literal["owner", "group"] = Field(
        "owner",
        description="Who may read what a run writes, lake and output: the owner alone (0600, 0700), or the group too "
        "(0640, 0750); whatever the umask.",
    )


class S3Section(_Section):
    """[s3]"""

    endpoint: str = Field(
        "", description="URL of the service, where it is not AWS's own, such as 'https://minio.bank'."
    )
    region: str = Field("", description="Region; left out, that of the AWS environment or profile.")
    path_style: bool = Field(
        default=False, description="Whether the bucket stands in the URL's path, as most services other than AWS want."
    )
    ca_bundle: str = Field("", description="File with the certificates that the service is trusted by.")
    proxy: str = Field("", description="URL of the proxy, without a password.")
    profile: str = Field(
        "",
        description="Profile of the user's AWS files. Keys never stand here: docs/storage.md says who finds them.",
    )
    encryption: Literal["", "AES256", "aws:kms"] = Field(
        "", description="How objects are encrypted at rest; left out, as the bucket says."
    )
    kms_key: str = Field("", description="Id of the key of `aws:kms`; left out, the bucket's.")


class EngineSection(_Section):
    """[engine]"""

    name: Literal["duckdb", "spark"] = Field("duckdb", description="Where tables are computed.")
    memory: str = Field("4GB", pattern=r"^[1-9][0-9]{0,5}(MB|GB)$", description="Memory limit, such as '4GB'.")
    threads: int = Field(0, ge=0, le=4096, description="Threads; 0 takes all cores.")
    spill: str = Field(
        "100GB",
        pattern=r"^[1-9][0-9]{0,5}(MB|GB)$",
        description="Most room on disk for rows that memory has no room for, in `spill/` of the lake while a run "
        "lasts (DuckDB).",
    )
    spill_folder: str = Field(
        "",
        description="Folder of this machine for them instead, such as '/mnt/scratch'; of a lake on S3 it is the "
        "system's temporary folder if left out.",
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="Further options, passed to the engine as they are."
    )


class SnapshotsSection(_Section):
    """[snapshots]"""

    every: Literal["month-end", "month-start", "quarter-end", "week", "day"] = Field(
        "month-end", description="On which days the bank looks at all its customers."
    )
    first: Day | None = Field(
        None,
        ge=FIRST_DAY,
        le=LAST_DAY,
        description="First day to look for snapshots, 1900-01-01 to 2199-12-31. Left out: the first event that labels "
        "can read (without a few strays more than a year before the others) plus the longest window.",
    )
    last: Day | None = Field(
        None,
        ge=FIRST_DAY,
        description="Last day to look for snapshots. Left out, or after the end of the data: that end.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> SnapshotsSection:
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"first ({self.first}) must not be after last ({self.last})")
        return self


class SplitsSection(_Section):
    """[splits]"""

    test_snapshots: int = Field(
        3, ge=1, le=MOST_COUNT, description="How many of the last labelled snapshots are the test."
    )
    folds: int = Field(
        5,
        ge=2,
        le=20,
        description="Parts into which the customers of train are drawn: each is judged by what the others taught.",
    )
    group: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="Columns of the entity's key whose rows belong in one fold: of the key (customer_id, account_no) "
        '`["customer_id"]` keeps a person\'s accounts together. Left out: the whole key.',
    )


class TrainSection(_Section):
    """[train]"""

    models: Annotated[tuple[Kind, ...], AfterValidator(_enough_to_blend)] = Field(
        default_factory=default_kinds,
        min_length=1,
        strict=False,
        description="Models to train and compare.",
    )
    trials: int = Field(12, ge=1, le=MOST_COUNT, description="Parameter sets that the search of boosted trees tries.")
    seconds: float = Field(
        3600.0,
        gt=0,
        le=1e7,
        description="A guard: a search that takes longer is cut short, the run says so and the model's version ends "
        "with '-cut-short'. A search ends by its trials, so that no result depends on the machine's load.",
    )
    seed: int = Field(7, ge=0, le=2**32 - 1, description="Seed of everything random.")
    exclude: Names = Field(
        default=(),
        strict=False,
        description='Features that no model reads, by name or pattern: `["district_no", "branch_*"]`.',
    )
    trust: Names = Field(
        default=(),
        strict=False,
        description="Features, by name or pattern, that models may read though one alone reveals who leaves, or is "
        "unique to each customer as a key is; such features are refused.",
    )
    select: Literal["plain", "alike", "null_importance", "none"] = Field(
        "plain",
        description="How each fold's model chooses among the features, by the rows that teach it: 'plain' drops those "
        "that are empty, constant, ended or equal to another; 'alike' those too that rank customers as another does; "
        "'null_importance' those too that tell no more than with labels dealt out anew; 'none' drops nothing "
        "within folds.",
    )


class ValueSection(_Section):
    """[value]"""

    contact_cost: float = Field(5.0, ge=0, le=MOST_MONEY, description="Cost of reaching one customer.")
    offer_cost: float = Field(40.0, ge=0, le=MOST_MONEY, description="Cost of the offer if a customer takes it.")
    save_rate: float = Field(0.3, ge=0, le=1, description="Share of leavers whom the offer keeps.")
    customer_value: float = Field(600.0, ge=0, le=MOST_MONEY, description="What a kept customer is worth.")
    currency: str = Field("USD", description="Unit of the amounts.")

    @model_validator(mode="after")
    def _earns(self) -> ValueSection:
        saved = self.save_rate * (self.customer_value - self.offer_cost)
        if saved <= self.contact_cost:
            raise ValueError(
                f"save_rate * (customer_value - offer_cost) is {saved:g}, which must be above contact_cost "
                f"({self.contact_cost:g}), or no campaign could earn money"
            )
        return self


class EvaluateSection(_Section):
    """[evaluate]"""

    threshold: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Score from which precision, recall and F1 count a customer as a leaver. Left out: the score from "
        "which a contact earns more than it costs, at the amounts of [value].",
    )
    segments: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description='Features of few values, such as `["branch"]`, by whose values the test is taken apart; text or '
        "flags. Values of fewer than 100 customers are pooled.",
    )


class SuppressSection(_Section):
    """[suppress]"""

    path: str = Field(
        "",
        description="CSV file of the customers who objected, relative to the project or `s3://bucket/key`; its first "
        "line names the entity's key. They are neither scored nor trained on. Left out: nobody objected.",
    )


class SegmentSection(_Section):
    """[segment]"""

    method: Literal["pca", "umap"] = Field(
        "pca", description="Projection before clustering; 'umap' needs the extra 'segments' (umap-learn)."
    )
    min_share: float = Field(0.02, gt=0, le=0.5, description="Smallest segment, as a share of the customers.")


class VerifySection(_Section):
    """[verify]"""

    customers: int = Field(
        100,
        ge=0,
        le=MOST_CUSTOMERS,
        description="Customers whose features are proved before they are committed: recomputed in plain Python, and "
        "with the future destroyed. 0 commits unproved.",
    )
    snapshots: int = Field(
        3, ge=1, le=MOST_COUNT, description="Snapshots at which they are proved, from the oldest to the newest."
    )


class LineageSection(_Section):
    """[lineage]"""

    openlineage: bool = Field(
        default=True,
        description="Whether a run writes what each stage read and wrote as OpenLineage events, a file a run in "
        "`lineage/` of the lake: see docs/lineage.md.",
    )
    namespace: str = Field("", description="Namespace of the jobs in these events; left out, the project's name.")


class DriftSection(_Section):
    """[drift]"""

    false_alarms_a_year: float = Field(
        0.02,
        gt=0,
        le=1,
        description="How many alarms of drift a bank in which nothing moves may have in a year, over all columns: 0.02 "
        "is one in fifty years. More finds smaller changes.",
    )


class OutputSection(_Section):
    """[output]"""

    path: str = Field("out", description="Folder of the report and the attrition list, relative to the project.")


class Config(_Section):
    """tenure.toml as one object; paths are relative to the project's folder."""

    project: ProjectSection
    data: DataSection = DataSection()
    lake: LakeSection = LakeSection()
    s3: S3Section = S3Section()
    engine: EngineSection = EngineSection()
    snapshots: SnapshotsSection = SnapshotsSection()
    splits: SplitsSection = SplitsSection()
    train: TrainSection = TrainSection()
    value: ValueSection = ValueSection()
    evaluate: EvaluateSection = EvaluateSection()
    suppress: SuppressSection = SuppressSection()
    segment: SegmentSection = SegmentSection()
    verify: VerifySection = VerifySection()
    lineage: LineageSection = LineageSection()
    drift: DriftSection = DriftSection()
    output: OutputSection = OutputSection()


def load_config(folder: Path, overrides: dict[str, dict[str, Any]] | None = None) -> Config:
    """Return the config of the project in `folder`, with `overrides` (section → key → value) put over it.

    Raises MissingFile if it has none, InvalidConfig for text that is not TOML, an unknown key or a wrong value.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        raise MissingFile(
            f"'{folder}' is not a Tenure project: it has no {FILE_NAME}.",
            hint="Run 'tenure init DIR' to write one, or give its folder with --project DIR.",
        )
    try:
        values = tomllib.loads(read_text(file, refused=InvalidConfig))
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(f"{file.name}: {error}.", hint="See docs/config.md for every key.") from error
    for section, keys in (overrides or {}).items():
        written = values.get(section, {})
        if isinstance(written, dict):  # else a mistake, named below
            values[section] = written | keys
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise InvalidConfig(_message(error, file.name), hint="See docs/config.md for every key.") from error


def _message(error: ValidationError, file: str) -> str:
    """A sentence that names every wrong key of the file."""
    problems = error.errors()
    outer: set[tuple[int | str, ...]] = set()
    for problem in problems:
        place = problem["loc"]
        outer.update(place[:length] for length in range(len(place)))
    messages = []
    for problem in problems:
        # A wrong item also makes its list too short; only the item is named.
        if problem["loc"] in outer:
            continue
        path = list(map(str, problem["loc"]))
        key = f"[{path[0]}] {'.'.join(path[1:])}".rstrip()
        if problem["type"] == "extra_forbidden":
            messages.append(f"{file} has the unknown key {key}; allowed: {choices(_keys(path[:-1]), 20)}")
        elif problem["type"] == "missing":
            messages.append(f"{file} lacks the key {key}")
        else:
            wanted = _wanted(problem["type"], problem["msg"])
            messages.append(f"{file} has {key} = {_shown(problem['input'])}: {wanted}")
    return "; ".join(messages) + "."


def _wanted(kind: str, message: str) -> str:
    """Pydantic's sentence, in the words of TOML."""
    words = {
        "model_type": "input should be a section with keys of its own",
        "tuple_type": "input should be a list",
        "too_short": "the list is too short",
    }
    plain = re.sub(r"datetime\.date\((\d+), (\d+), (\d+)\)", _iso, message.removeprefix("Value error, "))
    return words.get(kind, plain[:1].lower() + plain[1:])


def _iso(written: re.Match[str]) -> str:
    year, month, day = map(int, written.groups())
    return date(year, month, day).isoformat()


def _shown(value: object) -> str:
    """A value as TOML has it: dates without Python's way of writing them."""
    return value.isoformat() if isinstance(value, date) else repr(value)


def _keys(path: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in path:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def config_reference() -> str:
    """Return docs/config.md: every section and key with its default, allowed values and meaning."""
    lines = ["# tenure.toml", "", *(__doc__ or "").splitlines()[2:], ""]
    for name, field in Config.model_fields.items():
        section = field.annotation
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            continue
        lines += [f"## [{name}]", "", "| key | default | allowed | meaning |", "| --- | --- | --- | --- |"]
        allowed = section.model_json_schema()["properties"]
        for key, value in section.model_fields.items():
            default = "required" if value.is_required() else _default(value.get_default(call_default_factory=True))
            lines.append(f"| `{key}` | {default} | {_allowed(allowed[key])} | {value.description} |")
        lines.append("")
    return "\n".join(lines)


def _default(value: object) -> str:
    return "left out" if value is None else _code(value)


def _code(value: object) -> str:
    """A value as TOML and JSON write it, set as code in Markdown."""
    return f"`{json.dumps(value)}`"


def _allowed(schema: dict[str, Any]) -> str:
    """What a key takes, in words, from its JSON schema."""
    if "anyOf" in schema:
        return _allowed(schema["anyOf"][0])
    if "enum" in schema or "const" in schema:
        return ", ".join(map(_code, schema.get("enum", [schema.get("const")])))
    if schema["type"] == "array":
        return f"a list of {_allowed(schema['items'])}"
    if "pattern" in schema:
        # A bare | would end the cell of the Markdown table.
        pattern = schema["pattern"].replace("|", r"\|")
        return f"text like `{pattern}`"
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "`true`, `false`",
        "object": "a table of texts",
    }
    name = "date" if schema.get("format") == "date" else names[schema["type"]]
    limits = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    words = [name]
    for limit, word in limits.items():
        if limit in schema:
            words += [word, _number(schema[limit])]
    return " ".join(words)


def _number(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"
