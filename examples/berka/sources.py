"""What the bank's eight files hold. A customer is the client who owns an account; every file is staged whole.

The account is the anchor: what hangs on it reaches the customer through `owners`. Joins are LEFT, so a row whose
account has no owner is refused as a row without a customer, and not lost.
"""

from tenure import Column, Csv, Entity, Reconciliation, Source

accounts_file = Csv("berka/account.asc", delimiter=";")
clients_file = Csv("berka/client.asc", delimiter=";")
dispositions_file = Csv("berka/disp.asc", delimiter=";")
districts_file = Csv("berka/district.asc", delimiter=";", null=("?",))

owners = "(SELECT account_id, client_id AS customer_id FROM disp WHERE type = 'OWNER')"

# birth_number is YYMMDD with 50 added to a woman's month.
gender = "CASE WHEN CAST(SUBSTR(c.birth_number, 3, 2) AS INT) > 50 THEN 'F' ELSE 'M' END AS gender"
birth_date = (
    "CAST(19000000 + CAST(c.birth_number AS INT)"
    " - CASE WHEN CAST(SUBSTR(c.birth_number, 3, 2) AS INT) > 50 THEN 5000 ELSE 0 END AS STRING) AS birth_date"
)

# The pack's words for how a booking was made and what it was for. The bank books by itself what has a purpose
# (standing orders, pensions, interest, fees), and transfers from elsewhere are not the customer's doing.
channel = """
    CASE WHEN TRIM(t.k_symbol) <> '' OR t.operation = 'PREVOD Z UCTU' THEN 'batch'
        WHEN t.operation IN ('VKLAD', 'VYBER') THEN 'cash'
        WHEN t.operation = 'VYBER KARTOU' THEN 'card'
        WHEN t.operation = 'PREVOD NA UCET' THEN 'transfer' ELSE 'batch' END AS channel
"""
category = """
    CASE TRIM(t.k_symbol) WHEN 'SIPO' THEN 'household' WHEN 'POJISTNE' THEN 'insurance' WHEN 'UVER' THEN 'loan'
        WHEN 'SLUZBY' THEN 'fee' WHEN 'SANKC. UROK' THEN 'penalty' WHEN 'UROK' THEN 'interest'
        WHEN 'DUCHOD' THEN 'pension'
        ELSE CASE WHEN t.operation IN ('VKLAD', 'VYBER', 'VYBER KARTOU') THEN 'cash'
            WHEN t.operation IN ('PREVOD Z UCTU', 'PREVOD NA UCET') THEN 'transfer' END END AS category
"""

customer_id = Column("customer_id", type="integer", role="key", required=True, doc="The account's owner")
account_id = Column("account_id", type="integer", role="key")
born = Column("birth_date", type="date", format="%Y%m%d", role="pii", required=True)
sex = Column("gender", role="dimension", required=True, doc="F or M, out of the birth number")
opened = Column("opened_on", type="date", format="%y%m%d", role="time", doc="When the account was opened")

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read={
        "client": clients_file,
        "disp": dispositions_file,
        "account": accounts_file,
        "district": districts_file,
    },
    select=f"""
        SELECT o.customer_id, a.account_id, a.date AS opened_on, a.frequency AS statements,
            {birth_date}, {gender},
            d.A3 AS region, d.A4 AS inhabitants, d.A10 AS urban_share, b.A3 AS branch_region
        FROM account AS a
        LEFT JOIN {owners} AS o ON o.account_id = a.account_id
        LEFT JOIN client AS c ON c.client_id = o.customer_id
        LEFT JOIN district AS d ON d.A1 = c.district_id
        LEFT JOIN district AS b ON b.A1 = a.district_id
    """,
    key="customer_id",
    event_time="opened_on",
    columns=[
        customer_id,
        account_id,
        opened,
        Column("statements", role="dimension", required=True, doc="When statements are sent, in Czech"),
        born,
        sex,
        Column("region", role="dimension", required=True, doc="Region of the owner's home"),
        Column("inhabitants", type="integer", required=True, unit="people", doc="Of the home district"),
        Column("urban_share", type="float", required=True, unit="%", doc="Of the home district"),
        Column("branch_region", role="dimension", required=True, doc="Region of the account's branch"),
    ],
    doc="One row an account: its owner, who they are and where they live.",
)

