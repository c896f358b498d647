"""The state of the lake: what each stage last did."""

from __future__ import annotations

from tenure.define.stage import STAGES
from tenure.session.work import Work
from tenure.store.runs import last_runs


def state(work: Work) -> list[dict[str, object]]:
    """Return each stage's newest record of the run ledger, in order, then `explore` and the proofs; empty at first."""
    newest = last_runs(work.lake)
    return [newest[stage] for stage in (*STAGES, "explore", "verify", "integrity") if stage in newest]
