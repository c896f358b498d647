"""What the test is judged by beside scores: the sign at t, years as a customer, declared features, and the leaving.

All but the leaving is known at the snapshot: the sign is asked of rows known before it, tenure stands in `snapshots`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tenure.define.event_base import Sign
from tenure.errors import InvalidConfig, choices
from tenure.intake.calendar import calendar
from tenure.session.work import Work
from tenure.tables.label_spans import label_spans
from tenure.tables.leaving import leaving_moments
from tenure.tables.signs import sign_then

if TYPE_CHECKING:
    import pandas as pd

    from tenure.model.judged import Judged


def group_attributes(work: Work, judged: Judged, training_set: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the value of each attribute for each test row, by the attribute's name.

    Raises InvalidConfig for a name in [evaluate] segments that is no feature of text or flags.
    """
    from tenure.model.groups import SIGN, TENURE, sign_values, tenure_bands

    found: dict[str, pd.Series] = {}
    if len(judged.rows) == 0:
        return found
    if work.churn.signs:
        found[SIGN] = sign_values([_shows(work, judged, sign) for sign in work.churn.signs])
    found[TENURE] = tenure_bands(_beside(judged, _tenure(work, judged), "tenure_days"))
    test = training_set[training_set["split"] == "test"]
    for name in declared_segments(work):
        found[name] = test[name].reset_index(drop=True)
    return found


def declared_segments(work: Work) -> tuple[str, ...]:
    """Return the features of [evaluate] segments; raise InvalidConfig for one that is none, or holds neither text nor
    flags.
    """
    schema, features = work.require("training_set").schema, set(map(str, work.project.columns))
    usable = [field.name for field in schema if field.name in features and _has_few_values(field.type)]
    for name in work.config.evaluate.segments:
        if name not in usable:
            what = "is a feature of numbers or days" if name in features else "is no feature"
            raise InvalidConfig(
                f"[evaluate] segments has '{name}', which {what}; allowed: {choices(usable) or 'none'}.",
                hint="Set it in tenure.toml to features of text or flags, such as an Attribute.",
            )
    return work.config.evaluate.segments


def left_at(work: Work, judged: Judged) -> pd.Series | None:
    """Return when the customer of each test row left, null where they did not; None for an event without a moment."""
    if len(judged.rows) == 0:
        return None
    days, dates = calendar(work), [snapshot.date() for snapshot in judged.snapshots]
    spans = label_spans(work.project, work.churn, dates, days.data_end, days.outages)
    select = leaving_moments(work.project, work.churn, work.dialect, spans)
    if select is None:
        return None
    work.scan(select.reads)
    rows = work.engine.run(select.text)
    place = rows.column_names.index("left_at")
    return _beside(judged, rows.set_column(place, "left_at", rows["left_at"].cast(pa.timestamp("us"))), "left_at")


def _has_few_values(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_boolean(type_))


def _shows(work: Work, judged: Judged, sign: Sign) -> pd.Series:
    """Whether each test row shows a sign, null where it can't be measured."""
    dates = [snapshot.date() for snapshot in judged.snapshots]
    select = sign_then(work.project, work.churn, sign, work.dialect, dates)
    work.scan(select.reads)
    return _beside(judged, work.engine.run(select.text), "shows")


def _tenure(work: Work, judged: Judged) -> pa.Table:
    """The days as a customer of everybody at the test's snapshots."""
    rows = work.read("snapshots", [*judged.keys, "snapshot_date", "tenure_days"])
    dates = pa.array([snapshot.date() for snapshot in judged.snapshots], rows.schema.field("snapshot_date").type)
    return rows.filter(pc.is_in(rows["snapshot_date"], dates))


def _beside(judged: Judged, rows: pa.Table, name: str) -> pd.Series:
    """A column of rows by customer and snapshot, put beside the test rows; null where there is no such row."""
    import pandas as pd

    row = [*judged.keys, "snapshot_date"]
    known = rows.to_pandas()
    known["snapshot_date"] = pd.to_datetime(known["snapshot_date"]).astype("datetime64[us]")
    joined: pd.Series = judged.rows[row].merge(known, on=row, how="left", validate="one_to_one")[name]
    return joined
