"""SQL as text: the dialects, a bank's own conditions and SELECTs, and the query that every table is."""

from tenure.define.dialect import DIALECTS, Dialect
from tenure.sql.conditions import condition, names_read
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
from tenure.sql.selects import origins, raw_relations, relations

__all__ = [
    "DIALECTS",
    "OPERATIONS",
    "TYPE_NAMES",
    "Dialect",
    "Select",
    "column_list",
    "condition",
    "date_literal",
    "indented",
    "java_pattern",
    "literal",
    "midnight_literal",
    "names_read",
    "op",
    "origins",
    "quoted",
    "raw_relations",
    "relations",
    "with_ctes",
]
