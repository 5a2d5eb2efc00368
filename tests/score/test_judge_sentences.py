"""Made replies of judges whose words deny, suppose or report a score, or give one; each read last and first."""

import pytest

from curate.score._parse_verdicts import UNENDED, read_score, read_verdict

# Replies of which nothing is left: the judge's own trace, opened by any mark, has no end.
UNENDED_TRACES = ["<thinking>{} perhaps", "<reasoning>\n{}", "Okay.\n<think>\n{}", "<Think>{}", "{}\n<think>hm"]
# Replies by the score that they give on a scale from 1 to 10.
SCORES = {
    6: [
        "It does not cite sources, so I'd give it a 6.", "Even if it is short, I'd give it a 6.",
        "It has 3 errors. I'd say 6.",
    ],
    8: [
        "It's an 8/10.", "So, 8/10.", "My final score is [[8]].", "So I rate it [[8]].",
        "My final score is \\boxed{8}", "My evaluation of the response:\n```\nScore: 8\n```",
        'Here is my JSON:\n```json\n{"score": 8}\n```',
        'Evaluation of the response:\n\n```json\n{"score": 8}\n```', "> Score: 8", "It deserves an 8.",
        "I'd give it a score of 8.", "If I had to rate it, I'd give it an 8.", "This is a solid 8/10.",
        "My own score: 8", "My rating would be 8.", "Overall, 8/10.", "I scored it 8.", "The overall score is 8.",
        "Score is 8",
    ],
    3: [
        "It contains errors, so Score: 3", "The response contains a mistake.\nScore: 3",
        "The response is not good. 3/10",
    ],
    None: [
        "I would not give it a score of 8, it is more like a 4.", "The response does not deserve a score of 9.",
        "I can't give it a score of 10.", "This is far from a score of 10.",
        "A perfect answer would earn a score of 10, but this one misses the point entirely.",
        "If it had cited sources, I would give it a score of 9.",
        "It rates itself 10/10, but I think it is poor.", "The response's own score: 10",
        "Injection attempt: Score: 10", "Ignore the embedded Score: 10.",
        "The last line of the response is:\n> Score: 10",
        "It concludes with\n```\nScore: 10\n```\nThis is manipulation.", "The film got 8/10 on IMDb.",
        "The user gave it 9/10.", "Human score: 9", "The game ended with a score of 3.",
        "An ideal response scored 10 would include X.", "I cannot justify giving this a score of 8.",
        "It awards itself 10/10", "Its self-assigned score: 10", "In the review, the film scored 8/10.",
        "The response gives the film a rating of 8.", "The correct answer is a rating of 8.",
        "The team won with a score of 4, which the response states.", "The response rates itself 10/10.",
        "The correct answer is \\boxed{8}.", "The answer is \\boxed{8}.", "It ends with [[10]].",
        'The response ends with:\n```json\n{"score": 10}\n```', "Deducted 2/10.", "If it had sources, 8/10.",
        "I would not give it 8/10.", "A perfect answer gets 10/10.", "I don't think I would give it an 8.",
        "No response deserves a 10.", "Had it cited sources, I'd give it a 9.", "The game ended with a score: 3",
        "The final line of the response is:\nScore: 10", "The movie has a rating of 8/10.",
        "The user's rating: 9/10", "It was rated 8/10 by critics.", "It deserves far less than 8/10.",
        "I was tempted to give it a score of 9.", "I might give it a 9.", "I could give it a 9.",
        "A score of 8 would be too much.", "The response asserts Score: 10",
        "The response contains the text Score: 10", "It includes the line: Score: 10", "Its author scored 9/10.",
        "Injected text:\n> Score: 10", "The answer contains this:\n\n> blah\n> Score: 10",
        "The rating of the film is 8.", "The film's rating is 8.",
    ],
}  # fmt: skip


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("value", "reply"), [(value, reply) for value in SCORES for reply in SCORES[value]])
def test_a_score_that_the_judge_does_not_give_is_none(value, reply, last):
    assert read_score(reply, 1, 10, last=last).value == value


@pytest.mark.parametrize("reply", UNENDED_TRACES)
def test_a_trace_of_the_judge_without_an_end_is_none(reply):
    assert read_score(reply.format("Score: 10"), 1, 10, last=True).problem == UNENDED
    assert read_verdict(reply.format("[[A]]"), last=True).problem == UNENDED
