-- What the agent programs' tests need beside etc/demo.sql: a key with money, the models and the other names that the programs ask for, and
-- a channel in each wire format that serves all of them. The demo provider calls the program's shell tool, as the upstream name asks it to
-- behind '@'. @provider_url is set by the caller, who also enables one channel after the other.

INSERT INTO accounts (name) VALUES ('clients');
INSERT INTO ledger (account_id, kind, amount) SELECT id, 'recharge', 1000 FROM accounts WHERE name = 'clients';
INSERT INTO api_keys (account_id, name, key_hash) SELECT id, 'clients', UNHEX(SHA2('sk-aip-clients', 256)) FROM accounts WHERE name = 'clients';

INSERT INTO models (name, context_tokens, output_tokens_max) VALUES
  ('gpt-5.4',         1000000, 128000),
  ('gpt-6.1-sol',     1000000, 128000),
  ('claude-opus-5-5', 1000000, 128000);
INSERT INTO prices (model_id, unit, amount, valid_from)
  SELECT m.id, u.unit, 1, '2026-01-01' FROM models m JOIN (SELECT 'input_token' AS unit UNION SELECT 'output_token') u
  WHERE m.name IN ('gpt-5.4', 'gpt-6.1-sol', 'claude-opus-5-5');

INSERT INTO model_aliases (alias, model_id, note)
  SELECT a.alias, m.id, 'side models and defaults of the programs'
  FROM (SELECT 'claude-*' AS alias, 'claude-sonnet-4-6' AS model
        UNION ALL SELECT 'gpt-*',    'gpt-5'
        UNION ALL SELECT 'gemini-*', 'gemini-2.5-pro') a
  JOIN models m ON m.name = a.model;

UPDATE channels SET status = 'disabled';
INSERT INTO channels (name, provider, format, base_url, allow_private, status) VALUES
  ('to-anthropic', 'demo', 'anthropic',        @provider_url, TRUE, 'disabled'),
  ('to-chat',      'demo', 'openai-chat',      @provider_url, TRUE, 'disabled'),
  ('to-responses', 'demo', 'openai-responses', @provider_url, TRUE, 'disabled'),
  ('to-gemini',    'demo', 'gemini',           @provider_url, TRUE, 'disabled');
INSERT INTO channel_keys (channel_id, secret) SELECT id, 'demo-provider-key' FROM channels WHERE name LIKE 'to-%';

-- A model goes by its own name to a provider of its kind, and to the others as the model that they have.
INSERT INTO channel_models (channel_id, model_id, upstream_name)
  SELECT c.id, m.id, CONCAT(IF(m.name LIKE CONCAT(k.kind, '%'), m.name, k.model), '@shell=cp%20secret.txt%20ran.txt%20&&%20cat%20ran.txt')
  FROM models m
  JOIN (SELECT 'to-anthropic' AS channel, 'claude' AS kind, 'claude-sonnet-4-6' AS model
        UNION ALL SELECT 'to-chat',      'gpt',    'gpt-5'
        UNION ALL SELECT 'to-responses', 'gpt',    'gpt-5'
        UNION ALL SELECT 'to-gemini',    'gemini', 'gemini-2.5-pro') k
  JOIN channels c ON c.name = k.channel;
