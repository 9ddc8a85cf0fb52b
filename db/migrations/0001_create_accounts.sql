-- Who pays. An account belongs to one group; the group and the account each multiply prices.

CREATE TABLE IF NOT EXISTS account_groups (
  id               INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the group',
  name             VARCHAR(64) NOT NULL COMMENT 'Unique name, for example default or vip',
  price_multiplier DECIMAL(9,6) NOT NULL DEFAULT 1 COMMENT 'Every price is multiplied by it: 0.9 is ten percent off',
  note             VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  created_at       DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  UNIQUE KEY account_groups_name (name),
  CONSTRAINT account_groups_multiplier CHECK (price_multiplier >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Groups of accounts: price multiplier and rights';

INSERT IGNORE INTO account_groups (id, name, note) VALUES (1, 'default', 'Accounts without another group');

CREATE TABLE IF NOT EXISTS accounts (
  id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the account',
  name             VARCHAR(100) NOT NULL COMMENT 'Unique name that admins use',
  email            VARCHAR(254) NULL COMMENT 'Contact address',
  group_id         INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'Its group',
  status           ENUM('active','disabled') NOT NULL DEFAULT 'active' COMMENT 'disabled: every key of it is refused',
  price_multiplier DECIMAL(9,6) NOT NULL DEFAULT 1 COMMENT 'Multiplies prices on top of the group',
  note             VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  created_at       DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  UNIQUE KEY accounts_name (name),
  UNIQUE KEY accounts_email (email),
  CONSTRAINT accounts_group FOREIGN KEY (group_id) REFERENCES account_groups (id),
  CONSTRAINT accounts_multiplier CHECK (price_multiplier >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Who pays';
