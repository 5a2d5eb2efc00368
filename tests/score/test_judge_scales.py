"""Made replies of judges with another scale, a doubt, a bound or a sum behind the number; each read last and first."""

import pytest

from curate.score._parse_verdicts import read_score

# Replies by the score that they give on a scale from 1 to 10.
SCORES = {
    8: [
        "Score: 8 (scale 1-10)", "Score: 8 (max 10)", "Score: 8 (maximum 10 points)",
        "Score: 8, where 10 is best", "Score: 8 on a 10-point scale", "Score: 8 (ten-point scale)",
        "Score: 8 (accuracy: 9, completeness: 7)", "Score: 8 (good), less verbose than most",
        "Score: 8. The 5-point list is fine.", "Score: <8>", "> 8", "Score:\n> 8", "Score: 8 (1-10 scale)",
        "Score: 8, less verbose answers exist", "Score: 8 (best effort)", "Score: 8 at the top level",
        "Score: 8 (clear). 2 errors were found.",
    ],
    None: [
        "Score: 3 (scale 1-5)", "Score: 3 (1-5 scale)", "Score: 3 on a 5-point scale",
        "Score: 3 (five-point scale)", "Score: 3 (max 5)", "Score: 3 (maximum 5 points)",
        "Score: 3, where 5 is best", "Score: 3 (5 being the best)", "Score: 3 (5 = best)", "Score: 3 (highest 5)",
        "Score: 3 on a 1 to 5 scale", "Score: 3 (scale: 1-5)", "Score: 8 ± 1", "Score: 8±1", "Score: 8 (±1)",
        "Score: 8 +/- 1", "Score: 8 (uncertain, 6-9)", "Score: 8 or higher", "Score: 8 or above",
        "Score: 8 or so", "Score: 8 at most", "Score: 8 at best", "Score: 8 (at least)", "Score: 8 minimum",
        "Score: 8 max", "Score: 8 less 2", "Score: 8 minus 1", "Score: 8 (minus 1 for style)", "Score: 8 \u22121",
        "Score: 8 (style), 4 (facts)", "Score: 8 (style) and 4 (facts)", "Score: < 5", "Score: > 5",
        "Score: 5 or less", "Score: 10 minus 3 for errors", "Score: 10 (deducting 3 for errors gives 7)",
        "Score: 10, minus one for style", "Score: 8 (but could be 7)", "Score: 8, perhaps less",
        "Score: 8 (or lower)", "Score: 8 (give or take 1)", "Score: 8/10 or more", "I'd say 8 or 9.",
        "I'd give it 8 or more.", "8 or higher", "8 ± 1", "[[8]] or higher", "Score: 8/10 (minus 1)",
        "Score: 7 plus 1",
    ],
}  # fmt: skip


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("value", "reply"), [(value, reply) for value in SCORES for reply in SCORES[value]])
def test_a_number_that_goes_on_is_no_score(value, reply, last):
    assert read_score(reply, 1, 10, last=last).value == value
