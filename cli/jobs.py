"""What people come to do, in plain words, each with its command; and which words behind ``init`` are wrong."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.program import program

TRAIN = "train"  # 'init train FILE'
# A job, and the words behind 'gristmill init'. docs/first-hour.md walks through them.
JOBS = {
    "Train on a file of mine, whatever is in it": "train FILE",
    "Clean an instruction file, and train on what is left (SFT)": "instructions",
    "Have a stronger model write the answers (distillation)": "distill",
    "Sample several answers, and learn the best (best of K)": "best_of_k",
    "Learn from pairs of a better and a worse answer (DPO)": "pairs",
    "Learn from thumbs up and thumbs down (KTO)": "thumbs",
    "Give the model another name": "demo",
    "Make it better at sums, with a verifier as the reward (GRPO)": "sums",
    "Clean a pile: duplicates, leaked test questions, a diverse part": "pile",
    "Teach it to call tools (SFT)": "tools",
    "Teach it conversations of several turns (SFT)": "conversations",
}


def job_list(width: int | None = None) -> str:
    """Return the jobs with their commands: a line each, or where lines of ``width`` are too narrow, two."""
    commands = {job: f"{program()} init {words}" for job, words in JOBS.items()}
    room = max(map(len, commands)) + 2
    lines = ["What do you want to do?"]
    for job, command in commands.items():
        line = f"  {job:<{room}}{command}"
        lines += (
            [line] if width is None or len(line) <= width else [*textwrap.wrap(f"  {job}", width), f"      {command}"]
        )
    return "\n".join(lines)


def check_words(name: str, data: str, options: Mapping[str, Any]) -> None:
    """Raise ``UserError`` where the words behind ``init`` do not belong together.

    Args:
        name: The first word.
        data: The second.
        options: The options that belong to 'train', with their values.
    """
    from cli.mixed_up import DATA
    from cli.shipped_recipes import recipe_names
    from schemas.errors import UserError

    if name == TRAIN and not data:
        raise UserError("init train: expected the data to train on, such as 'gristmill init train data.jsonl'")
    if name == TRAIN:
        return
    is_data = Path(name).suffix.lower() in DATA or (bool(name) and Path(name).exists() and not data)
    if is_data and name not in recipe_names():  # the same command, run again, may find its own folder
        raise UserError(f"init {name}: is data, and no shipped recipe; meant is 'gristmill init train {name}'")
    if name == "list":
        raise UserError("init list: no shipped recipe has this name; meant is 'gristmill init --list'")
    if data:
        raise UserError(
            f"init {name} {data}: expected one recipe; data to train on stand behind 'gristmill init train'"
        )
    given = next((option for option, value in options.items() if value), None)
    if given is not None:
        raise UserError(f"{given}: belongs to 'gristmill init train FILE'; a shipped recipe is changed with --set")
