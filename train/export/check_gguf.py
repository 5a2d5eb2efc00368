"""Compares a GGUF file in llama.cpp with the model in transformers: tokens, prompts, greedy answers."""

from pathlib import Path
from typing import Any

from curate.models.chat.chat import template_of
from curate.models.chat.chat_template import TemplateRefused
from schemas.counted import counted
from schemas.errors import UserError
from train.export.llama_server import HOW_TO_HAVE, LlamaServer, llama_server, server_command
from train.export.reference import NEW_TOKENS, Reference
from train.same_answers.compare import compare, until_end

# Tokenizers differ in what they do with spaces, lines, digits, cases, accents and other scripts.
TEXTS = (
    "Hello  world 12345, don't! I'LL say so.",
    "\n\n  def f(x):\treturn 1_000  # café é ﬁ １ 日本語\r\n end ",
    "3.14159 and 2026-11-29, 1,000,000; x**2 <= y != z",
    "🚀 emojis 👩‍🔬 ok ✅ — “quotes” …",
    "   leading and trailing   ",
)
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Nile."},
    {"role": "user", "content": "And a lake?"},
]
BROKEN = 0.25  # of the answers must have the same first token, whatever the type; a wrong conversion gives almost none


def check_gguf(gguf: Path, checkout: Path, reference: Reference | None, tokenizer: Any, dtype: str) -> list[str]:
    """Return what was compared between llama.cpp and transformers, in lines.

    Args:
        gguf: The file.
        checkout: The llama.cpp checkout.
        reference: The model's greedy answers before it was exported; None compares nothing.
        tokenizer: Its tokenizer.
        dtype: The coarsest type that the weights went through on the way; float32 only if it is that of all.

    Raises:
        UserError: The tokens of a text differ; or the answers, where they are exact, or so much that the file is
            broken.
    """
    if reference is None:
        return ["not checked, as --check 0 says"]
    command = server_command(checkout)
    if command is None:
        return [f"not checked: llama.cpp is not built here; {HOW_TO_HAVE}"]
    context = max(map(len, reference.prompts)) + NEW_TOKENS + 8
    with llama_server(command, gguf, max(context, 512)) as server:
        lines = [_same_texts(server, tokenizer, reference), *_same_prompt(server, tokenizer)]
        answers = [_answer(server, prompt) for prompt in reference.prompts]
    pairs = [(one, found) for one, found in zip(reference.answers, answers, strict=True) if found is not None]
    if len(pairs) < len(answers):
        prompts = counted(len(answers) - len(pairs), "prompt")
        lines.append(f"llama.cpp's server gave no answer to {prompts}: its bytes are no text")
    if not pairs:
        return [*lines, "the answers are not checked"]
    given = [until_end(found, reference.ends) for _, found in pairs]
    found = compare([one for one, _ in pairs], given, dtype)
    if (dtype == "float32" and found.difference is not None) or found.begun < BROKEN * found.prompts:
        raise UserError(f"{gguf.name} does not write what the model does: {found.line()}; nothing is kept")
    return [*lines, f"checked with llama.cpp: {found.line()}"]


def _answer(server: LlamaServer, prompt: list[int]) -> list[int] | None:
    """Return an answer; None where the server refuses to give it.

    Some versions do where its bytes are no text, as those of an answer that is cut off within a character.
    """
    try:
        return server.answer(prompt, NEW_TOKENS)
    except UserError as error:
        if "does not match the expected" in str(error):
            return None
        raise


def _same_texts(server: LlamaServer, tokenizer: Any, reference: Reference) -> str:
    """Compare the tokens of texts, and of the prompts.

    Raises:
        UserError: They differ.
    """
    texts = [*TEXTS, *(tokenizer.decode(prompt) for prompt in reference.prompts)]
    for text in texts:
        ours, theirs = tokenizer(text, add_special_tokens=False)["input_ids"], server.tokens(text)
        if ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), 0)
            raise UserError(
                f"llama.cpp reads other tokens than the model's tokenizer: of {text[:40]!r} {theirs[at : at + 3]} "
                f"where it has {ours[at : at + 3]}; nothing is kept"
            )
    return f"checked with llama.cpp: the tokens of {len(texts)} texts are equal"


def _same_prompt(server: LlamaServer, tokenizer: Any) -> list[str]:
    """Return whether llama.cpp prints a conversation as the model's chat template does."""
    template = template_of(tokenizer)
    if template is None:
        return []
    for conversation in (CONVERSATION, CONVERSATION[1:]):
        try:
            wanted = template.render(conversation, add_generation_prompt=True)
        except TemplateRefused:
            continue
        try:
            found = server.printed(conversation)
        except UserError as error:
            return [f"llama.cpp cannot use the chat template in the file: {error}"]
        if found not in (wanted, wanted.removeprefix(tokenizer.bos_token or "")):
            return ["llama.cpp prints a conversation otherwise than the model's chat template; give it one of its own"]
    return ["checked with llama.cpp: it prints a conversation as the model's chat template does"]
