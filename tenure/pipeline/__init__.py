"""The stages in order, from raw rows to the report. `run.py` goes through them; importing this loads nothing."""
