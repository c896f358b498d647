"""The demo bank: realistic, seeded raw tables with planted causes of attrition. See docs/demo_bank.md."""

from __future__ import annotations

from tenure.demo.bank import generate_bank, parse_customers
from tenure.demo.facts import BankFacts

__all__ = ["BankFacts", "generate_bank", "parse_customers"]
