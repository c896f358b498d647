-- dates
CREATE OR REPLACE TEMP TABLE dates AS
-- snapshots and the starts of their windows
SELECT snapshot_no, snapshot_date, t, start_30d, start_90d
FROM (VALUES
    (0, DATE '2024-01-31', TIMESTAMP '2024-01-31 00:00:00', DATE '2024-01-01', DATE '2023-11-02'),
    (1, DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', DATE '2024-01-30', DATE '2023-12-01'),
    (2, DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', DATE '2024-03-01', DATE '2024-01-01'),
    (3, DATE '2024-04-30', TIMESTAMP '2024-04-30 00:00:00', DATE '2024-03-31', DATE '2024-01-31'),
    (4, DATE '2024-05-31', TIMESTAMP '2024-05-31 00:00:00', DATE '2024-05-01', DATE '2024-03-02'),
    (5, DATE '2024-06-30', TIMESTAMP '2024-06-30 00:00:00', DATE '2024-05-31', DATE '2024-04-01')
) AS dates(snapshot_no, snapshot_date, t, start_30d, start_90d);

-- intervals
CREATE OR REPLACE TEMP TABLE intervals AS
-- time between two edges, the first snapshot that sees it, and the period whose tiles hold it
SELECT interval_start, interval_end, seen_by, seen_at, period_end
FROM (VALUES
    (DATE '2023-11-01', DATE '2023-11-02', DATE '2024-01-31', TIMESTAMP '2024-01-31 00:00:00', DATE '2024-01-31'),
    (DATE '2023-11-02', DATE '2023-12-01', DATE '2024-01-31', TIMESTAMP '2024-01-31 00:00:00', DATE '2024-01-31'),
    (DATE '2023-12-01', DATE '2024-01-01', DATE '2024-01-31', TIMESTAMP '2024-01-31 00:00:00', DATE '2024-01-31'),
    (DATE '2024-01-01', DATE '2024-01-30', DATE '2024-01-31', TIMESTAMP '2024-01-31 00:00:00', DATE '2024-01-31'),
    (DATE '2024-01-30', DATE '2024-01-31', DATE '2024-01-31', TIMESTAMP '2024-01-31 00:00:00', DATE '2024-01-31'),
    (DATE '2024-01-31', DATE '2024-02-29', DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', DATE '2024-02-29'),
    (DATE '2024-02-29', DATE '2024-03-01', DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', DATE '2024-03-31'),
    (DATE '2024-03-01', DATE '2024-03-02', DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', DATE '2024-03-31'),
    (DATE '2024-03-02', DATE '2024-03-31', DATE '2024-03-31', TIMESTAMP '2024-03-31 00:00:00', DATE '2024-03-31'),
    (DATE '2024-03-31', DATE '2024-04-01', DATE '2024-04-30', TIMESTAMP '2024-04-30 00:00:00', DATE '2024-04-30'),
    (DATE '2024-04-01', DATE '2024-04-30', DATE '2024-04-30', TIMESTAMP '2024-04-30 00:00:00', DATE '2024-04-30'),
    (DATE '2024-04-30', DATE '2024-05-01', DATE '2024-05-31', TIMESTAMP '2024-05-31 00:00:00', DATE '2024-05-31'),
    (DATE '2024-05-01', DATE '2024-05-31', DATE '2024-05-31', TIMESTAMP '2024-05-31 00:00:00', DATE '2024-05-31'),
    (DATE '2024-05-31', DATE '2024-06-30', DATE '2024-06-30', TIMESTAMP '2024-06-30 00:00:00', DATE '2024-06-30')
) AS cut(interval_start, interval_end, seen_by, seen_at, period_end);

-- grid_days
CREATE OR REPLACE TEMP TABLE grid_days AS
-- every day with its interval, and itself as a bit of it; the first day stands for all before it
SELECT interval_start, seen_by, seen_at, period_end, day_start, (CAST(1 AS BIGINT) << date_diff('day', interval_start, day_start)) AS day_bit
FROM (
    SELECT interval_start, seen_by, seen_at, period_end, CAST(day_start AS DATE) AS day_start
    FROM (SELECT interval_start, seen_by, seen_at, period_end, unnest(generate_series(interval_start, interval_end - INTERVAL '1' DAY, INTERVAL '1' DAY)) AS day_start FROM intervals) AS cut
) AS days;

-- payments_cover_d
CREATE OR REPLACE TEMP TABLE payments_cover_d AS
-- the intervals of each snapshot's bands
SELECT i.interval_start, d.snapshot_no, d.snapshot_date, CASE WHEN i.interval_start >= d.start_30d THEN 0 ELSE 1 END AS band
FROM intervals AS i
JOIN dates AS d
  ON i.interval_start >= d.start_90d AND i.interval_end <= d.snapshot_date;

-- payments_tiled
CREATE OR REPLACE TEMP TABLE payments_tiled AS
-- payments summed up by customer and interval
WITH
-- payments known before the first snapshot after them, never corrected
on_time AS (
    SELECT
        r.customer_id,
        i.interval_start,
        COUNT(1) AS payment__count,
        MAX(r.event_time) AS payment__newest,
        CAST(SUM(r.amount) AS DECIMAL(28, 2)) AS amount__1__sum,
        COUNT(CASE WHEN (r.amount IS NOT NULL) THEN 1 END) AS amount__1__count,
        COUNT(CASE WHEN (r.amount > 50) THEN 1 END) AS large__count
    FROM payments AS r
    JOIN grid_days AS i
      ON i.day_start = CASE WHEN CAST(r.event_time AS DATE) < DATE '2023-11-01' THEN DATE '2023-11-01' ELSE CAST(r.event_time AS DATE) END
    WHERE r.known_time < CASE WHEN r.known_until IS NULL THEN i.seen_at END
    GROUP BY r.customer_id, i.interval_start
),
-- payments known later, or corrected
late AS (
    SELECT
        r.customer_id,
        i.interval_start,
        k.seen_by AS seen_from,
        CAST(r.known_until AS DATE) AS seen_to,
        k.period_end,
        COUNT(1) AS payment__count,
        MAX(r.event_time) AS payment__newest,
        CAST(SUM(r.amount) AS DECIMAL(28, 2)) AS amount__1__sum,
        COUNT(CASE WHEN (r.amount IS NOT NULL) THEN 1 END) AS amount__1__count,
        COUNT(CASE WHEN (r.amount > 50) THEN 1 END) AS large__count
    FROM payments AS r
    JOIN grid_days AS i
      ON i.day_start = CASE WHEN CAST(r.event_time AS DATE) < DATE '2023-11-01' THEN DATE '2023-11-01' ELSE CAST(r.event_time AS DATE) END
    JOIN grid_days AS k
      ON k.day_start = CASE WHEN CAST(GREATEST(r.event_time, r.known_time) AS DATE) < DATE '2023-11-01' THEN DATE '2023-11-01' ELSE CAST(GREATEST(r.event_time, r.known_time) AS DATE) END
    WHERE (r.known_until IS NOT NULL OR CAST(r.known_time AS DATE) > CAST(r.event_time AS DATE)) AND (r.known_until IS NOT NULL OR r.known_time >= i.seen_at)
        AND (r.known_until IS NULL OR CAST(r.known_until AS DATE) >= k.seen_by)
    GROUP BY r.customer_id, i.interval_start, k.seen_by, CAST(r.known_until AS DATE), k.period_end
)
SELECT o.customer_id, o.interval_start, CAST(NULL AS DATE) AS seen_from, CAST(NULL AS DATE) AS seen_to,
    payment__count, payment__newest, amount__1__sum, amount__1__count, large__count, i.period_end
FROM on_time AS o
JOIN intervals AS i
  ON i.interval_start = o.interval_start
UNION ALL
SELECT customer_id, interval_start, seen_from, seen_to, payment__count, payment__newest, amount__1__sum, amount__1__count, large__count, period_end
FROM late;

-- customer_numbers
CREATE OR REPLACE TEMP TABLE customer_numbers AS
-- the customers, numbered
SELECT customer_id, ROW_NUMBER() OVER (ORDER BY customer_id) - 1 AS customer_no
FROM (SELECT DISTINCT customer_id FROM snapshots) AS customers_then;

-- payments_tiles
CREATE OR REPLACE TEMP TABLE payments_tiles AS
-- tiles of payments that windows see
SELECT
    n.customer_no,
    t.interval_start,
    t.seen_from,
    t.seen_to,
    FALSE AS mixed,
    t.payment__count,
    t.amount__1__sum,
    t.amount__1__count,
    t.large__count
FROM payments_tiled AS t
JOIN customer_numbers AS n
  ON n.customer_id = t.customer_id
WHERE t.period_end > DATE '2023-11-02'
ORDER BY n.customer_no, t.interval_start;

-- payments_bands_d
CREATE OR REPLACE TEMP TABLE payments_bands_d AS
SELECT
    band_key,
    CAST(SUM(payment__count) AS BIGINT) AS payment__count,
    CAST(SUM(amount__1__sum) AS DECIMAL(28, 2)) AS amount__1__sum,
    CAST(SUM(amount__1__count) AS BIGINT) AS amount__1__count,
    CAST(SUM(large__count) AS BIGINT) AS large__count
FROM (
SELECT
    (t.customer_no * 6 + c.snapshot_no) * 2 + c.band AS band_key,
    t.payment__count AS payment__count,
    t.amount__1__sum AS amount__1__sum,
    t.amount__1__count AS amount__1__count,
    t.large__count AS large__count
FROM payments_tiles AS t
JOIN payments_cover_d AS c
  ON c.interval_start = t.interval_start
  AND (t.seen_from IS NULL OR c.snapshot_date >= t.seen_from) AND (t.seen_to IS NULL OR c.snapshot_date <= t.seen_to)
) AS spread
GROUP BY band_key;

-- features
WITH
-- every snapshot row with its number
spine AS (
    SELECT
        s.customer_id, s.snapshot_date, s.tenure_days,
        (n.customer_no * 6 + d.snapshot_no) AS ck,
        d.start_30d,
        d.start_90d
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    JOIN customer_numbers AS n
      ON n.customer_id = s.customer_id
),
-- customers as known before t
who_then AS (
    SELECT (n.customer_no * 6 + d.snapshot_no) AS ck, r.region
    FROM customers AS r
    JOIN customer_numbers AS n
      ON n.customer_id = r.customer_id
    JOIN dates AS d
      ON r.known_time < d.t AND (r.known_until IS NULL OR d.t <= r.known_until)
),
-- the newest and first of payments between two snapshots
payments_history_once AS (
    SELECT
        n.customer_no,
        i.seen_by,
        t.seen_from,
        t.seen_to,
        MAX(payment__newest) AS payment__newest
    FROM payments_tiled AS t
    JOIN customer_numbers AS n
      ON n.customer_id = t.customer_id
    JOIN intervals AS i
      ON i.interval_start = t.interval_start
    GROUP BY n.customer_no, i.seen_by, t.seen_from, t.seen_to
),
-- the newest and first of payments of all history known before t
payments_history AS (
    SELECT
        t.customer_no * 6 + l.snapshot_no AS ck,
        MAX(payment__newest) AS payment__newest
    FROM payments_history_once AS t
    JOIN (
        SELECT DISTINCT i.seen_by, d.snapshot_no, d.snapshot_date
        FROM intervals AS i
        JOIN dates AS d
          ON d.snapshot_date >= i.seen_by
    ) AS l
      ON l.seen_by = t.seen_by
      AND (t.seen_from IS NULL OR l.snapshot_date >= t.seen_from)
      AND (t.seen_to IS NULL OR l.snapshot_date <= t.seen_to)
    GROUP BY t.customer_no * 6 + l.snapshot_no
),
-- every snapshot row with what each source says of it
measured AS (
    SELECT
        s.customer_id, s.snapshot_date,
        who_then.region AS region,
        COALESCE((COALESCE(payments_d0.payment__count, 0)), 0) AS payment_count_30d,
        COALESCE((COALESCE(payments_d0.payment__count, 0) + COALESCE(payments_d1.payment__count, 0)), 0) AS payment_count_90d,
        COALESCE(CAST((COALESCE(payments_d0.amount__1__sum, 0)) AS DOUBLE), 0) AS amount_sum_30d,
        COALESCE(CAST((COALESCE(payments_d0.amount__1__sum, 0) + COALESCE(payments_d1.amount__1__sum, 0)) AS DOUBLE), 0) AS amount_sum_90d,
        CAST((COALESCE(payments_d0.amount__1__sum, 0)) AS DOUBLE) / NULLIF((COALESCE(payments_d0.amount__1__count, 0)), 0) AS amount_mean_30d,
        CAST((COALESCE(payments_d0.amount__1__sum, 0) + COALESCE(payments_d1.amount__1__sum, 0)) AS DOUBLE) / NULLIF((COALESCE(payments_d0.amount__1__count, 0) + COALESCE(payments_d1.amount__1__count, 0)), 0) AS amount_mean_90d,
        COALESCE((COALESCE(payments_d0.large__count, 0) + COALESCE(payments_d1.large__count, 0)), 0) AS large_count_90d,
        date_diff('day', CAST(payments_history.payment__newest AS DATE), s.snapshot_date) AS payment_days_since_last,
        CAST(LEAST(date_diff('day', s.start_30d, s.snapshot_date), s.tenure_days) AS DOUBLE) / date_diff('day', s.start_30d, s.snapshot_date) AS history_share_30d,
        CAST(LEAST(date_diff('day', s.start_90d, s.snapshot_date), s.tenure_days) AS DOUBLE) / date_diff('day', s.start_90d, s.snapshot_date) AS history_share_90d
    FROM spine AS s
    LEFT JOIN who_then AS who_then
      ON who_then.ck = s.ck
    LEFT JOIN (SELECT (band_key // 2) AS ck, payment__count, amount__1__sum, amount__1__count, large__count FROM payments_bands_d WHERE band_key % 2 = 0) AS payments_d0
      ON payments_d0.ck = s.ck
    LEFT JOIN (SELECT (band_key // 2) AS ck, payment__count, amount__1__sum, amount__1__count, large__count FROM payments_bands_d WHERE band_key % 2 = 1) AS payments_d1
      ON payments_d1.ck = s.ck
    LEFT JOIN payments_history AS payments_history
      ON payments_history.ck = s.ck
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
    -- Payments a day, last 30 days against the last 90 days [times]
    (CAST(payment_count_30d AS DOUBLE) / 30) / NULLIF((CAST(payment_count_90d AS DOUBLE) / 90), 0) AS payment_count_30d_over_90d,
    -- Share of the 30 days before in which the customer was with the bank
    history_share_30d,
    -- Share of the 90 days before in which the customer was with the bank
    history_share_90d
FROM measured;

