-- Headers that a provider wants, or must not get. What HTTP itself needs stays with the gateway.

CREATE TABLE IF NOT EXISTS channel_headers (
  channel_id INT UNSIGNED NOT NULL COMMENT 'The channel',
  name       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL COMMENT 'Name of the header; it replaces one of the gateway''s own',
  value      VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'Its value, in which {key} stands for the provider key; NULL: the header is not sent',
  note       VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  PRIMARY KEY (channel_id, name),
  CONSTRAINT channel_headers_channel FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE,
  CONSTRAINT channel_headers_name CHECK (name REGEXP '^[A-Za-z0-9-]+$' AND name NOT IN ('Host','Content-Length','Content-Type','Content-Encoding','Accept-Encoding',
    'Connection','Keep-Alive','Proxy-Connection','Proxy-Authorization','Proxy-Authenticate','TE','Trailer','Transfer-Encoding','Upgrade','Expect')),
  CONSTRAINT channel_headers_value CHECK (value REGEXP '^[ -~]*[!-~]$')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Extra and removed headers of the requests to a channel';
