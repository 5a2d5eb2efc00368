"""The names that public data sets give to prompts, answers, verdicts and ratings: data, read by ``row_formats``."""

# Scores of a recorded answer that say whether it is right or preferred: 1 is yes, and 0 (or -1) is no.
VERDICTS = (
    "preference",
    "label",
    "is_correct",
    "correct",
    "is_safe",
    "passed",
    "verified",
    "accepted",
    "is_good",
    "is_valid",
    "desirable",
    "success",
    "correctness_math_verify",
    "correctness_llama",
    "safer",
)
# Scores that order the answers to a prompt; the least value is the best.
RANKS = ("rank",)
