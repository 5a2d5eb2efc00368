-- nearest(id, k): a row is a prompt or a candidate whose text is among the k nearest to that of row id, by the cosine
-- of embeddings that a step of a recipe stored. Nothing is embedded for this: texts without a vector are left out.
--   row_id, kind  the row, and whether it is a prompt or a candidate
--   similarity    the cosine, at most 1
--   text          its text
--   model         whose embeddings they are: with several models, each has its k nearest
CREATE MACRO nearest(id, k) AS TABLE
WITH texts AS (
    SELECT prompt_id AS row_id, 'prompt' AS kind, prompt AS text FROM prompts
    UNION ALL
    SELECT completion_id, 'candidate', response FROM completions
),
vectors AS (
    SELECT t.*, e.model, e.value FROM texts AS t JOIN embeddings AS e ON e.text_hash = left(sha256(t.text), 32)
),
own AS (SELECT model, value FROM vectors WHERE row_id = id)
SELECT row_id, kind, similarity, text, model FROM (
    SELECT v.row_id, v.kind, list_cosine_similarity(v.value, o.value)::DOUBLE AS similarity, v.text, v.model
    FROM vectors AS v JOIN own AS o ON v.model = o.model AND v.row_id <> id
    QUALIFY row_number() OVER (PARTITION BY v.model ORDER BY similarity DESC, v.row_id) <= k
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL
    FROM (SELECT count(*) AS held FROM own), (SELECT count(*) AS stored FROM embeddings)
    WHERE CASE
        WHEN held > 0 THEN false
        WHEN stored = 0 THEN error('nearest: this store has no embeddings; a step that compares texts by meaning '
            || '(dedup: semantic, select: k_center) stores those of its rows')::BOOLEAN
        ELSE error('nearest: ' || coalesce(id, 'null') || ' is no prompt and no candidate whose text has a stored '
            || 'embedding')::BOOLEAN
    END
) ORDER BY model, similarity DESC, row_id;
