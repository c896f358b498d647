"""Tenure's version, which stands in what it writes."""

from __future__ import annotations

__version__ = "0.1.0"
