"""The tile algebra as SQL: sums of rows that merge into every window."""
