-- How a channel is reached, whose account at the provider it uses, and how much may be sent to it.

ALTER TABLE channels
  ADD COLUMN IF NOT EXISTS organization VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'Sent as openai-organization; NULL: not sent' AFTER weight,
  ADD COLUMN IF NOT EXISTS project VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'Sent as openai-project; NULL: not sent' AFTER organization,
  ADD COLUMN IF NOT EXISTS allow_private BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'TRUE: it, or its proxy, may have a loopback, private or otherwise not public address' AFTER total_ms,
  ADD COLUMN IF NOT EXISTS proxy_url VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'Proxy to it: http://, https:// or socks5://[USER:PASSWORD@]HOST:PORT; NULL: none' AFTER allow_private,
  ADD COLUMN IF NOT EXISTS ca_pem TEXT CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'Certificates in PEM form, the only ones trusted for it; NULL: those of the system and of tls_ca_file' AFTER proxy_url,
  DROP CONSTRAINT IF EXISTS channels_organization,
  DROP CONSTRAINT IF EXISTS channels_project,
  DROP CONSTRAINT IF EXISTS channels_proxy,
  DROP CONSTRAINT IF EXISTS channels_ca;

ALTER TABLE channels
  ADD CONSTRAINT channels_organization CHECK (organization REGEXP '^[!-~]+$'),
  ADD CONSTRAINT channels_project CHECK (project REGEXP '^[!-~]+$'),
  ADD CONSTRAINT channels_proxy CHECK (proxy_url REGEXP '^(https?|socks5)://[!-~]+$'),
  ADD CONSTRAINT channels_ca CHECK (ca_pem LIKE '%-----BEGIN CERTIFICATE-----%');

-- Providers that an admin has put on this machine or network before there was the column.
UPDATE channels SET allow_private = TRUE
  WHERE base_url REGEXP '^https?://(localhost|127\\.|10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|\\[::1\\])';
