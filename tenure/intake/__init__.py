"""Intake: from raw files and queries to staged tables, and the dates that they span."""
