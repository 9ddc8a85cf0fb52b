-- Whom customers ask: shown to everybody by GET /v1/site and the pages.

INSERT IGNORE INTO settings (name, value, note) VALUES
  ('support_email', '', 'Address for questions of customers, shown to everybody; empty: none'),
  ('support_url',   '', 'Page for questions of customers, https://..., shown to everybody; empty: none');

ALTER TABLE settings
  DROP CONSTRAINT IF EXISTS settings_support_email,
  DROP CONSTRAINT IF EXISTS settings_support_url;

ALTER TABLE settings
  ADD CONSTRAINT settings_support_email CHECK (name <> 'support_email' OR value REGEXP '^([^@ <>"]+@[^@ <>"]+)?$'),
  ADD CONSTRAINT settings_support_url CHECK (name <> 'support_url' OR value REGEXP '^(https?://[^ <>"]+)?$');
