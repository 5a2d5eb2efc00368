-- A row is a stage of a run, or a part of the stage of a dataset, with one reason to drop rows, or with none.
--   run_id, recipe, position  the run, and where the stage is in its recipe; the latest run comes first
--   stage                     the stage, or the part of it, such as datasets.sft.dedup
--   reason                    the reason, as in the view dropped; null in the row that has what was kept
--   rows_in                   how many rows the stage got
--   kept, dropped             how many it kept (in the row without a reason), or dropped for this reason
-- A source and a step that generates keep what they make; a dataset's own row, its last, has the rows that it has.
CREATE VIEW funnel AS
WITH used AS (
    SELECT s.*, r.number FROM stages AS s JOIN runs AS r USING (run_id)
    WHERE regexp_matches(s.stage, '^(prompts|completions|datasets)\.') AND NOT regexp_matches(s.stage, '^\w+\.score\.')
),
counts AS (
    SELECT path, stage AS part, drop_reason(stage, reason, NULL).kind AS reason, kept, count(*) AS n, min(row) AS place
    FROM decision_history WHERE NOT kept OR reason IS NULL GROUP BY ALL
),
parts AS (
    SELECT
        path, part, min(place) AS place, sum(n) AS decided,
        coalesce(sum(n) FILTER (kept), 0) AS kept, sum(n) FILTER (NOT kept) AS dropped
    FROM counts GROUP BY ALL
),
rows_by_reason AS (
    SELECT path, part, place, decided, NULL AS reason, kept, 0 AS dropped FROM parts
    UNION ALL
    SELECT path, part, p.place, decided, c.reason, 0, c.n FROM parts AS p JOIN counts AS c USING (path, part)
    WHERE NOT c.kept
),
told AS (
    -- Stages that decide on all their rows, and the parts of a dataset.
    SELECT u.*, r.part, r.place, r.reason, r.decided AS took, r.kept, r.dropped
    FROM used AS u JOIN rows_by_reason AS r USING (path)
    WHERE NOT regexp_matches(u.stage, '^\w+\.(source|generate)\.')
    UNION ALL
    -- Those that make rows: what they drop are rows that they were given, or made.
    SELECT u.*, u.stage, -1, NULL, u.rows_in, u.rows_out
        - CASE WHEN u.stage LIKE 'completions.generate.%' THEN coalesce(d.dropped, 0) ELSE 0 END, 0
    FROM used AS u LEFT JOIN parts AS d USING (path) WHERE regexp_matches(u.stage, '^\w+\.(source|generate)\.')
    UNION ALL
    SELECT u.*, u.stage, r.place, r.reason, u.rows_in, 0, r.dropped
    FROM used AS u JOIN rows_by_reason AS r USING (path)
    WHERE regexp_matches(u.stage, '^\w+\.(source|generate)\.') AND r.reason IS NOT NULL
    UNION ALL
    SELECT u.*, u.stage, 9223372036854775807, NULL, NULL, u.rows_out, 0 FROM used AS u WHERE u.stage LIKE 'datasets.%'
)
SELECT
    run_id, recipe, position, part AS stage, reason,
    took::BIGINT AS rows_in, kept::BIGINT AS kept, dropped::BIGINT AS dropped
FROM told
ORDER BY number DESC, position, place, reason IS NOT NULL, dropped DESC, reason;
