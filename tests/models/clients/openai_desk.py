"""Asks the engine `openai` in tests, and takes in its replies."""

import json

import pytest

from curate.models.clients.http.chat import ChatEngine
from curate.models.clients.openai import api_key
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.requests import Sampling, Spent, make_request

CALCULATOR = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
}


class Desk:
    """Hands out groups, takes in replies: one to each request, none twice. ``at_once`` groups may be out at a time."""

    def __init__(self, groups, at_once=None, then=None):
        self.waiting, self.at_once, self.then = list(groups), at_once, then
        self.out, self.replies, self.spent, self.lost = {}, {}, Spent(), []

    def take(self):
        if not self.waiting or (self.at_once and len(set(self.out.values())) >= self.at_once):
            return None
        group = self.waiting.pop(0)
        self.out.update((r.key, group[0].messages) for r in group)
        return group

    def give(self, replies, spent):
        for reply in replies:
            del self.out[reply.key]  # raises if it is not wanted (any more)
            self.replies[reply.key] = reply
        if not replies:
            self.lost.append(spent)
        self.spent = Spent(
            *(getattr(self.spent, k) + getattr(spent, k) for k in ("requests", "prompt_tokens", "completion_tokens"))
        )
        if self.then:
            self.then(self)


class Notes(Progress):
    """Keeps the notes on the progress."""

    def __init__(self):
        self.notes = []

    def advance(self, done, note=""):
        self.notes.append(note)


def engine(url, progress=None, kind=ChatEngine, **settings):
    ref = ModelRef("teacher", "teacher@1", "stub-1", "openai", settings=tuple({"base_url": url, **settings}.items()))
    return kind(ref, progress or Progress(), url, api_key(ref))


def groups(count=24, n=1, text="prompt {} please", tools=None, max_tokens=12, **sampling):
    how = Sampling(max_tokens=max_tokens, **sampling)
    messages = [json.dumps([{"role": "user", "content": text.format(i)}]) for i in range(count)]
    return [[make_request("teacher@1", m, tools, how, i) for i in range(n)] for m in messages]


def answered(url, wanted, at_once=None, then=None, **settings):
    """Have the groups answered; return the desk. Every request has its reply."""
    desk = Desk(wanted, at_once, then)
    made = engine(url, **settings)
    made.answer(desk.take, desk.give)
    made.close()
    made.close()
    assert not desk.out and desk.replies.keys() == {r.key for group in wanted for r in group}
    return desk


def refused(url, wanted, **settings):
    """The error that asking ends with, and the desk."""
    desk = Desk(wanted)
    with pytest.raises(UserError) as found:
        engine(url, **settings).answer(desk.take, desk.give)
    return str(found.value), desk


def texts(desk):
    return {key: reply.text for key, reply in desk.replies.items()}
