"""The stages' words in order, with what each does: the table of contents of the pipeline."""

from __future__ import annotations

STAGE_DOCS = {
    "staging": "Read, type, deduplicate and quarantine the bank's raw rows",
    "snapshots": "Find who is a customer at each snapshot date",
    "features": "Compute every feature from rows known before each snapshot",
    "labels": "Tell who churned in the horizon after each snapshot",
    "splits": "Part the labelled rows in time and by customer",
    "training_set": "Join features, labels and splits",
    "train": "Train the models and register them",
    "evaluate": "Measure the models out of time",
    "score": "Score today's customers",
    "explain": "Explain each score with exact SHAP values",
    "segment": "Group customers who are alike",
    "report": "Write the attrition list and the HTML report",
}

#: The tables whose name is not their stage's word, by the stage that makes them.
MADE_BY = {
    "intake": "staging",
    "arrivals": "staging",
    "split_proof": "splits",
    "models": "train",
    "evaluations": "evaluate",
    "curves": "evaluate",
    "campaign_value": "evaluate",
    "scores": "score",
    "shap_values": "explain",
    "reasons": "explain",
    "importances": "explain",
    "segments": "segment",
    "segment_profiles": "segment",
    "segment_parameters": "segment",
    "attrition_list": "report",
}
