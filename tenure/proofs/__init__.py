"""Proofs: what must hold before a table is published."""
