-- Which groups of accounts may use a channel.

CREATE TABLE IF NOT EXISTS channel_groups (
  channel_id INT UNSIGNED NOT NULL COMMENT 'The channel',
  group_id   INT UNSIGNED NOT NULL COMMENT 'A group of accounts that may use it',
  note       VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  PRIMARY KEY (channel_id, group_id),
  CONSTRAINT channel_groups_channel FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE,
  CONSTRAINT channel_groups_group FOREIGN KEY (group_id) REFERENCES account_groups (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Groups of accounts that may use a channel; no row for a channel: all';
