-- k_curve(scorer): a row is a number k of candidates of a prompt.
--   k        from 1 to the most scored candidates that a prompt has
--   best     the mean over prompts of the expected best score of k of the prompt's candidates, drawn without
--            replacement: the i-th lowest of n is the best of C(i - 1, k - 1) of the C(n, k) draws
--   prompts  how many prompts have at least k candidates with a score: the mean is over these
CREATE MACRO k_curve(scorer) AS TABLE
WITH ranked AS (
    SELECT
        c.prompt_id, s.value, row_number() OVER (PARTITION BY c.prompt_id ORDER BY s.value) AS i,
        count(*) OVER (PARTITION BY c.prompt_id) AS n
    FROM scores AS s JOIN completions AS c ON c.completion_id = s.row_id
    WHERE s.scorer = scorer AND s.value IS NOT NULL AND NOT isnan(s.value)
),
sums AS (SELECT n, i, sum(value) AS total, count(*) AS prompts FROM ranked GROUP BY n, i),
sizes AS (SELECT unnest(range(1, max(n) + 1)) AS k FROM sums)
SELECT * FROM (
    SELECT
        k,
        sum(total * exp(
            lgamma(i) - lgamma(k) - lgamma(i - k + 1) - lgamma(n + 1) + lgamma(k + 1) + lgamma(n - k + 1)
        )) / sum(prompts) FILTER (i = n) AS best,
        sum(prompts) FILTER (i = n)::BIGINT AS prompts
    FROM sums JOIN sizes ON i >= k GROUP BY k
    UNION ALL
    SELECT NULL, NULL, NULL FROM (SELECT count(*) AS held FROM sums) WHERE CASE WHEN held = 0 THEN error(
        'k_curve: no candidate has a score by ' || coalesce(scorer, 'null')
        || '; SELECT DISTINCT scorer FROM scores names the scorers')::BOOLEAN ELSE false END
) ORDER BY k;
