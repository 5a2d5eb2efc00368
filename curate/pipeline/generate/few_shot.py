"""Few-shot examples that a recipe keeps in a file: ``examples: shots.jsonl``."""

from pathlib import Path

from curate.pipeline.run_state import RunState
from curate.sources.open_source import source_path
from curate.sources.read_source import read_source
from curate.steps.find_step import Step
from schemas import recipe as recipes
from schemas.errors import UserError
from schemas.json_text import parse


def with_examples(state: RunState, step: recipes.Step, found: Step, where: str) -> recipes.Step:
    """Return the step with its file of examples, each a prompt with a recorded completion, in place of the file's name.

    Raises:
        UserError: The file cannot be read, or has a row that is no prompt of one turn with its completion.
    """
    path = step.settings.get("examples")
    if not isinstance(path, str) or "examples" not in found.defaults:
        return step
    try:
        source = read_source(source_path(path, state.recipe.path.parent))
    except UserError as error:
        raise UserError(f"{where}: generate: examples: {error}") from None
    answers = dict(source.completions.select("prompt_id", "response").reverse().iter_rows())
    examples = []
    prompts = source.prompts.select("prompt_id", "prompt", "messages", "file", "line")
    for prompt_id, prompt, messages, file, line in prompts.iter_rows():
        if prompt_id not in answers or len(parse(messages)) > 1:
            raise UserError(
                f"{where}: generate: examples: {path}{_in(file, path)}:{line}: "
                "expected a prompt of one turn with its completion"
            )
        examples.append({"prompt": prompt, "completion": answers[prompt_id]})
    return step.model_copy(update={"settings": {**step.settings, "examples": examples}})


def _in(file: str | None, path: str) -> str:
    """Return the file of a row, where the path names several."""
    return f" ({file})" if file and Path(path).name != file else ""
