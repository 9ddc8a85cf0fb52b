-- Attempts that did not win. A row comes with the usage row of its request, in one transaction; upkeep removes them after 30 days, or with
-- the months of usage_log when those go earlier.

CREATE TABLE IF NOT EXISTS request_attempts (
  request_id     CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The request',
  n              SMALLINT UNSIGNED NOT NULL COMMENT 'Which of its attempts, from 1',
  channel_id     INT UNSIGNED NOT NULL COMMENT 'The channel that was tried',
  channel_key_id INT UNSIGNED NULL COMMENT 'With which of its keys',
  key_hint       VARCHAR(16) NOT NULL DEFAULT '' COMMENT 'End of that key, for recognising it',
  status         SMALLINT UNSIGNED NULL COMMENT 'HTTP status of the provider; NULL: none came',
  error          VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Our word for what went wrong',
  connect_ms     INT UNSIGNED NULL COMMENT 'Time to connect; 0: the connection was kept from before',
  first_byte_ms  INT UNSIGNED NULL COMMENT 'From its start to the first byte of the body; NULL: none came',
  total_ms       INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'How long it took',
  bytes          BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'Bytes of the body that came',
  created_at     DATETIME(3) NOT NULL COMMENT 'UTC; when it began',
  PRIMARY KEY (request_id, n),
  KEY request_attempts_channel (channel_id, created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Attempts at channels that did not win';

INSERT IGNORE INTO upkeep (name) VALUES ('attempts');
