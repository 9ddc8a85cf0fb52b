-- What was moved to rate_limits, limit_spend and limit_holds.

DROP TABLE IF EXISTS key_holds;
DROP TABLE IF EXISTS key_spend;
ALTER TABLE api_keys
  DROP COLUMN IF EXISTS spend_limit,
  DROP COLUMN IF EXISTS spend_limit_day,
  DROP COLUMN IF EXISTS spend_limit_month;
