"""What the shop itself wants to hear of its invoices."""

from tenure import Check

sale_has_a_value = Check(
    "sale_has_a_value", source="invoices", where="amount <> 0", severity="warning", doc="invoices of 0.00 pounds"
)
