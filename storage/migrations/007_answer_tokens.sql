-- Tokens of generated answers: what was read and what was written; NULL where labels were scored, or nobody counted.

ALTER TABLE predictions ADD COLUMN n_prompt_tokens BIGINT;
ALTER TABLE predictions ADD COLUMN n_tokens BIGINT;
