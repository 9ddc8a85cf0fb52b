-- Limits of rate, over all processes together. What a process may use it borrows here first, in blocks.

CREATE TABLE IF NOT EXISTS rate_limits (
  id                  INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the limit',
  api_key_id          BIGINT UNSIGNED NULL COMMENT 'Counts the requests of this key',
  account_id          BIGINT UNSIGNED NULL COMMENT 'Counts those of all keys of this account together',
  group_id            INT UNSIGNED NULL COMMENT 'Counts those of all accounts of this group together',
  channel_id          INT UNSIGNED NULL COMMENT 'Counts what this channel is asked, whoever asks; for a provider''s limits',
  model_id            INT UNSIGNED NULL COMMENT 'Counts those to this model only; alone: everybody''s together',
  requests_per_minute BIGINT UNSIGNED NULL COMMENT 'Requests in each minute of the clock, UTC; NULL: no limit, 0: none allowed',
  tokens_per_minute   BIGINT UNSIGNED NULL COMMENT 'Tokens of input and output in each minute; input counts as estimated at first, all as used in the end; NULL: no limit, 0: none allowed',
  concurrent_requests BIGINT UNSIGNED NULL COMMENT 'Requests that run at once; NULL: no limit, 0: none allowed',
  note                VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  created_at          DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  scope               VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin AS (CONCAT(IFNULL(api_key_id, 0), '/', IFNULL(account_id, 0), '/', IFNULL(group_id, 0), '/', IFNULL(channel_id, 0), '/', IFNULL(model_id, 0))) PERSISTENT COMMENT 'One limit for each scope; filled by itself',
  PRIMARY KEY (id),
  UNIQUE KEY rate_limits_scope (scope),
  CONSTRAINT rate_limits_key FOREIGN KEY (api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE,
  CONSTRAINT rate_limits_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
  CONSTRAINT rate_limits_group FOREIGN KEY (group_id) REFERENCES account_groups (id) ON DELETE CASCADE,
  CONSTRAINT rate_limits_channel FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE,
  CONSTRAINT rate_limits_model FOREIGN KEY (model_id) REFERENCES models (id) ON DELETE CASCADE,
  CONSTRAINT rate_limits_one_customer CHECK ((api_key_id IS NOT NULL) + (account_id IS NOT NULL) + (group_id IS NOT NULL) + (channel_id IS NOT NULL) <= 1),
  CONSTRAINT rate_limits_any_scope CHECK (COALESCE(api_key_id, account_id, group_id, channel_id, model_id) IS NOT NULL),
  CONSTRAINT rate_limits_bounds CHECK (COALESCE(requests_per_minute, 0) <= 1000000000000 AND COALESCE(tokens_per_minute, 0) <= 1000000000000 AND COALESCE(concurrent_requests, 0) <= 1000000000000)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Limits by key, account, group, channel or model, or by one of these and a model; all that match count';

-- One row for each limit and kind, used again in each minute.
CREATE TABLE IF NOT EXISTS limit_windows (
  limit_id  INT UNSIGNED NOT NULL COMMENT 'The limit',
  kind      ENUM('requests','tokens','slots') NOT NULL COMMENT 'What is counted; the row of slots only puts takes in a row, what is taken stands in limit_slots',
  starts_at DATETIME NOT NULL DEFAULT '1970-01-01' COMMENT 'UTC; the minute that used belongs to',
  used      BIGINT NOT NULL DEFAULT 0 COMMENT 'Borrowed in that minute by all processes; above the limit when answers were longer than expected',
  n         BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'Counts takes; written first in each, which puts them in a row',
  PRIMARY KEY (limit_id, kind),
  CONSTRAINT limit_windows_limit FOREIGN KEY (limit_id) REFERENCES rate_limits (id) ON DELETE CASCADE,
  CONSTRAINT limit_windows_used CHECK (used >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What was used of limits in the current minute';

CREATE TABLE IF NOT EXISTS limit_slots (
  limit_id   INT UNSIGNED NOT NULL COMMENT 'The limit',
  process_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Who may run them; they are free again when its row goes',
  slots      BIGINT UNSIGNED NOT NULL COMMENT 'Requests that it may run at once',
  PRIMARY KEY (limit_id, process_id),
  KEY limit_slots_process (process_id),
  CONSTRAINT limit_slots_limit FOREIGN KEY (limit_id) REFERENCES rate_limits (id) ON DELETE CASCADE,
  CONSTRAINT limit_slots_process FOREIGN KEY (process_id) REFERENCES processes (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Concurrent requests borrowed by running processes; no end of their own';
