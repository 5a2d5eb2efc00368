-- A row is a preference pair as plain texts.
--   row_id, dataset, split       as in the table preferences, which has whole conversations
--   prompt                       the last turn of the user
--   chosen, rejected             the texts of the two answers; of an answer of several turns, the last one's
--   chosen_score, rejected_score the scores that the pair was made by, and margin, their difference
--   scores                       every score of both, as JSON
CREATE VIEW pairs AS
SELECT
    row_id, dataset, split,
    last_question(prompt) AS prompt,
    chosen ->> '$[#-1].content' AS chosen,
    rejected ->> '$[#-1].content' AS rejected,
    chosen_score, rejected_score, chosen_score - rejected_score AS margin,
    scores::JSON AS scores, prompt_id, chosen_id, rejected_id
FROM preferences;
