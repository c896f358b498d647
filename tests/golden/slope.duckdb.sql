-- the intervals of each snapshot's bands
SELECT i.interval_start, d.snapshot_no, d.snapshot_date, 0 AS band
FROM intervals AS i
JOIN dates AS d
  ON i.interval_start >= d.start_30d AND i.interval_end <= d.snapshot_date

-- events summed up by customer and interval
WITH
-- events known before the first snapshot after them, never corrected
on_time AS (
    SELECT
        r.person_id,
        i.interval_start,
        COUNT(CASE WHEN (r.amount IS NOT NULL) THEN 1 END) AS amount__0__count,
        CAST(SUM(CASE WHEN (r.amount IS NOT NULL) THEN CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS HUGEINT) END) AS DECIMAL(38, 0)) AS amount__0__day_sum,
        CAST(SUM(r.amount) AS DECIMAL(28, 2)) AS amount__0__sum,
        CAST(SUM(CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS HUGEINT) * CAST(CAST(r.amount AS DECIMAL(34, 2)) * 100 AS HUGEINT)) AS DECIMAL(38, 0)) AS amount__0__day_value_sum,
        CAST(SUM(CASE WHEN (r.amount IS NOT NULL) THEN CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS HUGEINT) * CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS HUGEINT) END) AS DECIMAL(38, 0)) AS amount__0__day_day_sum,
        list(CASE WHEN (r.rate IS NOT NULL) THEN [CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS DOUBLE), r.rate] END) FILTER (WHERE (CASE WHEN (r.rate IS NOT NULL) THEN [CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS DOUBLE), r.rate] END) IS NOT NULL) AS rate__1__dated_list
    FROM events AS r
    JOIN grid_days AS i
      ON i.day_start = CASE WHEN CAST(r.event_time AS DATE) < DATE '2024-04-30' THEN DATE '2024-04-30' ELSE CAST(r.event_time AS DATE) END
    WHERE r.known_time < CASE WHEN r.known_until IS NULL THEN i.seen_at END
    GROUP BY r.person_id, i.interval_start
),
-- events known later, or corrected
late AS (
    SELECT
        r.person_id,
        i.interval_start,
        k.seen_by AS seen_from,
        CAST(r.known_until AS DATE) AS seen_to,
        k.period_end,
        COUNT(CASE WHEN (r.amount IS NOT NULL) THEN 1 END) AS amount__0__count,
        CAST(SUM(CASE WHEN (r.amount IS NOT NULL) THEN CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS HUGEINT) END) AS DECIMAL(38, 0)) AS amount__0__day_sum,
        CAST(SUM(r.amount) AS DECIMAL(28, 2)) AS amount__0__sum,
        CAST(SUM(CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS HUGEINT) * CAST(CAST(r.amount AS DECIMAL(34, 2)) * 100 AS HUGEINT)) AS DECIMAL(38, 0)) AS amount__0__day_value_sum,
        CAST(SUM(CASE WHEN (r.amount IS NOT NULL) THEN CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS HUGEINT) * CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS HUGEINT) END) AS DECIMAL(38, 0)) AS amount__0__day_day_sum,
        list(CASE WHEN (r.rate IS NOT NULL) THEN [CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS DOUBLE), r.rate] END) FILTER (WHERE (CASE WHEN (r.rate IS NOT NULL) THEN [CAST(date_diff('day', DATE '2020-01-01', CAST(r.event_time AS DATE)) AS DOUBLE), r.rate] END) IS NOT NULL) AS rate__1__dated_list
    FROM events AS r
    JOIN grid_days AS i
      ON i.day_start = CASE WHEN CAST(r.event_time AS DATE) < DATE '2024-04-30' THEN DATE '2024-04-30' ELSE CAST(r.event_time AS DATE) END
    JOIN grid_days AS k
      ON k.day_start = CASE WHEN CAST(GREATEST(r.event_time, r.known_time) AS DATE) < DATE '2024-04-30' THEN DATE '2024-04-30' ELSE CAST(GREATEST(r.event_time, r.known_time) AS DATE) END
    WHERE (r.known_until IS NOT NULL OR CAST(r.known_time AS DATE) > CAST(r.event_time AS DATE)) AND (r.known_until IS NOT NULL OR r.known_time >= i.seen_at)
        AND (r.known_until IS NULL OR CAST(r.known_until AS DATE) >= k.seen_by)
    GROUP BY r.person_id, i.interval_start, k.seen_by, CAST(r.known_until AS DATE), k.period_end
)
SELECT o.person_id, o.interval_start, CAST(NULL AS DATE) AS seen_from, CAST(NULL AS DATE) AS seen_to,
    amount__0__count, amount__0__day_sum, amount__0__sum, amount__0__day_value_sum, amount__0__day_day_sum, rate__1__dated_list, i.period_end
