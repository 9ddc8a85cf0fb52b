-- Limits of spend by every scope that rates have. The spend limits of keys become limits like all others.

ALTER TABLE rate_limits
  ADD COLUMN IF NOT EXISTS spend_total DECIMAL(18,9) NULL COMMENT 'USD in all, counted while the row has any limit of spend; NULL: no limit, 0: nothing' AFTER concurrent_requests,
  ADD COLUMN IF NOT EXISTS spend_day DECIMAL(18,9) NULL COMMENT 'USD for each day, UTC; NULL: no limit, 0: nothing' AFTER spend_total,
  ADD COLUMN IF NOT EXISTS spend_month DECIMAL(18,9) NULL COMMENT 'USD for each calendar month, UTC; NULL: no limit, 0: nothing' AFTER spend_day,
  DROP CONSTRAINT IF EXISTS rate_limits_spend,
  ADD CONSTRAINT rate_limits_spend CHECK ((channel_id IS NULL OR COALESCE(spend_total, spend_day, spend_month) IS NULL) AND LEAST(COALESCE(spend_total, 0), COALESCE(spend_day, 0), COALESCE(spend_month, 0)) >= 0);

CREATE TABLE IF NOT EXISTS limit_spend (
  limit_id INT UNSIGNED NOT NULL COMMENT 'The limit',
  period   ENUM('total','day','month') NOT NULL COMMENT 'What is counted',
  starts   DATE NOT NULL COMMENT 'First day of the period, UTC; 1970-01-01 for total',
  spent    DECIMAL(18,9) NOT NULL DEFAULT 0 COMMENT 'USD; the cost of ended requests that are still in limit_holds comes on top',
  n        BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'Counts holds; the row of total is written first in each, which puts them in a row',
  PRIMARY KEY (limit_id, period, starts),
  CONSTRAINT limit_spend_limit FOREIGN KEY (limit_id) REFERENCES rate_limits (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What was spent under limits of spend';

-- A hold ends by itself: when its request has a usage row, that cost counts in its place; when it has none and its process is gone, it counts as nothing.
-- So nothing that dies leaves a limit blocked, and nothing is counted twice. Ended ones are added to limit_spend and deleted a few at a time.
CREATE TABLE IF NOT EXISTS limit_holds (
  request_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The request',
  limit_id   INT UNSIGNED NOT NULL COMMENT 'A limit that it falls under',
  process_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The process that serves it',
  amount     DECIMAL(18,9) NOT NULL COMMENT 'USD that it may cost at most',
  cost       DECIMAL(18,9) NULL COMMENT 'USD that it did cost, while it is added to limit_spend',
  held_at    DATETIME(3) NOT NULL COMMENT 'UTC; says which day and month it counts in',
  PRIMARY KEY (request_id, limit_id),
  KEY limit_holds_limit (limit_id),
  CONSTRAINT limit_holds_limit FOREIGN KEY (limit_id) REFERENCES rate_limits (id) ON DELETE CASCADE,
  CONSTRAINT limit_holds_amount CHECK (amount >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Requests under limits of spend, running or just ended';

INSERT INTO rate_limits (api_key_id, spend_total, spend_day, spend_month)
SELECT id, spend_limit, spend_limit_day, spend_limit_month FROM api_keys
WHERE COALESCE(spend_limit, spend_limit_day, spend_limit_month) IS NOT NULL
ON DUPLICATE KEY UPDATE spend_total = VALUES(spend_total), spend_day = VALUES(spend_day), spend_month = VALUES(spend_month);

INSERT INTO limit_spend (limit_id, period, starts, spent, n)
SELECT l.id, s.period, s.starts, s.spent, s.n FROM key_spend s JOIN rate_limits l ON l.api_key_id = s.api_key_id AND l.model_id IS NULL
ON DUPLICATE KEY UPDATE spent = VALUES(spent);

INSERT IGNORE INTO limit_holds (request_id, limit_id, process_id, amount, cost, held_at)
SELECT h.request_id, l.id, h.process_id, h.amount, h.cost, h.held_at FROM key_holds h JOIN rate_limits l ON l.api_key_id = h.api_key_id AND l.model_id IS NULL;
