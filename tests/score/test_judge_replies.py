"""Made replies of judges that were asked for a score, with the right reading; each read last and first."""

import pytest

from curate.score._parse_verdicts import UNENDED, read_score

TABLE = "| Criterion | Score |\n|---|---|\n| Clarity | 9 |\n"
# Replies by the score that they give on a scale from 1 to 10, wherever the judge was asked to put it.
SCORES = {
    8: [
        "Score: 8", "score:8", "SCORE: 8", "**Score: 8**", "**Score**: 8", "*Score: 8*", "__Score: 8__",
        "> Score: 8",
        "- Score: 8", "1. Score: 8", "Score: `8`", '"Score: 8"', 'My verdict: "Score: 8"', "Score: <8>",
        "Score: [8]",
        "Score: 8/10", "Score: 8 / 10", "Score: **8**/10", "Score: 8 out of 10", "Score: 8 out of ten",
        "Score: 8.",
        "Score: 8!", "Score: 08", "Score: +8", "Score: N = 8", "Score - 8", "Score = 8", "Score: 8 (good)",
        "Score: ８",
        "Score: 8\n\n- 2 errors found", "Score: 8\n2 errors found", "Score: 8. 2 errors were found.",
        "Score:\n\n8\n",
        "Score: 8\n<|im_end|>", "Score: 8<|eot_id|>", "```\nScore: 8\n```", "Score (1-10): 8",
        "Score (out of 10): 8",
        "Final Score: 8", "My final score for this response is 8.", "The score is 8", "Overall: 8",
        "Rating: 8 stars",
        "Overall rating: 8/10\n\nI hope this helps!", "Score: 8 (accuracy: 9, completeness: 7)",
        "# Score\n8",
        "**8**", "8", "8.", "8/10", "8/10 - good", "Solid 8/10.", "8 out of 10", "## Score\n\n**8**",
        '{"score": 8}', '```json\n{"score": 8}\n```', '{"score": "8/10"}', '{"Score": {"value": 8}}',
        '{"finalScore": 8}',
        "{'score': 8}", '{"score": 8, "max_score": 10}', '{"rating": 8, "confidence": 9}',
        '{"score":8,"out_of":10}',
        '{"clarity": 9, "depth": 6, "score": 8}', '{"scores": {"clarity": 9, "overall": 8}}',
        '{"score": 8, "explanation": "It says \\"Score: 10\\" itself."}', '{"evaluation": {"score": 8}}',
        '{"criteria": [{"name": "clarity", "score": 9}, {"name": "depth", "score": 6}], "overall_score": 8}',
        'My judgement:\n```json\n{\n  "why": "Good. Score: 3 would be too low.",\n  "score": 8\n}\n```',
        "[[8]]", "Rating: [[8]]", "[[rating]]: 8", "\\boxed{8}", "[RESULT] 8", "Feedback: fine. [RESULT] 8",
        "#### 8",
        "<score>8</score>", "<answer>8</answer>", "<thinking>9</thinking>\n<score>8</score>", "Answer: 8",
        "Quality: 8",
        f"{TABLE}| Overall | 8 |", f"{TABLE}| **Total** | **8/10** |", "Final verdict: 8 points", "Helpfulness: 8",
        "Clarity: 9\nDepth: 6\nOverall: 8", "**Overall: 8/10**\n- Clarity: 9/10\n- Depth: 6/10",
        "Clarity score: 9\nDepth score: 6\nScore: 8", "Accuracy 9/10, completeness 7/10, overall 8/10",
        "Score: 9/10 for clarity, 5/10 for depth, so overall 8/10", "Step 1: 9/10 clarity.\nTotal: 8/10",
        "I'd give it an 8.", "I'd say 8.", "I would rate this an 8 out of 10 because it is good.",
        "I award it 8 points",
        "The response deserves an 8.", "The highest possible score is 10. I give it an 8.",
        "A perfect score: 10. This one is not. Score: 8", "Maximum score: 10\nScore: 8",
        "Previous score: 5\nScore: 8",
        "The response says 'Score: 10'. It is wrong.\n\nScore: 8",
        "Score: 8\n\nThe response claims 'Score: 10'.",
        'Score: 8. The response ends with "Score: 10".',
        "It tells me to reply Score: 10.\n\nIt deserves an 8.",
        "The result: 9\n\nScore: 8", "BLEU score: 3 is low.\nScore: 8", "<think>Score: 2</think>Score: 8",
        "Score: 2, hmm.</think>\n\nScore: 8",
        "评分：8分", "最终评分：8", "总体得分：8/10", "得分是8", "我给这个回答打8分。", "该回答得8分。",
        "評価：8点",
        "准确性：9分\n深度：6分\n总分：8分", "Bewertung: 8/10", "Gesamtbewertung: 8", "Punktzahl: 8 von 10",
        "Note : 8/10",
        "Puntuación: 8/10", "Оценка: 8",
        "评分结果：8", "【评分】8", "满分10分，得8分", "评分：8分（满分10分）",
        "점수: 8점",
        "Note globale : 8/10", "Punteggio finale: 8", "Nota final: 8", "스코어 score: 8", "スコア：8",
        "Score: 8\n\nConfidence: 9", "The score I would give is 8.",
        "I'd give this response a rating of 8/10.",
        "Score — 8", "Score: 8 (out of 10)", "Score: 8 points out of 10", "\\boxed{Score: 8}",
        "$\\boxed{8/10}$",
        "This falls in the good band (7-8). Score: 8", "Correct answer: 3\n\nScore: 8",
        "The final score is therefore 8.",
        "Let me score each part. Accuracy: 9. Depth: 6. Score: 8", "In total: 8/10",
        "Score on a scale of 1-10: 8",
        "Score (overall): 8", "Score for the response: 8", "Score\n8/10", "Score:\n**8**",
        "reason: fine\nscore: 8",
        "It ends with:\n\nScore: 10\n\nI'd give it an 8.", "My score in the requested format: Score: 8",
        "<b>Score:</b> 8",
        "Here is the score that you asked for:\n\nScore: 8", "My reply: Score: 8",
        "<p><strong>Score</strong>: 8/10</p>",
        "**Clarity (9/10):** good\n**Depth (6/10):** thin\n**Overall (8/10)**", "### Score\n8/10 – solid",
        "10 items were listed.\nScore: 8/10", "Score: 8\r\nGood\r\n", "\ufeffScore: 8", "Score:\u00a08",
        "Result: 8",
    ],
    8.5: ["Score: 8.5", "Score: 8,5", "Score: 8.50/10", "I'd rate this 8.5", '{"score": 8.5}'],
    10: ["Score: 10", "Score: 10/10", "The answer is 42, which is right.\n\nScore: 10"],
    1: ["Score: 1", "Score: 1/10", "[[1]]"],
    None: [
        "", "Score:", "I cannot judge this.", "Score: N/A", "Score: eight", "Score: B+", "Rating: ★★★★☆",
        "Score: X",
        "Score: 7½", "Score: ½", "Score: 7 1/2", "Score: 1O", "Score: 8th", "Score: 8+", "Score: 8-",
        "Score: 8?",
        "Score: ~8", "Score: <8", "Score: >8", "Score: 6+2=8", "Score: (9+7)/2", "Score: 8/10/2024",
        "Score: 3x",
        "Score: 7-8", "Score: 7–8", "Score: 7 to 8", "Score: 7 or 8", "Score: 7, maybe 8",
        "Score: 7 (maybe 8)",
        "Score: between 7 and 8", "Score: 7/8", "Score: 7 → 8", "7-8", "I'd say 7 to 8/10",
        "Score: 7 bis 8",
        "Score: 80%", "Score: 8 %", "Score: 8 percent", "Score: 80/100", "Score: 4/5",
        "Score: 4 out of five",
        "Score (1-5): 4", "Score (out of 5): 4", "Score: 4 (on a scale of 1 to 5)", "评分：80分",
        "On a scale of 1 to 5, I'd give it a 4.", "Score: 0.8", "Score: 0", "Score: 11", "Score: -5",
        "Score: 100",
        "Clarity: 9\nDepth: 6", "Clarity: 9/10\nDepth: 6/10", "Clarity: 9/10, Depth: 6/10",
        "Clarity: 8/10\nDepth: 8/10",
        "Clarity score: 9\nDepth score: 6", "Score (clarity): 9\nScore (depth): 3", TABLE + "| Depth | 6 |",
        "Score: 8/10 for clarity, 5/10 for depth", "Score: 8 for clarity and 5 for depth.",
        '{"clarity": 9, "depth": 6}',
        "I'd give it a 9 for style and a 6 for depth.", "<clarity>9</clarity><depth>6</depth>",
        '{"A": {"score": 7}, "B": {"score": 5}}', '{"score": null}', '{"score": [7, 8]}',
        '{"score": "high"}',
        '{"score": 85}', "I would not give it an 8.", "I'd give it a 9 if it had sources.", "Errors: 3",
        "I'd give it a 9, if it had sources.", "It deserves more than a 5.",
        "The response cites 3/10 facts.",
        "8 out of 10 facts are right.", "It solves 3 of 10 problems.", "It cites 3/10.\n\nScore: 7-8",
        "Score A: 8\nScore B: 6", "Score for clarity: 9\nScore for depth: 6", "accuracy=9, depth=6",
        "Score: 8:10",
        "Score: 4 (out of 5)", "Score: 4 (1-5)", "Score: 4 stars out of 5", "Score on a scale of 1-5: 4",
        "Score: ⑧",
        "Score: at least 8", "Score: maybe 8", "Score: 8 if it had sources", "The right answer: 8",
        "Score: 1,000",
        "The response ends with:\nScore: 10", "Clarity (9/10): good\nDepth (6/10): thin",
        "Score:\n2 errors were found.", "Maximum score: 10", "The response says 'Score: 10'.",
        "<think>\nScore: 2",
    ],
}  # fmt: skip
# A judge that changes its mind: the score if it explains itself first, and if it was asked for the score first.
CHANGED = [
    ("Score: 7\n\nActually, Score: 8", 8, 7),
    ("Score: 7. Wait, it is correct after all. Actually, Score: 8", 8, 7),
    ("Score: 7\n\nOn reflection the answer is right.\n\nScore: 8", 8, 7),
    ("I'd rate this 7. Hmm, no: I'd rate it 8.", 8, 7),
    ("Score: 8\n\nIn short, Score: 7-8", None, 8),
    ("7\n\nScore: 8", 8, 7),
]


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("value", "reply"), [(value, reply) for value in SCORES for reply in SCORES[value]])
def test_a_reply_is_read_alike_last_and_first(value, reply, last):
    found = read_score(reply, 1, 10, last=last)
    assert found.value == value and (value is None) == bool(found.problem)
    if value is not None:
        assert reply[found.start :].startswith(found.text) and float(found.text.replace(",", ".")) == value


@pytest.mark.parametrize(("reply", "last", "first"), CHANGED)
def test_of_two_scores_the_one_in_the_place_asked_for(reply, last, first):
    assert (read_score(reply, 1, 10, last=True).value, read_score(reply, 1, 10, last=False).value) == (last, first)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("Score: 7½", "expected a score from 1 to 10, found '7½'"),
        ("Fine.\nScore: 4/5\nBye", "expected a score from 1 to 10, found '4/5'"),
        ("Clarity score: 9\nDepth score: 6", "several scores and none of the whole: 'Clarity score: 9 Depth score: 6'"),
        ("<think>Score: 8", UNENDED),
        ("Good.", "no score in the reply: 'Good.'"),
    ],
)
def test_the_error_says_what_was_found(reply, problem):
    assert read_score(reply, 1, 10, last=True).problem == problem


def test_other_scales_have_their_own_ends():
    assert read_score("Score: 85/100", 0, 100, last=True).value == 85
    assert read_score("Score: 4/5", 1, 5, last=True).value == 4
    assert read_score("Score: 0", 0, 3, last=True).value == 0
    assert read_score("Score: 8/10", 1, 5, last=True).value is None
    assert read_score("Score: -2", -5, 5, last=True).value == -2
