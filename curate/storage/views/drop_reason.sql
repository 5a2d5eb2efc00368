-- drop_reason(stage, reason, evidence): a decision's reason as {kind, detail}. Decisions of the same kind have the same
-- words, whatever step, line or number is in their reason; those are the detail.
CREATE MACRO drop_reason(stage, reason, evidence) AS CASE
    WHEN stage LIKE '%.filter' OR stage LIKE '%.filter.%' THEN {'kind': 'filter: ' || reason, 'detail': NULL::VARCHAR}
    WHEN stage LIKE '%.where' THEN {'kind': 'where', 'detail': regexp_replace(reason, '^not: ', '')}
    WHEN reason = 'duplicate (exact)' THEN {'kind': 'exact duplicate', 'detail': NULL}
    WHEN regexp_matches(reason, '^(same prompt|exact copy)') THEN {'kind': 'exact duplicate', 'detail': reason}
    WHEN reason LIKE 'near-duplicate (%' THEN
        {'kind': 'near-duplicate', 'detail': regexp_extract(reason, '\((.*)\)', 1)}
    WHEN reason LIKE 'overlaps a benchmark (%' THEN
        {'kind': 'overlaps a benchmark', 'detail': regexp_extract(reason, '\((.*)\)', 1)}
    WHEN reason LIKE 'not chosen (%' THEN {'kind': 'not chosen', 'detail': regexp_extract(reason, '\((.*)\)', 1)}
    WHEN reason LIKE 'not drawn%' THEN
        {'kind': 'not drawn', 'detail': nullif(regexp_replace(reason, '^not drawn:? ?', ''), '')}
    WHEN reason LIKE 'score below %' THEN {'kind': 'score too low', 'detail': substr(reason, 7)}
    WHEN reason IN ('lower score', 'equal score, later id') OR reason LIKE 'passed, but its prompt has %' THEN
        {'kind': 'not the best', 'detail': reason}
    WHEN reason LIKE 'no pair: %' THEN {'kind': 'no pair', 'detail': substr(reason, 10)}
    WHEN reason LIKE 'no label: %' THEN {'kind': 'no label', 'detail': substr(reason, 11)}
    WHEN stage LIKE 'datasets.%.label' THEN {'kind': 'contradicting labels', 'detail': reason}
    WHEN stage LIKE 'datasets.%.learnt' THEN {'kind': 'nothing to learn', 'detail': reason}
    WHEN reason LIKE 'seed (%' THEN {'kind': 'seed', 'detail': regexp_extract(reason, '\((.*)\)', 1)}
    WHEN reason = 'error' THEN {'kind': 'failed request', 'detail': evidence}
    WHEN reason IN ('no score', 'broken tool call') THEN {'kind': reason, 'detail': NULL}
    WHEN stage LIKE 'prompts.source.%' THEN {'kind': 'unreadable row', 'detail': reason}
    ELSE {'kind': reason, 'detail': NULL}
END;
