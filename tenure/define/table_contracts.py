"""The contract of every table of the lake: those that SQL makes, those of models, and the records of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from tenure.define.check import DIMENSIONS, SEVERITIES, VERDICTS
from tenure.define.contract_base import Contract, Invariant, OneOf, Within
from tenure.define.personal import personal_cells, personal_columns, published_columns
from tenure.define.project import Project
from tenure.define.reconciliation import KINDS, OUTCOMES, Reconciliation
from tenure.define.source import Source

SPLITS = ("train", "test", "embargo")

#: How tables are partitioned that keep what each model version said of each snapshot.
BY_SNAPSHOT_AND_MODEL = ("snapshot_date", "model_version")

#: What of a column may drift; the number of rows is the snapshot's own.
DRIFT_KINDS = ("mean", "spread", "shape", "missing", "category", "unseen value", "volume")

_STATUSES = ("built", "current", "proved", "failed", "interrupted")


def contracts(project: Project) -> dict[str, Contract]:
    """Return the contract of every table that is made of a project's definitions, by its place in the lake.

    That of `historical/<name>` depends on the entity rows, see `historical_contract`.
    """
    row = (*project.entity.keys, "snapshot_date")
    tables = [
        *_made_by_sql(row),
        *_parted(row),
        *_learned(),
        *_judged(),
        *_compared(),
        *_with_the_champion(),
        *_explained(row),
        *_segmented(row),
        *_over_horizons(row),
    ]
    cells = personal_cells(project)
    found: dict[str, Contract] = {contract.table: replace(contract, personal=cells) for contract in tables}
    published = {column.name for _, column in published_columns(project)}
    found["attrition_list"] = replace(found["attrition_list"], personal=cells | published)
    found.update(FIXED)
    labels = found["labels"]
    for churn in (*project.churns, *project.further_churns):
        place = f"labels_of/{churn.name}"
        found[place] = replace(labels, table=place, doc=f"The labels of the churn definition '{churn.name}' alone.")
    for reconciliation in project.reconciliations.values():
        personal = frozenset().union(*(personal_columns(project.sources[name]) for name in reconciliation.reads))
        for contract in _reconciled(reconciliation):
            found[contract.table] = replace(contract, personal=personal & frozenset(reconciliation.accounts))
    for source in project.sources.values():
        for contract in (_staging(source), _quarantine(source), _failing_rows(source), _tiles(project, source)):
            found[contract.table] = contract
    return found


def _made_by_sql(row: tuple[str, ...]) -> list[Contract]:
    return [
        Contract(
            table="snapshots",
            keys=row,
            required=(*row, "opened_on", "tenure_days"),
            invariants=(
                Invariant("opened_before_snapshot", "opened_on < snapshot_date", "a customer opened before t"),
                Invariant("tenure_is_positive", "tenure_days >= 0", "tenure counts days before t"),
            ),
            doc="Who is a customer at each snapshot date.",
        ),
        Contract(
            table="labels",
            keys=row,
            required=(*row, "label_start", "label_end", "churned", "definition"),
            invariants=(
                Invariant("label_is_0_or_1", "churned IN (0, 1)", "a label is 0 or 1; unknown is no row"),
                Invariant("label_starts_at_or_after_snapshot", "label_start >= snapshot_date", "no label before t"),
                Invariant("label_ends_after_start", "label_end > label_start", "the horizon is at least a day"),
            ),
            doc="Did the customer churn in the horizon after the gap; no row where that has no answer.",
        ),
        Contract(
            table="unlabelled",
            keys=("snapshot_date", "reason"),
            required=("snapshot_date", "reason", "customers"),
            doc="How many customers of each snapshot have no label, by reason.",
        ),
        Contract(
            table="features",
            keys=row,
            partition_by=("snapshot_date",),
            required=row,
            same_rows_as="snapshots",
            doc="What was known about each customer before each snapshot.",
        ),
        Contract(
            table="training_set",
            keys=row,
            required=(*row, "label_end", "split", "seen_in_train", "churned"),
            same_rows_as="labels",
            doc="Features, label and split of every labelled row.",
        ),
    ]


def _parted(row: tuple[str, ...]) -> list[Contract]:
    """Return the contracts of the splits and of the proof that they are apart."""
    return [
        Contract(
            table="splits",
            keys=row,
            required=(*row, "split", "seen_in_train"),
            invariants=(
                OneOf("split", SPLITS, "one of the three splits"),
                Invariant("train_has_folds", "(split = 'train') = (fold IS NOT NULL)", "rows of train are in a fold"),
            ),
            same_rows_as="labels",
            doc="Which part of training or testing each labelled row belongs to.",
        ),
        Contract(
            table="split_proof",
            required=("train_rows", "test_rows", "folds", "customers_in_two_folds", "holds"),
            invariants=(Invariant("the_proof_holds", "holds", "no label of train reaches into the test"),),
            doc="One row that proves the splits apart.",
        ),
    ]


def _learned() -> list[Contract]:
    """Return the contracts of the models."""
    return [
        Contract(
            table="models",
            keys=("model_version",),
            columns={"champion": "bool", "training_rows": "int64"},
            required=("model_version", "kind", "created_at", "champion"),
            doc="The registry: a row a model.",
        ),
    ]


def _judged() -> list[Contract]:
    """Return the contracts of what each model is worth on the test."""
    return [
        Contract(
            table="evaluations",
            keys=("model_version", "split", "population", "snapshot_date"),
            columns={"auroc": "double", "snapshot_date": "date32[day]"},
            required=("model_version", "kind", "split", "population", "rows", "churners"),
            invariants=(
                Within("churn_rate", 0, 1, "a share"),
                Within("auroc", 0, 1, "a share of pairs"),
                Within("average_precision", 0, 1, "a mean of shares"),
                Within("brier", 0, 1, "a mean square of probabilities"),
            ),
            doc="What each model is worth, out of time and on validation.",
        ),
        Contract(
            table="curves",
            columns={"x": "double", "y": "double"},
            required=("model_version", "kind", "curve", "x", "y"),
            doc="The points of each model's curves.",
        ),
    ]


def _compared() -> list[Contract]:
    """Return the contracts of models against each other, over snapshots and by group."""
    return [
        Contract(
            table="comparisons",
            keys=("model_version", "against_version", "metric"),
            columns={
                **dict.fromkeys(("model_version", "kind", "against_version", "against_kind", "metric"), _TEXT),
                "customers": _WHOLE,
                **dict.fromkeys(("difference", "low", "high"), "double"),
                "verdict": _TEXT,
            },
            required=("model_version", "kind", "against_version", "against_kind", "metric", "customers", "verdict"),
            invariants=(OneOf("verdict", ("better", "worse", "unclear"), "how a model fares against another"),),
            doc="Each model against each other one on the test, with a paired interval over customers.",
        ),
        Contract(
            table="back_test",
            keys=("model_version", "metric"),
            columns={
                **dict.fromkeys(("model_version", "kind", "metric"), _TEXT),
                **dict.fromkeys(("snapshots", "independent_periods"), _WHOLE),
                **dict.fromkeys(("value", "least", "greatest", "periods_low", "periods_high"), "double"),
            },
            required=("model_version", "kind", "metric", "snapshots", "independent_periods"),
            doc="How steady each model is over the snapshots of the test, and how many of them are independent.",
        ),
        Contract(
            table="by_group",
            keys=("model_version", "attribute", "value"),
            columns={
                **dict.fromkeys(("model_version", "kind", "attribute", "value"), _TEXT),
                **dict.fromkeys(("customers", "rows", "churners"), _WHOLE),
                **dict.fromkeys(("churn_rate", "mean_score", "calibration_gap", "auroc", "log_loss"), "double"),
            },
            required=("model_version", "kind", "attribute", "value", "customers", "rows", "churners"),
            invariants=(Within("customers", 100, 10**12, "a group large enough that its figures tell of no person"),),
            doc="How each model fares with groups of the test; groups of 100 customers or more alone.",
        ),
        Contract(
            table="warning_time",
            keys=("model_version", "until"),
            columns={
                **dict.fromkeys(("model_version", "kind", "until"), _TEXT),
                **dict.fromkeys(("churners", "listed"), _WHOLE),
                **dict.fromkeys(("share_never_listed", "lower_quartile", "median", "upper_quartile"), "double"),
                "longest_possible": "double",
            },
            required=("model_version", "kind", "until", "churners", "listed"),
            invariants=(Within("share_never_listed", 0, 1, "a share of the churners"),),
            doc="How long before they left churners stood in the first tenth of the list.",
        ),
    ]


def _with_the_champion() -> list[Contract]:
    """Return the contracts of what a campaign with the champion earns, and of how groups fare with it."""
    return [
        Contract(
            table="campaign_value",
            keys=("share",),
            columns={"expected_profit": "double", "best": "bool"},
            required=("share", "contacts", "best"),
            invariants=(
                Within("share", 0, 1, "a share of the customers"),
                Within("precision", 0, 1, "a share of the contacts"),
            ),
            doc="What a campaign with the champion earns, by the share of customers contacted.",
        ),
        Contract(
            table="fairness",
            keys=("model_version", "attribute", "value"),
            columns={
                **dict.fromkeys(("model_version", "attribute", "value"), _TEXT),
                **dict.fromkeys(("customers", "rows", "churners", "selected"), _WHOLE),
                **dict.fromkeys(("churn_rate", "mean_score", "calibration_gap", "auroc"), "double"),
                **dict.fromkeys(("selection_rate", "selection_ratio", "recall"), "double"),
            },
            required=("model_version", "attribute", "value", "customers", "rows", "churners", "selected"),
            invariants=(
                Within("customers", 100, 10**12, "a group large enough that its figures tell of no person"),
                Within("selection_rate", 0, 1, "a share of the group"),
                Within("selection_ratio", 0, 1, "a share of the highest rate"),
            ),
            doc="How groups of protected attributes fare on the test with the champion; groups of 100 or more alone.",
        ),
    ]


def _explained(row: tuple[str, ...]) -> list[Contract]:
    """Return the contracts of scores and of what explains them; `row` are the keys of a customer at a snapshot."""
    scored = (*row, "model_version")
    return [
        Contract(
            table="scores",
            keys=scored,
            partition_by=BY_SNAPSHOT_AND_MODEL,
            columns={"score": "double", "rank": "int64", "decile": "int64"},
            required=(*scored, "score", "rank", "decile"),
            invariants=(
                Within("score", 0, 1, "a probability"),
                Within("decile", 1, 10, "the tenth of the customers, the likeliest to leave first"),
            ),
            doc="Each customer's probability to churn, of every snapshot and model version that scored it.",
        ),
        Contract(
            table="shap_values",
            keys=scored,
            partition_by=BY_SNAPSHOT_AND_MODEL,
            required=scored,
            doc="What each feature adds to each score.",
        ),
        Contract(
            table="reasons",
            keys=scored,
            partition_by=BY_SNAPSHOT_AND_MODEL,
            required=scored,
            doc="The strongest pushes towards leaving, in words.",
        ),
        Contract(
            table="importances",
            keys=(*BY_SNAPSHOT_AND_MODEL, "feature"),
            partition_by=BY_SNAPSHOT_AND_MODEL,
            columns={"mean_abs_shap": "double", "rank": "int64"},
            required=(*BY_SNAPSHOT_AND_MODEL, "feature", "mean_abs_shap", "rank"),
            doc="What each feature weighs on average.",
        ),
        Contract(
            table="attrition_list",
            keys=row,
            columns={"rank": "int64", "score": "double"},
            required=(*row, "rank", "score", "model_version"),
            invariants=(Within("score", 0, 1, "a probability"),),
            doc="Today's customers by their score, with reasons and segment.",
        ),
    ]


def _over_horizons(row: tuple[str, ...]) -> list[Contract]:
    """Return the contracts of the curve over several horizons; `row` are the keys of a customer at a snapshot."""
    scored = (*row, "model_version", "horizon")
    counts = ("training_rows", "training_churners", "test_rows", "test_customers", "test_churners")
    shares = ("churn_rate", "mean_score_raw", "mean_score_ordered")
    losses = ("log_loss_raw", "log_loss_ordered", "log_loss_gain", "log_loss_gain_error")
    return [
        Contract(
            table="horizons",
            keys=("model_version", "horizon"),
            columns={
                **dict.fromkeys(("model_version", "kind", "order_rule"), _TEXT),
                **dict.fromkeys(("horizon", *counts, "answers_fell", "rows_scored", "rows_out_of_order"), _WHOLE),
                **dict.fromkeys((*shares, *losses), "double"),
                **dict.fromkeys(("is_main", "worsened", "is_ordered"), "bool"),
            },
            required=(
                "model_version",
                "horizon",
                "is_main",
                *counts,
                "worsened",
                "rows_out_of_order",
                "order_rule",
                "is_ordered",
            ),
            invariants=tuple(Within(name, 0, 1, "a share") for name in shares),
            doc="What the probabilities over each horizon came to on the test, as they are and in order.",
        ),
        Contract(
            table="horizon_models",
            keys=("model_version", "horizon", "file"),
            columns={"horizon": _WHOLE, "file": _TEXT, "content": "binary"},
            required=("model_version", "horizon", "file", "content"),
            doc="The files of the model of each further horizon.",
        ),
        Contract(
            table="horizon_scores",
            keys=scored,
            partition_by=BY_SNAPSHOT_AND_MODEL,
            columns={"horizon": _WHOLE, "score_raw": "double", "score": "double"},
            required=(*scored, "score_raw", "score"),
            invariants=(Within("score_raw", 0, 1, "a probability"), Within("score", 0, 1, "a probability")),
            doc="Each customer's probability to churn within each horizon, of every snapshot and model that scored it.",
        ),
    ]


def _segmented(row: tuple[str, ...]) -> list[Contract]:
    """Return the contracts of segments; `row` are the keys of a customer at a snapshot."""
    scored = (*row, "model_version")
    return [
        Contract(
            table="segments",
            keys=scored,
            partition_by=BY_SNAPSHOT_AND_MODEL,
            columns={"segment_id": "int64"},
            required=(*scored, "segment_id"),
            invariants=(Within("strength", 0, 1, "how surely a customer belongs to the segment"),),
            doc="The segment of each customer, -1 for none.",
        ),
        Contract(
            table="segment_parameters",
            keys=(*BY_SNAPSHOT_AND_MODEL, "components", "min_cluster_size", "min_samples"),
            partition_by=BY_SNAPSHOT_AND_MODEL,
            columns={"chosen": "bool"},
            required=(*BY_SNAPSHOT_AND_MODEL, "chosen"),
            doc="The parameters that were tried, and which were chosen.",
        ),
        Contract(
            table="segment_profiles",
            keys=(*BY_SNAPSHOT_AND_MODEL, "segment_id", "position"),
            partition_by=BY_SNAPSHOT_AND_MODEL,
            columns={"segment_id": "int64", "customers": "int64"},
            required=(*BY_SNAPSHOT_AND_MODEL, "segment_id", "customers"),
            invariants=(Within("share", 0, 1, "a share of the customers"),),
            doc="What sets each segment apart.",
        ),
    ]


def _reconciled(reconciliation: Reconciliation) -> list[Contract]:
    """Return the contracts of what a reconciliation says of accounts and days, and of accounts."""
    name, accounts = reconciliation.name, reconciliation.accounts
    return [
        Contract(
            table=f"reconciliation/{name}",
            keys=(*accounts, "ledger_day"),
            columns={"ledger_day": _DAY, "bookings": _WHOLE, "outcome": _TEXT, "break_kind": _TEXT},
            required=(*accounts, "ledger_day", "bookings", "outcome", "missing_balances"),
            invariants=(
                OneOf("outcome", OUTCOMES, "what a day came to"),
                OneOf("break_kind", tuple(KINDS), "what a break looks like"),
                Invariant(
                    "a_break_has_a_kind",
                    "(outcome = 'broken') = (break_kind IS NOT NULL)",
                    "a break has a kind, and nothing else has one",
                ),
            ),
            doc=f"Whether the bookings of '{name}' explain the balances: a row an account and day.",
        ),
        Contract(
            table=f"reconciled_accounts/{name}",
            keys=accounts,
            columns={"days": _WHOLE, "bookings": _WHOLE, "breaks": _WHOLE, "reconciled": "bool"},
            required=(*accounts, "days", "bookings", "breaks", "reconciled"),
            invariants=(
                Invariant("breaks_are_of_days", "breaks <= days", "a day has one break at most"),
                Invariant("no_break_if_reconciled", "NOT reconciled OR breaks = 0", "a break is no reconciliation"),
            ),
            doc=f"Which accounts of '{name}' are reconciled.",
        ),
    ]


def _staging(source: Source) -> Contract:
    wanted = [*source.keys, "event_time", "known_time"]
    known = source.known_before_capture if source.is_captured else frozenset(source.column_names)
    wanted += [column.name for column in source.columns if column.required and column.name in known]
    return Contract(
        table=f"staging/{source.name}",
        keys=(*source.keys, "known_time"),
        required=tuple(dict.fromkeys(wanted)),
        invariants=(
            Invariant(
                "versions_follow_each_other",
                "known_until IS NULL OR known_until > known_time",
                "a version is replaced after it was known",
            ),
        ),
        personal=personal_columns(source),
        doc=source.doc,
    )


def _quarantine(source: Source) -> Contract:
    return Contract(
        table=f"quarantine/{source.name}",
        required=("quarantine_reason",),
        personal=personal_columns(source),
        doc=f"The rows of {source.name} that were set aside, each with its reason.",
    )


def _failing_rows(source: Source) -> Contract:
    return Contract(
        table=f"failing_rows/{source.name}",
        required=("run_id", "code", "severity", "column_name", "reason"),
        personal=personal_columns(source),
        doc=f"The rows of {source.name} that failed a check when it was last staged, each with the reason.",
    )


def _tiles(project: Project, source: Source) -> Contract:
    wanted = (*project.entity.keys, "interval_start", "period_end")
    return Contract(
        table=f"tiles/{source.name}",
        partition_by=("period_end",),
        required=wanted,
        personal=personal_cells(project),
        doc=f"Sums of the rows of {source.name}, by customer and interval.",
    )


def historical_contract(name: str, time: str, personal: frozenset[str]) -> Contract:
    """Return the contract of a persisted training set: a row an entity row, each with its time."""
    return Contract(
        table=f"historical/{name}",
        required=(time,),
        personal=personal,
        doc="Features of entity rows, each as known at the row's own time.",
    )


_TEXT, _WHOLE, _INSTANT, _DAY = "string", "int64", "timestamp[us, tz=UTC]", "date32[day]"

#: The contracts of tables whose columns are the same in every project.
FIXED: Mapping[str, Contract] = MappingProxyType(
    {
        contract.table: contract
        for contract in (
            Contract(
                table="runs",
                columns={
                    **dict.fromkeys(("run_id", "stage", "status"), _TEXT),
                    "started_at": _INSTANT,
                    "seconds": "double",
                    "rows": _WHOLE,
                    **dict.fromkeys(("fingerprint", "versions", "checks", "engine", "message", "chain"), _TEXT),
                },
                required=("run_id", "stage", "status", "started_at", "seconds", "rows"),
                invariants=(OneOf("status", _STATUSES, "how a stage ended"),),
                doc="The ledger: a row a stage and run.",
            ),
            Contract(
                table="intake",
                keys=("source",),
                columns={
                    **dict.fromkeys(("source", "fingerprint", "definition"), _TEXT),
                    **dict.fromkeys(("rows_read", "rows_staged", "duplicates_dropped", "rows_quarantined"), _WHOLE),
                    "reasons": _TEXT,
                    **dict.fromkeys(("first_event", "last_event"), _INSTANT),
                    **dict.fromkeys(("usual_first_day", "usual_last_day"), _DAY),
                    "longest_gap": _WHOLE,
                    **dict.fromkeys(("rows_unmatched", "keys_unmatched", "rows_too_early"), _WHOLE),
                    **dict.fromkeys(("matched_with", "outages", "files"), _TEXT),
                    **dict.fromkeys(("decimals_rounded", "rows_joined", "rows_dropped", "rows_multiplied"), _WHOLE),
                    "contents": _TEXT,
                },
                required=("source", "fingerprint", "rows_read", "rows_staged"),
                doc="What was read of each source, and when its events lie.",
            ),
            Contract(
                table="completeness",
                partition_by=("source",),
                columns={
                    "source": _TEXT,
                    "month": _DAY,
                    **dict.fromkeys(("rows", "rows_before"), _WHOLE),
                    **dict.fromkeys(("code", "severity", "finding"), _TEXT),
                },
                required=("source",),
                invariants=(OneOf("severity", ("error", "warning", "note"), "how grave a finding is"),),
                doc="The rows of each source by month, beside those staged before, and what seems missing or doubled.",
            ),
            Contract(
                table="checks",
                partition_by=("source", "run_id"),
                columns={
                    **dict.fromkeys(("source", "run_id", "code", "column_name", "dimension", "severity"), _TEXT),
                    "title": _TEXT,
                    **dict.fromkeys(("rows", "failing"), _WHOLE),
                    **dict.fromkeys(("share", "tolerance"), "double"),
                    **dict.fromkeys(("outcome", "reason"), _TEXT),
                },
                required=("source", "run_id", "code", "column_name", "severity", "rows", "failing", "outcome"),
                invariants=(
                    OneOf("dimension", DIMENSIONS, "what a check is about"),
                    OneOf("severity", SEVERITIES, "how grave a failure is"),
                    OneOf("outcome", VERDICTS, "what came of a check"),
                    Within("share", 0, 1, "a share of the rows"),
                    Within("tolerance", 0, 1, "a share of the rows"),
                ),
                doc="What came of each check of each source, run by run.",
            ),
            Contract(
                table="quality",
                partition_by=("source", "run_id"),
                columns={
                    **dict.fromkeys(("source", "run_id", "column_name"), _TEXT),
                    "score": "double",
                    **dict.fromkeys(("checks", "failed"), _WHOLE),
                },
                required=("source", "run_id", "column_name", "score", "checks", "failed"),
                invariants=(Within("score", 0, 100, "a score of data quality"),),
                doc="How good the rows of each source and column were, run by run; column '' is the whole table.",
            ),
            Contract(
                table="monthly_profiles",
                partition_by=("source",),
                columns={
                    "source": _TEXT,
                    "month": _DAY,
                    **dict.fromkeys(("column_name", "measure"), _TEXT),
                    "rows": _WHOLE,
                },
                required=("source", "month", "column_name", "measure", "rows"),
                doc="How many staged rows of each month have what is held against earlier months, column by column.",
            ),
            Contract(
                table="captures",
                keys=("source", "extracted"),
                columns={
                    "source": _TEXT,
                    "extracted": _INSTANT,
                    "fingerprint": _TEXT,
                    **dict.fromkeys(("rows", "rows_before", "rows_added", "rows_changed", "rows_ended"), _WHOLE),
                },
                required=("source", "extracted", "fingerprint", "rows"),
                doc="The extracts of each source whose history is captured, and what each of them changed.",
            ),
            Contract(
                table="arrivals",
                keys=("source", "fingerprint", "day_start"),
                columns={
                    **dict.fromkeys(("source", "fingerprint"), _TEXT),
                    "day_start": _DAY,
                    "rows": _WHOLE,
                    **dict.fromkeys(("arrived", "tiled", "replaced"), _TEXT),
                },
                required=("source", "fingerprint", "day_start", "rows"),
                doc="On which days the rows of each source began and stopped to count.",
            ),
            Contract(
                table="explore/profiles",
                keys=("relation", "column_name", "snapshot_date"),
                columns={
                    **dict.fromkeys(("relation", "column_name", "kind"), _TEXT),
                    "snapshot_date": _DAY,
                    **dict.fromkeys(("rows", "missing", "zeros", "distinct_values"), _WHOLE),
                    **dict.fromkeys(("mean", "deviation", "least", "lower_quartile", "median"), "double"),
                    **dict.fromkeys(("upper_quartile", "greatest", "shift"), "double"),
                    **dict.fromkeys(("outliers_below", "outliers_above", "placeholder_days"), _WHOLE),
                    "most_frequent": _TEXT,
                    "most_frequent_rows": _WHOLE,
                },
                required=("relation", "column_name", "kind", "rows", "missing"),
                invariants=(OneOf("kind", ("number", "flag", "day", "category"), "what a column holds"),),
                doc="What each column holds: in all, and of features at each snapshot.",
            ),
            Contract(
                table="explore/distributions",
                keys=("relation", "column_name", "position"),
                columns={
                    **dict.fromkeys(("relation", "column_name"), _TEXT),
                    **dict.fromkeys(("position", "rows"), _WHOLE),
                    **dict.fromkeys(("bin_start", "bin_end"), "double"),
                    "value": _TEXT,
                },
                required=("relation", "column_name", "position", "rows"),
                doc="How the values of each column are distributed, by bins or by its most frequent values.",
            ),
            Contract(
                table="explore/correlations",
                keys=("first_column", "second_column"),
                columns={
                    **dict.fromkeys(("first_column", "second_column"), _TEXT),
                    "rows": _WHOLE,
                    **dict.fromkeys(("pearson", "spearman", "cramers_v", "correlation_ratio"), "double"),
                },
                required=("first_column", "second_column", "rows"),
                invariants=(
                    Within("pearson", -1, 1, "a correlation"),
                    Within("spearman", -1, 1, "a correlation of ranks"),
                    Within("cramers_v", 0, 1, "an association of two categories"),
                    Within("correlation_ratio", 0, 1, "the root of a share of variance"),
                ),
                doc="How each two features go together, over the rows that have both.",
            ),
            Contract(
                table="explore/labels",
                keys=("column_name",),
                columns={
                    "column_name": _TEXT,
                    **dict.fromkeys(("rows", "churners", "missing", "missing_churners"), _WHOLE),
                    **dict.fromkeys(("auroc", "correlation"), "double"),
                    "suspect": _TEXT,
                },
                required=("column_name", "rows", "churners", "missing", "missing_churners"),
                invariants=(
                    Within("auroc", 0, 1, "a share of pairs"),
                    Within("correlation", -1, 1, "a correlation"),
                ),
                doc="What each feature alone says of the label, within the rows of split train.",
            ),
            Contract(
                table="snapshot_profiles",
                keys=("snapshot_date", "column_name"),
                partition_by=("snapshot_date",),
                columns={
                    "snapshot_date": _DAY,
                    **dict.fromkeys(("column_name", "kind"), _TEXT),
                    **dict.fromkeys(("rows", "missing"), _WHOLE),
                    **dict.fromkeys(("mean", "deviation"), "double"),
                    **dict.fromkeys(("quantiles", "value_rows", "digest"), _TEXT),
                },
                required=("snapshot_date", "column_name", "kind", "rows", "missing", "digest"),
                invariants=(OneOf("kind", ("number", "flag", "day", "category"), "what a column holds"),),
                doc="What each feature column holds at each snapshot, to be compared with later ones.",
            ),
            Contract(
                table="drift",
                keys=("snapshot_date", "column_name", "kind"),
                partition_by=("snapshot_date",),
                columns={
                    "snapshot_date": _DAY,
                    **dict.fromkeys(("column_name", "kind"), _TEXT),
                    **dict.fromkeys(("change", "expected", "deviate", "limit", "chance"), "double"),
                    "is_alarm": "bool",
                    "stability_index": "double",
                    "words": _TEXT,
                },
                required=("snapshot_date", "column_name", "kind", "is_alarm", "words"),
                invariants=(
                    OneOf("kind", DRIFT_KINDS, "what may have moved"),
                    Within("chance", 0, 1, "a probability"),
                ),
                doc="Which feature columns have moved at each snapshot, each test with its limit.",
            ),
            Contract(
                table="manifests",
                columns={"name": _TEXT, "version": _WHOLE, "created_at": _TEXT, "manifest": _TEXT},
                required=("name", "version", "created_at", "manifest"),
                doc="What each persisted training set was made of.",
            ),
        )
    }
)
