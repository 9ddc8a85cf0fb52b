-- Books to reconcile: @rows usage rows over @days days up to now, of 100 accounts, each with its price lines; a ledger row for each account and hundred of its
-- rows, and a recharge, all old enough for a checkpoint. Made in SQL alone; two of three rows are the kind that costs most to recompute. Needs an empty database with the schema.
SET @rows = COALESCE(@rows, 1000000), @days = COALESCE(@days, 40), time_zone = '+00:00';
SET @end = FLOOR(UNIX_TIMESTAMP(UTC_TIMESTAMP(3)) * 1000) - 60000, @step = @days * 86400000 / @rows;

INSERT IGNORE INTO accounts (id, name) SELECT seq, CONCAT('account ', seq) FROM seq_1_to_100;
INSERT INTO ledger (account_id, kind, amount, created_at) SELECT seq, 'recharge', 1000, UTC_TIMESTAMP(3) - INTERVAL 2 DAY FROM seq_1_to_100;

-- The id of row n: its time in ten characters of Crockford's base 32, then n.
INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, model, upstream_model, channel_id, channel_key_id, client_format, provider_format,
  is_stream, status, http_status, finish_reason, input_tokens, cached_input_tokens, output_tokens, price_lines, cost, attempts, first_byte_ms, duration_ms,
  process_id, created_at)
SELECT CONCAT(
    SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 45 & 31) + 1, 1), SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 40 & 31) + 1, 1),
    SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 35 & 31) + 1, 1), SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 30 & 31) + 1, 1),
    SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 25 & 31) + 1, 1), SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 20 & 31) + 1, 1),
    SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 15 & 31) + 1, 1), SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 10 & 31) + 1, 1),
    SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms >> 5 & 31) + 1, 1), SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (t.ms & 31) + 1, 1),
    LPAD(t.n, 16, '0')),
  1 + t.n % 100, 1 + t.n % 300, 1, 'chat.completions', CONCAT('model-', t.n % 7), 'upstream', 1 + t.n % 3, 1, 'openai-chat', 'openai-chat',
  1, 'ok', 200, 'stop', 1000 + t.n % 1000, 500, 200,
  CONCAT('[{"unit":"input_token","count":', 1000 + t.n % 1000, ',"per":1000000,"amount":"1.250000000"},',
    IF(t.n % 3, '{"unit":"cached_input_token","count":500,"per":1000000,"amount":"0.125000000"},', ''),
    '{"unit":"output_token","count":200,"per":1000000,"amount":"10.000000000"}]'),
  ((1000 + t.n % 1000) * 1.25 + IF(t.n % 3, 62.5, 0) + 2000) / 1000000, 1, 300, 2000, '01BOOKS0000000000000000000', FROM_UNIXTIME(t.ms / 1000)
FROM (SELECT s.seq AS n, CAST(@end - (@rows - s.seq) * @step AS UNSIGNED) AS ms FROM seq_1_to_100000000 s WHERE s.seq <= @rows) t;

INSERT INTO ledger (account_id, kind, amount, created_at)
SELECT account_id, 'usage', -SUM(cost), UTC_TIMESTAMP(3) - INTERVAL 2 DAY FROM usage_log GROUP BY account_id, CAST(RIGHT(request_id, 16) AS UNSIGNED) DIV 10000;
