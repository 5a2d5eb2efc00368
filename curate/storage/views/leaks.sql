-- A row is a row that decontaminate dropped, beside the benchmark's row that it repeats.
--   row_id, stage           the row, and the stage that dropped it
--   how                     exact, n-grams or semantic
--   overlap                 the share of words that both have; of semantic, the cosine
--   benchmark, line         the benchmark's file, and the line in it
--   prompt, response        the row's texts
--   benchmark_text, shared  the benchmark's text, and the longest run of words that both have; 300 characters of each
CREATE VIEW leaks AS
SELECT
    row_id, stage, detail AS how,
    coalesce(evidence ->> 'overlap', evidence ->> 'similarity')::DOUBLE AS overlap,
    evidence ->> 'file' AS benchmark,
    (evidence ->> 'line')::BIGINT AS line,
    prompt, response,
    evidence ->> 'text' AS benchmark_text,
    evidence ->> 'shared' AS shared
FROM dropped
WHERE reason = 'overlaps a benchmark'
ORDER BY overlap DESC, how, stage, row_id;
