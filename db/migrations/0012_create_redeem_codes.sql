-- Codes that are worth money, once. Only the SHA-256 is kept; the code is what was hashed, to the letter.

CREATE TABLE IF NOT EXISTS redeem_codes (
  id              BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the code; its ledger row has the reference redeem:NUMBER',
  code_hash       BINARY(32) NOT NULL COMMENT 'UNHEX(SHA2(code, 256))',
  code_hint       VARCHAR(32) NOT NULL DEFAULT '' COMMENT 'Beginning and end of the code, for recognising it',
  batch           VARCHAR(64) NOT NULL DEFAULT '' COMMENT 'Name of the batch that it was made in',
  amount          DECIMAL(18,9) NOT NULL COMMENT 'USD that it is worth',
  expires_at      DATETIME(3) NULL COMMENT 'UTC; NULL: never',
  redeemed_at     DATETIME(3) NULL COMMENT 'UTC; NULL: not yet. Set it by hand to withdraw a code',
  redeemed_by     BIGINT UNSIGNED NULL COMMENT 'The account that got the money',
  redeemed_key_id BIGINT UNSIGNED NULL COMMENT 'With which API key; NULL: by an admin',
  note            VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  created_at      DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  UNIQUE KEY redeem_codes_hash (code_hash),
  KEY redeem_codes_batch (batch),
  KEY redeem_codes_account (redeemed_by),
  CONSTRAINT redeem_codes_account FOREIGN KEY (redeemed_by) REFERENCES accounts (id),
  CONSTRAINT redeem_codes_amount CHECK (amount > 0),
  CONSTRAINT redeem_codes_redeemed CHECK (redeemed_by IS NULL OR redeemed_at IS NOT NULL)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Redeem codes: value, expiry, one use';
