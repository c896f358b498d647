"""The catalog: look at definitions, tables and models without building anything."""
