-- A row is a row of a dataset, of whatever type, as plain texts.
--   row_id, dataset, type, split  the row; type as in the recipe: sft, preference, unpaired, prompt
--   prompt                        the last turn of the user
--   completion                    the answer's last turn; of a pair the chosen one, of an RL prompt null
--   rejected                      the rejected answer of a pair
--   label                         of an unpaired answer, whether it is a good one
--   score                         the answer's score, or the pass rate of an RL prompt
--   prompt_id, completion_id      what the row was made of; the id is that of the chosen answer of a pair
-- The tables sft, preferences, unpaired and rl_prompts have the whole conversations.
CREATE VIEW examples AS
WITH every_row AS (
    SELECT
        row_id, dataset, 'sft' AS type, split, prompt, completion, NULL::JSON AS rejected, NULL::BOOLEAN AS label,
        score, prompt_id, completion_id
    FROM sft
    UNION ALL
    SELECT
        row_id, dataset, 'preference', split, prompt, chosen, rejected, NULL, chosen_score, prompt_id, chosen_id
    FROM preferences
    UNION ALL
    SELECT row_id, dataset, 'unpaired', split, prompt, completion, NULL, label, score, prompt_id, completion_id
    FROM unpaired
    UNION ALL
    SELECT row_id, dataset, 'prompt', split, prompt, NULL, NULL, NULL, pass_rate, prompt_id, NULL FROM rl_prompts
)
SELECT
    row_id, dataset, type, split,
    last_question(prompt) AS prompt,
    completion ->> '$[#-1].content' AS completion,
    rejected ->> '$[#-1].content' AS rejected,
    label, score, prompt_id, completion_id
FROM every_row;
