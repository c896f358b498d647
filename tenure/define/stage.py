"""The stages of the pipeline, in order: one object each; every list of stages and of tables is derived.

raw ─► staging ─► snapshots ─► features ─┬─► training_set ─► train ─► evaluate
          │           │                  └─► drift    │
          │           └─► labels ─► splits ─┘        score ─► horizons, explain, segment ─► report
          └─► reconcile
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from tenure.define.naming import by_name

Purpose: TypeAlias = Literal["build", "model"]

#: Tables of which there is one for each Reconciliation.
RECONCILED = ("reconciliation", "reconciled_accounts")

#: Tables of which there is one for each of some definition.
MADE_BY_NAME = (*RECONCILED, "labels_of")

_NONE: Mapping[str, str] = MappingProxyType({})

#: The ledger of runs, which every stage adds its row to.
LEDGER = "runs"


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline: its name, what it does, the tables that it reads and those that it makes.

    Tables are named by the first part of their place in the lake: 'staging' for every `staging/<source>`.
    """

    name: str
    words: str
    purpose: Purpose = field(kw_only=True)
    #: The tables that it writes; no other stage writes them.
    makes: tuple[str, ...] = field(kw_only=True)
    #: The tables of other stages that it may read.
    reads: tuple[str, ...] = field(default=(), kw_only=True)
    #: The table of a later stage that it looks at where there is one, so as not to rewrite what it rests on.
    guards: tuple[str, ...] = field(default=(), kw_only=True)
    #: Those of its own tables that record what was done; they are never restored.
    records: tuple[str, ...] = field(default=(), kw_only=True)
    #: Whether its tables are each the rows of a SELECT, so that engines can be compared on them.
    in_sql: bool = field(default=False, kw_only=True)
    #: The extra of optional packages that it needs, '' for none.
    extra: str = field(default="", kw_only=True)
    #: The module of its function, which has the stage's name; loaded when the stage runs.
    module: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not self.module:
            object.__setattr__(self, "module", f"tenure.stages.{self.name}")

    def relations(self, sources: Iterable[str], by_name: Mapping[str, str] = _NONE) -> tuple[str, ...]:
        """Return the relations that it reads: each source for 'staging', and not the ledger that it appends to.

        `by_name` are the relations of which there is one for each definition, each with the table where it is stored.
        """
        found: list[str] = []
        for table in self.reads:
            if table == "staging":
                found += sources
            elif table in MADE_BY_NAME:
                found += [relation for relation, place in by_name.items() if place.startswith(f"{table}/")]
            elif table != LEDGER:
                found.append(table)
        return tuple(found)


#: The tables behind the features, and with them the labels, the splits and the models learned from all of these.
_SPINE = ("staging", "intake", "arrivals", "snapshots")
_LEARNED = (*_SPINE, "features", "labels", "splits", "training_set", "models")

