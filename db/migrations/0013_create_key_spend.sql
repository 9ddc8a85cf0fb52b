-- Spend limits of API keys. A request of a key that has one is held here before it runs, beside its hold on the balance.

ALTER TABLE api_keys
  ADD COLUMN IF NOT EXISTS spend_limit DECIMAL(18,9) NULL COMMENT 'USD that the key may spend in all, counted while it has any limit; NULL: no limit, 0: nothing' AFTER expires_at,
  ADD COLUMN IF NOT EXISTS spend_limit_day DECIMAL(18,9) NULL COMMENT 'USD for each day, UTC; NULL: no limit' AFTER spend_limit,
  ADD COLUMN IF NOT EXISTS spend_limit_month DECIMAL(18,9) NULL COMMENT 'USD for each calendar month, UTC; NULL: no limit' AFTER spend_limit_day;

CREATE TABLE IF NOT EXISTS key_spend (
  api_key_id BIGINT UNSIGNED NOT NULL COMMENT 'The key',
  period     ENUM('total','day','month') NOT NULL COMMENT 'What is counted',
  starts     DATE NOT NULL COMMENT 'First day of the period, UTC; 1970-01-01 for total',
  spent      DECIMAL(18,9) NOT NULL DEFAULT 0 COMMENT 'USD; the cost of ended requests that are still in key_holds comes on top',
  n          BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'Counts holds; the row of total is written first in each, which puts them in a row',
  PRIMARY KEY (api_key_id, period, starts),
  CONSTRAINT key_spend_key FOREIGN KEY (api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What keys with a spend limit have spent';

-- A hold ends by itself: when its request has a usage row, that cost counts in its place; when it has none and its process is gone, it counts as nothing.
-- So nothing that dies leaves a key blocked, and nothing is counted twice. Ended ones are added to key_spend and deleted a few at a time.
CREATE TABLE IF NOT EXISTS key_holds (
  request_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The request',
  api_key_id BIGINT UNSIGNED NOT NULL COMMENT 'Its key',
  process_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The process that serves it',
  amount     DECIMAL(18,9) NOT NULL COMMENT 'USD that it may cost at most',
  cost       DECIMAL(18,9) NULL COMMENT 'USD that it did cost, while it is added to key_spend',
  held_at    DATETIME(3) NOT NULL COMMENT 'UTC; says which day and month it counts in',
  PRIMARY KEY (request_id),
  KEY key_holds_key (api_key_id),
  CONSTRAINT key_holds_key FOREIGN KEY (api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE,
  CONSTRAINT key_holds_amount CHECK (amount >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Requests of keys with a spend limit, running or just ended';
