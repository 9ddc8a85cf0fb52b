-- What a status of a provider means, where it is not what the status says.

CREATE TABLE IF NOT EXISTS channel_statuses (
  channel_id INT UNSIGNED NOT NULL COMMENT 'The channel',
  status     SMALLINT UNSIGNED NOT NULL COMMENT 'HTTP status of the provider''s answer',
  meaning    ENUM('retry','reject','key','limit') NOT NULL COMMENT 'retry: the provider''s fault, tried elsewhere; reject: the request''s fault, passed on; key: the provider key is refused; limit: a limit of the provider is reached',
  note       VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  PRIMARY KEY (channel_id, status),
  CONSTRAINT channel_statuses_channel FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE,
  CONSTRAINT channel_statuses_status CHECK (status BETWEEN 201 AND 599)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Meanings of a channel''s statuses; no row: by the number';
