-- Sums of usage_log by day. The day of a request is that of its id, so that a month's days are exactly the rows of its partition.

CREATE TABLE IF NOT EXISTS usage_daily (
  day                   DATE NOT NULL COMMENT 'UTC; of the request ids',
  account_id            BIGINT UNSIGNED NOT NULL COMMENT 'Who paid',
  api_key_id            BIGINT UNSIGNED NOT NULL COMMENT 'With which key',
  model                 VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Public model name',
  channel_id            INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'The channel that answered; 0: none was reached',
  is_dropped            BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'TRUE: the rows summed here are in usage_log no more, this is what is left of them',
  requests              BIGINT UNSIGNED NOT NULL COMMENT 'Rows of usage_log',
  failed                BIGINT UNSIGNED NOT NULL COMMENT '... whose status is not ok',
  estimated             BIGINT UNSIGNED NOT NULL COMMENT '... whose usage was estimated',
  input_tokens          BIGINT UNSIGNED NOT NULL COMMENT 'Fresh input',
  cached_input_tokens   BIGINT UNSIGNED NOT NULL COMMENT 'Input read from the provider''s cache',
  cache_write_tokens    BIGINT UNSIGNED NOT NULL COMMENT 'Input written to the provider''s cache',
  cache_write_1h_tokens BIGINT UNSIGNED NOT NULL COMMENT 'Input written to the provider''s one hour cache',
  output_tokens         BIGINT UNSIGNED NOT NULL COMMENT 'All output, reasoning included',
  reasoning_tokens      BIGINT UNSIGNED NOT NULL COMMENT 'The part of the output that is reasoning',
  cost                  DECIMAL(18,9) NOT NULL COMMENT 'USD charged',
  shortfall             DECIMAL(18,9) NOT NULL COMMENT 'USD that the owner bore',
  channel_cost          DECIMAL(18,9) NULL COMMENT 'USD that the owner pays providers, where their prices are known; NULL: nowhere',
  PRIMARY KEY (day, account_id, api_key_id, model, channel_id, is_dropped),
  KEY usage_daily_account (account_id, day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Usage by day, account, key, model and channel';

CREATE TABLE IF NOT EXISTS usage_days (
  day       DATE NOT NULL COMMENT 'UTC; of the request ids',
  rows_n    BIGINT UNSIGNED NOT NULL COMMENT 'Rows of usage_log that the roll-up has counted; more there than here: it is made again',
  rolled_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Which days of usage_log are in usage_daily, and with how many rows';

-- A row comes with the sums, in one transaction: what was taken out of usage_log is never summed twice.
CREATE TABLE IF NOT EXISTS usage_drops (
  first_id   CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'First request id of what was dropped',
  last_id    CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Last request id of it',
  rows_n     BIGINT UNSIGNED NOT NULL COMMENT 'How many rows',
  cost       DECIMAL(18,9) NOT NULL COMMENT 'USD that they sum up to',
  dropped_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (first_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Partitions of usage_log that retention has dropped';
