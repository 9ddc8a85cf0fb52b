-- Where requests go: a channel is a provider endpoint with its keys and the models that it serves.

CREATE TABLE IF NOT EXISTS channels (
  id                   INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the channel',
  name                 VARCHAR(64) NOT NULL COMMENT 'Unique name',
  provider             VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'openai' COMMENT 'Whose API; parameter_overrides refer to it',
  format               ENUM('openai-chat') NOT NULL DEFAULT 'openai-chat' COMMENT 'Wire format',
  base_url             VARCHAR(255) NOT NULL COMMENT 'As in https://api.openai.com/v1; the path of the call is appended',
  priority             INT NOT NULL DEFAULT 0 COMMENT 'Higher is tried first',
  weight               INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'Share among channels of one priority; 0: only when no other is left',
  status               ENUM('enabled','draining','disabled') NOT NULL DEFAULT 'enabled' COMMENT 'draining and disabled take no new requests',
  connect_ms           INT UNSIGNED NULL COMMENT 'Longest time to connect; NULL: the setting connect_ms',
  first_byte_ms        INT UNSIGNED NULL COMMENT 'Longest wait for the first byte; NULL: the settings first_byte_*_ms',
  between_bytes_ms     INT UNSIGNED NULL COMMENT 'Longest silence inside an answer; NULL: the setting between_bytes_ms',
  total_ms             INT UNSIGNED NULL COMMENT 'Longest whole exchange; NULL: the setting total_ms',
  note                 VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  created_at           DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  UNIQUE KEY channels_name (name),
  CONSTRAINT channels_base_url CHECK (base_url LIKE 'https://%' OR base_url LIKE 'http://%')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Provider endpoints';

CREATE TABLE IF NOT EXISTS channel_keys (
  id         INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the provider key',
  channel_id INT UNSIGNED NOT NULL COMMENT 'Its channel',
  secret     VARCHAR(2048) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The provider key; a plain one is sealed at first use when secret_key_file is set',
  status     ENUM('enabled','disabled') NOT NULL DEFAULT 'enabled' COMMENT 'disabled: not used',
  weight     INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'Share among the keys of the channel',
  note       VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  created_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  KEY channel_keys_channel (channel_id),
  CONSTRAINT channel_keys_channel FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE,
  CONSTRAINT channel_keys_secret CHECK (secret <> '')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Keys of providers';

CREATE TABLE IF NOT EXISTS channel_models (
  channel_id    INT UNSIGNED NOT NULL COMMENT 'The channel',
  model_id      INT UNSIGNED NOT NULL COMMENT 'A model that it serves',
  upstream_name VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'What the provider calls it; NULL: the same',
  status        ENUM('enabled','disabled') NOT NULL DEFAULT 'enabled' COMMENT 'disabled: not served here',
  PRIMARY KEY (channel_id, model_id),
  CONSTRAINT channel_models_channel FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE,
  CONSTRAINT channel_models_model FOREIGN KEY (model_id) REFERENCES models (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Which channel serves which model';

CREATE TABLE IF NOT EXISTS parameter_overrides (
  id            INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number; overrides apply in this order',
  provider      VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'For all channels of this provider...',
  channel_id    INT UNSIGNED NULL COMMENT '... or for one channel',
  model_pattern VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '%' COMMENT 'LIKE pattern of the provider''s own model name',
  action        ENUM('set','default','remove','rename') NOT NULL COMMENT 'set: always this value; default: when absent; remove; rename: to the member named in value',
  member        VARCHAR(64) NOT NULL COMMENT 'Top-level member of the request body',
  value         TEXT NULL COMMENT 'JSON for set and default; the new name for rename',
  note          VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  PRIMARY KEY (id),
  KEY parameter_overrides_channel (channel_id),
  CONSTRAINT parameter_overrides_channel FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE,
  CONSTRAINT parameter_overrides_whom CHECK ((provider IS NULL) <> (channel_id IS NULL)),
  CONSTRAINT parameter_overrides_value CHECK ((action = 'remove' AND value IS NULL) OR (action = 'rename' AND value IS NOT NULL AND value <> '')
    OR (action IN ('set','default') AND value IS NOT NULL AND JSON_VALID(value))),
  CONSTRAINT parameter_overrides_member CHECK (member <> '' AND member NOT IN ('model','stream','messages'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Changes to top-level members of a request body on its way to a provider';

-- OpenAI's reasoning models take max_completion_tokens instead of max_tokens and refuse temperature and top_p.
INSERT IGNORE INTO parameter_overrides (id, provider, model_pattern, action, member, value, note) VALUES
  (1,  'openai', 'gpt-5%', 'rename', 'max_tokens', 'max_completion_tokens', 'reasoning models'),
  (2,  'openai', 'gpt-5%', 'remove', 'temperature', NULL, 'reasoning models'),
  (3,  'openai', 'gpt-5%', 'remove', 'top_p', NULL, 'reasoning models'),
  (4,  'openai', 'gpt-6%', 'rename', 'max_tokens', 'max_completion_tokens', 'reasoning models'),
  (5,  'openai', 'gpt-6%', 'remove', 'temperature', NULL, 'reasoning models'),
  (6,  'openai', 'gpt-6%', 'remove', 'top_p', NULL, 'reasoning models'),
  (7,  'openai', 'o1%', 'rename', 'max_tokens', 'max_completion_tokens', 'reasoning models'),
  (8,  'openai', 'o1%', 'remove', 'temperature', NULL, 'reasoning models'),
  (9,  'openai', 'o1%', 'remove', 'top_p', NULL, 'reasoning models'),
  (10, 'openai', 'o3%', 'rename', 'max_tokens', 'max_completion_tokens', 'reasoning models'),
  (11, 'openai', 'o3%', 'remove', 'temperature', NULL, 'reasoning models'),
  (12, 'openai', 'o3%', 'remove', 'top_p', NULL, 'reasoning models'),
  (13, 'openai', 'o4%', 'rename', 'max_tokens', 'max_completion_tokens', 'reasoning models'),
  (14, 'openai', 'o4%', 'remove', 'temperature', NULL, 'reasoning models'),
  (15, 'openai', 'o4%', 'remove', 'top_p', NULL, 'reasoning models');
