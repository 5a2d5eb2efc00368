"""The text of an answer in an evaluation, in SQL."""

# The table ``evaluations`` has no tool calls: an answer of nothing else would look as if there were none.
RESPONSE = """CASE WHEN coalesce(response, '') = '' AND finish_reason = 'tool_calls'
    THEN '(calls a tool; the detail of its score says how well)' ELSE response END"""
