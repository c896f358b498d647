-- labels of branch_bank, any_event: reads snapshots, clients, moves
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-05 00:00:00', TIMESTAMP '2024-04-04 00:00:00', TIMESTAMP '2024-04-04 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-04-05 00:00:00', TIMESTAMP '2024-05-05 00:00:00', TIMESTAMP '2024-05-05 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- customers with activity in the 60 days before t
active_before AS (
    SELECT DISTINCT r.branch, r.number, d.snapshot_date
    FROM moves AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '60' DAY AND r.event_time < d.t
      AND r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
      AND (NOT r.channel IS NULL)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.branch, r.number, d.snapshot_date, r.closed_at AS closed
    FROM clients AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 20 days, not gone within the gap
eligible AS (
    SELECT s.branch, s.number, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    JOIN active_before AS a
      ON a.branch = s.branch AND a.number = s.number AND a.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.branch = s.branch AND o.number = s.number AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 20
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- customers with activity in moves within the horizon
active_1 AS (
    SELECT DISTINCT r.branch, r.number, d.snapshot_date
    FROM moves AS r
    JOIN dates AS d
      ON r.event_time >= d.label_start AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
      AND (r.channel = 'online')
),
-- mean amount in the 60 days before t and in the horizon
balances_2 AS (
    SELECT r.branch, r.number, d.snapshot_date,
        CAST(SUM(CASE WHEN r.event_time < d.t THEN r.amount END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time < d.t THEN r.amount END), 0) AS mean_before,
        CAST(SUM(CASE WHEN r.event_time >= d.label_start THEN r.amount END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time >= d.label_start THEN r.amount END), 0) AS mean_after
    FROM moves AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '60' DAY AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
      AND (r.amount > 0)
    GROUP BY r.branch, r.number, d.snapshot_date
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.branch, e.number, e.snapshot_date, e.label_start, e.label_end,
        ((e.closed IS NOT NULL AND e.closed < e.label_end) OR ((active_1.snapshot_date IS NULL) AND (CASE WHEN balances_2.mean_before > 0 THEN balances_2.mean_after < 0.9 * balances_2.mean_before END))) AS churns
    FROM eligible AS e
    LEFT JOIN active_1
      ON active_1.branch = e.branch AND active_1.number = e.number AND active_1.snapshot_date = e.snapshot_date
    LEFT JOIN balances_2
      ON balances_2.branch = e.branch AND balances_2.number = e.number AND balances_2.snapshot_date = e.snapshot_date
)
SELECT branch, number, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'any_event' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, branch, number

-- whom to score of branch_bank, any_event: reads snapshots, clients, moves
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- customers with activity in the 60 days before t
active_before AS (
    SELECT DISTINCT r.branch, r.number, d.snapshot_date
    FROM moves AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '60' DAY AND r.event_time < d.t
      AND r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
      AND (NOT r.channel IS NULL)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.branch, r.number, d.snapshot_date, r.closed_at AS closed
    FROM clients AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 20 days, not gone within the gap
eligible AS (
    SELECT s.branch, s.number, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    JOIN active_before AS a
      ON a.branch = s.branch AND a.number = s.number AND a.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.branch = s.branch AND o.number = s.number AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 20
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT branch, number, snapshot_date
FROM eligible
ORDER BY branch, number

-- labels of branch_bank, decline: reads snapshots, clients, moves
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-03 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-04-03 00:00:00', TIMESTAMP '2024-05-01 00:00:00', TIMESTAMP '2024-05-01 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.branch, r.number, d.snapshot_date, r.closed_at AS closed
    FROM clients AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.branch, s.number, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.branch = s.branch AND o.number = s.number AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- mean amount in the 90 days before t and in the horizon
balances_1 AS (
    SELECT r.branch, r.number, d.snapshot_date,
        CAST(SUM(CASE WHEN r.event_time < d.t THEN r.amount END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time < d.t THEN r.amount END), 0) AS mean_before,
        CAST(SUM(CASE WHEN r.event_time >= d.label_start THEN r.amount END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time >= d.label_start THEN r.amount END), 0) AS mean_after
    FROM moves AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '90' DAY AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
    GROUP BY r.branch, r.number, d.snapshot_date
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.branch, e.number, e.snapshot_date, e.label_start, e.label_end,
        (CASE WHEN balances_1.mean_before > 0 THEN balances_1.mean_after < 0.8 * balances_1.mean_before END) AS churns
    FROM eligible AS e
    LEFT JOIN balances_1
      ON balances_1.branch = e.branch AND balances_1.number = e.number AND balances_1.snapshot_date = e.snapshot_date
)
SELECT branch, number, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'decline' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, branch, number

-- whom to score of branch_bank, decline: reads snapshots, clients
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.branch, r.number, d.snapshot_date, r.closed_at AS closed
    FROM clients AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.branch, s.number, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.branch = s.branch AND o.number = s.number AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT branch, number, snapshot_date
FROM eligible
ORDER BY branch, number

-- labels of branch_bank, dropped: reads snapshots, clients, holdings
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-03 00:00:00', TIMESTAMP '2024-04-17 00:00:00', TIMESTAMP '2024-04-17 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-04-03 00:00:00', TIMESTAMP '2024-05-18 00:00:00', TIMESTAMP '2024-05-18 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- customers with an open row of holdings at t
holders_1 AS (
    SELECT DISTINCT r.branch, r.number, d.snapshot_date
    FROM holdings AS r
    JOIN dates AS d
      ON r.event_time < d.t AND (r.ended_on IS NULL OR r.ended_on >= d.t)
      AND r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
      AND (r.worth > 100)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.branch, r.number, d.snapshot_date, r.closed_at AS closed
    FROM clients AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.branch, s.number, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    JOIN holders_1
      ON holders_1.branch = s.branch AND holders_1.number = s.number AND holders_1.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.branch = s.branch AND o.number = s.number AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- customers with an open row of holdings when the horizon ends
kept_1 AS (
    SELECT DISTINCT r.branch, r.number, d.snapshot_date
    FROM holdings AS r
    JOIN dates AS d
      ON r.event_time < d.label_end AND (r.ended_on IS NULL OR r.ended_on >= d.label_end)
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
      AND (r.worth > 100)
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.branch, e.number, e.snapshot_date, e.label_start, e.label_end,
        ((e.closed IS NOT NULL AND e.closed < e.label_end) OR (CASE WHEN e.closed IS NULL OR e.closed >= e.label_end THEN kept_1.snapshot_date IS NULL END)) AS churns
    FROM eligible AS e
    LEFT JOIN kept_1
      ON kept_1.branch = e.branch AND kept_1.number = e.number AND kept_1.snapshot_date = e.snapshot_date
)
SELECT branch, number, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'dropped' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, branch, number

-- whom to score of branch_bank, dropped: reads snapshots, clients, holdings
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- customers with an open row of holdings at t
holders_1 AS (
    SELECT DISTINCT r.branch, r.number, d.snapshot_date
    FROM holdings AS r
    JOIN dates AS d
      ON r.event_time < d.t AND (r.ended_on IS NULL OR r.ended_on >= d.t)
      AND r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
      AND (r.worth > 100)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.branch, r.number, d.snapshot_date, r.closed_at AS closed
    FROM clients AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.branch, s.number, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    JOIN holders_1
      ON holders_1.branch = s.branch AND holders_1.number = s.number AND holders_1.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.branch = s.branch AND o.number = s.number AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT branch, number, snapshot_date
FROM eligible
ORDER BY branch, number

-- labels of branch_bank, silence: reads snapshots, clients, moves
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-05-01 00:00:00', TIMESTAMP '2024-05-01 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.branch, r.number, d.snapshot_date, r.closed_at AS closed
    FROM clients AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.branch, s.number, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.branch = s.branch AND o.number = s.number AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- customers with activity in moves within the horizon
active_1 AS (
    SELECT DISTINCT r.branch, r.number, d.snapshot_date
    FROM moves AS r
    JOIN dates AS d
      ON r.event_time >= d.label_start AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.branch, e.number, e.snapshot_date, e.label_start, e.label_end,
        ((e.closed IS NOT NULL AND e.closed < e.label_end) OR (active_1.snapshot_date IS NULL)) AS churns
    FROM eligible AS e
    LEFT JOIN active_1
      ON active_1.branch = e.branch AND active_1.number = e.number AND active_1.snapshot_date = e.snapshot_date
)
SELECT branch, number, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'silence' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, branch, number

-- whom to score of branch_bank, silence: reads snapshots, clients
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.branch, r.number, d.snapshot_date, r.closed_at AS closed
    FROM clients AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.branch, s.number, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.branch = s.branch AND o.number = s.number AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT branch, number, snapshot_date
FROM eligible
ORDER BY branch, number

-- labels of twelve_customers, balance_fell: reads snapshots, customers, balances
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-05-01 00:00:00', TIMESTAMP '2024-05-01 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- mean balance in the 60 days before t and in the horizon
balances_1 AS (
    SELECT r.customer_id, d.snapshot_date,
        CAST(SUM(CASE WHEN r.event_time < d.t THEN r.balance END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time < d.t THEN r.balance END), 0) AS mean_before,
        CAST(SUM(CASE WHEN r.event_time >= d.label_start THEN r.balance END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time >= d.label_start THEN r.balance END), 0) AS mean_after
    FROM balances AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '60' DAY AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
    GROUP BY r.customer_id, d.snapshot_date
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.customer_id, e.snapshot_date, e.label_start, e.label_end,
        (CASE WHEN balances_1.mean_before > 0 THEN balances_1.mean_after < 0.7 * balances_1.mean_before END) AS churns
    FROM eligible AS e
    LEFT JOIN balances_1
      ON balances_1.customer_id = e.customer_id AND balances_1.snapshot_date = e.snapshot_date
)
SELECT customer_id, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'balance_fell' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, customer_id

-- whom to score of twelve_customers, balance_fell: reads snapshots, customers
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT customer_id, snapshot_date
FROM eligible
ORDER BY customer_id

-- labels of twelve_customers, closed: reads snapshots, customers
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-05-01 00:00:00', TIMESTAMP '2024-05-01 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 20 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 20
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.customer_id, e.snapshot_date, e.label_start, e.label_end,
        (e.closed IS NOT NULL AND e.closed < e.label_end) AS churns
    FROM eligible AS e
)
SELECT customer_id, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'closed' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, customer_id

-- whom to score of twelve_customers, closed: reads snapshots, customers
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 20 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 20
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT customer_id, snapshot_date
FROM eligible
ORDER BY customer_id

-- labels of twelve_customers, closed_or_poorer: reads snapshots, customers, balances
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-05-01 00:00:00', TIMESTAMP '2024-05-01 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- mean balance in the 60 days before t and in the horizon
balances_1 AS (
    SELECT r.customer_id, d.snapshot_date,
        CAST(SUM(CASE WHEN r.event_time < d.t THEN r.balance END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time < d.t THEN r.balance END), 0) AS mean_before,
        CAST(SUM(CASE WHEN r.event_time >= d.label_start THEN r.balance END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time >= d.label_start THEN r.balance END), 0) AS mean_after
    FROM balances AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '60' DAY AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
    GROUP BY r.customer_id, d.snapshot_date
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.customer_id, e.snapshot_date, e.label_start, e.label_end,
        ((e.closed IS NOT NULL AND e.closed < e.label_end) OR (CASE WHEN balances_1.mean_before > 0 THEN balances_1.mean_after < 0.7 * balances_1.mean_before END)) AS churns
    FROM eligible AS e
    LEFT JOIN balances_1
      ON balances_1.customer_id = e.customer_id AND balances_1.snapshot_date = e.snapshot_date
)
SELECT customer_id, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'closed_or_poorer' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, customer_id

-- whom to score of twelve_customers, closed_or_poorer: reads snapshots, customers
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 0 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 0
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT customer_id, snapshot_date
FROM eligible
ORDER BY customer_id

-- labels of twelve_customers, quiet_and_poorer: reads snapshots, customers, payments, balances
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-05-01 00:00:00', TIMESTAMP '2024-05-01 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 21 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 21
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- customers with activity in payments within the horizon
active_1 AS (
    SELECT DISTINCT r.customer_id, d.snapshot_date
    FROM payments AS r
    JOIN dates AS d
      ON r.event_time >= d.label_start AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
      AND (r.direction = 'out')
),
-- mean balance in the 60 days before t and in the horizon
balances_2 AS (
    SELECT r.customer_id, d.snapshot_date,
        CAST(SUM(CASE WHEN r.event_time < d.t THEN r.balance END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time < d.t THEN r.balance END), 0) AS mean_before,
        CAST(SUM(CASE WHEN r.event_time >= d.label_start THEN r.balance END) AS DOUBLE)
            / NULLIF(COUNT(CASE WHEN r.event_time >= d.label_start THEN r.balance END), 0) AS mean_after
    FROM balances AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '60' DAY AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
    GROUP BY r.customer_id, d.snapshot_date
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.customer_id, e.snapshot_date, e.label_start, e.label_end,
        ((active_1.snapshot_date IS NULL) AND (CASE WHEN balances_2.mean_before > 0 THEN balances_2.mean_after < 0.7 * balances_2.mean_before END)) AS churns
    FROM eligible AS e
    LEFT JOIN active_1
      ON active_1.customer_id = e.customer_id AND active_1.snapshot_date = e.snapshot_date
    LEFT JOIN balances_2
      ON balances_2.customer_id = e.customer_id AND balances_2.snapshot_date = e.snapshot_date
)
SELECT customer_id, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'quiet_and_poorer' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, customer_id

-- whom to score of twelve_customers, quiet_and_poorer: reads snapshots, customers
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 21 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 21
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT customer_id, snapshot_date
FROM eligible
ORDER BY customer_id

-- labels of twelve_customers, quiet_or_closed: reads snapshots, customers, payments
WITH
-- snapshots whose horizon ends within the data
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-03-14 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-04-14 00:00:00', TIMESTAMP '2024-05-01 00:00:00', TIMESTAMP '2024-05-01 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- customers with activity in the 90 days before t
active_before AS (
    SELECT DISTINCT r.customer_id, d.snapshot_date
    FROM payments AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '90' DAY AND r.event_time < d.t
      AND r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 60 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    JOIN active_before AS a
      ON a.customer_id = s.customer_id AND a.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 60
      AND (o.closed IS NULL OR o.closed >= d.label_start)
),
-- customers with activity in payments within the horizon
active_1 AS (
    SELECT DISTINCT r.customer_id, d.snapshot_date
    FROM payments AS r
    JOIN dates AS d
      ON r.event_time >= d.label_start AND r.event_time < d.label_end
      AND r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- eligible customers with the answer, null where it can't be told
answered AS (
    SELECT e.customer_id, e.snapshot_date, e.label_start, e.label_end,
        ((e.closed IS NOT NULL AND e.closed < e.label_end) OR (active_1.snapshot_date IS NULL)) AS churns
    FROM eligible AS e
    LEFT JOIN active_1
      ON active_1.customer_id = e.customer_id AND active_1.snapshot_date = e.snapshot_date
)
SELECT customer_id, snapshot_date, CAST(label_start AS DATE) AS label_start, CAST(label_end AS DATE) AS label_end,
    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned,
    'quiet_or_closed' AS definition
FROM answered
WHERE churns IS NOT NULL
ORDER BY snapshot_date, customer_id

-- whom to score of twelve_customers, quiet_or_closed: reads snapshots, customers, payments
WITH
-- the snapshot
dates AS (
    SELECT snapshot_date, t, label_start, label_end, answered
    FROM (VALUES
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00', TIMESTAMP '2024-03-31 00:00:00')
    ) AS dates(snapshot_date, t, label_start, label_end, answered)
),
-- customers with activity in the 90 days before t
active_before AS (
    SELECT DISTINCT r.customer_id, d.snapshot_date
    FROM payments AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '90' DAY AND r.event_time < d.t
      AND r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
),
-- each customer's closing time, if any, as known when the answer is read
outcome AS (
    SELECT r.customer_id, d.snapshot_date, r.closed_on AS closed
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.answered AND (r.known_until IS NULL OR d.answered <= r.known_until)
),
-- customers of at least 60 days, not gone within the gap
eligible AS (
    SELECT s.customer_id, s.snapshot_date, d.t, d.label_start, d.label_end, d.answered, o.closed
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    JOIN active_before AS a
      ON a.customer_id = s.customer_id AND a.snapshot_date = s.snapshot_date
    LEFT JOIN outcome AS o
      ON o.customer_id = s.customer_id AND o.snapshot_date = s.snapshot_date
    WHERE s.tenure_days >= 60
      AND (o.closed IS NULL OR o.closed >= d.label_start)
)
SELECT customer_id, snapshot_date
FROM eligible
ORDER BY customer_id
