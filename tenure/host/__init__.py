"""The machine that Tenure runs on: its paths and text files."""
