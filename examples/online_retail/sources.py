"""What the shop's daily files hold: invoice lines, some cancelled, some without a customer."""

from tenure import Column, Csv, Entity, Source

drops = Csv("online_retail_ii/by_day/*.csv")

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read={"drops": drops},
    # The shop keeps no customer table: a customer begins with the first invoice.
    select="""
        SELECT CustomerID, MIN(InvoiceDate) AS first_invoice
        FROM drops
        WHERE CustomerID IS NOT NULL
        GROUP BY CustomerID
    """,
    key="customer_id",
    event_time="first_invoice",
    columns=[
        Column("customer_id", type="integer", role="key", raw="CustomerID"),
        Column("first_invoice", type="timestamp", role="time"),
    ],
    doc="One row a customer, from the first invoice on.",
)

invoices = Source(
    "invoices",
    read={"drops": drops},
    select="""
        SELECT InvoiceNo, CustomerID,
            MIN(InvoiceDate) AS invoiced_at,
            MIN(Country) AS country,
            CAST(COUNT(*) AS STRING) AS line_count,
            CAST(SUM(CAST(Quantity AS BIGINT)) AS STRING) AS quantity,
            CAST(SUM(CAST(Quantity AS BIGINT) * CAST(UnitPrice AS DECIMAL(18, 2))) AS STRING) AS amount
        FROM drops
        WHERE CustomerID IS NOT NULL
        GROUP BY InvoiceNo, CustomerID
    """,
    key=("invoice_no", "customer_id"),
    event_time="invoiced_at",
    columns=[
        Column("invoice_no", role="key", raw="InvoiceNo"),
        Column("customer_id", type="integer", role="key", raw="CustomerID"),
        Column("invoiced_at", type="timestamp", role="time"),
        Column("country", role="dimension"),
        Column("line_count", type="integer", role="measure", unit="lines"),
        Column("quantity", type="integer", role="measure", unit="pieces"),
        Column("amount", type="decimal", role="measure", unit="GBP"),
    ],
    doc="One row an invoice; numbers that begin with C are cancellations, with negative amounts.",
)
