"""Checks: how a contract of define is checked before its table is committed, in SQL or in memory."""
