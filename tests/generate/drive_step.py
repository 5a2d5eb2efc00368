"""Run a generate step to its end, with replies to its requests given by the test, as a pipeline does with real ones."""

import json

import polars as pl

from curate.steps.model_calls import Ask


def drive(step, reply):
    """Run a step's generator to its end. Return its result, and every ``Ask`` it made.

    ``reply`` gives the text of a reply (or None) for the row, the messages asked (as turns), and the setting that names
    the model; rows not asked get null. A list holds one list of replies for each time the step asks.
    """
    asks, sent = [], None
    while True:
        try:
            asked = next(step) if sent is None else step.send(sent)
        except StopIteration as ended:
            return ended.value, asks
        asked = asked if isinstance(asked, Ask) else Ask(asked)
        asks.append(asked)
        given = reply[len(asks) - 1] if isinstance(reply, list) else None
        sent = pl.Series(
            "reply",
            [
                None if text is None else given[row] if given else reply(row, json.loads(text), asked.model)
                for row, text in enumerate(asked.messages.to_list())
            ],
            dtype=pl.String,
        )


def asked_texts(asks, number=0):
    """The text of the last turn of each row asked the ``number``-th time; None for a row not asked."""
    return [None if text is None else json.loads(text)[-1]["content"] for text in asks[number].messages.to_list()]


def user(*texts):
    """A column of prompts, each one user turn."""
    turns = [None if text is None else json.dumps([{"role": "user", "content": text}]) for text in texts]
    return pl.Series("messages", turns, dtype=pl.String)


def talk(*contents, system=None):
    """The messages of a conversation: alternating turns of user and assistant, after a system turn."""
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(contents)]
    return json.dumps(([{"role": "system", "content": system}] if system else []) + turns)


def strings(*values):
    """A column of texts."""
    return pl.Series("texts", list(values), dtype=pl.String)


def whole(*values):
    """A column of whole numbers."""
    return pl.Series("sample_index", list(values), dtype=pl.Int64)


def last(made):
    """The last turn's text of each new prompt."""
    return [json.loads(messages)[-1]["content"] for messages in made["messages"]]


def notes(made):
    """The notes of new prompts."""
    return [json.loads(note) for note in made["note"]]
