"""The state of the lake: what each stage last did."""

from __future__ import annotations

from tenure.define.stage import STAGES
from tenure.session.work import Work
from tenure.store.runs import last_runs


def state(work: Work) -> list[dict[str, object]]:
    """Return each stage's newest record of the run ledger, in order, then the proofs; empty before the first run."""
    newest = last_runs(work.lake)
    return [newest[stage] for stage in (*STAGES, "verify", "integrity") if stage in newest]
