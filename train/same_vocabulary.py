"""Checks that a teacher and its student have one vocabulary: distillation compares probabilities token by token."""

import json
from importlib.util import find_spec
from typing import Any, NamedTuple

from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from schemas.errors import UserError, short_repr
from train.job import TrainingJob


class Vocabulary(NamedTuple):
    """The tokens of a model: how many its output layer has (None if not known), and the number of each."""

    size: int | None
    tokens: dict[str, int]


def check_vocabularies(student: ModelRef, teacher: ModelRef, where: str) -> None:
    """Compare two models by their files, without loading any; a model that is not on this machine yet is not compared.

    Raises:
        UserError: Their vocabularies differ.
    """
    known = _of_files(student), _of_files(teacher)
    if known[0] is not None and known[1] is not None:
        _refuse(known[0], known[1], (student.name, teacher.name), where)


def check_same_tokens(job: TrainingJob, student: tuple[Any, Any], teacher: tuple[Any, Any]) -> None:
    """Compare a job's loaded model and teacher, each given with its tokenizer; say what only one of them has.

    Raises:
        UserError: Their vocabularies differ.
    """
    assert job.teacher is not None
    one, other = (Vocabulary(m.config.get_text_config().vocab_size, t.get_vocab()) for m, t in (student, teacher))
    _refuse(one, other, (job.ref.name, job.teacher.name), f"train.{job.name}")
    alone = one.tokens.keys() ^ other.tokens.keys()
    if alone:
        job.progress.say(
            f"train {job.name}: {len(alone):,} tokens are in the vocabulary of only one of {job.ref.name!r} and its "
            f"teacher {job.teacher.name!r}, such as {short_repr(min(alone))}; the other never learnt them"
        )
    if student[1].chat_template != teacher[1].chat_template:
        job.progress.say(
            f"train {job.name}: the teacher {job.teacher.name!r} reads the prompts as the chat template of "
            f"{job.ref.name!r} prints them; its own is another"
        )


def _refuse(student: Vocabulary, teacher: Vocabulary, names: tuple[str, str], where: str) -> None:
    numbers = {number: token for token, number in student.tokens.items()}
    moved = [(n, t) for t, n in teacher.tokens.items() if numbers.get(n, t) != t]
    sizes = student.size is not None and teacher.size is not None and student.size != teacher.size
    if not moved and not sizes:
        return
    if moved:
        number, token = min(moved)
        differ = f"token {number} is {short_repr(numbers[number])} in one and {short_repr(token)} in the other"
        differ += f" ({len(moved):,} tokens differ)"
    else:
        differ = f"their output layers have {student.size:,} and {teacher.size:,} tokens"
    raise UserError(
        f"{where}: {names[0]!r} and its teacher {names[1]!r} have different vocabularies: {differ}; distillation "
        f"compares the probabilities of each token, so take a teacher of the model's own family "
        f"(trl.experimental.gold distils between vocabularies)"
    )


def _of_files(ref: ModelRef) -> Vocabulary | None:
    folder = local_folder(ref)
    names = ("config.json", "tokenizer.json")  # a training that is planned has no folder of its own yet
    if folder is None or not all((folder / name).exists() for name in names) or find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    size = (config.get("text_config") or config).get("vocab_size")
    return Vocabulary(size, Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab())
