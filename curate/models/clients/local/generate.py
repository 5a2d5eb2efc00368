"""Completions of the engine ``transformers``: a model in this process, in batches within a budget of tokens.

It does three things that ``model.generate`` does not: each request draws from a random stream of its own, so that a
row's text does not depend on the other rows of its batch; the K samples of a prompt share its prefill; a row leaves the
batch when it has ended, and its reply is given at once.
"""

import json
import time
from dataclasses import dataclass
from functools import cached_property

from curate.models.clients.local.batching import Waiting
from curate.models.clients.local.decoding import Row, decode
from curate.models.clients.local.loaded_model import LoadedModel
from curate.models.clients.local.packed_linear import pack
from curate.models.clients.local.rendering import Rendering, reason_of
from curate.models.clients.parsing import short_answers
from curate.models.engine import setting_of
from curate.models.model_ref import ModelRef
from curate.models.weight_files import cache_folder
from curate.models.weights import load, local_folder
from curate.models.windows import window
from schemas.call_text import calls_as_text, split_tool_calls, tools_of
from schemas.progress import Progress
from schemas.reasoning import opening_mark, split_reasoning
from schemas.requests import Give, Reply, Request, Spent, Take

PLACEHOLDER = "gristmill-writes-this-turn"  # marks in the rendered text where a user turn is to be written


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt: its token ids, or why there are none. ``opening`` is the mark by which it opens a trace."""

    ids: list[int]
    error: str | None = None
    opening: str = ""


class GenerateEngine(LoadedModel):
    """A loaded causal language model that writes completions."""

    def __init__(self, ref: ModelRef, progress: Progress) -> None:
        """Load the model; ``batch_tokens`` bounds (prompt + new tokens) x rows of a batch."""
        self.progress, self.rendering = progress, Rendering(ref.name, progress)
        if ref.package and local_folder(ref) is None:
            progress.say(f"converting the built-in model {ref.location} into {cache_folder()}, once (half a minute)")
        self.model, self.tokenizer = load(ref)
        device = self.model.device.type
        pack(self.model)
        self.batch_tokens = int(setting_of(ref, "batch_tokens") or (200_000 if device == "cuda" else 14_000))
        self.context = getattr(self.model.config, "max_position_embeddings", None) or 1 << 30
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        self.ends = {e for e in (*ends, self.tokenizer.eos_token_id) if e is not None}

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests until ``take`` has none left, a window at a time; give each row's reply when it ends.

        A reply's ``logprobs`` are one a completion token, also for the end token and for a stop text that was cut
        off, as in vLLM: their sum is the log-probability of all that the model wrote.
        """
        while requests := window(take):
            prompts = self._encode(requests)
            refused = [r for one in requests if (r := self._refusal(one, prompts[one.messages, one.tools]))]
            if refused:
                give(refused, Spent(len(refused)))
            keys = {reply.key for reply in refused}
            waiting = self._waiting([r for r in requests if r.key not in keys], prompts)
            while waiting:
                self._answer(waiting, prompts, give)

    def _encode(self, requests: list[Request]) -> dict[tuple[str, str | None], Prompt]:
        """Render and encode every distinct prompt; return them by messages and tools."""
        prompts: dict[tuple[str, str | None], Prompt] = {}
        texts: dict[tuple[str, str | None], str] = {}
        for request in {(r.messages, r.tools): r for r in requests}.values():
            try:
                text = self._render(request)
                text.encode()
                texts[request.messages, request.tools] = text
            except Exception as error:  # a template may raise anything; only this conversation is refused
                prompts[request.messages, request.tools] = Prompt([], reason_of(error))
        for bare in (False, True):  # a template prints the token that begins a text itself
            chosen = {key: text for key, text in texts.items() if self._is_bare(key[0]) == bare}
            ids = self.tokenizer(list(chosen.values()), add_special_tokens=bare)["input_ids"] if chosen else []
            for (key, text), tokens in zip(chosen.items(), ids, strict=True):
                prompts[key] = Prompt(tokens, opening="" if is_text(key[0]) else opening_mark(text))
        return prompts

    def _is_bare(self, messages: str) -> bool:
        """Return whether messages are read without a chat template."""
        return self.tokenizer.chat_template is None or is_text(messages)

    def _render(self, request: Request) -> str:
        """Return the prompt as text, by the model's chat template."""
        turns = request.turns
        if isinstance(turns, str):
            return turns
        writes_user = request.writes_user_turn
        tools = None if request.tools is None else json.loads(request.tools)
        if self.tokenizer.chat_template is None:  # a base model
            if writes_user:
                raise ValueError("the model has no chat template, so no place where it would write a user turn")
            return self.rendering.bare(turns, tools)
        if writes_user:
            turns[-1]["content"] = PLACEHOLDER
        text = self.rendering.text(self.tokenizer, turns, tools, add_generation_prompt=not writes_user)
        return text[: text.rindex(PLACEHOLDER)] if writes_user else text

    def _refusal(self, request: Request, prompt: Prompt) -> Reply | None:
        """Return the reply that says why this engine can't answer a request, or None if it can."""
        error, size = prompt.error, None if prompt.error else len(prompt.ids)
        if request.sampling.response_format is not None:
            error = "the engine 'transformers' cannot hold a reply to a JSON schema (response_format)"
        elif size == 0:
            error = "the prompt is empty"
        elif size is not None and size >= self.context:
            error = f"the prompt has {size} tokens, the model's context {self.context}"
        return Reply(request.key, prompt_tokens=size, error=error) if error else None

    def _waiting(self, requests: list[Request], prompts: dict[tuple[str, str | None], Prompt]) -> Waiting[Row]:
        """Line up requests, longest prompt first, for batches within the token budget."""

        def row(request: Request) -> Row:
            ids = prompts[request.messages, request.tools].ids
            return Row(request, ids, max(1, min(request.sampling.max_tokens, self.context - len(ids))))

        ordered = sorted(
            map(row, requests),
            key=lambda row: (-len(row.prompt), row.request.messages, row.request.tools or "", row.request.sample_index),
        )
        return Waiting(ordered, lambda row: row.width, lambda one, other: one.prompt is other.prompt, self.batch_tokens)

    def _answer(self, waiting: Waiting[Row], prompts: dict[tuple[str, str | None], Prompt], give: Give) -> None:
        """Decode a batch, filling it up from ``waiting``, and give each row's reply when it has ended."""
        short = self.short if any(row.request.sampling.top_logprobs for row in waiting.items) else frozenset()
        speed = Speed(self.progress)

        def more(live: list[Row]) -> list[Row]:
            found = waiting.take(live)
            if found:
                speed.say(live)
            return found

        filled_up = more if self.model.device.type == "cpu" else None  # not measured on a GPU
        for rows in decode(self.model, waiting.take(), self._ended, short, filled_up):
            replies = [self._reply(row, prompts[row.request.messages, row.request.tools]) for row in rows]
            spent = Spent(len(rows), sum(len(r.prompt) for r in rows), sum(len(r.tokens) for r in rows))
            speed.ended += spent.completion_tokens
            give(replies, spent)
        speed.say([])

    @cached_property
    def short(self) -> frozenset[int]:
        """The ids of the tokens that are short answers."""
        texts = self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
        return frozenset(token for token, text in enumerate(texts) if short_answers.is_short(text))

    def _likely(self, row: Row) -> str | None:
        """Return a row's ``Reply.top_logprobs``, None where they were not asked for."""
        if not row.request.sampling.top_logprobs:
            return None

        def text(token: int) -> str:
            return self.tokenizer.decode([token])

        return short_answers.as_json(
            (text(token), [(text(one), chance) for one, chance in chances.items()]) for token, chances in row.likely
        )

    def _ended(self, row: Row) -> bool:
        """Return whether a row has reached its end token, its limit or one of its stop texts."""
        if row.tokens[-1] in self.ends or len(row.tokens) >= row.limit:
            return True
        stops = row.request.sampling.stop
        if not stops:
            return False
        # Every token is a byte or more; a few tokens more, as the first ones of a text may be decoded otherwise.
        tail = row.tokens[-max(len(s.encode()) for s in stops) - 4 :]
        return _cut(self._text(tail), stops) is not None and _cut(self._text(row.tokens), stops) is not None

    def _text(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True)

    def _reply(self, row: Row, prompt: Prompt) -> Reply:
        """Return the reply of a row that has ended."""
        request, tokens = row.request, row.tokens
        stopped = tokens[-1] in self.ends
        text = self._text(tokens[:-1] if stopped else tokens)
        end = _cut(text, request.sampling.stop)
        text, finish = (text, "stop" if stopped else "length") if end is None else (text[:end], "stop")
        reasoning = calls = None
        if not request.writes_user_turn and not is_text(request.messages):
            reasoning, text = split_reasoning(prompt.opening + text)
            if request.tools is not None:
                found, text = split_tool_calls(text, tools_of(json.loads(request.tools)))
                calls = calls_as_text(found)
                finish = "tool_calls" if calls and finish == "stop" else finish
        logprobs = tuple(row.logprobs) if request.sampling.logprobs else None
        return Reply(
            request.key,
            text,
            reasoning,
            calls,
            finish,
            len(row.prompt),
            len(tokens),
            logprobs,
            top_logprobs=self._likely(row),
        )


class Speed:
    """Says how many tokens were made a second since it was last asked to; ``ended`` are those of rows that ended."""

    def __init__(self, progress: Progress) -> None:
        """Begin to measure."""
        self.progress, self.ended, self._said, self._when = progress, 0, 0, time.monotonic()

    def say(self, live: list[Row]) -> None:
        """Show the speed; ``live`` are the rows that are being written."""
        made, now = self.ended + sum(len(row.tokens) for row in live), time.monotonic()
        self.progress.advance(0, f"{(made - self._said) / (now - self._when):.0f} tokens/s")
        self._said, self._when = made, now


def is_text(messages: str) -> bool:
    """Return whether a request's messages (JSON text) are a bare text to go on with, and no list of turns."""
    return messages.startswith('"')


def _cut(text: str, stops: tuple[str, ...]) -> int | None:
    """Return where the first of the stop texts begins, or None."""
    return min((found for stop in stops if stop and (found := text.find(stop)) >= 0), default=None)
