-- What belongs to the installation rather than to a host.

CREATE TABLE IF NOT EXISTS settings (
  name  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Name of the setting',
  value TEXT NOT NULL COMMENT 'Its value',
  note  VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'What it means',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Settings of the installation';

INSERT IGNORE INTO settings (name, value, note) VALUES
  ('installation_id', LOWER(HEX(RANDOM_BYTES(16))), 'Tells this database from others; journals of another one are never replayed here');
