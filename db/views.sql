-- Views for admins; optional, nothing in the program reads them. They run with the rights of whoever asks.

-- What each account has: balance, what running processes have reserved of it, and what is left.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_account_balance AS
SELECT a.id AS account_id, a.name, a.status, b.balance, b.reserved, b.balance - b.reserved AS available
FROM accounts a
JOIN (
  SELECT x.id,
    COALESCE((SELECT c.balance FROM checkpoints c WHERE c.account_id = x.id ORDER BY c.id DESC LIMIT 1), 0)
    + COALESCE((SELECT SUM(l.amount) FROM ledger l WHERE l.account_id = x.id AND l.checkpoint_id IS NULL), 0) AS balance,
    COALESCE((SELECT SUM(s.amount) FROM leases s WHERE s.account_id = x.id), 0) AS reserved
  FROM accounts x
) b ON b.id = a.id;

-- The prices in force now, in USD per million tokens or per request.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_model_prices AS
SELECT m.name AS model, m.status, p.scope, p.scope_id, p.unit, p.qualifier, p.amount, p.valid_from, p.id AS price_id
FROM prices p
JOIN models m ON m.id = p.model_id
WHERE p.valid_from <= UTC_TIMESTAMP(3)
  AND NOT EXISTS (
    SELECT 1 FROM prices n
    WHERE n.model_id = p.model_id AND n.scope = p.scope AND n.scope_id = p.scope_id AND n.unit = p.unit AND n.qualifier = p.qualifier
      AND n.valid_from > p.valid_from AND n.valid_from <= UTC_TIMESTAMP(3));

-- What went wrong in the last day, newest first.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_recent_errors AS
SELECT u.created_at, u.request_id, u.status, u.http_status, u.error_code, u.model, c.name AS channel, a.name AS account, u.attempts, u.duration_ms, u.cost, u.shortfall
FROM usage_log u
LEFT JOIN channels c ON c.id = u.channel_id
LEFT JOIN accounts a ON a.id = u.account_id
WHERE u.status <> 'ok' AND u.created_at > UTC_TIMESTAMP(3) - INTERVAL 1 DAY
ORDER BY u.request_id DESC;

-- What an admin probably did not mean.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_problems AS
SELECT 'model without price' AS problem, m.name AS subject, 'INSERT INTO prices rows for input_token and output_token, or for request; until then it is not served' AS remedy
FROM models m
WHERE m.status = 'enabled'
  AND NOT EXISTS (SELECT 1 FROM prices p WHERE p.model_id = m.id AND p.scope = 'model' AND p.qualifier = '' AND p.unit = 'request' AND p.valid_from <= UTC_TIMESTAMP(3))
  AND NOT (
    EXISTS (SELECT 1 FROM prices p WHERE p.model_id = m.id AND p.scope = 'model' AND p.qualifier = '' AND p.unit = 'input_token' AND p.valid_from <= UTC_TIMESTAMP(3))
    AND EXISTS (SELECT 1 FROM prices p WHERE p.model_id = m.id AND p.scope = 'model' AND p.qualifier = '' AND p.unit = 'output_token' AND p.valid_from <= UTC_TIMESTAMP(3)))
UNION ALL
SELECT 'model without channel', m.name, 'INSERT INTO channel_models for an enabled channel that has an enabled key'
FROM models m
WHERE m.status = 'enabled'
  AND NOT EXISTS (
    SELECT 1 FROM channel_models cm JOIN channels c ON c.id = cm.channel_id
    WHERE cm.model_id = m.id AND cm.status = 'enabled' AND c.status = 'enabled'
      AND EXISTS (SELECT 1 FROM channel_keys k WHERE k.channel_id = c.id AND k.status = 'enabled'))
