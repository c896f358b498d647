"""The command: one verb a stage. It prints an error and its hint; it never shows a traceback for a user's mistake.

Exit codes: 0 done · 1 a bug in Tenure · 2 wrong usage · 3 the project's files · 4 the raw data · 5 labels and models
· 6 a broken contract or proof · 7 the engine or the lake.
"""

from __future__ import annotations

from tenure.cli import signals

# ruff: noqa: E402  (the imports below take longer than an impatient user waits)
signals.handle_early()

from tenure.cli import proving
from tenure.cli.application import EXIT_CODES, app, main
from tenure.cli.looking import add_features_commands
from tenure.cli.running import stage_command
from tenure.session.stage_words import STAGE_DOCS

__all__ = ["EXIT_CODES", "app", "main", "proving"]

for stage, doc in STAGE_DOCS.items():
    if stage == "features":
        add_features_commands(doc)
    else:
        app.command(stage, help=f"{doc}.")(stage_command(stage))
