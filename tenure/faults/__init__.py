"""Faults: what becomes of an error on its way to the user."""
