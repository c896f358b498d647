"""SQL as text: the dialects, and the query that every table is.

A bank's own conditions and SELECTs are parsed by `conditions` and `selects`, which are imported by name: they need
sqlglot, and most of those that print SQL do not.
"""

from tenure.define.dialect import DIALECTS, Dialect
from tenure.sql.dialects import (
    OPERATIONS,
    TYPE_NAMES,
    date_literal,
    java_pattern,
    literal,
    midnight_literal,
    op,
    quoted,
)
from tenure.sql.query import Select, column_list, indented, with_ctes

__all__ = [
    "DIALECTS",
    "OPERATIONS",
    "TYPE_NAMES",
    "Dialect",
    "Select",
    "column_list",
    "date_literal",
    "indented",
    "java_pattern",
    "literal",
    "midnight_literal",
    "op",
    "quoted",
    "with_ctes",
]
