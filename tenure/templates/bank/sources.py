"""The bank's raw tables: where they lie, what their columns mean, and when each row was known."""

from tenure import Column, Csv, Entity, Parquet, Reconciliation, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read={"people": Csv("customers.csv"), "held": Csv("accounts.csv")},
    # The relationship ends with the customer's last account. That is news about the customer, known when the
    # last closing was: a new version of the row that was the newest then; later versions keep it, earlier don't.
    # So is the reason, of several on the last day the last by alphabet: every version with it would tell who leaves.
    select="""
        WITH closings AS (
            SELECT customer_id, MAX(closed_on) AS closed_on,
                MAX(CASE WHEN closed_on IS NOT NULL THEN updated_at END) AS known_at
            FROM held
            GROUP BY customer_id
            HAVING COUNT(DISTINCT account_id) = COUNT(DISTINCT CASE WHEN closed_on IS NOT NULL THEN account_id END)
        ),
        reasons AS (
            SELECT c.customer_id, MAX(h.close_reason) AS close_reason
            FROM closings AS c
            JOIN held AS h ON h.customer_id = c.customer_id AND h.closed_on = c.closed_on
            GROUP BY c.customer_id
        ),
        newest_then AS (
            SELECT p.customer_id, MAX(p.updated_at) AS updated_at
            FROM people AS p
            JOIN closings AS c ON c.customer_id = p.customer_id
            WHERE p.updated_at < c.known_at
            GROUP BY p.customer_id
        )
        SELECT p.*, p.updated_at AS known_at,
            CASE WHEN p.updated_at >= c.known_at THEN c.closed_on END AS closed_on,
            CASE WHEN p.updated_at >= c.known_at THEN r.close_reason END AS close_reason
        FROM people AS p
        LEFT JOIN closings AS c ON c.customer_id = p.customer_id
        LEFT JOIN reasons AS r ON r.customer_id = p.customer_id
        UNION ALL
        SELECT p.*, c.known_at, c.closed_on, r.close_reason
        FROM people AS p
        JOIN newest_then AS n ON n.customer_id = p.customer_id AND n.updated_at = p.updated_at
        JOIN closings AS c ON c.customer_id = p.customer_id
        LEFT JOIN reasons AS r ON r.customer_id = p.customer_id
    """,
    columns=[
        Column("customer_id", type="integer", role="key"),
        Column("full_name", role="pii"),
        Column("email", role="pii"),
        Column("phone", role="pii"),
        Column("birth_date", type="date", role="pii"),
        Column("gender", role="protected"),
        Column("marital_status", role="protected"),
        Column("region"),
        Column("customer_type", doc="retail, premium, student or business-owner"),
        Column("income_band", doc="Monthly income as stated; blank where it was not"),
        Column("employment_status"),
        Column("acquisition_channel"),
        Column("digital_enrolled", type="boolean"),
        Column("joined_on", type="date", role="time"),
        Column("closed_on", type="date", role="time", doc="The day on which the last account was closed"),
        Column("close_reason", role="metadata", doc="Why it was closed; for churn.py, as closing writes it"),
        Column("known_at", type="timestamp", role="metadata"),
    ],
    key="customer_id",
    event_time="joined_on",
    known_time="known_at",
    ends="closed_on",
    doc="Customers, a row for each version of what the bank knew of them",
)

accounts = Source(
    "accounts",
    read=Csv("accounts.csv"),
    columns=[
        Column("account_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("product", role="dimension", doc="checking, savings or credit_card"),
        Column("opened_on", type="date", role="time"),
        Column("closed_on", type="date", role="time"),
        Column("overdraft_limit", type="decimal", role="measure", unit="USD"),
        Column("interest_rate", type="float", role="measure", doc="A year, as a share"),
        Column("updated_at", type="timestamp", role="metadata"),
    ],
    key="account_id",
    event_time="opened_on",
    unmatched=0.05,  # a few belong to customers who exist nowhere
    known_time="updated_at",
    ends="closed_on",
    doc="Accounts, a row when one is opened and another when it is closed",
)

profile_updates = Source(
    "profile_updates",
    read={"people": Csv("customers.csv")},
    select="SELECT customer_id, updated_at, region, employment_status FROM people",
    columns=[
        Column("customer_id", type="integer", role="key"),
        Column("updated_at", type="timestamp", role="time"),
        Column("region"),
        Column("employment_status"),
    ],
    key=("customer_id", "updated_at"),
    event_time="updated_at",
    doc="Every version of a customer's record, as the event of writing it",
)

account_closings = Source(
    "account_closings",
    read={"held": Csv("accounts.csv")},
    select="SELECT account_id, customer_id, product, closed_on, updated_at FROM held WHERE closed_on IS NOT NULL",
    columns=[
        Column("account_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("product", role="dimension"),
        Column("closed_on", type="date", role="time"),
        Column("updated_at", type="timestamp", role="metadata"),
    ],
    key="account_id",
    event_time="closed_on",
    known_time="updated_at",
    doc="Closings of accounts as events, each seen once the bank knew of it",
)

transactions = Source(
    "transactions",
    read={"booked": Parquet("transactions/*.parquet"), "held": Csv("accounts.csv")},
    select="""
        SELECT b.*, a.customer_id, a.product
        FROM booked AS b
        LEFT JOIN (SELECT DISTINCT CAST(account_id AS BIGINT) AS account_id, customer_id, product FROM held) AS a
            ON a.account_id = b.account_id
    """,
    columns=[
        Column("transaction_id", type="integer", role="key"),
        Column("account_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("product", role="dimension", doc="checking, savings or credit_card"),
        Column("booked_at", type="timestamp", role="time"),
        Column("recorded_at", type="timestamp", role="metadata"),
        Column("amount", type="decimal", role="measure", unit="USD", required=True, doc="Never negative"),
        Column("direction", role="dimension", required=True, doc="debit (money out) or credit (money in)"),
        Column("category", role="dimension"),
        Column("channel", role="dimension", doc="branch, atm, pos, online, mobile, or batch: not by the customer"),
        Column("balance_after", type="decimal", role="measure", unit="USD"),
    ],
    key="transaction_id",
    event_time="booked_at",
    known_time="recorded_at",
    quarantine=0.001,  # a few are booked on accounts that exist nowhere
    doc="Bookings; a correction is a later version of its booking",
)

ledger = Reconciliation(
    "ledger",
    bookings="transactions",
    account="account_id",
    amount="amount",
    credit="direction = 'credit'",
    balance="balance_after",
    opening="unknown",  # most accounts are older than the data
    doc="Each booking carries the balance after it",
)

interactions = Source(
    "interactions",
    read=Csv("interactions.csv"),
    columns=[
        Column("interaction_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("occurred_at", type="timestamp", role="time"),
        Column("kind", role="dimension", doc="call, complaint, branch_visit, app_login or email"),
        Column("topic", role="dimension"),
        Column("resolved", type="boolean", doc="At first contact; blank where there was nothing to resolve"),
        Column("duration_minutes", type="integer", role="measure", unit="minutes"),
    ],
    key="interaction_id",
    event_time="occurred_at",
    arrival_delay=1,
    quarantine=0.005,  # damaged dates and durations, blank customers
    doc="Contacts with the bank, which reach the warehouse a day later",
)
