-- A name for people, which model lists show.

ALTER TABLE models
  ADD COLUMN IF NOT EXISTS display_name VARCHAR(128) NULL COMMENT 'Name for people, in model lists; NULL: the public name' AFTER name;
