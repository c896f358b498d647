"""Checks: what a table must hold before its commit."""
