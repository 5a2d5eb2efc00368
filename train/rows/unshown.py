"""Finds rows with what a model's chat template prints nothing of: tools, tool calls, their results, reasoning traces.

Such a row would be learnt without it: a turn with a tool call as an empty turn. So it is found before the training, and
the recipe decides.
"""

import json
from typing import Any

import polars as pl

from curate.models.chat.chat_template import ChatTemplate
from curate.models.chat.fit_messages import not_shown
from curate.models.chat.template_support import Support, support_of
from schemas.errors import UserError
from schemas.learnt_turns import is_learnt
from train.examples.examples import FATES
from train.examples.fitted import prints_trace_in_text, with_traces_in_text
from train.tables import MESSAGE_COLUMNS

# Keys in the message columns (JSON text) of rows of which a template might leave something out.
SUSPECT = r'"(?:tool_calls|reasoning_content)"|"role": ?"tool"'


def check_shown(
    rows: pl.DataFrame, dataset_type: str, template: ChatTemplate, choice: str, training: str, model: str
) -> pl.DataFrame:
    """Find the rows with something that a chat template does not print.

    Args:
        rows: Rows of a dataset; those that ``train.rows.data.check_rows`` refuses may be among them.
        dataset_type: 'sft', 'preference', 'unpaired' or 'prompt'.
        template: The chat template of the model to train.
        choice: The recipe's choice: 'refuse' them, 'leave_out' these rows, write traces 'in_text' and refuse all else,
            or 'ignore' what is not printed.
        training: The training's place in the recipe and its name, for the error.
        model: The model's name in the recipe, for the error.

    Returns:
        The rows to leave out: ``row_id`` and ``fate`` (the reason).

    Raises:
        UserError: There are such rows and the choice does not say what becomes of them, or the template prints no
            conversation at all.
    """
    check_prints_turns(template, training, model)
    support = with_traces_in_text(template) if choice == "in_text" else support_of(template)
    found = {} if choice == "ignore" else _unshown_rows(rows, dataset_type, support)
    if found and choice != "leave_out":
        names = sorted({name for lost in found.values() for name in lost})
        in_text_helps = names == ["reasoning"] and choice != "in_text" and prints_trace_in_text(template)
        in_text = ", or write the traces into the text (unshown: in_text)" if in_text_helps else ""
        first, lost = next(iter(found.items()))
        raise UserError(
            f"{training}: the chat template of {model!r} prints no {' and no '.join(names)}, which {len(found):,} of "
            f"{rows.height:,} rows have (row {first}: {', '.join(lost)}), so that they would be learnt without. "
            f"Train a model whose template prints them, or give this one such a template (chat_template: in "
            f"models.{model}); or leave these rows out (unshown: leave_out), or train on what is left of them "
            f"(unshown: ignore){in_text}"
        )
    fates = {row_id: f"the model's chat template prints no {' and no '.join(lost)}" for row_id, lost in found.items()}
    return pl.DataFrame({"row_id": [*fates], "fate": [*fates.values()]}, schema=FATES)


def check_prints_turns(template: ChatTemplate, training: str, model: str) -> None:
    """Raise ``UserError`` where a template prints no question with its answer; the arguments are ``check_shown``'s."""
    support = support_of(template)
    if support.turns:
        return
    said = f" ({support.refusal})" if support.refusal else ", neither as text nor as parts"
    raise UserError(
        f"{training}: the chat template of {model!r} can't print a question and its answer{said}; give it another: "
        f"{_remedy(model)}"
    )


def no_template(training: str, model: str) -> UserError:
    """Return the error for a training of a model without a chat template; the arguments are ``check_shown``'s."""
    return UserError(
        f"{training}: the model {model!r} has no chat template, which says how it reads a conversation; give one: "
        f"{_remedy(model)}"
    )


def _remedy(model: str) -> str:
    """Return the entry of a recipe that gives a model another chat template."""
    return f"models: {{{model}: {{model: ..., chat_template: FILE.jinja}}}}"


def _unshown_rows(rows: pl.DataFrame, dataset_type: str, support: Support) -> dict[str, list[str]]:
    """Return the ids of rows with the names of what the template does not print of them."""
    columns = MESSAGE_COLUMNS[dataset_type]
    suspect = pl.any_horizontal(pl.col(column).str.contains(SUSPECT) for column in columns)
    names = ["row_id", *columns]
    if "tools" in rows.columns:
        suspect, names = suspect | pl.col("tools").is_not_null(), [*names, "tools"]
    found = {}
    for row in rows.filter(suspect).select(names).iter_rows(named=True):
        try:
            prompt, *answers = (json.loads(row[column]) for column in columns)
            tools = json.loads(row["tools"]) if row.get("tools") else None
        except ValueError:  # ``check_rows`` says what is wrong with the row
            continue
        lost = [name for answer in answers or [[]] for name in _unshown(prompt, answer, tools, support)]
        if lost:
            found[row["row_id"]] = list(dict.fromkeys(lost))
    return found


def _unshown(prompt: list[Any], answer: list[Any], tools: list[Any] | None, support: Support) -> list[str]:
    """Return the names of what is not printed of a conversation; of a trace only where it is to be learnt."""
    messages = [*prompt, *answer]
    lost = not_shown(messages, tools, support)
    for message in messages:
        if message.get("reasoning_content") and is_learnt(message):
            shown = support.reasoning_beside_calls if message.get("tool_calls") else support.reasoning
            lost += [] if shown else ["reasoning"]
    return lost
