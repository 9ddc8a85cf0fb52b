-- Timers of one model at one channel.

ALTER TABLE channel_models
  ADD COLUMN IF NOT EXISTS connect_ms INT UNSIGNED NULL COMMENT 'Longest time to connect; NULL: that of the channel' AFTER status,
  ADD COLUMN IF NOT EXISTS first_byte_ms INT UNSIGNED NULL COMMENT 'Longest wait for the first byte; NULL: that of the channel' AFTER connect_ms,
  ADD COLUMN IF NOT EXISTS between_bytes_ms INT UNSIGNED NULL COMMENT 'Longest silence inside an answer; NULL: that of the channel' AFTER first_byte_ms,
  ADD COLUMN IF NOT EXISTS total_ms INT UNSIGNED NULL COMMENT 'Longest whole exchange; NULL: that of the channel' AFTER between_bytes_ms;