FROM on_time AS o
JOIN intervals AS i
  ON i.interval_start = o.interval_start
UNION ALL
SELECT person_id, interval_start, seen_from, seen_to, amount__0__count, amount__0__day_sum, amount__0__sum, amount__0__day_value_sum, amount__0__day_day_sum, rate__1__dated_list, period_end
FROM late

-- the customers, numbered
SELECT person_id, ROW_NUMBER() OVER (ORDER BY person_id) - 1 AS customer_no
FROM (SELECT DISTINCT person_id FROM snapshots) AS customers_then

-- tiles of events that windows see
SELECT
    n.customer_no,
    t.interval_start,
    t.seen_from,
    t.seen_to,
    FALSE AS mixed,
    t.amount__0__count,
    t.amount__0__day_sum,
    t.amount__0__sum,
    t.amount__0__day_value_sum,
    t.amount__0__day_day_sum,
    t.rate__1__dated_list
FROM events_tiled AS t
JOIN customer_numbers AS n
  ON n.person_id = t.person_id
WHERE t.period_end > DATE '2024-05-01'
ORDER BY n.customer_no, t.interval_start

SELECT
    band_key,
    CAST(SUM(amount__0__count) AS BIGINT) AS amount__0__count,
    CAST(SUM(amount__0__day_sum) AS DECIMAL(38, 0)) AS amount__0__day_sum,
    CAST(SUM(amount__0__sum) AS DECIMAL(28, 2)) AS amount__0__sum,
    CAST(SUM(amount__0__day_value_sum) AS DECIMAL(38, 0)) AS amount__0__day_value_sum,
    CAST(SUM(amount__0__day_day_sum) AS DECIMAL(38, 0)) AS amount__0__day_day_sum,
    flatten(list(rate__1__dated_list)) AS rate__1__dated_list
FROM (
SELECT
    (t.customer_no * 1 + c.snapshot_no) * 1 + c.band AS band_key,
    t.amount__0__count AS amount__0__count,
    t.amount__0__day_sum AS amount__0__day_sum,
    t.amount__0__sum AS amount__0__sum,
    t.amount__0__day_value_sum AS amount__0__day_value_sum,
    t.amount__0__day_day_sum AS amount__0__day_day_sum,
    t.rate__1__dated_list AS rate__1__dated_list
FROM events_tiles AS t
JOIN events_cover_d AS c
  ON c.interval_start = t.interval_start
  AND (t.seen_from IS NULL OR c.snapshot_date >= t.seen_from) AND (t.seen_to IS NULL OR c.snapshot_date <= t.seen_to)
) AS spread
GROUP BY band_key

