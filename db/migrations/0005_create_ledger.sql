-- The truth about money. Balance = the account's last checkpoint + its ledger rows that no checkpoint has counted.
-- A row that an admin inserts counts at once, however late it commits. Only checkpoint_id ever changes, and only from NULL.

CREATE TABLE IF NOT EXISTS checkpoints (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the checkpoint',
  account_id BIGINT UNSIGNED NOT NULL COMMENT 'The account',
  balance    DECIMAL(18,9) NOT NULL COMMENT 'USD: the last checkpoint plus the rows that this one marks',
  created_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  KEY checkpoints_account (account_id, id),
  CONSTRAINT checkpoints_account FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Sums of ledger rows, so that a balance needs few rows';

CREATE TABLE IF NOT EXISTS ledger (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the row; gaps are normal',
  account_id    BIGINT UNSIGNED NOT NULL COMMENT 'The account',
  kind          ENUM('recharge','redeem','usage','refund','adjustment') NOT NULL COMMENT 'Why',
  amount        DECIMAL(18,9) NOT NULL COMMENT 'USD; negative for usage',
  reference     VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'Unique: the same payment or refund cannot be entered twice',
  note          VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins and statements',
  created_at    DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  checkpoint_id BIGINT UNSIGNED NULL COMMENT 'The checkpoint that has counted this row; leave it NULL',
  PRIMARY KEY (id),
  UNIQUE KEY ledger_reference (reference),
  KEY ledger_account (account_id, checkpoint_id),
  CONSTRAINT ledger_account FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT ledger_checkpoint FOREIGN KEY (checkpoint_id) REFERENCES checkpoints (id),
  CONSTRAINT ledger_sign CHECK ((kind = 'usage' AND amount <= 0) OR (kind IN ('recharge','redeem','refund') AND amount > 0) OR kind = 'adjustment')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Append-only: every change of every balance';
