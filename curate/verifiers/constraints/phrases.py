"""The words in which a prompt asks for a constraint, and the constraints that one answer can hardly keep together.

``{n}`` in a phrase stands for the parameter ``n``; ``[s]`` is an s unless ``n`` is 1.
"""

from typing import Any

PHRASES: dict[str, tuple[str, ...]] = {
    "lowercase": ("Use only lowercase letters.", "Write everything in small letters.", "No capital letters."),
    "uppercase": ("Write in all capital letters.", "Use upper case only.", "Every letter must be a capital."),
    "title_case": ("Begin every word with a capital letter.", "Use title case: a capital for each word."),
    "no_commas": ("Do not use any commas.", "Write it without commas.", "There must be no comma in your answer."),
    "no_digits": ("Do not use any digits.", "Write numbers as words.", "Your answer may not contain numerals."),
    "ascii_only": ("Use only ASCII characters.", "No emoji and no accents: plain ASCII."),
    "max_words": ("Use at most {n} words.", "Answer in {n} words or fewer.", "No more than {n} words, please."),
    "min_words": ("Write at least {n} words.", "Use {n} words or more.", "No fewer than {n} words."),
    "n_words": ("Use exactly {n} words.", "Answer in {n} words, no more and no fewer."),
    "words_between": ("Use {least} to {most} words.", "Write between {least} and {most} words."),
    "max_chars": ("Use at most {n} characters.", "It must fit in {n} characters.", "Stay within {n} characters."),
    "max_sentence_words": ("No sentence may have more than {n} words.", "Keep each sentence to {n} words or fewer."),
    "n_sentences": ("Write exactly {n} sentence[s].", "Answer in {n} sentence[s], no more and no fewer."),
    "n_paragraphs": ("Write exactly {n} paragraph[s].", "Use {n} paragraph[s], with a blank line between them."),
    "n_lines": ("Write exactly {n} line[s].", "Your answer must have {n} line[s]."),
    "single_line": ("Put everything on one line.", "Write a single line.", "No line breaks, please."),
    "n_bullets": (
        'Use exactly {n} bullet point[s], each starting with "- ".',
        'Answer as a list of {n} bullet point[s], with "- " before each.',
    ),
    "numbered_list": ("Answer as a numbered list of {n} item[s].", "Give {n} point[s], numbered from 1 to {n}."),
    "starts_with": ('Start with "{phrase}".', 'Your first words must be "{phrase}".', 'Begin with "{phrase}".'),
    "ends_with": ('End with "{phrase}".', 'Your last words must be "{phrase}".', 'Finish with "{phrase}".'),
    "ends_with_question": ("End with a question mark.", "Your reply has to end in a question mark."),
    "keywords": ("Use {words}.", "Your answer must mention {words}."),
    "forbidden_words": ("Do not use {words}.", "Your answer may not contain {words}."),
    "quotation": ("Put the whole answer between double quotes.", 'Begin and end your answer with the sign ".'),
}

# An answer has at most one of each group.
GROUPS: tuple[frozenset[str], ...] = (
    frozenset({"lowercase", "uppercase", "title_case"}),
    frozenset({"max_words", "min_words", "n_words", "words_between", "max_chars"}),
    frozenset({"n_sentences", "n_paragraphs", "n_lines", "single_line", "n_bullets", "numbered_list"}),
    frozenset({"ends_with", "ends_with_question", "quotation"}),
    frozenset({"starts_with", "n_bullets", "numbered_list", "quotation"}),
    frozenset({"numbered_list", "no_digits"}),
    frozenset({"keywords", "forbidden_words"}),
)


def in_words(phrase: str, constraint: dict[str, Any]) -> str:
    """Return a phrase with the parameters of a constraint in it."""
    for name, value in constraint.items():
        shown = " and ".join(f'"{one}"' for one in value) if isinstance(value, list) else str(value)
        phrase = phrase.replace("{" + name + "}", shown)
    return phrase.replace("[s]", "" if constraint.get("n") == 1 else "s")


def clash(kind: str, other: str) -> bool:
    """Return whether one prompt should not ask for both kinds of constraint."""
    return kind == other or any(kind in group and other in group for group in GROUPS)
