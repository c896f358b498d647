"""Progress: how far a stage has come, for whoever shows it; nobody does unless a command says so."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Whoever shows how far a run has come."""

    def begin(self, stage: str) -> None:
        """Take note that a stage begins."""

    def of(self, what: str, done: int, total: int, rows: int = 0) -> None:
        """Take note that so many parts of so many are done; `what` is the next one, `rows` those done so far."""

    def end(self) -> None:
        """Take note that the stage ended, one way or another."""


class Silent:
    """Nobody shows it."""

    def begin(self, stage: str) -> None:
        """Say nothing."""

    def of(self, what: str, done: int, total: int, rows: int = 0) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""