accounts = Source(
    "accounts",
    read={"account": accounts_file, "disp": dispositions_file},
    select=f"""
        SELECT a.account_id, o.customer_id, a.district_id, a.date AS opened_on, a.frequency AS statements
        FROM account AS a
        LEFT JOIN {owners} AS o ON o.account_id = a.account_id
    """,
    key="account_id",
    event_time="opened_on",
    columns=[
        account_id,
        customer_id,
        Column("district_id", type="integer", role="dimension", doc="District of the branch"),
        opened,
        Column("statements", role="dimension"),
    ],
    doc="One row an account.",
)

dispositions = Source(
    "dispositions",
    read={"client": clients_file, "disp": dispositions_file, "account": accounts_file},
    select=f"""
        SELECT p.disp_id, p.client_id, p.account_id, p.type AS right_to, o.customer_id,
            a.date AS opened_on, {birth_date}, {gender}
        FROM disp AS p
        LEFT JOIN client AS c ON c.client_id = p.client_id
        LEFT JOIN account AS a ON a.account_id = p.account_id
        LEFT JOIN {owners} AS o ON o.account_id = p.account_id
    """,
    key="disp_id",
    event_time="opened_on",
    columns=[
        Column("disp_id", type="integer", role="key"),
        Column("client_id", type="integer", role="key", required=True, doc="The person"),
        account_id,
        Column("right_to", role="dimension", required=True, doc="OWNER, or DISPONENT who may only use the account"),
        customer_id,
        opened,
        born,
        sex,
    ],
    doc="One row a person on an account, which is one row a client. It has no date of its own, so no feature reads it.",
)

transactions = Source(
    "transactions",
    read={"trans": Csv("berka/trans_prefix_49102.asc", delimiter=";"), "disp": dispositions_file},
    select=f"""
        SELECT t.trans_id, t.account_id, o.customer_id, t.date AS booked_on,
            CASE WHEN t.type = 'PRIJEM' THEN 'credit' WHEN t.type IN ('VYDAJ', 'VYBER') THEN 'debit' END AS direction,
            t.operation, t.k_symbol AS purpose, t.amount, t.balance, t.bank AS partner_bank,
            {channel}, {category}
        FROM trans AS t
        LEFT JOIN {owners} AS o ON o.account_id = t.account_id
    """,
    key="trans_id",
    event_time="booked_on",
    columns=[
        Column("trans_id", type="integer", role="key"),
        account_id,
        customer_id,
        Column("booked_on", type="date", format="%y%m%d", role="time"),
        Column("direction", role="dimension", required=True, doc="credit or debit"),
        Column("operation", role="dimension", doc="How, in Czech: VKLAD cash in, VYBER cash out, PREVOD transfer"),
        Column("purpose", role="dimension", doc="What for, in Czech: UROK interest, SIPO household, DUCHOD pension"),
        Column("amount", type="decimal", role="measure", unit="CZK", required=True),
        Column("balance", type="decimal", role="measure", unit="CZK", required=True, doc="After the booking"),
        Column("partner_bank", role="dimension", doc="Of a transfer: the other bank"),
        Column("channel", role="dimension", required=True, doc="cash, card, transfer, or batch: not by the customer"),
        Column("category", role="dimension", doc="What for: the purpose in the pack's words, else cash or transfer"),
    ],
    doc="The ledger up to 1994-03-31: every row of the 1,229 accounts opened by then.",
)

