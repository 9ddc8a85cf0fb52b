-- Other names of models. Programs ask for side models that their user never chose; here an admin says which model answers them.

CREATE TABLE IF NOT EXISTS model_aliases (
  id         INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the alias',
  alias      VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Name as clients send it; * stands for any text. A model''s own name counts before any alias, one without * before one with it',
  model_id   INT UNSIGNED NOT NULL COMMENT 'The model that answers and is charged; one that is not sold is passed over',
  priority   INT NOT NULL DEFAULT 0 COMMENT 'Of several that match: the higher, then the longer, then the older one',
  note       VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  created_at DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC',
  PRIMARY KEY (id),
  UNIQUE KEY model_aliases_alias (alias, model_id),
  CONSTRAINT model_aliases_model FOREIGN KEY (model_id) REFERENCES models (id) ON DELETE CASCADE,
  CONSTRAINT model_aliases_name CHECK (alias <> '')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Other names of models';
