-- Prices by tier, and a least price for each request.

ALTER TABLE prices
  MODIFY COLUMN scope ENUM('model','group','account','channel') NOT NULL DEFAULT 'model' COMMENT 'For whom: everybody (model), or one group or account instead; channel: what the owner pays the provider behind that channel',
  MODIFY COLUMN unit VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'input_token, cached_input_token, cache_write_token, cache_write_1h_token, output_token, reasoning_token: USD per million; request: USD each; minimum: USD that a request costs at least',
  MODIFY COLUMN qualifier VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'Tier: empty, the ordinary one; flex, priority or batch, as the answer names it; above_200000: the whole request, when its input exceeds so many tokens; priority_above_200000: both',
  DROP CONSTRAINT IF EXISTS prices_unit,
  DROP CONSTRAINT IF EXISTS prices_qualifier;

ALTER TABLE prices
  ADD CONSTRAINT prices_unit CHECK (unit IN ('input_token','cached_input_token','cache_write_token','cache_write_1h_token','output_token','reasoning_token','request','minimum')),
  ADD CONSTRAINT prices_qualifier CHECK (qualifier REGEXP '^(|flex|priority|batch|((flex|priority|batch)_)?above_[1-9][0-9]{0,8})$');
