-- What a request cost the owner, and how its usage was found.

ALTER TABLE usage_log
  ADD COLUMN IF NOT EXISTS usage_method VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'provider: as the provider told; bytes4: estimated, a token for each four ASCII bytes and for each other character; NULL: nothing was charged' AFTER is_estimated,
  ADD COLUMN IF NOT EXISTS service_tier VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'As the answer named it; it decides the tier of the price' AFTER usage_method,
  MODIFY COLUMN price_lines LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '[]' COMMENT 'What was charged: [{"unit","count","per","amount","price_id","channel"}]; cost + shortfall = sum(count*amount/per) * price_multiplier, channel_cost = sum(count*channel/per), both rounded up at the ninth decimal',
  ADD COLUMN IF NOT EXISTS channel_cost DECIMAL(18,9) NULL COMMENT 'USD that the owner pays the provider, by the prices of the channel; NULL: it has none, or nothing was charged' AFTER shortfall;
