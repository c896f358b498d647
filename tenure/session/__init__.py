"""One run of a project: its settings, lake and engine, and how a table is built."""
