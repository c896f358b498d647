"""WHAT the bank means: frozen definitions, no I/O but the loading of the bank's own files."""
