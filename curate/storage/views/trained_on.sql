-- A row is a row that a training was given, with its texts.
--   training, training_id         the training's name and id
--   row_id, dataset               the row, and the dataset that the training was given
--   fate, cut_tokens              as in the table training_rows: whether the model was trained on it
--   first_loss, last_loss         the row's loss when it was first and last trained on; null where none is recorded
--   prompt, completion, rejected  as in the view examples; null of a row that no current dataset has
--   run_id                        the run that trained; the latest training comes first
-- The losses are those of training; row_losses has those of held-out rows too.
CREATE VIEW trained_on AS
WITH texts AS (
    SELECT
        row_id, any_value(prompt) AS prompt, any_value(completion) AS completion, any_value(rejected) AS rejected
    FROM examples GROUP BY row_id
),
losses AS (
    SELECT training_id, row_id, min_by(loss, step) AS first_loss, max_by(loss, step) AS last_loss
    FROM row_losses WHERE phase = 'train' GROUP BY ALL
)
SELECT
    t.name AS training, r.training_id, r.row_id, t.dataset, r.fate, r.cut_tokens, l.first_loss, l.last_loss,
    e.prompt, e.completion, e.rejected, r.run_id
FROM training_rows AS r
LEFT JOIN trainings AS t USING (training_id)
LEFT JOIN losses AS l ON l.training_id = r.training_id AND l.row_id = r.row_id
LEFT JOIN texts AS e ON e.row_id = r.row_id
ORDER BY r.run_id DESC, training, r.training_id;
