-- Provider keys that their provider refuses are disabled by the gateway, for all processes, and tried again with growing pauses.

ALTER TABLE channel_keys
  MODIFY COLUMN status ENUM('enabled','disabled') NOT NULL DEFAULT 'enabled' COMMENT 'disabled: not used; the gateway disables a key that the provider refuses, and enables it again when it works',
  MODIFY COLUMN weight INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'Share among the keys of the channel; 0: only when no other is left',
  ADD COLUMN IF NOT EXISTS cooldown_until DATETIME(3) NULL COMMENT 'UTC; not used before, for any reason of yours; NULL: none' AFTER weight,
  ADD COLUMN IF NOT EXISTS disabled_reason VARCHAR(255) NULL COMMENT 'Why it is disabled, by the gateway or by you' AFTER cooldown_until,
  ADD COLUMN IF NOT EXISTS disabled_at DATETIME(3) NULL COMMENT 'UTC; when it was disabled' AFTER disabled_reason,
  ADD COLUMN IF NOT EXISTS probe_at DATETIME(3) NULL COMMENT 'UTC; a disabled key is tried with one request then; NULL: never, as for keys that you disable' AFTER disabled_at,
  ADD COLUMN IF NOT EXISTS probes INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'How often it was tried since it was disabled; each pause is twice as long as the one before' AFTER probe_at;