_STAGES = (
    Stage(
        "staging",
        "Read, type, deduplicate and quarantine the bank's raw rows",
        purpose="build",
        makes=(
            *("staging", "quarantine", "intake", "completeness", "captures", "arrivals"),
            *("checks", "quality", "failing_rows", "monthly_profiles"),
        ),
        records=(
            *("intake", "completeness", "captures", "arrivals"),
            *("checks", "quality", "failing_rows", "monthly_profiles"),
        ),
        guards=("snapshots",),
        in_sql=True,
        module="tenure.intake.staging",
    ),
    Stage(
        "reconcile",
        "Hold bookings against balances, account by account and day by day",
        purpose="build",
        makes=("reconciliation", "reconciled_accounts"),
        reads=("staging", "intake"),
        in_sql=True,
    ),
    Stage(
        "snapshots",
        "Find who is a customer at each snapshot date",
        purpose="build",
        makes=("snapshots",),
        reads=("staging", "intake"),
        in_sql=True,
    ),
    Stage(
        "features",
        "Compute every feature from rows known before each snapshot",
        purpose="build",
        makes=("features", "tiles"),
        reads=_SPINE,
        in_sql=True,
    ),
    Stage(
        "labels",
        "Label who churned in the horizon after each snapshot",
        purpose="build",
        makes=("labels", "unlabelled", "labels_of"),
        reads=("staging", "intake", "snapshots"),
        in_sql=True,
    ),
    Stage(
        "splits",
        "Split the labelled rows by time and by customer",
        purpose="build",
        makes=("splits", "split_proof"),
        reads=("staging", "intake", "labels"),
        in_sql=True,
    ),
    Stage(
        "training_set",
        "Join features, labels and splits",
        purpose="build",
        makes=("training_set",),
        reads=("features", "labels", "splits"),
        in_sql=True,
    ),
    Stage(
        "drift",
        "Tell which features have moved since the snapshots before",
        purpose="build",
        makes=("snapshot_profiles", "drift"),
        reads=("features",),
    ),
    Stage(
        "train",
        "Train the models and register them",
        purpose="model",
        makes=("models",),
        reads=(*_SPINE, "features", "labels", "splits", "training_set"),
        extra="ml",
    ),
    Stage(
        "evaluate",
        "Measure the models out of time",
        purpose="model",
        makes=(
            *("evaluations", "curves", "comparisons", "back_test", "by_group", "warning_time"),
            *("campaign_value", "fairness"),
        ),
        reads=("staging", "intake", "snapshots", "labels", "splits", "training_set", "models"),
        extra="ml",
    ),
    Stage(
        "score",
        "Score today's customers",
        purpose="model",
        makes=("scores",),
        reads=(*_SPINE, "features", "models"),
        extra="ml",
    ),
    Stage(
        "horizons",
        "Score the same customers over further horizons, in order",
        purpose="model",
        makes=("horizons", "horizon_models", "horizon_scores"),
        reads=(*_SPINE, "features", "labels", "labels_of", "splits", "training_set", "models"),
        extra="ml",
    ),
    Stage(
        "explain",
        "Explain each score with exact SHAP values",
        purpose="model",
        makes=("shap_values", "reasons", "importances"),
        reads=(*_SPINE, "features", "training_set", "models", "scores"),
        extra="ml",
    ),
    Stage(
        "segment",
        "Group customers who are alike",
        purpose="model",
        makes=("segments", "segment_parameters", "segment_profiles"),
        reads=(*_SPINE, "features", "models", "scores"),
        extra="ml",
    ),
    Stage(
        "report",
        "Write the attrition list, the HTML report and the quality page",
        purpose="model",
        makes=("attrition_list",),
        reads=(
            *_LEARNED,
            *RECONCILED,
            *(
                "completeness",
                "checks",
                "quality",
                "drift",
                "unlabelled",
                "split_proof",
                "evaluations",
                "curves",
                "comparisons",
                "back_test",
                "by_group",
                "warning_time",
                "campaign_value",
                "fairness",
                "scores",
                "shap_values",
                "reasons",
            ),
            *("labels_of", "horizons", "horizon_scores"),
            *("importances", "segments", "segment_parameters", "segment_profiles", "runs"),
        ),
        extra="ml",
    ),
)

#: Every stage by its word, in the order in which they run.
STAGES: Mapping[str, Stage] = MappingProxyType(by_name(_STAGES))

#: The stages whose tables SQL makes; the others train, score and explain in Python.
SQL_STAGES = tuple(stage.name for stage in _STAGES if stage.in_sql)

_MAKERS: Mapping[str, str] = MappingProxyType({table: stage.name for stage in _STAGES for table in stage.makes})

#: Every table that Tenure writes, by the first part of its name.
TABLES = frozenset({*_MAKERS, LEDGER})

#: The tables that record what was done, and so are never restored.
RECORDS = frozenset({LEDGER, *(table for stage in _STAGES for table in stage.records)})


def maker_of(table: str) -> str:
    """Return the stage that makes a table of the lake, such as 'score' of 'scores'; '' of a table that none makes."""
    return _MAKERS.get(table.partition("/")[0], "")
