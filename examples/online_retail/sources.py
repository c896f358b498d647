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
    # `gap` looks back alone, to the customer's last day with a purchase. Neither 2010 nor 2011 is a leap year, so
    # year × 365 + day of the year counts days in every engine's SQL.
    select="""
        WITH lines AS (
            SELECT InvoiceNo, CustomerID, CAST(InvoiceDate AS TIMESTAMP) AS sold_at, Country,
                CAST(Quantity AS BIGINT) AS pieces, CAST(UnitPrice AS DECIMAL(18, 2)) AS price,
                CASE WHEN CAST(Quantity AS BIGINT) > 0 AND 1 = ROW_NUMBER() OVER (
                    PARTITION BY CustomerID, StockCode, CASE WHEN CAST(Quantity AS BIGINT) > 0 THEN 1 END
                    ORDER BY InvoiceDate, InvoiceNo
                ) THEN 1 ELSE 0 END AS first_bought
            FROM drops
            WHERE CustomerID IS NOT NULL
        ),
        totals AS (
            SELECT InvoiceNo, CustomerID, MIN(sold_at) AS invoiced_at, MIN(Country) AS country,
                COUNT(*) AS line_count, SUM(pieces) AS quantity, SUM(pieces * price) AS amount,
                SUM(first_bought) AS new_products,
                EXTRACT(YEAR FROM MIN(sold_at)) * 365 + EXTRACT(DOY FROM MIN(sold_at)) AS day_number
            FROM lines
            GROUP BY InvoiceNo, CustomerID
        ),
        ordered AS (
            SELECT InvoiceNo, CustomerID, invoiced_at, country, line_count, quantity, amount, new_products, day_number,
                CASE WHEN amount > 0 THEN LAG(day_number) OVER (
                    PARTITION BY CustomerID, CASE WHEN amount > 0 THEN 1 END ORDER BY invoiced_at, InvoiceNo
                ) END AS previous_day
            FROM totals
        )
        SELECT InvoiceNo, CustomerID, CAST(invoiced_at AS STRING) AS invoiced_at, country,
            CAST(line_count AS STRING) AS line_count, CAST(quantity AS STRING) AS quantity,
            CAST(amount AS STRING) AS amount, CAST(new_products AS STRING) AS new_products,
            CASE WHEN amount > 0 AND COALESCE(previous_day, 0) < day_number THEN '1' ELSE '0' END AS new_day,
            CASE WHEN previous_day < day_number THEN CAST(day_number - previous_day AS STRING) END AS gap
        FROM ordered
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
        Column("amount", type="decimal", role="measure", unit="GBP", doc="Negative on a cancellation"),
        Column("new_products", type="integer", role="measure", doc="Lines of products never bought before"),
        Column("new_day", type="integer", role="measure", doc="1 on the day's first purchase, else 0"),
        Column("gap", type="integer", role="measure", unit="days", doc="Since the last day with a purchase"),
    ],
    doc="One row an invoice; numbers that begin with C are cancellations, with negative amounts.",
)
