-- What running processes have reserved. balance - sum(leases) of an account is never below zero.

CREATE TABLE IF NOT EXISTS processes (
  id         CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ULID of the process',
  host       VARCHAR(64) NOT NULL COMMENT 'Where it runs',
  started_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  seen_at    DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC; written every 5 seconds. DELETE the row of a host that is lost for good to free its leases',
  PRIMARY KEY (id),
  KEY processes_seen (seen_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Running gateway processes';

-- No foreign key: takes of one account queue on its row here, and nothing else may touch that row.
CREATE TABLE IF NOT EXISTS account_state (
  account_id BIGINT UNSIGNED NOT NULL COMMENT 'The account',
  n          BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'Counts lease takes; written first in each, which puts them in a row',
  wanted_at  DATETIME(3) NULL COMMENT 'UTC; a process lacked money that others hold: they give their free part back',
  PRIMARY KEY (account_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Lock row of each account that spends';

CREATE TABLE IF NOT EXISTS leases (
  process_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Who may spend it',
  account_id BIGINT UNSIGNED NOT NULL COMMENT 'Whose money',
  amount     DECIMAL(18,9) NOT NULL COMMENT 'USD reserved: running requests, usage not yet in the ledger, and room for more',
  n          BIGINT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'Counts changes of the row; the newest that a process has read is the truth',
  PRIMARY KEY (process_id, account_id),
  KEY leases_account (account_id),
  CONSTRAINT leases_process FOREIGN KEY (process_id) REFERENCES processes (id) ON DELETE CASCADE,
  CONSTRAINT leases_amount CHECK (amount >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Money reserved by running processes; no end of its own';

-- No foreign key: a position outlives its process, so that a segment replayed later is known as done.
CREATE TABLE IF NOT EXISTS journal_positions (
  process_id   CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Whose journal',
  last_segment BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'The last segment whose rows are in usage_log',
  updated_at   DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (process_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='How far the journal of each process has been written to the database';
