"""What is kept: Delta tables, and the ledger of the runs that wrote them."""
