"""Answers of the engine ``transformers`` as they are written: one conversation at a time, in this process."""

from functools import partial
from typing import Any

from curate.models.clients.local.decoding import Row, decode
from curate.models.clients.local.detokenizing import Detokenizer
from curate.models.clients.local.loaded_model import LoadedModel
from curate.models.clients.local.rendering import Rendering, reason_of
from curate.models.generation_defaults import defaults_of
from curate.models.model_ref import ModelRef
from curate.models.streamed import Asked, Emit, Ended, Streamed, TooLong
from curate.models.trace_pieces import TracePieces
from curate.models.weight_files import cache_folder
from curate.models.weights import load, local_folder
from schemas.errors import UserError
from schemas.json_text import dump
from schemas.messages import Message
from schemas.progress import Progress
from schemas.reasoning import opening_mark, split_reasoning
from schemas.requests import make_request

WRITES_TEXT = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")  # ends of the names of such classes
LEAST_ROOM = 8  # a context has room for an answer of an eighth of it, at least


class LocalStreamer(LoadedModel):
    """A loaded causal language model that answers one conversation at a time."""

    def __init__(self, ref: ModelRef, progress: Progress) -> None:
        """Load the model.

        Raises:
            UserError: It can't be loaded, or writes no text.
        """
        self.name, self.identity, self.progress = ref.name, ref.identity, progress
        self.rendering = Rendering(ref.name, progress)
        if ref.package and local_folder(ref) is None:
            progress.say(f"converting the built-in model {ref.location} into {cache_folder()}, once (half a minute)")
        self.model, self.tokenizer = load(ref)
        _check_writes_text(ref, self.model.config)
        text_config = self.model.config.get_text_config()
        self.context = getattr(text_config, "max_position_embeddings", None) or 1 << 30
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        self.ends = {e for e in (*ends, self.tokenizer.eos_token_id) if e is not None}
        self.defaults = defaults_of(self.model.generation_config.to_diff_dict())
        if self.defaults.not_applied:
            left_out = ", ".join(self.defaults.not_applied)
            progress.say(f"{ref.name}: its generation_config asks for {left_out}, which is not applied here")

    def describe(self, asked: Asked) -> str:
        """Return the sampling settings in words."""
        how = self.defaults.sampling(asked)
        return f"temperature {how.temperature:g}" + (f", seed {asked.seed}" if how.temperature else "")

    def stream(self, messages: list[Message], asked: Asked, sample: int = 0) -> Streamed:
        """Begin to answer a conversation.

        Args:
            messages: The conversation.
            asked: The sampling.
            sample: Which of several answers to this conversation; each has random numbers of its own.

        Raises:
            TooLong: The conversation leaves too little of the model's context for an answer.
            UserError: The chat template refuses the conversation.
        """
        text = self._render(messages)
        ids = self.tokenizer(text, add_special_tokens=self.tokenizer.chat_template is None)["input_ids"]
        how = self.defaults.sampling(asked)
        if not ids:
            raise UserError(f"{self.name}: the prompt is empty")
        if len(ids) + min(how.max_tokens, max(1, self.context // LEAST_ROOM)) > self.context:
            raise TooLong(
                f"{self.name}: the message has {len(ids):,} tokens with what comes before it; the model's context is "
                f"{self.context:,} tokens, and the answer needs some of it: shorten the message",
                counted=True,
            )
        request = make_request(self.identity, dump(messages, "messages"), None, how, sample)
        row = Row(request, ids, min(how.max_tokens, self.context - len(ids)))
        return Streamed(partial(self._write, row, opening_mark(text)))

    def _render(self, messages: list[Message]) -> str:
        """Return the prompt as text, by the model's chat template."""
        if self.tokenizer.chat_template is None:
            self.rendering.say(
                "no template",
                f"{self.name} has no chat template, as base models have none: it goes on from the texts of the turns, "
                f"a line each; the setting chat_template=FILE gives it one",
            )
            return "\n".join(message["content"] for message in messages) + "\n"
        try:
            text = self.rendering.text(self.tokenizer, list(messages), add_generation_prompt=True)
            text.encode()
        except Exception as error:  # a template may raise anything
            raise UserError(f"{self.name}: {reason_of(error)}") from None
        return text

    def _write(self, row: Row, opening: str, emit: Emit, streamed: Streamed) -> Ended:
        """Write the answer of a row; hand over its pieces."""
        words, pieces = Detokenizer(self._decode), TracePieces(opening)
        said: list[str] = []
        seen = 0

        def show(text: str) -> None:
            said.append(text)
            for piece in pieces.add(text):
                emit(piece)

        def ended(row: Row) -> bool:
            nonlocal seen
            new, seen = row.tokens[seen:], len(row.tokens)
            for token in new:
                if token not in self.ends:
                    show(words.add(token))
            return new[-1] in self.ends or seen >= row.limit or streamed.stopped

        for _ in decode(self.model, [row], ended):
            pass
        show(words.rest())
        for piece in pieces.end():
            emit(piece)
        trace, text = split_reasoning(opening + "".join(said))
        finish = "stop" if row.tokens[-1] in self.ends else "length"
        return Ended(text, trace, finish, len(row.prompt), len(row.tokens))

    def _decode(self, tokens: list[int]) -> str:
        """Return the text of tokens as the model wrote it: with the spaces before punctuation."""
        return self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _check_writes_text(ref: ModelRef, config: Any) -> None:
    """Raise ``UserError`` for a model that writes no text: its output layer would have random weights."""
    names = config.architectures or ()
    if names and not any(name.endswith(WRITES_TEXT) for name in names):
        raise UserError(f"model {ref.name!r}: is a {names[0]}, which writes no text; expected a causal language model")
