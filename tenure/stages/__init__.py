"""Stages: from raw files to the report, in order."""
