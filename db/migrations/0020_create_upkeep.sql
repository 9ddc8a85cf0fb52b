-- What must be done from time to time, and who does it now. A process takes a task by a conditional UPDATE on the database's clock;
-- the row is its own until until_at. Every task is safe if two do it.

CREATE TABLE IF NOT EXISTS upkeep (
  name     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The task',
  holder   CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'ULID of who does it now, or did last',
  until_at DATETIME(3) NOT NULL DEFAULT '2000-01-01 00:00:00' COMMENT 'UTC; until then it is the holder''s; renewed while the task runs',
  due_at   DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC; when it is to be done next. Set it to the past to have it done now',
  done_at  DATETIME(3) NULL COMMENT 'UTC; when it was last done',
  mark     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'How far it has come; rollup: all days before this one are in usage_daily',
  outcome  VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'What came of it last',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Tasks of upkeep: one holder each among all processes';

INSERT IGNORE INTO upkeep (name) VALUES ('checkpoint'), ('checkpoint_all'), ('rollup'), ('rollup_fresh'), ('rollup_all'), ('partition'), ('retention');

INSERT IGNORE INTO settings (name, value, note) VALUES
  ('usage_keep_months', '', 'Whole months of usage_log that are kept besides the current one; older ones live on in usage_daily. Empty: all are kept');
