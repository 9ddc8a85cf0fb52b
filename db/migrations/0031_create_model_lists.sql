-- Which models a group or an account may use. A request needs the model in every list that exists: its key's, its account's and its group's.

CREATE TABLE IF NOT EXISTS group_models (
  group_id INT UNSIGNED NOT NULL COMMENT 'The group',
  model_id INT UNSIGNED NOT NULL COMMENT 'A model that its accounts may use',
  PRIMARY KEY (group_id, model_id),
  CONSTRAINT group_models_group FOREIGN KEY (group_id) REFERENCES account_groups (id) ON DELETE CASCADE,
  CONSTRAINT group_models_model FOREIGN KEY (model_id) REFERENCES models (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Models that a group may use; no row for a group: all';

CREATE TABLE IF NOT EXISTS account_models (
  account_id BIGINT UNSIGNED NOT NULL COMMENT 'The account',
  model_id   INT UNSIGNED NOT NULL COMMENT 'A model that its keys may use',
  PRIMARY KEY (account_id, model_id),
  CONSTRAINT account_models_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
  CONSTRAINT account_models_model FOREIGN KEY (model_id) REFERENCES models (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Models that an account may use; no row for an account: all';