WITH
-- every snapshot row with its number
spine AS (
    SELECT
        s.person_id, s.snapshot_date, s.tenure_days,
        (n.customer_no * 1 + d.snapshot_no) AS ck,
        d.start_30d
    FROM snapshots AS s
    JOIN dates AS d
      ON d.snapshot_date = s.snapshot_date
    JOIN customer_numbers AS n
      ON n.person_id = s.person_id
),
-- every snapshot row with what each source says of it
measured AS (
    SELECT
        s.person_id, s.snapshot_date,
        CASE WHEN (COALESCE(events_d0.amount__0__count, 0)) > 2 THEN (CAST((COALESCE(events_d0.amount__0__count, 0)) * CAST((COALESCE(events_d0.amount__0__day_value_sum, 0)) AS HUGEINT) - CAST((COALESCE(events_d0.amount__0__day_sum, 0)) AS HUGEINT) * CAST(CAST((COALESCE(events_d0.amount__0__sum, 0)) AS DECIMAL(34, 2)) * 100 AS HUGEINT) AS DOUBLE)) / NULLIF((CAST((COALESCE(events_d0.amount__0__count, 0)) * CAST((COALESCE(events_d0.amount__0__day_day_sum, 0)) AS HUGEINT) - CAST((COALESCE(events_d0.amount__0__day_sum, 0)) AS HUGEINT) * CAST((COALESCE(events_d0.amount__0__day_sum, 0)) AS HUGEINT) AS DOUBLE)), 0) / 100 END AS amount_slope_30d,
        (list_transform(list_transform(list_transform(list_transform(list_transform(list_transform(list_transform([COALESCE(list_concat(COALESCE(events_d0.rate__1__dated_list, [])), [])], lambda it: {'l': it, 'n': len(it), 'm': (list_sort(list_transform(it, lambda el: (el)[0 + 1])))[0 + 1], 'k': CASE WHEN (list_sort(list_transform(it, lambda el: -ABS((el)[1 + 1]))))[0 + 1] < -CAST('1e280' AS DOUBLE) THEN CAST('1.262177448353619e-29' AS DOUBLE) ELSE CAST(1 AS DOUBLE) END}), lambda it: {'n': it.n, 'k': it.k, 'l': it.l, 'm': it.m, 's': list_sum(list_transform(it.l, lambda el: ((el)[0 + 1] - it.m))), 'q': list_sum(list_transform(it.l, lambda el: ((el)[0 + 1] - it.m) * ((el)[0 + 1] - it.m)))}), lambda it: {'n': it.n, 'k': it.k, 'd': it.n * it.q - it.s * it.s, 'l': list_transform(it.l, lambda el: {'w': it.n * ((el)[0 + 1] - it.m) - it.s, 'y': (el)[1 + 1] * it.k})}), lambda it: {'n': it.n, 'k': it.k, 'd': it.d, 'l': list_transform(it.l, lambda el: {'w': el.w, 'y': el.y, 'h': CAST(134217729 AS DOUBLE) * el.y - (CAST(134217729 AS DOUBLE) * el.y - el.y)})}), lambda it: {'n': it.n, 'k': it.k, 'd': it.d, 's': (list_transform(list_transform(list_transform(list_transform(list_transform([list_concat(list_transform(it.l, lambda el: el.w * el.h), list_transform(it.l, lambda el: el.w * (el.y - el.h)))], lambda it: list_sort(list_transform(it, lambda el: {'size': -ABS(el), 's': el, 'c': CAST(0 AS DOUBLE)}))), lambda it: {'l': it, 'k': CASE WHEN (it)[0 + 1].size < -CAST('1e298' AS DOUBLE) THEN CAST('2.3283064365386963e-10' AS DOUBLE) ELSE CAST(1 AS DOUBLE) END}), lambda it: {'n': len(it.l), 'k': it.k, 's': (list_reduce(list_transform(it.l, lambda el: {'size': el.size, 's': el.s * it.k, 'c': CAST(0 AS DOUBLE)}), lambda acc, el: {'size': CAST(0 AS DOUBLE), 's': (((acc.c + el.s) + acc.s) + ((el.s - ((acc.c + el.s) - acc.c)) + ((acc.c + el.s) - (((acc.c + el.s) + acc.s) - acc.s)))), 'c': ((el.s - ((acc.c + el.s) - acc.c)) + ((acc.c + el.s) - (((acc.c + el.s) + acc.s) - acc.s))) - ((((acc.c + el.s) + acc.s) + ((el.s - ((acc.c + el.s) - acc.c)) + ((acc.c + el.s) - (((acc.c + el.s) + acc.s) - acc.s)))) - ((acc.c + el.s) + acc.s))}, {'size': CAST(0 AS DOUBLE), 's': CAST(0 AS DOUBLE), 'c': CAST(0 AS DOUBLE)})).s}), lambda it: it.s / it.k), lambda it: CASE WHEN isfinite(it) THEN it END))[0 + 1]}), lambda it: CASE WHEN it.n >= 3 AND it.d > 0 THEN it.s / it.d / it.k END), lambda it: CASE WHEN isfinite(it) THEN it END))[0 + 1] AS rate_slope_30d,
        CAST(LEAST(date_diff('day', s.start_30d, s.snapshot_date), s.tenure_days) AS DOUBLE) / date_diff('day', s.start_30d, s.snapshot_date) AS history_share_30d
    FROM spine AS s
    LEFT JOIN (SELECT (band_key // 1) AS ck, amount__0__count, amount__0__day_sum, amount__0__sum, amount__0__day_value_sum, amount__0__day_day_sum, rate__1__dated_list FROM events_bands_d WHERE band_key % 1 = 0) AS events_d0
      ON events_d0.ck = s.ck
)
SELECT
    person_id,
    snapshot_date,
    -- Money, change a day over the 30 days before [USD a day]
    amount_slope_30d,
    -- Money, change a day over the 30 days before [USD a day]
    rate_slope_30d,
    -- Share of the 30 days before in which the customer was with the bank
    history_share_30d
FROM measured
