-- Channels of four formats; parameter overrides may belong to one of them.

ALTER TABLE channels
  MODIFY COLUMN format ENUM('openai-chat','openai-responses','anthropic','gemini') NOT NULL DEFAULT 'openai-chat' COMMENT 'Wire format of its requests: Chat Completions, Responses, Messages or generateContent';

ALTER TABLE parameter_overrides
  ADD COLUMN IF NOT EXISTS format ENUM('openai-chat','openai-responses','anthropic','gemini') NULL COMMENT 'Only for channels of this format; NULL: of any' AFTER channel_id,
  DROP CONSTRAINT IF EXISTS parameter_overrides_member;

ALTER TABLE parameter_overrides
  ADD CONSTRAINT parameter_overrides_member CHECK (member <> '' AND member NOT IN ('model','stream','messages','input','contents'));

-- What was shipped concerns Chat Completions only: nothing else has a max_tokens to rename, and of the rest the translators take care.
UPDATE parameter_overrides SET format = 'openai-chat' WHERE id <= 15 AND provider = 'openai' AND note = 'reasoning models' AND format IS NULL;
