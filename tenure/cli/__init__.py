"""The command: one verb a stage. It prints an error and its hint; it never shows a traceback for a user's mistake.

Exit codes: 0 done · 1 a bug in Tenure · 2 wrong usage · 3 the project's files · 4 the raw data · 5 labels and models
· 6 a broken contract or proof · 7 the engine or the lake.
"""

from __future__ import annotations

from tenure.cli import signals

# ruff: noqa: E402, I001  (the imports below take longer than an impatient user waits; their order is that of --help)
signals.handle_early()

from tenure.cli import running
from tenure.cli import stages
from tenure.cli import storing
from tenure.cli import looking
from tenure.cli import contracts
from tenure.cli import proving
from tenure.cli.application import EXIT_CODES, app, main

__all__ = ["EXIT_CODES", "app", "contracts", "looking", "main", "proving", "running", "stages", "storing"]
