-- What is sold. A model without prices is not served; a free one has a price of 0.

CREATE TABLE IF NOT EXISTS models (
  id                INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the model',
  name              VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Public name, as clients send it',
  kind              ENUM('chat','embedding','image','audio','video') NOT NULL DEFAULT 'chat' COMMENT 'What it makes',
  status            ENUM('enabled','disabled') NOT NULL DEFAULT 'enabled' COMMENT 'disabled: unknown to clients',
  owned_by          VARCHAR(64) NOT NULL DEFAULT 'aipass' COMMENT 'Shown in the model list',
  context_tokens    INT UNSIGNED NOT NULL DEFAULT 128000 COMMENT 'Context window; bounds the held input',
  output_tokens_max INT UNSIGNED NOT NULL DEFAULT 16384 COMMENT 'Largest output; bounds the held output',
  image_tokens      INT UNSIGNED NOT NULL DEFAULT 3000 COMMENT 'Most input tokens that one image can cost',
  file_tokens       INT UNSIGNED NOT NULL DEFAULT 50000 COMMENT 'Most input tokens that one inline file can cost',
  audio_tokens      INT UNSIGNED NOT NULL DEFAULT 20000 COMMENT 'Most input tokens that one inline audio can cost',
  note              VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  created_at        DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC; the model list shows it',
  PRIMARY KEY (id),
  UNIQUE KEY models_name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Public model names';

CREATE TABLE IF NOT EXISTS prices (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'Number of the price',
  model_id   INT UNSIGNED NOT NULL COMMENT 'The model',
  scope      ENUM('model','group','account','channel') NOT NULL DEFAULT 'model' COMMENT 'For whom: everybody (model), or one group, account or channel',
  scope_id   BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'Number of that group, account or channel; 0 for model',
  unit       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'input_token, cached_input_token, cache_write_token, cache_write_1h_token, output_token, reasoning_token: USD per million; request: USD each',
  qualifier  VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'Tier of the price; empty is the ordinary one',
  amount     DECIMAL(18,9) NOT NULL COMMENT 'USD per million tokens, or per one',
  valid_from DATETIME(3) NOT NULL DEFAULT UTC_TIMESTAMP(3) COMMENT 'UTC; the newest that is not in the future counts',
  note       VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  PRIMARY KEY (id),
  UNIQUE KEY prices_row (model_id, scope, scope_id, unit, qualifier, valid_from),
  CONSTRAINT prices_model FOREIGN KEY (model_id) REFERENCES models (id),
  CONSTRAINT prices_amount CHECK (amount >= 0),
  CONSTRAINT prices_unit CHECK (unit IN ('input_token','cached_input_token','cache_write_token','cache_write_1h_token','output_token','reasoning_token','request')),
  CONSTRAINT prices_scope CHECK ((scope = 'model') = (scope_id = 0))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What customers pay, with a start date; never changed, only followed by newer rows';
