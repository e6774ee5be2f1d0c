-- How did training go?  Grain: one row per run and optimizer step.
-- Columns: run_id, adapter_key, step, epoch, loss, learning_rate, gradient_norm, tokens, unique_tokens, unique_share,
-- seconds, tokens_per_s, memory_mib, dev_loss, dev_weighted_f1
CREATE OR REPLACE VIEW training AS
SELECT s.run_id, t.stage_key AS adapter_key, t.step, t.epoch, t.loss, t.learning_rate, t.gradient_norm,
       t.tokens, t.unique_tokens, round(t.unique_tokens / t.tokens, 3) AS unique_share,
       t.seconds, round(t.tokens / nullif(t.seconds, 0), 1) AS tokens_per_s, t.memory_mib,
       t.dev_loss, t.dev_weighted_f1
FROM training_log_history t
JOIN stages s ON s.stage_key = t.stage_key AND s.stage = 'finetune'
ORDER BY s.run_id, t.step;
