-- What was changed by whom, where it matters later: for now what the gateway itself does to provider keys.

CREATE TABLE IF NOT EXISTS audit_log (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the row',
  actor      VARCHAR(64) NOT NULL DEFAULT 'gateway' COMMENT 'Who did it',
  action     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'For example channel_key.disable',
  subject    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'What it was done to: table and number',
  detail     VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'Why, never a secret',
  created_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  KEY audit_log_subject (subject, id),
  CONSTRAINT audit_log_action CHECK (action <> '' AND subject <> '')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What was changed by whom';
