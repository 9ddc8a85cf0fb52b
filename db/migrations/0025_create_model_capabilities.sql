-- What each of the providers' models accepts. Requests are fitted to it on their way; a model that no row matches counts as the defaults
-- of the columns say. Rows are shipped for well-known families and may be changed: an upgrade adds rows, it does not change any.

CREATE TABLE IF NOT EXISTS model_capabilities (
  pattern             VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The provider''s own model name, or a LIKE pattern of it; the very name counts before patterns, a longer pattern before a shorter one',
  context_tokens      INT UNSIGNED NULL COMMENT 'Most input tokens; NULL: not known',
  output_tokens_max   INT UNSIGNED NULL COMMENT 'Most output tokens, thinking included; NULL: not known',
  thinking            ENUM('none','effort','adaptive','budget','level') NOT NULL DEFAULT 'effort' COMMENT 'How thinking is asked for: not at all; by effort (OpenAI); adaptive (Anthropic from 4.6); by a budget of tokens (Anthropic to 4.5, Gemini 2.5); by level (Gemini from 3)',
  efforts             SET('none','minimal','low','medium','high','xhigh','max') NOT NULL DEFAULT 'low,medium,high' COMMENT 'Efforts or levels that it takes by name; empty: it knows no such parameter',
  thinking_always     BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Thinking cannot be switched off',
  between_tools       BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Anthropic: thinking is switched off as between_tools instead of disabled',
  thinking_budget_min INT UNSIGNED NULL COMMENT 'Least budget of thinking tokens; NULL: none',
  thinking_budget_max INT UNSIGNED NULL COMMENT 'Largest budget of thinking tokens; NULL: below the output limit',
  sampling            BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'It takes temperature, top_p and top_k',
  tools               BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'It can call functions',
  forced_tools        BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'A call can be forced by tool_choice',
  custom_tools        BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'It takes OpenAI''s custom tools, which have free text as input',
  prefill             BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'The last message may be the assistant''s, to be continued',
  structured_output   BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'Its answer can be bound to a JSON schema',
  system_turns        BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Anthropic: messages may hold turns of role system',
  reasoning_content   BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Chat Completions: it wants its own reasoning_content back with its tool calls',
  max_tokens_name     ENUM('max_tokens','max_completion_tokens') NOT NULL DEFAULT 'max_tokens' COMMENT 'Chat Completions: the member that limits the output',
  schema_keyword      ENUM('parametersJsonSchema','parameters') NOT NULL DEFAULT 'parametersJsonSchema' COMMENT 'Gemini: the member that holds a function''s schema; parameters takes a subset only',
  input_modalities    SET('text','image','audio','file','video') NOT NULL DEFAULT 'text,image,file' COMMENT 'What it reads',
  output_modalities   SET('text','image','audio') NOT NULL DEFAULT 'text' COMMENT 'What it makes',
  note                VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'For admins',
  PRIMARY KEY (pattern),
  CONSTRAINT model_capabilities_pattern CHECK (pattern <> ''),
  CONSTRAINT model_capabilities_budget CHECK (thinking_budget_min IS NULL OR thinking_budget_max IS NULL OR thinking_budget_min <= thinking_budget_max)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What the providers'' models accept';

-- Anthropic. Names may carry a prefix and dots: anthropic/claude-opus-5.5.
INSERT IGNORE INTO model_capabilities (pattern, context_tokens, output_tokens_max, thinking, efforts, sampling, prefill, structured_output, forced_tools, system_turns, thinking_always, between_tools, thinking_budget_min, note) VALUES
  ('%claude-%',             1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  TRUE,  TRUE,  FALSE, FALSE, NULL, 'Claude models of unknown kind'),
  ('%claude-3%',             200000,   4096, 'none',     '',                          TRUE,  TRUE,  FALSE, TRUE,  FALSE, FALSE, FALSE, NULL, ''),
  ('%claude-3_5%',           200000,   8192, 'none',     '',                          TRUE,  TRUE,  FALSE, TRUE,  FALSE, FALSE, FALSE, NULL, ''),
  ('%claude-3_7%',           200000,  64000, 'budget',   '',                          TRUE,  TRUE,  FALSE, TRUE,  FALSE, FALSE, FALSE, 1024, ''),
  ('%claude-opus-4%',        200000,  32000, 'budget',   '',                          TRUE,  TRUE,  FALSE, TRUE,  FALSE, FALSE, FALSE, 1024, 'Opus 4'),
  ('%claude-opus-4_1%',      200000,  32000, 'budget',   '',                          TRUE,  TRUE,  TRUE,  TRUE,  FALSE, FALSE, FALSE, 1024, ''),
  ('%claude-opus-4_5%',      200000,  64000, 'budget',   'low,medium,high',           TRUE,  TRUE,  TRUE,  TRUE,  FALSE, FALSE, FALSE, 1024, ''),
  ('%claude-opus-4_6%',     1000000, 128000, 'adaptive', 'low,medium,high,max',       TRUE,  FALSE, TRUE,  TRUE,  FALSE, FALSE, FALSE, 1024, ''),
  ('%claude-opus-4_7%',     1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  TRUE,  FALSE, FALSE, FALSE, NULL, ''),
  ('%claude-opus-4_8%',     1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  TRUE,  TRUE,  FALSE, FALSE, NULL, ''),
  ('%claude-opus-5%',       1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  TRUE,  TRUE,  FALSE, FALSE, NULL, 'Opus 5'),
  ('%claude-opus-5_5%',     1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  FALSE, TRUE,  TRUE,  FALSE, NULL, ''),
  ('%claude-sonnet-4%',      200000,  64000, 'budget',   '',                          TRUE,  TRUE,  FALSE, TRUE,  FALSE, FALSE, FALSE, 1024, 'Sonnet 4'),
  ('%claude-sonnet-4_5%',    200000,  64000, 'budget',   '',                          TRUE,  TRUE,  TRUE,  TRUE,  FALSE, FALSE, FALSE, 1024, ''),
  ('%claude-sonnet-4_6%',   1000000, 128000, 'adaptive', 'low,medium,high,max',       TRUE,  FALSE, TRUE,  TRUE,  FALSE, FALSE, FALSE, 1024, ''),
  ('%claude-sonnet-5%',     1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  TRUE,  TRUE,  FALSE, FALSE, NULL, 'Sonnet 5'),
  ('%claude-sonnet-5_5%',   1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  FALSE, TRUE,  FALSE, TRUE,  NULL, ''),
  ('%claude-haiku-4_5%',     200000,  64000, 'budget',   '',                          TRUE,  TRUE,  TRUE,  TRUE,  FALSE, FALSE, FALSE, 1024, ''),
  ('%claude-haiku-5_5%',    1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  TRUE,  TRUE,  FALSE, FALSE, NULL, ''),
  ('%claude-fable-5%',      1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  TRUE,  TRUE,  TRUE,  FALSE, NULL, 'Fable 5'),
  ('%claude-fable-5_1%',    1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  FALSE, TRUE,  TRUE,  FALSE, NULL, ''),
  ('%claude-mythos-5%',     1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  TRUE,  TRUE,  TRUE,  FALSE, NULL, 'Mythos 5'),
  ('%claude-mythos-5_1%',   1000000, 128000, 'adaptive', 'low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  FALSE, TRUE,  TRUE,  FALSE, NULL, '');

-- OpenAI. The reasoning models take max_completion_tokens and no sampling parameters.
INSERT IGNORE INTO model_capabilities (pattern, context_tokens, output_tokens_max, thinking, efforts, thinking_always, sampling, custom_tools, max_tokens_name, note) VALUES
  ('%gpt-5%',          272000, 128000, 'effort', 'minimal,low,medium,high',        TRUE,  FALSE, TRUE,  'max_completion_tokens', 'GPT-5, mini, nano'),
  ('%gpt-5-codex%',    272000, 128000, 'effort', 'low,medium,high',                TRUE,  FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5-pro%',      272000, 128000, 'effort', 'high',                           TRUE,  FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5%-chat%',    128000,  16384, 'none',   '',                               FALSE, TRUE,  FALSE, 'max_completion_tokens', 'chat-latest of all GPT-5'),
  ('%gpt-5._%',        272000, 128000, 'effort', 'none,low,medium,high,xhigh',     FALSE, FALSE, TRUE,  'max_completion_tokens', 'GPT-5.2 and later'),
  ('%gpt-5.1%',        272000, 128000, 'effort', 'none,low,medium,high',           FALSE, FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5.1-codex%',  272000, 128000, 'effort', 'low,medium,high',                TRUE,  FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5.1-codex-max%', 272000, 128000, 'effort', 'low,medium,high,xhigh',       TRUE,  FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5.2-codex%',  272000, 128000, 'effort', 'low,medium,high,xhigh',          TRUE,  FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5._-pro%',    922000, 128000, 'effort', 'medium,high,xhigh',              TRUE,  FALSE, TRUE,  'max_completion_tokens', 'GPT-5.2 Pro and later'),
  ('%gpt-5.4%',        922000, 128000, 'effort', 'none,low,medium,high,xhigh',     FALSE, FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5.4-mini%',   272000, 128000, 'effort', 'none,low,medium,high,xhigh',     FALSE, FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5.4-nano%',   272000, 128000, 'effort', 'none,low,medium,high,xhigh',     FALSE, FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5.5%',        922000, 128000, 'effort', 'none,low,medium,high,xhigh',     FALSE, FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-5.6%',        922000, 128000, 'effort', 'none,low,medium,high,xhigh',     FALSE, FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-6%',          922000, 128000, 'effort', 'none,low,medium,high,xhigh,max', FALSE, FALSE, TRUE,  'max_completion_tokens', 'GPT-6 Sol, Luna; 6.1 Terra'),
  ('%gpt-6-astra%',    922000, 128000, 'effort', 'low,medium,high,xhigh,max',      TRUE,  FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-6-rosalind%', 922000, 128000, 'effort', 'low,medium,high,xhigh,max',      TRUE,  FALSE, TRUE,  'max_completion_tokens', ''),
  ('%gpt-6.1-sol%',    922000, 128000, 'effort', 'low,medium,high,xhigh,max',      TRUE,  FALSE, TRUE,  'max_completion_tokens', ''),
  ('o1%',              200000, 100000, 'effort', 'low,medium,high',                TRUE,  FALSE, FALSE, 'max_completion_tokens', ''),
  ('o3%',              200000, 100000, 'effort', 'low,medium,high',                TRUE,  FALSE, FALSE, 'max_completion_tokens', ''),
  ('o4%',              200000, 100000, 'effort', 'low,medium,high',                TRUE,  FALSE, FALSE, 'max_completion_tokens', ''),
  ('%gpt-4.1%',       1047576,  32768, 'none',   '',                               FALSE, TRUE,  FALSE, 'max_tokens', ''),
  ('%gpt-4o%',         128000,  16384, 'none',   '',                               FALSE, TRUE,  FALSE, 'max_tokens', ''),
  ('%gpt-4%',          128000,   4096, 'none',   '',                               FALSE, TRUE,  FALSE, 'max_tokens', 'GPT-4 and Turbo');
INSERT IGNORE INTO model_capabilities (pattern, context_tokens, output_tokens_max, thinking, efforts, structured_output, input_modalities, output_modalities, note) VALUES
  ('%gpt-3.5%',         16385,  4096, 'none',   '',                FALSE, 'text',       'text',       ''),
  ('%gpt-4o%-audio%',  128000, 16384, 'none',   '',                FALSE, 'text,audio', 'text,audio', ''),
  ('%gpt-audio%',      128000, 16384, 'none',   '',                FALSE, 'text,audio', 'text,audio', ''),
  ('%gpt-oss%',        131072, 32768, 'effort', 'low,medium,high', TRUE,  'text',       'text',       'open weights');

-- Google. Levels from Gemini 3 on, budgets before.
INSERT IGNORE INTO model_capabilities (pattern, context_tokens, output_tokens_max, thinking, efforts, thinking_always, thinking_budget_min, thinking_budget_max, schema_keyword, input_modalities, note) VALUES
  ('%gemini-%',                1048576, 65536, 'level',  'minimal,low,medium,high', TRUE,  NULL, NULL,  'parametersJsonSchema', 'text,image,audio,file,video', 'Gemini 3 and later'),
  ('%gemini-3%pro%',           1048576, 65536, 'level',  'low,high',                TRUE,  NULL, NULL,  'parametersJsonSchema', 'text,image,audio,file,video', ''),
  ('%gemini-3.7-flash%',       1048576, 65536, 'level',  'low,medium,high',         TRUE,  NULL, NULL,  'parametersJsonSchema', 'text,image,audio,file,video', ''),
  ('%gemini-3.8-flash%',       1048576, 65536, 'level',  'low,medium,high',         TRUE,  NULL, NULL,  'parametersJsonSchema', 'text,image,audio,file,video', ''),
  ('%gemini-4%',               1048576, NULL,  'level',  'low,medium,high',         TRUE,  NULL, NULL,  'parametersJsonSchema', 'text,image,audio,file,video', ''),
  ('%gemini-2.5-pro%',         1048576, 65536, 'budget', '',                        TRUE,  128,  32768, 'parametersJsonSchema', 'text,image,audio,file,video', ''),
  ('%gemini-2.5-flash%',       1048576, 65536, 'budget', '',                        FALSE, NULL, 24576, 'parametersJsonSchema', 'text,image,audio,file,video', ''),
  ('%gemini-2.5-flash-lite%',  1048576, 65536, 'budget', '',                        FALSE, 512,  24576, 'parametersJsonSchema', 'text,image,audio,file,video', ''),
  ('%gemini-2.0%',             1048576,  8192, 'none',   '',                        FALSE, NULL, NULL,  'parameters',           'text,image,audio,file,video', ''),
  ('%gemini-1.5%',             1048576,  8192, 'none',   '',                        FALSE, NULL, NULL,  'parameters',           'text,image,audio,file,video', ''),
  ('%gemma-%',                  131072,  8192, 'none',   '',                        FALSE, NULL, NULL,  'parameters',           'text,image',                  'open weights');
INSERT IGNORE INTO model_capabilities (pattern, context_tokens, output_tokens_max, thinking, efforts, thinking_always, tools, structured_output, input_modalities, output_modalities, note) VALUES
  ('%gemini-2.5-flash-image%',   32768, 32768, 'none',  '', FALSE, FALSE, FALSE, 'text,image',      'text,image', ''),
  ('%gemini-3%image%',           65536, 32768, 'level', '', TRUE,  FALSE, TRUE,  'text,image,file', 'text,image', ''),
  ('%gemini-2.5-%-preview-tts%',  8192, 16384, 'none',  '', FALSE, FALSE, FALSE, 'text',            'audio',      ''),
  ('%gemini-3%flash%-tts%',       8192, 16384, 'none',  '', FALSE, FALSE, FALSE, 'text',            'audio',      '');

-- Servers that speak Chat Completions.
INSERT IGNORE INTO model_capabilities (pattern, thinking, efforts, thinking_always, structured_output, reasoning_content, input_modalities, note) VALUES
  ('%deepseek%',       'effort', 'none,high,max', FALSE, FALSE, TRUE,  'text',       'wants reasoning_content back'),
  ('%deepseek-flash%', 'effort', 'none,high,max', FALSE, FALSE, TRUE,  'text,image', 'wants reasoning_content back'),
  ('%deepseek-chat%',  'none',   '',              FALSE, FALSE, FALSE, 'text',       ''),
  ('%deepseek-r1%',    'effort', '',              TRUE,  FALSE, FALSE, 'text',       ''),
  ('%kimi-%',          'effort', '',              FALSE, TRUE,  TRUE,  'text,image', 'wants reasoning_content back'),
  ('%moonshot-%',      'none',   '',              FALSE, TRUE,  FALSE, 'text,image', ''),
  ('%glm-%',           'effort', '',              FALSE, FALSE, FALSE, 'text,image', ''),
  ('%qwen%',           'effort', '',              FALSE, TRUE,  FALSE, 'text,image', ''),
  ('%llama-%',         'none',   '',              FALSE, TRUE,  FALSE, 'text,image', ''),
  ('%mistral%',        'none',   '',              FALSE, TRUE,  FALSE, 'text,image', ''),
  ('%codestral%',      'none',   '',              FALSE, TRUE,  FALSE, 'text',       ''),
  ('%grok-%',          'effort', 'low,high',      TRUE,  TRUE,  FALSE, 'text,image', '');
