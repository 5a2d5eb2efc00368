"""Tokens become text one at a time, and the parts together are the text of all tokens."""

import random

import pytest

from curate.models.clients.local.detokenizing import BROKEN, Detokenizer
from tests.optional import Lazy, needs

pytestmark = needs("tokenizers")
tokenizers = Lazy("tokenizers")
TEXT = "The cat's naïve 日本語 text 👩‍👩‍👧 \n\n\tcosts 5 € , don't you think ? नमस्ते"


def byte_level():
    """A tokenizer as GPT-2's, whose tokens are bytes, or several of them."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator([TEXT], tokenizers.trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet))
    return made


def byte_fallback():
    """A tokenizer as Llama 2's: words with their space before them, and bytes for what it does not know."""
    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁The", "▁cat", "'", "s", "▁", "▁text", "▁costs"]
    made = tokenizers.Tokenizer(tokenizers.models.BPE({w: i for i, w in enumerate(words)}, [], byte_fallback=True))
    d = tokenizers.decoders
    made.decoder = d.Sequence([d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)])
    return made


def in_parts(made, ids):
    words = Detokenizer(lambda some: made.decode(some, skip_special_tokens=True))
    return [words.add(one) for one in ids] + [words.rest()]


def test_characters_of_several_tokens_come_whole():
    made = byte_level()
    parts = in_parts(made, made.encode(TEXT).ids)
    assert "".join(parts) == TEXT and not any(BROKEN in part for part in parts)
    assert sum(map(bool, parts)) > 20


def test_spaces_between_words_stay_and_the_first_is_stripped():
    made = byte_fallback()
    vocabulary = made.get_vocab()
    ids = [vocabulary[w] for w in ["▁The", "▁cat", "'", "s", *(f"<0x{b:02X}>" for b in "日é".encode()), "▁text", "▁"]]
    parts = in_parts(made, ids)
    assert "".join(parts) == made.decode(ids) == "The cat's日é text "
    assert parts[:2] == ["The", " cat"]


@pytest.mark.parametrize("make", [byte_level, byte_fallback])
def test_tokens_that_are_no_text_are_not_held_for_ever(make):
    made, draw = make(), random.Random(3)
    size = made.get_vocab_size()
    for _ in range(200):
        parts = in_parts(made, [draw.randrange(size) for _ in range(30)])
        assert all("".join(parts[i : i + 8]) or i > 22 for i in range(31))
    broken = made.encode("é").ids[:1] * 30 if make is byte_level else [256] * 30  # 0xC3 or 0xFF, again and again
    assert len("".join(in_parts(made, broken))) >= 20
