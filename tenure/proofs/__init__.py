"""Proofs: cells computed a second time, in another way, before their table is published."""
