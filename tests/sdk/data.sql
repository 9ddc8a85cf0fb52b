-- What the SDK tests need beside etc/demo.sql: keys in each state, and models whose provider misbehaves. The demo provider does what
-- the model's name asks for behind '@'. Each SDK has models of its own, so that one's failures do not count against the other's.

INSERT INTO accounts (name) VALUES ('sdk-rich'), ('sdk-poor'), ('sdk-blocked');
UPDATE accounts SET status = 'disabled' WHERE name = 'sdk-blocked';
INSERT INTO ledger (account_id, kind, amount) SELECT id, 'recharge', IF(name = 'sdk-poor', 0.000000001, 100)
  FROM accounts WHERE name LIKE 'sdk-%';

INSERT INTO api_keys (account_id, name, key_hash, status, expires_at)
  SELECT a.id, k.name, UNHEX(SHA2(CONCAT('sk-aip-sdk-', k.name), 256)), k.status, k.expires_at
  FROM accounts a
  JOIN (SELECT 'sdk-rich' AS account, 'rich' AS name, 'active' AS status, NULL AS expires_at
        UNION ALL SELECT 'sdk-rich',    'limited',  'active',   NULL
        UNION ALL SELECT 'sdk-rich',    'disabled', 'disabled', NULL
        UNION ALL SELECT 'sdk-rich',    'revoked',  'revoked',  NULL
        UNION ALL SELECT 'sdk-rich',    'expired',  'active',   '2020-01-01'
        UNION ALL SELECT 'sdk-poor',    'poor',     'active',   NULL
        UNION ALL SELECT 'sdk-blocked', 'blocked',  'active',   NULL) k ON k.account = a.name;
INSERT INTO api_key_models (api_key_id, model_id)
  SELECT k.id, m.id FROM api_keys k JOIN models m ON m.name = 'gpt-5' WHERE k.name = 'limited';

INSERT INTO models (name, note) VALUES
  ('node-rate',    'x@status=429,retry_after=2'),
  ('node-down',    'x@status=500'),
  ('node-refused', 'x@status=400,code=odd_parameter,msg=This parameter is odd'),
  ('node-broken',  'x@error_in=3,pace=5'),
  ('node-cut',     'x@cut=3,pace=5'),
  ('node/slash',   'x@text=from a model with a slash'),
  ('node-tool',    'x@tool=1');
INSERT INTO models (name, note) SELECT REPLACE(name, 'node', 'python'), note FROM models WHERE name LIKE 'node%';
INSERT INTO prices (model_id, unit, amount, valid_from)
  SELECT m.id, u.unit, 1, '2026-01-01' FROM models m JOIN (SELECT 'input_token' AS unit UNION SELECT 'output_token') u WHERE m.note LIKE 'x@%';
INSERT INTO channel_models (channel_id, model_id, upstream_name)
  SELECT c.id, m.id, m.note FROM channels c JOIN models m ON m.note LIKE 'x@%' WHERE c.name = 'demo';

-- Every client format to every provider format: a channel for each, and for each client a model on it whose requests hold the controls
-- themselves, and one more for errors. The provider's names are of families whose rules the demo provider enforces.
INSERT INTO channels (name, provider, base_url, allow_private, format, note) VALUES
  ('sdk-openai-chat',      'demo', @provider_url, TRUE, 'openai-chat',      'gpt-5'),
  ('sdk-openai-responses', 'demo', @provider_url, TRUE, 'openai-responses', 'gpt-5'),
  ('sdk-anthropic',        'demo', @provider_url, TRUE, 'anthropic',        'claude-sonnet-4-6'),
  ('sdk-gemini',           'demo', @provider_url, TRUE, 'gemini',           'gemini-3-pro');
INSERT INTO channel_keys (channel_id, secret) SELECT id, 'demo-provider-key' FROM channels WHERE name LIKE 'sdk-%';
INSERT INTO models (name, note, context_tokens, output_tokens_max)
  SELECT CONCAT(s.client, '-', c.format, p.purpose), c.name, 200000, 64000
  FROM channels c, (SELECT '' AS purpose UNION SELECT '-errors') p,
       (SELECT 'pairs' AS client UNION SELECT 'node-openai' UNION SELECT 'node-anthropic' UNION SELECT 'node-genai'
        UNION SELECT 'python-openai' UNION SELECT 'python-anthropic' UNION SELECT 'python-genai') s
  WHERE c.name LIKE 'sdk-%';
INSERT INTO channel_models (channel_id, model_id, upstream_name)
  SELECT c.id, m.id, c.note FROM channels c JOIN models m ON m.note = c.name WHERE c.name LIKE 'sdk-%';
INSERT INTO prices (model_id, unit, amount, valid_from)
  SELECT m.id, u.unit, u.amount, '2026-01-01' FROM models m
  JOIN (SELECT 'input_token' AS unit, 1 AS amount UNION SELECT 'output_token', 10 UNION SELECT 'cached_input_token', 0.1) u
  WHERE m.note LIKE 'sdk-%';
