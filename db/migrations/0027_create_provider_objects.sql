-- Objects that providers keep for our clients: where they lie and whose they are. Rows are the gateway's own. They refer to accounts,
-- channels and keys without foreign keys: each answer may add a row, which must not lock the rows of those that all requests share.

CREATE TABLE IF NOT EXISTS provider_objects (
  kind           ENUM('response') NOT NULL COMMENT 'What it is; response: an answer of the Responses API that can be continued',
  id             VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Its name as the provider gave it',
  account_id     BIGINT UNSIGNED NOT NULL COMMENT 'Whose it is; for all others it does not exist',
  channel_id     INT UNSIGNED NOT NULL COMMENT 'The channel whose provider keeps it',
  channel_key_id INT UNSIGNED NOT NULL COMMENT 'The provider key that it was made with',
  created_at     DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  expires_at     DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3) + INTERVAL 30 DAY) COMMENT 'UTC; from then on it does not exist',
  PRIMARY KEY (kind, id),
  KEY provider_objects_expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What providers keep for clients';

INSERT IGNORE INTO upkeep (name) VALUES ('objects');
