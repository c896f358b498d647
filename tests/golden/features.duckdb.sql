-- features
WITH
-- snapshot dates and the instant each begins
dates AS (
    SELECT snapshot_date, t
    FROM (VALUES
        (DATE '2024-01-31', TIMESTAMP '2024-01-31 00:00:00'),
        (DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00'),
        (DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00'),
        (DATE '2024-04-30', TIMESTAMP '2024-04-30 00:00:00'),
        (DATE '2024-05-31', TIMESTAMP '2024-05-31 00:00:00'),
        (DATE '2024-06-30', TIMESTAMP '2024-06-30 00:00:00')
    ) AS dates(snapshot_date, t)
),
-- customers as known before t
customers_then AS (
    SELECT r.customer_id, r.region, d.snapshot_date
    FROM customers AS r
    JOIN dates AS d
      ON r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
),
-- payments at every snapshot that may read them: known before t, at most 90 days old
payments_seen AS (
    SELECT
        r.customer_id,
        d.snapshot_date,
        r.event_time >= d.t - INTERVAL '30' DAY AS in_30d,
        1 AS payment,
        r.amount AS amount__1,
        CASE WHEN (r.amount > 50) THEN 1 END AS large
    FROM payments AS r
    JOIN dates AS d
      ON r.event_time >= d.t - INTERVAL '90' DAY AND r.event_time < d.t
      AND r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
),
-- payments summed up per customer and snapshot
payments_summed AS (
    SELECT
        customer_id, snapshot_date,
        COUNT(CASE WHEN in_30d THEN payment END) AS payment__count_30d,
        COUNT(payment) AS payment__count_90d,
        SUM(CASE WHEN in_30d THEN amount__1 END) AS amount__1__sum_30d,
        SUM(amount__1) AS amount__1__sum_90d,
        COUNT(CASE WHEN in_30d THEN amount__1 END) AS amount__1__count_30d,
        COUNT(amount__1) AS amount__1__count_90d,
        COUNT(large) AS large__count_90d
    FROM payments_seen
    GROUP BY customer_id, snapshot_date
),
-- the newest of payments known before t
payments_newest AS (
    SELECT r.customer_id, d.snapshot_date,
        MAX(r.event_time) AS newest_0
    FROM payments AS r
    JOIN dates AS d
      ON r.event_time < d.t
      AND r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
    GROUP BY r.customer_id, d.snapshot_date
),
-- every snapshot row with what each source says of it
measured AS (
    SELECT
        s.customer_id, s.snapshot_date,
        customers_then.region AS region,
        COALESCE(payments_summed.payment__count_30d, 0) AS payment_count_30d,
        COALESCE(payments_summed.payment__count_90d, 0) AS payment_count_90d,
        COALESCE(CAST(payments_summed.amount__1__sum_30d AS DOUBLE), 0) AS amount_sum_30d,
        COALESCE(CAST(payments_summed.amount__1__sum_90d AS DOUBLE), 0) AS amount_sum_90d,
        CAST(payments_summed.amount__1__sum_30d AS DOUBLE) / NULLIF(payments_summed.amount__1__count_30d, 0) AS amount_mean_30d,
        CAST(payments_summed.amount__1__sum_90d AS DOUBLE) / NULLIF(payments_summed.amount__1__count_90d, 0) AS amount_mean_90d,
        COALESCE(payments_summed.large__count_90d, 0) AS large_count_90d,
        date_diff('day', CAST(payments_newest.newest_0 AS DATE), s.snapshot_date) AS payment_days_since_last,
        CAST(LEAST(30, s.tenure_days) AS DOUBLE) / 30 AS history_share_30d,
        CAST(LEAST(90, s.tenure_days) AS DOUBLE) / 90 AS history_share_90d
    FROM snapshots AS s
    LEFT JOIN customers_then
      ON customers_then.customer_id = s.customer_id AND customers_then.snapshot_date = s.snapshot_date
    LEFT JOIN payments_summed
      ON payments_summed.customer_id = s.customer_id AND payments_summed.snapshot_date = s.snapshot_date
    LEFT JOIN payments_newest
      ON payments_newest.customer_id = s.customer_id AND payments_newest.snapshot_date = s.snapshot_date
)
SELECT
    customer_id,
    snapshot_date,
    -- Region
    region,
    -- Payments, count over the 30 days before
    payment_count_30d,
    -- Payments, count over the 90 days before
    payment_count_90d,
    -- Payments, days since the last one [days]
    payment_days_since_last,
    -- Amount paid, total over the 30 days before [USD]
    amount_sum_30d,
    -- Amount paid, total over the 90 days before [USD]
    amount_sum_90d,
    -- Amount paid, average over the 30 days before [USD]
    amount_mean_30d,
    -- Amount paid, average over the 90 days before [USD]
    amount_mean_90d,
    -- Payments above 50 dollars, count over the 90 days before
    large_count_90d,
    -- Share of large payments, over the 90 days before
    CAST(large_count_90d AS DOUBLE) / NULLIF(CAST(payment_count_90d AS DOUBLE), 0) AS large_to_all_ratio_90d,
    -- Payments a day, last 30 days against the last 90 [times]
    (CAST(payment_count_30d AS DOUBLE) / 30) / NULLIF((CAST(payment_count_90d AS DOUBLE) / 90), 0) AS payment_count_30d_over_90d,
    -- Share of the 30 days before in which the customer was with the bank
    history_share_30d,
    -- Share of the 90 days before in which the customer was with the bank
    history_share_90d
FROM measured
ORDER BY snapshot_date, customer_id;

