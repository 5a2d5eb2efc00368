-- why(id): a row is a step in the history of a prompt, a candidate or a dataset row; id may be the start of its id.
--   step    prompt, made from, candidate, score, kept or dropped (a decision), dataset, training, evaluation
--   what    the id of the row that the step is about, the stage of a decision, the scorer, the dataset, the model
--   detail  its text, the reason and the evidence, the value, the split, the losses
-- 'gristmill why ID' tells the same in sentences.
CREATE MACRO why(id) AS TABLE
WITH dataset_rows AS (
    SELECT row_id, dataset, split, prompt_id, [completion_id] AS candidates FROM sft
    UNION ALL
    SELECT row_id, dataset, split, prompt_id, [chosen_id, rejected_id] FROM preferences
    UNION ALL
    SELECT row_id, dataset, split, prompt_id, [completion_id] FROM unpaired
    UNION ALL
    SELECT row_id, dataset, split, prompt_id, [] FROM rl_prompts
),
hits AS (
    SELECT prompt_id AS hit FROM prompts WHERE starts_with(prompt_id, id)
    UNION
    SELECT completion_id FROM completions WHERE starts_with(completion_id, id)
    UNION
    SELECT row_id FROM dataset_rows WHERE starts_with(row_id, id)
    UNION
    SELECT row_id FROM training_rows WHERE starts_with(row_id, id)
    UNION
    SELECT row_id FROM decisions WHERE row_id = id
),
me AS (
    SELECT CASE
        WHEN bool_or(hit = id) THEN id
        WHEN count(*) = 1 THEN any_value(hit)
        WHEN count(*) = 0 THEN error('why: no row ' || id || ' in this store')
        ELSE error('why: ' || id || ' is the start of ' || count(*) || ' ids; give more of it')
    END AS it FROM hits
),
rows_of AS (
    SELECT d.* FROM dataset_rows AS d, me WHERE row_id = it OR prompt_id = it OR list_contains(candidates, it)
),
my_candidates AS (
    SELECT c.* FROM completions AS c, me
    WHERE completion_id = it OR prompt_id = it
        OR completion_id IN (SELECT unnest(candidates) FROM rows_of WHERE row_id = it)
),
my_prompts AS (
    SELECT p.* FROM prompts AS p, me
    WHERE prompt_id = it OR prompt_id IN (SELECT prompt_id FROM my_candidates)
        OR prompt_id IN (SELECT prompt_id FROM rows_of WHERE row_id = it)
),
losses AS (
    SELECT l.training_id, l.row_id, min_by(loss, step) AS first, max_by(loss, step) AS last
    FROM row_losses AS l WHERE phase = 'train' AND l.row_id IN (SELECT row_id FROM rows_of UNION SELECT it FROM me)
    GROUP BY ALL
),
steps AS (
    SELECT 1 AS place, 'prompt' AS step, prompt_id AS what,
        prompt || ' (' || concat_ws(', ', source, 'line ' || line) || ')' AS detail
    FROM my_prompts
    UNION ALL
    SELECT 2, 'made from', p.prompt_id, p.prompt
    FROM prompts AS p WHERE p.prompt_id IN (SELECT unnest(parent_ids) FROM my_prompts)
    UNION ALL
    SELECT CASE left(row_id, 2) WHEN 'p_' THEN 3 WHEN 'c_' THEN 6 ELSE 8 END, if(kept, 'kept', 'dropped'), d.stage,
        nullif(concat_ws('  ', row_id, reason, evidence::VARCHAR), '')
    FROM decisions AS d WHERE row_id IN (
        SELECT it FROM me UNION SELECT prompt_id FROM my_prompts UNION
        SELECT completion_id FROM my_candidates UNION SELECT row_id FROM rows_of)
    UNION ALL
    SELECT 4, 'candidate', completion_id, coalesce(response, 'none: ' || error) FROM my_candidates
    UNION ALL
    SELECT 5, 'score', s.scorer, s.row_id || '  ' || coalesce(round(s.value, 4)::VARCHAR, 'null')
        || coalesce('  ' || s.error, '') || coalesce('  ' || s.detail::VARCHAR, '')
    FROM scores AS s WHERE s.row_id IN (SELECT completion_id FROM my_candidates)
    UNION ALL
    SELECT 7, 'dataset', dataset, row_id || '  ' || split FROM rows_of
    UNION ALL
    SELECT 9, 'training', coalesce(t.name || ' (' || t.trainer || ', ' || r.training_id || ')', r.training_id),
        r.row_id || '  ' || r.fate || coalesce('  loss ' || round(first, 3) || ' -> ' || round(last, 3), '')
    FROM training_rows AS r LEFT JOIN trainings AS t USING (training_id)
    LEFT JOIN losses AS l ON l.training_id = r.training_id AND l.row_id = r.row_id
    WHERE r.row_id IN (SELECT it FROM me UNION SELECT row_id FROM rows_of)
    UNION ALL
    SELECT DISTINCT 10, 'evaluation', model || ' by ' || scorer,
        split || '  ' || coalesce(round(value, 4)::VARCHAR, 'null') || coalesce('  ' || response, '')
    FROM evaluations WHERE prompt_id IN (SELECT prompt_id FROM my_prompts)
)
SELECT step, what, detail FROM steps ORDER BY place, what, detail;
