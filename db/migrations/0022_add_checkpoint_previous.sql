-- Each checkpoint has one successor at most: two leaders that build on the same one cannot both succeed, on no two nodes of a cluster.

ALTER TABLE checkpoints
  ADD COLUMN IF NOT EXISTS previous_id BIGINT UNSIGNED NULL COMMENT 'The checkpoint before it; 0: none; NULL: not told' AFTER account_id,
  ADD UNIQUE KEY IF NOT EXISTS checkpoints_previous (account_id, previous_id);
