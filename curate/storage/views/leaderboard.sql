-- A row is a model's result by a scorer on a split of a dataset, in the latest evaluation of it there.
--   model, training_id         the model; of a trained one, its training
--   dataset, split, scorer     what was asked, and what the answers were scored by
--   mean, answers, nulls       the mean score, how many answers have one, and how many have none
--   start                      the model that the training began with; null for a model that was not trained here
--   change, low, high, prompts the mean change from the start, over the prompts that both have a score for, and its 95%
--                              interval: Student's t over families of prompts, with the correction CR2. The interval
--                              that evaluate prints may be a little wider where scores are from 0 to 1. None below ten
--                              families.
--   run_id                     the run that evaluated the model
-- The best mean comes first. The judge's own figures and gristmill's own scorers (with a slash) come last.
CREATE VIEW leaderboard AS
WITH every_row AS MATERIALIZED (
    SELECT
        evaluation_id, model, training_id, dataset, split, scorer, prompt_id, coalesce(family, prompt_id) AS family,
        value, run_id
    FROM evaluations
),
latest AS MATERIALIZED (
    SELECT * FROM every_row
    QUALIFY dense_rank() OVER (
        PARTITION BY model, training_id, dataset, split, scorer ORDER BY run_id DESC NULLS LAST, evaluation_id) = 1
),
means AS (
    SELECT
        model, training_id, dataset, split, scorer, any_value(run_id) AS run_id, avg(value) AS mean,
        count(value) AS answers, count(*) - count(value) AS nulls
    FROM latest GROUP BY ALL
),
by_prompt AS MATERIALIZED (
    SELECT
        model, training_id, dataset, split, scorer, prompt_id, any_value(family) AS family, avg(value) AS value
    FROM every_row WHERE value IS NOT NULL GROUP BY ALL
),
own AS (
    SELECT DISTINCT model, training_id, dataset, split, scorer, prompt_id FROM latest WHERE value IS NOT NULL
),
starts AS (
    SELECT
        training_id, model AS start,
        CASE WHEN base LIKE '%>%' THEN regexp_extract(base, '>([^>]*)$', 1) END AS start_training
    FROM trainings
),
changes AS (
    SELECT
        b.model, b.training_id, b.dataset, b.split, b.scorer, b.family, b.value - s.value AS change
    FROM by_prompt AS b
    JOIN own USING (model, training_id, dataset, split, scorer, prompt_id)
    JOIN starts AS t ON t.training_id = b.training_id
    JOIN by_prompt AS s ON s.dataset = b.dataset AND s.split = b.split AND s.scorer = b.scorer
        AND s.prompt_id = b.prompt_id
        AND coalesce(s.training_id, s.model) = coalesce(t.start_training, t.start)
),
families AS (
    SELECT
        *, count(*) OVER each AS size, sum(change) OVER each AS total,
        count(*) OVER every AS prompts, avg(change) OVER every AS mean_change
    FROM changes
    WINDOW
        every AS (PARTITION BY model, training_id, dataset, split, scorer),
        each AS (PARTITION BY model, training_id, dataset, split, scorer, family)
),
sums AS (
    SELECT
        model, training_id, dataset, split, scorer, family, prompts, mean_change, size / prompts AS share,
        (total - size * mean_change) / prompts AS moved
    FROM families GROUP BY ALL
),
spread AS (
    SELECT
        model, training_id, dataset, split, scorer, any_value(prompts) AS prompts, any_value(mean_change) AS change,
        count(*) AS clusters,
        sqrt(sum(moved ** 2 / nullif(1 - share, 0))) AS error,
        greatest(1, 1 / (sum(share ** 2) + sum(share ** 2 / nullif(1 - share, 0)) ** 2
            - sum(share ** 4 / nullif(1 - share, 0) ** 2))) AS freedom
    FROM sums GROUP BY ALL
),
spans AS (
    -- Of scores from 0 to 1 no change is below -1 or above 1.
    SELECT dataset, split, scorer, CASE WHEN min(value) >= 0 AND max(value) <= 1 THEN 1.0 ELSE 'inf'::DOUBLE END AS most
    FROM every_row GROUP BY ALL
),
intervals AS (
    -- The quantile of t by its expansion around the normal one: right to three digits from four degrees of freedom on.
    SELECT
        *, CASE WHEN clusters >= 10 AND freedom >= 4 AND error > 0 THEN error * (1.959963985
            + 2.372270 / freedom + 2.822502 / freedom ** 2 + 2.555852 / freedom ** 3 + 1.589536 / freedom ** 4) END
        AS half
    FROM spread JOIN spans USING (dataset, split, scorer)
)
SELECT
    m.model, m.training_id, m.dataset, m.split, m.scorer, m.mean, m.answers, m.nulls,
    t.start, i.change,
    -- greatest and least leave out nulls: without a half width there is no interval.
    CASE WHEN i.half IS NOT NULL THEN greatest(i.change - i.half, -most) END AS low,
    CASE WHEN i.half IS NOT NULL THEN least(i.change + i.half, most) END AS high,
    i.prompts, m.run_id
FROM means AS m
LEFT JOIN starts AS t ON t.training_id = m.training_id
LEFT JOIN intervals AS i ON i.model = m.model AND i.training_id = m.training_id AND i.dataset = m.dataset
    AND i.split = m.split AND i.scorer = m.scorer
ORDER BY m.scorer LIKE '%/%', m.dataset, m.split, m.scorer, m.mean DESC NULLS LAST, m.model, m.training_id;