loans = Source(
    "loans",
    read={"loan": Csv("berka/loan.asc", delimiter=";"), "disp": dispositions_file},
    select=f"""
        SELECT l.loan_id, l.account_id, o.customer_id, l.date AS granted_on,
            l.amount, l.duration AS months, l.payments AS payment, l.status
        FROM loan AS l
        LEFT JOIN {owners} AS o ON o.account_id = l.account_id
    """,
    key="loan_id",
    event_time="granted_on",
    columns=[
        Column("loan_id", type="integer", role="key"),
        account_id,
        customer_id,
        Column("granted_on", type="date", format="%y%m%d", role="time"),
        Column("amount", type="decimal", role="measure", unit="CZK", required=True),
        Column("months", type="integer", role="measure", unit="months", required=True),
        Column("payment", type="decimal", role="measure", unit="CZK", required=True, doc="Each month"),
        Column("status", role="metadata", doc="How the loan stood in 1999: no feature reads the future"),
    ],
    doc="Loans granted up to 1998; a snapshot sees only those granted before it.",
)

cards = Source(
    "cards",
    read={
        "card": Csv("berka/card.asc", delimiter=";"),
        "disp": dispositions_file,
    },
    select=f"""
        SELECT k.card_id, p.account_id, o.customer_id, k.type AS kind, k.issued AS issued_on
        FROM card AS k
        LEFT JOIN disp AS p ON p.disp_id = k.disp_id
        LEFT JOIN {owners} AS o ON o.account_id = p.account_id
    """,
    key="card_id",
    event_time="issued_on",
    columns=[
        Column("card_id", type="integer", role="key"),
        account_id,
        customer_id,
        Column("kind", role="dimension", required=True, doc="junior, classic or gold"),
        Column("issued_on", type="timestamp", format="%y%m%d %H:%M:%S", role="time"),
    ],
    doc="Cards issued up to 1998; a snapshot sees only those issued before it.",
)

orders = Source(
    "orders",
    read={"standing": Csv("berka/order.asc", delimiter=";"), "disp": dispositions_file},
    select=f"""
        SELECT s.order_id, s.account_id, o.customer_id, '1999-01-01' AS extracted_on,
            s.bank_to, s.account_to, s.amount, s.k_symbol AS purpose
        FROM standing AS s
        LEFT JOIN {owners} AS o ON o.account_id = s.account_id
    """,
    key="order_id",
    event_time="extracted_on",
    columns=[
        Column("order_id", type="integer", role="key"),
        account_id,
        customer_id,
        Column("extracted_on", type="date", role="time"),
        Column("bank_to", role="dimension", required=True),
        Column("account_to", role="pii", required=True),
        Column("amount", type="decimal", role="measure", unit="CZK", required=True),
        Column("purpose", role="dimension"),
    ],
    doc="Standing orders as they stood when the files were made. They have no date, so no snapshot may see them.",
)

districts = Source(
    "districts",
    read={"district": districts_file},
    select="""
        SELECT A1 AS district_id, A2 AS district, A3 AS region, A4 AS inhabitants, A10 AS urban_share, A11 AS salary,
            A12 AS unemployed_1995, A13 AS unemployed_1996, A14 AS enterprises, A15 AS crimes_1995, A16 AS crimes_1996,
            '1997-01-01' AS published_on
        FROM district
    """,
    key="district_id",
    event_time="published_on",
    columns=[
        Column("district_id", type="integer", role="key"),
        Column("district", required=True),
        Column("region", role="dimension", required=True),
        Column("inhabitants", type="integer", required=True, unit="people"),
        Column("urban_share", type="float", required=True, unit="%"),
        Column("salary", type="integer", required=True, unit="CZK", doc="Average of a month"),
        Column("unemployed_1995", type="float", unit="%"),
        Column("unemployed_1996", type="float", unit="%", required=True),
        Column("enterprises", type="integer", required=True, unit="per 1,000 inhabitants"),
        Column("crimes_1995", type="integer", unit="crimes"),
        Column("crimes_1996", type="integer", unit="crimes", required=True),
        Column("published_on", type="date", role="time"),
    ],
    doc="Districts with figures of 1995 and 1996, which nobody knew when the snapshots were taken.",
)

ledger = Reconciliation(
    "ledger",
    bookings="transactions",
    account="account_id",
    amount="amount",
    credit="direction = 'credit'",
    balance="balance",
    tolerance=0.11,  # values carry one decimal
    doc="Each booking carries the balance after it; within a day the order of bookings is not known.",
)
