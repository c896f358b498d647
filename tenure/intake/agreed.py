"""What was agreed of sources: staging refuses one that breaks its contract, and says what a contract lacks yet."""

from __future__ import annotations

from tenure.errors import CheckFailed
from tenure.session.work import Work


def require_agreed(work: Work) -> list[str]:
    """Return what sources have that their contracts lack, in words.

    Raises CheckFailed for a source that differs from its contract so that those who read its table can't go on.
    """
    notes = []
    for source in work.project.sources.values():
        agreed = work.agreed.get(source.name)
        if agreed is None:
            continue
        broken = agreed.of_kind("breaking")
        if broken:
            raise CheckFailed(
                f"source '{source.name}' breaks its contract {agreed.file}, version {agreed.version}: "
                f"{'; '.join(change.text for change in broken)} ({source.where_defined}). Nothing was staged.",
                hint="Undo the change in sources.py, or accept it: tenure contract export --breaking.",
            )
        added = agreed.of_kind("additive")
        if added:
            words = "; ".join(change.text for change in added)
            notes.append(f"{source.name}: not in contract {agreed.version} yet: {words}")
    return notes
