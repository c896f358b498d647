"""May we trust it: contracts compiled to SQL and run before a table is committed."""
