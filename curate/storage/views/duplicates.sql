-- A row is a row of a cluster of duplicates: the row that was kept, or one that was dropped for it.
--   scope       prompts, completions, or the dataset that looked for duplicates, such as datasets.sft
--   cluster     the id of the kept row, which begins the cluster
--   size        how many rows the cluster has
--   row_id      the row
--   repeats     the row that it repeats; null for the kept one. It may itself repeat another one.
--   similarity  how similar it is to the row that it repeats
--   text        the prompt's text, or the candidate's; of a source's row the prompt that it repeats; of other data, the
--               text that was found
CREATE VIEW duplicates AS
WITH RECURSIVE found AS (
    SELECT
        row_id, evidence ->> 'of' AS repeats, (evidence ->> 'similarity')::DOUBLE AS similarity,
        evidence ->> 'text' AS other_text, coalesce(response, d.prompt, p.prompt) AS text,
        CASE WHEN stage LIKE 'datasets.%' THEN regexp_replace(stage, '\.[^.]*$', '') ELSE split_part(stage, '.', 1) END
        AS scope
    FROM dropped AS d
    LEFT JOIN prompts AS p ON d.kind = 'source row' AND p.prompt_id = evidence ->> 'of'
    WHERE reason IN ('exact duplicate', 'near-duplicate') AND evidence ->> 'of' IS NOT NULL
),
chain AS (
    SELECT scope, row_id, repeats AS head, 1 AS step FROM found
    UNION ALL
    SELECT c.scope, c.row_id, f.repeats, c.step + 1
    FROM chain AS c JOIN found AS f ON f.scope = c.scope AND f.row_id = c.head AND c.step < 1000
),
heads AS (SELECT scope, row_id, max_by(head, step) AS cluster FROM chain GROUP BY ALL),
members AS (
    SELECT scope, cluster, row_id, repeats, similarity, text FROM found JOIN heads USING (scope, row_id)
    UNION ALL
    SELECT h.scope, h.cluster, h.cluster, NULL, NULL, coalesce(c.response, p.prompt, h.other_text)
    FROM (
        SELECT scope, cluster, any_value(f.other_text) AS other_text
        FROM heads JOIN found AS f USING (scope, row_id) GROUP BY ALL
    ) AS h
    LEFT JOIN completions AS c ON c.completion_id = h.cluster
    LEFT JOIN prompts AS p ON p.prompt_id = h.cluster
)
SELECT scope, cluster, count(*) OVER (PARTITION BY scope, cluster) AS size, row_id, repeats, similarity, text
FROM members
ORDER BY scope, size DESC, cluster, repeats IS NOT NULL, similarity DESC, row_id;
