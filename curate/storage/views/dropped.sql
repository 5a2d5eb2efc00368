-- A row is a decision that dropped a row.
--   row_id, kind     the row's id, and whether it is a prompt, a candidate, a dataset row or a row of a source (which
--                    became no prompt; its id is its place)
--   stage, run_id    the stage that dropped it, and the run that made this stage
--   reason, detail   the reason in the same words for all decisions of a kind, and what else it says
--   evidence         always JSON: what the decision names, {"of": ID} of what a row repeats, {"instead": ID} of what was
--                    kept instead, {"text": ...} of what is no JSON
--   prompt, response the texts; null of what is not in the store any more
CREATE VIEW dropped AS
WITH told AS (
    SELECT *, drop_reason(stage, reason, evidence::VARCHAR) AS said, evidence::VARCHAR AS given
    FROM decisions WHERE NOT kept
)
SELECT
    d.row_id,
    CASE left(d.row_id, 2)
        WHEN 'p_' THEN 'prompt' WHEN 'c_' THEN 'candidate' WHEN 'r_' THEN 'dataset row' ELSE 'source row'
    END AS kind,
    d.stage,
    d.said.kind AS reason,
    d.said.detail AS detail,
    CASE
        WHEN given IS NULL THEN NULL
        WHEN left(given, 1) = '{' AND json_valid(given) THEN given::JSON
        WHEN regexp_full_match(given, '[pcr]_[0-9a-f]+') AND d.stage LIKE 'prompts.source.%' THEN
            json_object('of', given)
        WHEN regexp_full_match(given, '[pcr]_[0-9a-f]+') THEN json_object('instead', given)
        WHEN regexp_matches(given, '^p_[0-9a-f]+, metadata ') THEN json_object(
            'of', split_part(given, ',', 1), 'metadata', regexp_replace(given, '^p_[0-9a-f]+, metadata ', ''))
        ELSE json_object('text', given)
    END AS evidence,
    p.prompt,
    c.response,
    d.run_id
FROM told AS d
LEFT JOIN completions AS c ON c.completion_id = d.row_id
LEFT JOIN prompts AS p ON p.prompt_id = coalesce(c.prompt_id, d.row_id);
