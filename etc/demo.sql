-- What `make run` sells: an account with credit, the models of the documentation with their prices, and a channel to the demo
-- provider. It is what an admin would type; running it again changes nothing. @key and @provider_url are set by the caller.

INSERT INTO accounts (name, email) VALUES ('demo', 'demo@example.com')
  ON DUPLICATE KEY UPDATE name = name;

INSERT IGNORE INTO ledger (account_id, kind, amount, reference, note)
  SELECT id, 'recharge', 10, 'demo-credit', 'to try the gateway' FROM accounts WHERE name = 'demo';

INSERT IGNORE INTO api_keys (account_id, name, key_hash, key_hint)
  SELECT id, 'demo', UNHEX(SHA2(@key, 256)), CONCAT(LEFT(@key, 10), '...', RIGHT(@key, 4)) FROM accounts WHERE name = 'demo';

INSERT INTO models (name, owned_by, context_tokens, output_tokens_max) VALUES
  ('gpt-5',             'openai',    400000, 128000),
  ('claude-sonnet-4-6', 'anthropic', 200000,  64000),
  ('gemini-2.5-pro',    'google',   1048576,  65536)
  ON DUPLICATE KEY UPDATE name = name;

-- USD per million tokens.
INSERT IGNORE INTO prices (model_id, unit, amount, valid_from)
  SELECT m.id, p.unit, p.amount, '2026-01-01'
  FROM models m
  JOIN (SELECT 'gpt-5' AS model, 'input_token' AS unit, 1.25 AS amount
        UNION ALL SELECT 'gpt-5',             'cached_input_token',  0.125
        UNION ALL SELECT 'gpt-5',             'output_token',       10
        UNION ALL SELECT 'claude-sonnet-4-6', 'input_token',         3
        UNION ALL SELECT 'claude-sonnet-4-6', 'cached_input_token',  0.3
        UNION ALL SELECT 'claude-sonnet-4-6', 'output_token',       15
        UNION ALL SELECT 'gemini-2.5-pro',    'input_token',         1.25
        UNION ALL SELECT 'gemini-2.5-pro',    'cached_input_token',  0.31
        UNION ALL SELECT 'gemini-2.5-pro',    'output_token',       10) p ON p.model = m.name;

-- One channel for each wire format that the demo provider speaks; each model is at the provider whose format it was made for.
INSERT INTO channels (name, provider, format, base_url, allow_private, note) VALUES
  ('demo',           'demo', 'openai-chat', @provider_url, TRUE, 'made-up answers, free'),
  ('demo-anthropic', 'demo', 'anthropic',   @provider_url, TRUE, 'made-up answers, free'),
  ('demo-gemini',    'demo', 'gemini',      @provider_url, TRUE, 'made-up answers, free')
  ON DUPLICATE KEY UPDATE base_url = @provider_url, allow_private = TRUE;

INSERT INTO channel_keys (channel_id, secret)
  SELECT c.id, 'demo-provider-key' FROM channels c
  WHERE c.provider = 'demo' AND NOT EXISTS (SELECT 1 FROM channel_keys k WHERE k.channel_id = c.id);

INSERT IGNORE INTO channel_models (channel_id, model_id)
  SELECT c.id, m.id
  FROM (SELECT 'gpt-5' AS model, 'demo' AS channel
        UNION ALL SELECT 'claude-sonnet-4-6', 'demo-anthropic'
        UNION ALL SELECT 'gemini-2.5-pro',    'demo-gemini') s
  JOIN models m ON m.name = s.model
  JOIN channels c ON c.name = s.channel;
