-- The keys that clients send. Only the SHA-256 is kept; any string that begins with sk-aip- may be a key.

CREATE TABLE IF NOT EXISTS api_keys (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the key',
  name       VARCHAR(100) NOT NULL DEFAULT '' COMMENT 'What its owner calls it',
  account_id BIGINT UNSIGNED NOT NULL COMMENT 'The account that pays',
  key_hash   BINARY(32) NOT NULL COMMENT 'UNHEX(SHA2(key, 256))',
  key_hint   VARCHAR(32) NOT NULL DEFAULT '' COMMENT 'Beginning and end of the key, for recognising it',
  status     ENUM('active','disabled','revoked') NOT NULL DEFAULT 'active' COMMENT 'Anything but active is refused within a second',
  expires_at DATETIME(3) NULL COMMENT 'UTC; NULL: never',
  created_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  UNIQUE KEY api_keys_hash (key_hash),
  KEY api_keys_account (account_id),
  CONSTRAINT api_keys_account FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='API keys, by their hash';

CREATE TABLE IF NOT EXISTS api_key_models (
  api_key_id BIGINT UNSIGNED NOT NULL COMMENT 'The key',
  model_id   INT UNSIGNED NOT NULL COMMENT 'A model that it may use',
  PRIMARY KEY (api_key_id, model_id),
  CONSTRAINT api_key_models_key FOREIGN KEY (api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE,
  CONSTRAINT api_key_models_model FOREIGN KEY (model_id) REFERENCES models (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Models that a key may use; no row for a key: all';
