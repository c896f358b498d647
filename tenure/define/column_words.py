"""What the columns mean that Tenure itself adds to tables, by table and name; features say it in their definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

#: Columns that mean the same in every table.
_EVERYWHERE = {
    "snapshot_date": "the day t on which the bank looks at its customers; what was known before it began counts",
    "model_version": "the model that said it",
    "event_time": "when it happened",
    "known_time": "when the bank could first know it; the row counts at t only if it was known before t",
    "known_until": "until when this was the newest version of the row; empty while it is",
    "label_start": "the first day of the horizon: snapshot_date and the gap",
    "label_end": "the day after the horizon's last",
    "churned": "1 if the customer churned in the horizon, 0 if not; a row without an answer is not there",
    "definition": "the churn definition that gave the label",
    "split": "the part that the row belongs to: train, test or embargo",
    "fold": "the part of train's customers that the row's is in; models that judge it never saw that part",
    "seen_in_train": "whether the customer has a row in train",
    "kind": "the kind of model",
    "rank": "the place by score, 1 the likeliest to leave",
    "score": "the probability to churn within the horizon",
    "horizon": "the days that the label looks at: from label_start on",
    "decile": "the tenth of the customers, 1 the likeliest to leave",
    "segment_id": "the segment, -1 for none",
}

#: Columns by table, where they mean more than the same name elsewhere.
_IN_TABLE = {
    "snapshots": {
        "opened_on": "the day on which the customer opened",
        "tenure_days": "days from opening to t",
    },
    "unlabelled": {
        "reason": "why there is no label",
        "customers": "how many customers",
    },
    "split_proof": {
        "first_train_snapshot": "the first snapshot of train",
        "last_train_snapshot": "the last snapshot of train",
        "last_train_label_end": "the day after the last horizon of train",
        "first_test_snapshot": "the first snapshot of the test",
        "train_rows": "rows of train",
        "folds": "into how many parts the customers of train are drawn",
        "test_rows": "rows of test",
        "embargo_rows": "rows of the embargo",
        "customers_in_two_folds": "customers with rows in two folds; 0, or nothing would be committed",
        "holds": "whether no label of train reaches into the test",
    },
    "snapshot_profiles": {
        "column_name": "the feature column",
        "kind": "what it holds: number, flag, day or category",
        "rows": "customers of the snapshot",
        "missing": "those of whom it is not known",
        "mean": "the mean; empty of a personal column of fewer than 100 cells",
        "deviation": "the standard deviation of a sample",
        "quantiles": "its cells at 106 shares of the rows, as JSON; empty of a personal column",
        "value_rows": "the rows of each value of a category or flag, as JSON",
        "digest": "digest of the features that were read",
    },
    "drift": {
        "column_name": "the feature column; empty text of the number of rows",
        "kind": "what was tested: mean, spread, shape, missing, category, unseen value or volume",
        "change": "the change within a year, of scores or shares; of volume the growth, of unseen values the rows",
        "expected": "the change that is usual",
        "deviate": "how far both are apart, as a normal deviate",
        "limit": "the deviate beyond which it alarms; of unseen values the rows from which on",
        "chance": "how likely as much is where nothing moves",
        "is_alarm": "whether it alarms",
        "stability_index": "the population stability index (PSI) against a year before; it decides nothing",
        "words": "what moved, in words",
    },
    "models": {
        "created_at": "when the model was trained",
        "champion": "whether it is the one that scores",
        "parameters": "what the search chose, as JSON",
        "dropped": "features that were left out, each with the reason, as JSON",
        "metrics": "its figures on the test, as JSON",
        "libraries": "the versions of the packages that trained it, as JSON",
        "data_fingerprint": "the fingerprint of the training set",
        "training_rows": "rows that it learned from",
        "training_churners": "churners among them",
        "first_snapshot_date": "the first snapshot of train",
        "last_snapshot_date": "the last snapshot of train",
        "files": "the SHA-256 of each of its files, as JSON",
        "definitions": "the digest of what each column that it reads means, as JSON",
        "inputs": "the fingerprints of the tables that it was trained from, as JSON",
    },
    "evaluations": {
        "population": "all, or unseen: customers of whom no row is in train",
        "snapshot_date": "the snapshot; empty pools all of them",
        "rows": "rows of the group",
        "churners": "churners among them",
        "churn_rate": "churners ÷ rows",
        "auroc": "the chance that a churner outranks a stayer, ties half",
        "average_precision": "precision averaged over the recall gained",
        "ks": "the widest gap between the shares of churners and of stayers above a score",
        "brier": "the mean square of score − outcome; lower is better",
        "log_loss": "the logarithmic loss of the score; lower is better",
        "lift_at_10": "the churn rate of the top tenth over that of all",
        "precision_at_10": "the churn rate of the top tenth",
        "recall_at_10": "the share of all churners who are in the top tenth",
        "f1_at_10": "the harmonic mean of precision_at_10 and recall_at_10",
        "ece": "the mean gap between score and churn rate over ten bins",
        "threshold": "the score that makes a leaver: [evaluate] threshold, or where a contact begins to pay",
        "precision_at_threshold": "the churn rate of those whose score reaches the threshold",
        "recall_at_threshold": "the share of all churners whose score reaches it",
        "f1_at_threshold": "the harmonic mean of both",
        "calibration_slope": "1 where scores are right; below 1 they lie too far apart",
        "calibration_intercept": "0 where scores are right; below 0 fewer churn than they say, in log-odds",
        "auroc_low": "the lower end of the 95 % interval of auroc",
        "auroc_high": "the upper end of the 95 % interval of auroc",
    },
    "curves": {
        "curve": "roc, gain, lift or calibration",
        "x": "the point's place across",
        "y": "the point's place up",
        "rows": "rows of the test behind the point",
    },
    "comparisons": {
        "against_version": "the model that it is held against",
        "against_kind": "the kind of that one",
        "metric": "auroc or log_loss",
        "customers": "customers of the test, who were drawn anew",
        "difference": "the metric of the model less that of the one it is held against, of all test rows",
        "low": "the lower end of the 95 % interval of the difference, customers drawn anew for both alike",
        "high": "the upper end of that interval",
        "verdict": "better or worse where the interval leaves out 0, else unclear",
    },
    "back_test": {
        "metric": "auroc or log_loss",
        "snapshots": "snapshots of the test",
        "independent_periods": "how many of them lie a horizon or more apart",
        "value": "the metric of all test rows",
        "least": "the least of single snapshots",
        "greatest": "the greatest of single snapshots",
        "periods_low": "the lower end of the 95 % interval over periods; empty of fewer than 8",
        "periods_high": "the upper end of that interval",
    },
    "by_group": {
        "attribute": "what the test is taken apart by: shows the sign, years as a customer, or a feature",
        "value": "the group",
        "customers": "customers of the group in the test, 100 or more",
        "rows": "rows of the test: a customer is there once a snapshot",
        "churners": "rows that churned",
        "churn_rate": "churners ÷ rows",
        "mean_score": "the mean probability that the model gives the group",
        "calibration_gap": "mean_score - churn_rate",
        "auroc": "the chance that a churner of the group outranks a stayer of it, ties half",
        "log_loss": "the logarithmic loss of the score in the group; lower is better",
    },
    "warning_time": {
        "until": "until when days are counted: the leaving, or label_start and label_end where it has no moment",
        "churners": "customers of the test who left",
        "listed": "those who stood in the first tenth of a snapshot before",
        "share_never_listed": "the share of the churners who did not",
        "lower_quartile": "days from the first such snapshot that a quarter of the listed stay below",
        "median": "days that half of the listed stay below",
        "upper_quartile": "days that three quarters of the listed stay below",
        "longest_possible": "the most days that a churner could have had, since the test begins only then",
    },
    "campaign_value": {
        "share": "the share of the customers who are contacted, the highest scores first",
        "contacts": "how many that are",
        "churners_reached": "churners among them",
        "precision": "churners_reached ÷ contacts",
        "expected_profit": "what the campaign earns, at the amounts of [value] in tenure.toml",
        "best": "whether it is the share that earns most",
        "currency": "the currency of expected_profit",
    },
    "fairness": {
        "attribute": "the protected column, as source.column",
        "value": "the group: a value of the column, or a band of years of age",
        "customers": "customers of the group in the test, 100 or more",
        "rows": "rows of the test: a customer is there once a snapshot",
        "churners": "rows that churned",
        "churn_rate": "churners ÷ rows",
        "mean_score": "the mean probability that the champion gives the group",
        "calibration_gap": "mean_score - churn_rate",
        "auroc": "the probability that a churner of the group outranks a stayer of it",
        "selected": "rows among the tenth of their snapshot with the highest scores",
        "selection_rate": "selected ÷ rows",
        "selection_ratio": "selection_rate over that of the group with the highest",
        "recall": "the share of the group's churners who were selected",
    },
    "horizons": {
        "model_version": "the champion, whose kind and settings the model of each further horizon has",
        "is_main": "whether it is the horizon of the churn definition itself, and the model the champion",
        "training_rows": "rows that the model learned from: answered over this horizon before the test",
        "training_churners": "churners among them",
        "test_rows": "rows of the test that are answered over this horizon",
        "test_customers": "customers among them",
        "test_churners": "churners among them",
        "churn_rate": "test_churners ÷ test_rows",
        "mean_score_raw": "the mean probability that the model of this horizon gives those rows",
        "mean_score_ordered": "the mean of the same, put in order with those of the other horizons",
        "log_loss_raw": "the logarithmic loss of the probabilities as they are; lower is better",
        "log_loss_ordered": "that of the probabilities in order",
        "log_loss_gain": "log_loss_raw - log_loss_ordered",
        "log_loss_gain_error": "its standard error, rows of a customer together",
        "worsened": "whether the order costs more than that standard error here",
        "answers_fell": "rows that churned within the next shorter horizon, and by the end of this one had come back",
        "rows_scored": "rows of the test, answered over this horizon or not",
        "rows_out_of_order": "those with a lower probability over a longer horizon than over a shorter one",
        "order_rule": "how such rows are put in order: pooled, or highest, so that none is lowered; chosen out of fold",
        "is_ordered": "whether scores are given in order: true unless that made one horizon worse",
    },
    "horizon_models": {
        "model_version": "the champion, whose kind and settings the model has",
        "file": "the name of one of the files that the model consists of",
        "content": "the bytes of the file",
    },
    "horizon_scores": {
        "model_version": "the champion, whose kind and settings the model of each further horizon has",
        "score_raw": "the probability to churn within the horizon, as the model of the horizon gives it",
        "score": "the same in order: a longer horizon's is no lower than a shorter one's",
    },
    "segment_parameters": {
        "score": "the rating: (1 + validity) / 2 · coverage · stability",
        "chosen": "whether the segments are those of this candidate",
    },
    "segment_profiles": {
        "customers": "customers of the segment",
        "share": "their share of all",
        "score_mean": "their mean score",
        "position": "the feature's place among those that set the segment apart",
        "feature": "the feature column",
        "difference": "how far the segment lies apart, in the population's standard deviations",
        "segment_median": "the feature's median in the segment",
        "population_median": "the feature's median in all",
    },
    "shap_values": {
        "base_value": "where every score begins, in log-odds; with what the features add it is the score",
    },
    "segments": {
        "strength": "how strongly the row belongs to its segment, 0 to 1",
        "x": "the first axis of the projection, for a plot",
        "y": "the second axis of the projection, for a plot",
    },
    "importances": {
        "feature": "the feature column",
        "mean_abs_shap": "what the feature adds to scores on average, either way, in log-odds",
        "mean_shap": "what the feature adds to scores on average, in log-odds",
        "rank": "the place by weight, 1 the heaviest",
    },
}

#: Table → column → meaning, read-only.
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(_IN_TABLE)


def column_words(table: str, column: str) -> str:
    """Return what a column of Tenure's own means, '' for one that it has no words for."""
    return _WORDS.get(table, {}).get(column) or _EVERYWHERE.get(column, "") or _reason_words(column)


def _reason_words(column: str) -> str:
    """What the column of one of a score's reasons means, '' for any other column."""
    found = re.fullmatch(r"reason_([1-9])(_feature|_shap)?", column)
    if found is None:
        return ""
    what = {"_feature": ", its feature column", "_shap": ", what it adds to the score in log-odds"}.get(
        found[2] or "", ""
    )
    return f"the reason at place {found[1]} why the score is high{what}; empty where there are fewer"
