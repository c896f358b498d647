"""Leaks: findings that a row, a table or a column knows what nobody could have known."""