UNION ALL
SELECT 'channel without key', c.name, 'INSERT INTO channel_keys, or disable the channel'
FROM channels c
WHERE c.status = 'enabled' AND NOT EXISTS (SELECT 1 FROM channel_keys k WHERE k.channel_id = c.id AND k.status = 'enabled')
UNION ALL
SELECT 'provider key refused', CONCAT('channel_keys ', k.id, ' of ', c.name), CONCAT(k.disabled_reason, ' since ', k.disabled_at, '; tried again at ', k.probe_at, '. Mend it at the provider, or UPDATE secret and status')
FROM channel_keys k JOIN channels c ON c.id = k.channel_id
WHERE k.status = 'disabled' AND k.probe_at IS NOT NULL
UNION ALL
SELECT 'channel without model', c.name, 'INSERT INTO channel_models, or disable the channel'
FROM channels c
WHERE c.status = 'enabled' AND NOT EXISTS (SELECT 1 FROM channel_models cm WHERE cm.channel_id = c.id AND cm.status = 'enabled')
UNION ALL
SELECT 'expired key', CONCAT('api_keys ', k.id, ' ', k.key_hint), 'move expires_at, or revoke the key'
FROM api_keys k
WHERE k.status = 'active' AND k.expires_at <= UTC_TIMESTAMP(3)
UNION ALL
SELECT 'active key of a disabled account', CONCAT('api_keys ', k.id, ' ', k.key_hint), CONCAT('account ', a.name, ': enable it, or revoke the key')
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
WHERE k.status = 'active' AND a.status <> 'active'
UNION ALL
SELECT 'account without money', a.name, 'INSERT INTO ledger a recharge'
FROM v_account_balance b
JOIN accounts a ON a.id = b.account_id
WHERE a.status = 'active' AND b.balance <= 0 AND EXISTS (SELECT 1 FROM api_keys k WHERE k.account_id = a.id AND k.status = 'active')
UNION ALL
SELECT 'process not seen', CONCAT(p.host, ' ', p.id), 'its leases stay reserved: start a process on that host to adopt them, or DELETE its row in processes when the host is lost for good'
FROM processes p
WHERE p.seen_at < UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE AND EXISTS (SELECT 1 FROM leases l WHERE l.process_id = p.id AND l.amount > 0)
UNION ALL
SELECT 'usage_log has no partition for its newest rows', 'p_max', 'run aipassctl upkeep as the user who may change tables; with --reorganize when p_max holds many rows'
FROM (
  -- Not PARTITION (p_max): LOCK TABLES on such a view, as mariadb-dump does, and then SHOW CREATE TABLE end MariaDB 10.11 with a signal.
  SELECT 1 FROM usage_log u WHERE u.request_id >= COALESCE((
    SELECT MAX(REPLACE(p.partition_description, '''', '')) FROM information_schema.partitions p
    WHERE p.table_schema = DATABASE() AND p.table_name = 'usage_log' AND p.partition_name <> 'p_max'), '') LIMIT 1) x
UNION ALL
SELECT 'upkeep is late', t.name, CONCAT('run aipassctl upkeep from cron, for partition and retention as the user who may change tables. Its last outcome: ', t.outcome)
FROM upkeep t
WHERE t.due_at < UTC_TIMESTAMP(3) - INTERVAL 1 DAY;

-- How channels did in the last hour, model by model: requests that they answered, attempts that did not win there, and the state of their keys.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_channel_health AS
SELECT c.id AS channel_id, c.name AS channel, c.status, m.name AS model, cm.status AS model_status,
  COALESCE(u.answered, 0) AS answered, COALESCE(u.cut, 0) AS cut, COALESCE(t.lost, 0) AS lost,
  ROUND(100 * COALESCE(t.lost, 0) / NULLIF(COALESCE(u.answered, 0) + COALESCE(t.lost, 0), 0), 1) AS lost_percent, u.first_byte_ms, t.last_error, t.last_lost_at,
  COALESCE(k.usable, 0) AS keys_usable, COALESCE(k.refused, 0) AS keys_refused, k.reason AS refused_because, k.probe_at AS next_probe_at
FROM channels c
LEFT JOIN channel_models cm ON cm.channel_id = c.id
LEFT JOIN models m ON m.id = cm.model_id
LEFT JOIN (
  SELECT x.channel_id, x.model, SUM(x.status = 'ok') AS answered, SUM(x.status = 'cut') AS cut, ROUND(AVG(CASE WHEN x.status = 'ok' THEN x.first_byte_ms END)) AS first_byte_ms
  FROM usage_log x WHERE x.created_at > UTC_TIMESTAMP(3) - INTERVAL 1 HOUR GROUP BY x.channel_id, x.model) u ON u.channel_id = c.id AND u.model = m.name
LEFT JOIN (
  SELECT a.channel_id, x.model, COUNT(*) AS lost, SUBSTRING_INDEX(GROUP_CONCAT(CONCAT_WS(' ', a.error, a.status) ORDER BY a.request_id DESC, a.n DESC), ',', 1) AS last_error,
    MAX(a.created_at) AS last_lost_at
  FROM request_attempts a JOIN usage_log x ON x.request_id = a.request_id
  WHERE a.created_at > UTC_TIMESTAMP(3) - INTERVAL 1 HOUR GROUP BY a.channel_id, x.model) t ON t.channel_id = c.id AND t.model = m.name
LEFT JOIN (
  SELECT x.channel_id, SUM(x.status = 'enabled' AND (x.cooldown_until IS NULL OR x.cooldown_until <= UTC_TIMESTAMP(3))) AS usable,
    SUM(x.status = 'disabled' AND x.probe_at IS NOT NULL) AS refused, MAX(CASE WHEN x.probe_at IS NOT NULL THEN x.disabled_reason END) AS reason, MIN(x.probe_at) AS probe_at
  FROM channel_keys x GROUP BY x.channel_id) k ON k.channel_id = c.id;

-- Each request's cost computed again from its price lines, to the last digit: cost + shortfall = recomputed, channel_cost = recomputed_channel.
-- Where the least price of a request was charged, its line alone has an amount. count * amount * (1000000 / per) is millionths of a USD, so that
-- nothing is divided before the one rounding up.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_usage_recomputed AS
SELECT u.request_id, u.cost, u.shortfall,
  CAST((
    SELECT CEIL(COALESCE(SUM(l.n * l.amount * (1000000 DIV l.per)), 0) * u.price_multiplier * 1000) * 0.000000001
    FROM JSON_TABLE(u.price_lines, '$[*]' COLUMNS (
      n DECIMAL(20,0) PATH '$.count', per BIGINT PATH '$.per', amount DECIMAL(18,9) PATH '$.amount')) AS l) AS DECIMAL(18,9)) AS recomputed,
  u.channel_cost,
  CASE WHEN u.channel_cost IS NOT NULL THEN CAST((
    SELECT CEIL(COALESCE(SUM(l.n * l.amount * (1000000 DIV l.per)), 0) * 1000) * 0.000000001
    FROM JSON_TABLE(u.price_lines, '$[*]' COLUMNS (
      n DECIMAL(20,0) PATH '$.count', per BIGINT PATH '$.per', amount DECIMAL(18,9) PATH '$.channel')) AS l) AS DECIMAL(18,9)) END AS recomputed_channel
FROM usage_log u;

-- What customers paid and what providers cost, by day, model and channel. Requests of a channel without prices are counted in unpriced and are in charged only.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_margin AS
SELECT DATE(u.created_at) AS day, u.model, u.channel_id, c.name AS channel, COUNT(*) AS requests, SUM(u.channel_cost IS NULL AND u.cost > 0) AS unpriced,
  SUM(u.cost) AS charged, SUM(u.channel_cost) AS channel_cost, SUM(CASE WHEN u.channel_cost IS NOT NULL THEN u.cost - u.channel_cost END) AS margin,
  SUM(u.shortfall) AS shortfall
FROM usage_log u
LEFT JOIN channels c ON c.id = u.channel_id
GROUP BY day, u.model, u.channel_id, c.name;

DROP VIEW IF EXISTS v_key_spend;

-- Reconciliation: each view lists what does not agree, and is empty when all is well. `aipassctl ledger check` reads them all.

-- Each checkpoint is the one before plus the rows that it marks, of its own account.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_reconcile_checkpoints AS
SELECT c.account_id, CONCAT('checkpoint ', c.id) AS subject, c.previous + COALESCE(m.amount, 0) AS expected, c.balance AS found
FROM (
  SELECT k.id, k.account_id, k.balance, COALESCE(LAG(k.balance) OVER (PARTITION BY k.account_id ORDER BY k.id), 0) AS previous
  FROM checkpoints k) c
LEFT JOIN (
  SELECT l.account_id, l.checkpoint_id, SUM(l.amount) AS amount
  FROM ledger l WHERE l.checkpoint_id IS NOT NULL GROUP BY l.account_id, l.checkpoint_id) m ON m.checkpoint_id = c.id AND m.account_id = c.account_id
WHERE c.balance <> c.previous + COALESCE(m.amount, 0)
UNION ALL
SELECT l.account_id, CONCAT('ledger row ', l.id, ' has the checkpoint of account ', c.account_id), 0, l.amount
FROM ledger l STRAIGHT_JOIN checkpoints c ON c.id = l.checkpoint_id
WHERE l.account_id <> c.account_id;

-- What each account's requests cost is what its ledger was charged; months that were dropped count by their roll-up.
-- One walk through usage_log: by its index of accounts each row would be a read of its own.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_reconcile_usage AS
SELECT t.account_id, 'usage against ledger' AS subject, SUM(t.used) AS expected, SUM(t.charged) AS found
FROM (
  SELECT u.account_id, SUM(u.cost) AS used, 0 AS charged FROM usage_log u IGNORE INDEX (usage_log_account) GROUP BY u.account_id
  UNION ALL SELECT d.account_id, SUM(d.cost), 0 FROM usage_daily d WHERE d.is_dropped GROUP BY d.account_id
  UNION ALL SELECT l.account_id, 0, -SUM(l.amount) FROM ledger l WHERE l.kind = 'usage' GROUP BY l.account_id) t
GROUP BY t.account_id HAVING SUM(t.used) <> SUM(t.charged);

-- Leases belong to processes that live, and never exceed the balance. expected: at most, or the newest time; found: what there is.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_reconcile_leases AS
SELECT l.account_id, CONCAT('lease of process ', l.process_id, IF(p.id IS NULL, ', which has no row', CONCAT(' on ', p.host, ', not seen since ', p.seen_at))) AS subject,
  0 AS expected, l.amount AS found
FROM leases l LEFT JOIN processes p ON p.id = l.process_id
WHERE p.id IS NULL OR (p.seen_at < UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE AND l.amount > 0)
UNION ALL
SELECT t.account_id, 'leases above the balance', t.balance, t.leased
FROM (
  SELECT s.account_id, SUM(s.amount) AS leased,
    COALESCE((SELECT c.balance FROM checkpoints c WHERE c.account_id = s.account_id ORDER BY c.id DESC LIMIT 1), 0)
    + COALESCE((SELECT SUM(g.amount) FROM ledger g WHERE g.account_id = s.account_id AND g.checkpoint_id IS NULL), 0) AS balance
  FROM leases s GROUP BY s.account_id) t
WHERE t.leased > 0 AND t.leased > t.balance;

-- Each request cost what its price lines say. An interrupted one is charged by its slot and has none.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_reconcile_costs AS
SELECT u.account_id, CONCAT('request ', r.request_id) AS subject, r.recomputed AS expected, r.cost + r.shortfall AS found
FROM v_usage_recomputed r JOIN usage_log u ON u.request_id = r.request_id
WHERE r.cost + r.shortfall <> r.recomputed AND u.status <> 'interrupted';

-- Each day's roll-up is the sum of its rows, unless rows came later: then it will be made again. The ten characters that begin a request id are its
-- time in milliseconds, in Crockford's base 32, of which CONV knows only the digits.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_reconcile_daily AS
SELECT 0 AS account_id, CONCAT('roll-up of ', d.day) AS subject, COALESCE(u.cost, 0) AS expected, COALESCE(s.cost, 0) AS found
FROM usage_days d
LEFT JOIN (SELECT y.day, SUM(y.requests) AS requests, SUM(y.cost) AS cost FROM usage_daily y WHERE NOT y.is_dropped GROUP BY y.day) s ON s.day = d.day
LEFT JOIN (
  SELECT DATE(DATE_ADD('1970-01-01', INTERVAL h.hours HOUR)) AS day, SUM(h.requests) AS requests, SUM(h.cost) AS cost
  FROM (
    SELECT CONV(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(
        LEFT(x.request_id, 10), 'J', 'I'), 'K', 'J'), 'M', 'K'), 'N', 'L'), 'P', 'M'), 'Q', 'N'), 'R', 'O'), 'S', 'P'), 'T', 'Q'), 'V', 'R'), 'W', 'S'),
        'X', 'T'), 'Y', 'U'), 'Z', 'V'), 32, 10) DIV 3600000 AS hours,
      COUNT(*) AS requests, SUM(x.cost) AS cost
    FROM usage_log x IGNORE INDEX (usage_log_account, usage_log_key) GROUP BY hours) h
  GROUP BY day) u ON u.day = d.day
WHERE COALESCE(u.requests, 0) <= d.rows_n
  AND (COALESCE(s.requests, 0) <> COALESCE(u.requests, 0) OR COALESCE(s.cost, 0) <> COALESCE(u.cost, 0) OR d.rows_n <> COALESCE(u.requests, 0));

-- Limits by name: what was borrowed in this minute, what is running, what was spent in all, today and this month (UTC), what running requests hold, and the most that one more may cost.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v_rate_limits AS
SELECT l.id AS limit_id, k.name AS api_key, a.name AS account, g.name AS account_group, c.name AS channel, m.name AS model,
  l.requests_per_minute, COALESCE(r.used, 0) AS requests, l.tokens_per_minute, COALESCE(t.used, 0) AS tokens, l.concurrent_requests,
  (SELECT COALESCE(SUM(s.slots), 0) FROM limit_slots s WHERE s.limit_id = l.id) AS slots,
  l.spend_total, x.spent_total, l.spend_day, x.spent_day, l.spend_month, x.spent_month, x.held,
  CASE WHEN COALESCE(l.spend_total, l.spend_day, l.spend_month) IS NOT NULL THEN GREATEST(0, LEAST(
    COALESCE(l.spend_total - x.spent_total - x.held, 999999999), COALESCE(l.spend_day - x.spent_day - x.held_day, 999999999),
    COALESCE(l.spend_month - x.spent_month - x.held_month, 999999999))) END AS spend_left, l.note
FROM rate_limits l
JOIN (
  SELECT i.id,
    COALESCE(MAX(st.spent), 0) + COALESCE(SUM(CASE WHEN u.request_id IS NOT NULL THEN u.cost END), 0) AS spent_total,
    COALESCE(MAX(sd.spent), 0) + COALESCE(SUM(CASE WHEN u.request_id IS NOT NULL AND DATE(h.held_at) = UTC_DATE() THEN u.cost END), 0) AS spent_day,
    COALESCE(MAX(sm.spent), 0) + COALESCE(SUM(CASE WHEN u.request_id IS NOT NULL AND DATE_FORMAT(h.held_at, '%Y-%m') = DATE_FORMAT(UTC_DATE(), '%Y-%m') THEN u.cost END), 0) AS spent_month,
    COALESCE(SUM(CASE WHEN u.request_id IS NULL AND p.id IS NOT NULL THEN h.amount END), 0) AS held,
    COALESCE(SUM(CASE WHEN u.request_id IS NULL AND p.id IS NOT NULL AND DATE(h.held_at) = UTC_DATE() THEN h.amount END), 0) AS held_day,
    COALESCE(SUM(CASE WHEN u.request_id IS NULL AND p.id IS NOT NULL AND DATE_FORMAT(h.held_at, '%Y-%m') = DATE_FORMAT(UTC_DATE(), '%Y-%m') THEN h.amount END), 0) AS held_month
  FROM rate_limits i
  LEFT JOIN limit_spend st ON st.limit_id = i.id AND st.period = 'total'
  LEFT JOIN limit_spend sd ON sd.limit_id = i.id AND sd.period = 'day' AND sd.starts = UTC_DATE()
  LEFT JOIN limit_spend sm ON sm.limit_id = i.id AND sm.period = 'month' AND sm.starts = DATE_FORMAT(UTC_DATE(), '%Y-%m-01')
  LEFT JOIN limit_holds h ON h.limit_id = i.id
  LEFT JOIN usage_log u ON u.request_id = h.request_id
  LEFT JOIN processes p ON p.id = h.process_id
  GROUP BY i.id
) x ON x.id = l.id
LEFT JOIN api_keys k ON k.id = l.api_key_id
LEFT JOIN accounts a ON a.id = l.account_id
LEFT JOIN account_groups g ON g.id = l.group_id
LEFT JOIN channels c ON c.id = l.channel_id
LEFT JOIN models m ON m.id = l.model_id
LEFT JOIN limit_windows r ON r.limit_id = l.id AND r.kind = 'requests' AND r.starts_at > UTC_TIMESTAMP() - INTERVAL 1 MINUTE
LEFT JOIN limit_windows t ON t.limit_id = l.id AND t.kind = 'tokens' AND t.starts_at > UTC_TIMESTAMP() - INTERVAL 1 MINUTE;
