"""The layout of tokens: learnt stretches in brackets or green, long stretches without their middle, nothing harmful."""

import io

from rich.console import Console

from cli.token_text import token_text


def plain(*stretches: tuple[str, bool]) -> str:
    """Lay out stretches of tokens, which are divided by "|"."""
    tokens = [(token, learnt) for text, learnt in stretches for token in text.split("|")]
    return token_text([t for t, _ in tokens], [flag for _, flag in tokens], coloured=False).plain


def coloured(*stretches: tuple[str, bool]) -> str:
    tokens = [(token, learnt) for text, learnt in stretches for token in text.split("|")]
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=80)
    console.print(token_text([t for t, _ in tokens], [flag for _, flag in tokens], coloured=True), soft_wrap=True)
    return out.getvalue()


def test_a_stretch_of_several_tokens_has_one_pair_of_brackets():
    text = plain(("<user>|\n|2+2?|<end>|\n|<bot>|\n", False), ("It| is| 4|<end>|\n", True))
    assert text == "  <user>⏎\n  2+2?<end>⏎\n  <bot>⏎\n  ⟦It is 4<end>⏎⟧"


def test_every_stretch_is_shown_and_lines_follow_the_texts():
    text = plain(("a|b", False), ("c|\n|d", True), ("e|\n", False), ("f", True))
    assert text.splitlines() == ["  ab⟦c⏎", "  d⟧e⏎", "  ⟦f⟧"]
    assert plain(("only| context", False)) == "  only context"
    assert plain(("all", True)) == "  ⟦all⟧"
    assert token_text([], [], coloured=False).plain.strip() == ""


def test_colours_stand_for_brackets():
    text = coloured(("a|b\n", False), ("c| d", True), ("e", False))
    assert "⟦" not in text
    assert "\x1b[2mab⏎" in text and "\x1b[32mc d\x1b[0m" in text and "\x1b[2me\x1b[0m" in text


def test_long_stretches_lose_their_middle_and_say_how_much():
    words = [f"w{i} " for i in range(1000)]
    tokens = [*words, "<end>", "yes", "<end>", *words]
    text = token_text(tokens, [False] * 1001 + [True] * 2 + [False] * 1000, coloured=False).plain
    assert text.startswith("  w0 w1 ") and "⟦yes<end>⟧w0 w1 " in text and text.endswith("w998 w999")
    assert "w39  … 921 tokens … w961 " in text and "w39  … 920 tokens … w960 " in text and len(text) < 1000
    learnt = token_text(words, [True] * 1000, coloured=False).plain
    assert "w119  … 760 learnt tokens … w880 " in learnt and learnt.endswith("w999 ⟧")
    assert " … " not in token_text(words[:260], [True] * 260, coloured=False).plain, "the mark would take as much room"


def test_many_long_answers_all_show_their_ends():
    tokens = [token for i in range(40) for token in (f"<q{i}>", *["x"] * 80, f"<a{i}>")]
    text = token_text(tokens, [token != f"<q{i // 82}>" for i, token in enumerate(tokens)], coloured=False).plain
    assert all(f"<q{i}>⟦xxxxxxxxxxxx … 57 learnt tokens … xxxxxxxxxxx<a{i}>⟧" in text for i in range(40))


def test_what_could_steer_a_terminal_is_escaped():
    hostile = "\x1b]0;owned\x07|\x9b31m|\r\x08|\u202e|\ud800|\u2028|\x00|naïve 漢字　🙂\ttab"
    for text in (plain((hostile, True)), plain((hostile, False))):
        assert "\\x1b]0;owned\\x07\\x9b31m\\r\\x08\\u202e\\ud800\\u2028\\x00naïve 漢字　🙂\ttab" in text
        text.encode()
