"""Completions of the engine ``vllm``: a vLLM server that is started for the model, asked over HTTP, and stopped."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from curate.models.chat.chat import template_for
from curate.models.chat.fit_messages import fit
from curate.models.chat.template_support import Support, support_of
from curate.models.clients.http.chat import ChatEngine
from curate.models.clients.vllm_server.launch import arguments, environment, find_python, runs_on_cpu, served_folder
from curate.models.clients.vllm_server.server import Server
from curate.models.engine import setting_of
from curate.models.generation_defaults import Defaults, defaults_of
from curate.models.model_ref import ModelRef
from curate.models.weight_files import given_template
from schemas.errors import UserError, needs_extra
from schemas.messages import Message
from schemas.progress import Progress
from schemas.requests import Give, Request, Take

USER_TURN_MARK = "<<<here begins what the user says>>>"


class Place(NamedTuple):
    """What a server has of its own as one of several: the key of all, and its part of the environment."""

    key: str
    environment: Mapping[str, str]


class VllmChatEngine(ChatEngine):
    """A vLLM server of our own, for one model.

    ``POOLING`` is whether the server classifies instead of writing: it does one or the other.
    """

    POOLING = False

    def __init__(self, ref: ModelRef, progress: Progress, place: Place | None = None) -> None:
        """Start the server and wait until it answers; as one of several it is not waited for.

        Args:
            ref: The model.
            progress: Shows how the server starts.
            place: What it has of its own as one of several.

        Raises:
            UserError: It does not start; with the reason from its log.
        """
        key, more = place or Place(secrets.token_urlsafe(24), {})
        super().__init__(ref, progress, key=key)
        self.ref, self.model = ref, ref.name
        self._said: frozenset[str] = frozenset()  # what was changed in messages, and said
        python = find_python(ref.name, setting_of(ref, "python"))
        on_cpu = runs_on_cpu(ref.name, python)
        progress.advance(0, "preparing the weights for vLLM")
        self.folder = served_folder(ref, pooling=self.POOLING)
        given = arguments(ref, self.folder, on_cpu, pooling=self.POOLING)
        command = [python, "-m", "vllm.entrypoints.openai.api_server", *given]
        self.server = Server(ref.name, command, {**environment(key, on_cpu), **more})
        self.base_url = f"{self.server.url}/v1"
        progress.say(f"starting vLLM for {ref.name} (log: {self.server.log}); the first start takes a minute or two")
        if place is None:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when the server answers. Raises ``UserError``, with the reason from its log, if it does not start."""
        try:
            self.server.wait_until_ready(setting_of(self.ref, "start_timeout"), self.progress)
        except UserError:
            raise
        except BaseException:
            self.close()
            raise

    async def _answer(self, take: Take, give: Give) -> None:
        """Answer as ``ChatEngine`` does, but raise at once when the server has died."""
        work = asyncio.ensure_future(super()._answer(take, give))
        while not work.done() and self.server.alive():
            await asyncio.wait([work], timeout=0.5)
        if not work.done():
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, UserError):
                await work
            raise self._dead()
        try:
            work.result()
        except UserError:
            if self.server.alive():
                raise
            raise self._dead() from None

    def own_defaults(self) -> Defaults:
        """Return the sampling that the model's folder asks for; the server is told to go without (``arguments``)."""
        file = Path(self.folder) / "generation_config.json"
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(file.read_text(encoding="utf-8"))
            return defaults_of(found if isinstance(found, dict) else {})
        return Defaults()

    def gone(self) -> UserError | None:
        """Return the error that says why the server has died, or None while it runs."""
        return None if self.server.alive() else self._dead()

    def close(self) -> None:
        """Stop the server; return when its processes are gone and their memory is free."""
        self.server.close()

    def render_user_prefix(self, turns: list[Message]) -> str:
        """Return the text of a conversation, in the model's chat template, up to where its last user turn begins."""
        if self.user_prefix:
            return super().render_user_prefix(turns)
        turns = self._fitted([*turns[:-1], {**turns[-1], "content": USER_TURN_MARK}])
        before, found, _ = self._tokenizer.apply_chat_template(turns, tokenize=False).rpartition(USER_TURN_MARK)
        if not found:
            raise UserError(
                f"models.{self.name}: its chat template leaves out the user's turn; say what comes before "
                f"one: models.{self.name}.user_prefix"
            )
        return before

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise needs_extra(f"model {self.name!r} (a user's turn in its chat template)", "local") from None
        trust = bool(setting_of(self.ref, "trust_remote_code"))
        tokenizer: Any = AutoTokenizer.from_pretrained(self.folder, trust_remote_code=trust)
        template = given_template(self.ref)
        if template is not None:
            tokenizer.chat_template = template
        return tokenizer

    def request_of(self, asked: list[Request]) -> tuple[str, bytes]:
        """Return the address and the body of a request. A rendered prompt already has the tokens that begin a text."""
        if not asked[0].writes_user_turn and not self._takes_system_texts:
            asked = [replace(request, messages=self._fitted_text(asked[0].messages)) for request in asked]
        url, body = super().request_of(asked)
        if asked[0].writes_user_turn:
            body = body.removesuffix(b"}") + b',"add_special_tokens":false}'
        return url, body

    @cached_property
    def _support(self) -> Support:
        """Support of the model's chat template for texts; vLLM brings calls and parts into the form that it wants."""
        template = template_for(self.ref)
        return replace(Support() if template is None else support_of(template), tool_calls=False, content_parts=False)

    @property
    def _takes_system_texts(self) -> bool:
        """Whether the template prints all system texts as they are, or is not known."""
        support = self._support
        everywhere = support.system and support.later_system and support.developer and support.later_developer
        return everywhere or not support.turns

    def _fitted(self, turns: list[Message]) -> list[Message]:
        """Return a conversation with its system texts where the chat template prints them; say so once."""
        if self._takes_system_texts:
            return turns
        fitted, changes = fit(turns, self._support)
        for change in sorted(changes - self._said):
            self.progress.say(f"{self.name}: its chat template does not take the messages as they are: {change}")
        self._said |= changes
        return fitted

    def _fitted_text(self, messages: str) -> str:
        """Return a request's messages (JSON text), or what is to be classified, fitted."""
        value = json.loads(messages)
        if isinstance(value, list):
            value = self._fitted(value)
        elif "messages" in value:
            value = {**value, "messages": self._fitted(value["messages"])}
        return json.dumps(value, ensure_ascii=False)

    def _dead(self) -> UserError:
        return self.server.died("vLLM has stopped; the replies so far are kept", self.progress)
