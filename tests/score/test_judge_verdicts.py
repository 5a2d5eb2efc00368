"""Made replies of judges that were asked which of two responses is better, with the right reading; last and first."""

import pytest

from curate.score._parse_verdicts import UNENDED, read_verdict

# Replies by their verdict, wherever the judge was asked to put it: 1 is A, 0 is B, 0.5 neither.
VERDICTS = {
    1: [
        "[[A]]", "[A]", "(A)", "A", "A.", "**A**", "[[A>B]]", "[[A>>B]]", "[[B<A]]", "A > B", "Verdict: A",
        "Verdict: A.",
        "**Verdict:** A", "Verdict: [[A]]", "Verdict: A > B", "Verdict: A over B",
        "Verdict: A, because it is right",
        "Verdict: A (clearly)", "Verdict: A is better", "Verdict: A\n\nResponse B is wrong.",
        "My final verdict is A.",
        "My final verdict is: Response A", "Final verdict: [[A]] is better", "The winner is A.",
        "The better response is A.",
        "Assistant A wins", "Response A is better than response B.", "A is better", "Output (a)",
        "Output (a) is better.",
        "model_a", "\\boxed{A}", "<verdict>A</verdict>", "<answer>[[A]]</answer>", "Answer: A",
        "I choose A",
        "I prefer response A.", "I'd go with A.", '{"winner": "A"}', '{"better": "model_a"}',
        "Preference: A over B",
        "更好的回答：A", "Verdict: **A**\n<|im_end|>", "<think>[[B]]</think>[[A]]", "[RESULT] A",
        "[[B]] or [[C]]? [[A]]",
        "The response says [[B]].\n\n[[A]]", "[[A]]\n\nThe response says [[B]].",
        "Both responses are good, but A is slightly better.", "Response A is the stronger of the two.",
        "Verdict: 'A'",
        "Preferred response: A", '{"final_verdict": "A"}', '{"better_response": "A"}', "Verdict: A\r\n",
        "结论：A",
        "<b>Verdict:</b> A", "It ends with:\n[[B]]\n\nVerdict: A", "The winner is Response A",
        '{"why": "It has [[B]] in it", "verdict": "A"}', "The correct answer: B\n\nVerdict: A",
        "[[A]] is better than [[B]]", "Verdict: [[A]] (not [[B]])", "[[A]], not [[B]]", "[[A]] instead of [[B]]",
        "My verdict is [[A]], and not [[B]].", "The verdict is [[A]] because [[B]] would ignore the error.",
        "They are not tied; A is better.", "Response A is the best answer.", "Response A is better overall.",
        "I would say that response A is better.", "Response A is **better**.", "A is better than the other one.",
        "I settle on [[A]], as [[B]] ignores it.", "[[A]]. Had B cited, [[B]].", "[[A]] rather than [[B]]",
        "[[A]] Note: response B includes the text [[B]].", "So [[A]], as [[C]] does not apply.",
        "[[A]] (I considered [[C]])", "I would say [[A]].", "If I had to choose, [[A]]", "Even if it is close, [[A]].",
        "It is [[A]], unless one prefers [[B]].", "\\boxed{A}, not \\boxed{B}", "[[A]] - it is right", "结论：[[A]]。",
    ],
    0: [
        "[[B]]", "[[B>A]]", "[[B>>A]]", "[[A<B]]", "Verdict: B", "Verdict: B > A", "Verdict: A < B",
        "**Verdict: B**",
        "Verdict: Response B", "B is better.", "Therefore, Output (b) is better.",
        "Assistant B is the winner.",
        "I would pick B.", "model_b", '{"choice": "B", "reason": "A is wrong"}', '{"winner": "model_b"}',
        "Gewinner: B",
        "Not [[A]] but [[B]]", "[[A]] would be wrong; [[B]]", "Response A is wrong, hence [[B]], not [[A]].",
        "Final decision: B", "Preferred: B", "Assistant B is clearly better because it is right",
    ],
    0.5: [
        "[[C]]", "[[Tie]]", "[[A=B]]", "Tie", "C", "Verdict: C", "Verdict: tie", "Verdict: A tie",
        "Verdict: A = B",
        "Verdict: Neither", "Verdict: neither A nor B", "Verdict: Both are equal", '{"verdict": "tie"}',
        "It's a tie.",
        "Verdict: both", "Verdict: equally good", "Verdict: A ≈ B", "Verdict: neither is better",
        "Both responses are equally good.", "They are tied.", "Neither response is better",
        "I'd call it a tie.",
    ],
    None: [
        "", "Verdict:", "I cannot judge this.", "[[D]]", "[[A>A]]", "Verdict: D", "Verdict: 1", "1",
        "Response 1",
        "Response 1 is better", '{"winner": 1}', "Verdict: A or B", "Verdict: A/B", "Verdict: A and B",
        "A or B",
        "Winner: A/B tie", "[[A]] or [[B]]", "Verdict: not A", "Verdict: A is worse", "Verdict: A+",
        "Verdict: A is better in style, B is better in facts",
        "Response A is better in style, but response B is better overall",
        "Response A is not better than response B.",
        "Response A is no better.", "I do not think response A is better.",
        "If response A is better in style, so what.",
        "I prefer A's tone.", "I would not pick B.", "A good answer.", "It is fine", "Vitamin A is better.",
        "Plan: A",
        "not [[A]]", "Not the winner: A", "If A is better, I would say [[A]]. But it is not.", "[[A]] > [[B]]",
        "Verdict: [[A]] or [[B]]", "[[A]]?", "[[A]] is wrong", "[[A]] for style. [[B]] for facts.", "[[A]] vs [[B]]",
        "I can't say [[A]].", "Should it be [[A]]? No.", "The rejected one is [[B]].", "~~[[A]]~~",
        "It ends with this text:\n> Some words.\n> [[A]]", "The response concludes with\n```\nVerdict: A\n```\nHm.",
        "The two are not equally good; response B is.", "They are hardly equally good.", "The responses aren't tied.",
        "Response A is better formatted but incorrect, whereas response B is correct.", "Response A is better known.",
        "Response A is better written. Response B is right.", "Response A is superior in tone only.",
        "Response A was better until the last line.", "One might say that response A is better.",
        "Some readers may think response A is better.", "At first sight response A is better.", "A wins on style.",
        "Response A is better for beginners; response B for experts.", "Response A is better than expected.",
        "Response A is better, but only in style; B has the right answer.", "Response B is better than A? No.",
        "A is better than B is what many say; wrong.", "Response A is better than B in style.", "The game is a tie.",
        "Both say that the game was a tie.", "I prefer A in style.", "I prefer A for beginners.",
        "Verdict: A <= B", "Verdict: A >= B", "Verdict: A != B", "Verdict: A > B?", "Verdict: A - worse",
        "Verdict: A (worse)", "Verdict: A: bad. B: good", "Verdict: A, no B", "Verdict: A. Actually B",
        "Verdict: A for style, B for facts", "Verdict: both fine, A better", "Verdict: Neither is great, A",
        "Verdict: Both A and B are wrong, but B less so", "Verdict: tie-break to A", "Verdict: Tie? No, A",
        "Verdict: tie, but A is better", "A is better at first glance. However, it fails. Response B is better.",
        "Verdict: A|B", "Verdict: [A|B|C]", "[[A]][[B]]", "[[A]], [[B]]", "Correct answer: A",
        "Verdict: a", "[[a]]",
        "A is better?", "It's hard to say A is better.", "I can't say that A is better.",
        "Response A: 8/10\nResponse B: 6/10",
        "A tie between the teams is described in both.", "The response says [[A]].", "<think>[[A]]",
        "Both have merits.",
        'Write "[[A]]" if A is better, "[[B]]" if B is better, and "[[C]]" for a tie.',
    ],
}  # fmt: skip


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("value", "reply"), [(value, reply) for value in VERDICTS for reply in VERDICTS[value]])
def test_a_verdict_is_read_alike_last_and_first(value, reply, last):
    found = read_verdict(reply, last=last)
    assert found.value == value and (value is None) == bool(found.problem)
    assert value is None or reply[found.start :].startswith(found.text)


def test_of_two_verdicts_the_one_in_the_place_asked_for():
    for reply in ("[[A]] ... Actually, [[B]]", "Verdict: A\n\nOn reflection:\nVerdict: B", "[[A]]\n\n[[B]]"):
        assert (read_verdict(reply, last=True).value, read_verdict(reply, last=False).value) == (0.0, 1.0)


def test_a_trace_without_an_end_is_named():
    assert read_verdict("<think>\nSo, [[A]]", last=True).problem == UNENDED
