"""Few-shot examples that a recipe keeps in a file: ``examples: shots.jsonl``."""

from curate.pipeline.pipeline import Walk, source_path
from curate.sources.read_source import read_source
from curate.steps.registry import Step
from schemas import recipe as recipes
from schemas.errors import UserError
from schemas.messages import parse


def with_shots(walk: Walk, step: recipes.Step, found: Step, where: str) -> recipes.Step:
    """Put the examples of a file, prompts with a recorded completion each, where the step's settings name the file."""
    path = step.settings.get("examples")
    if not isinstance(path, str) or "examples" not in found.defaults:
        return step
    try:
        rows = read_source(source_path(walk.recipe, path))
    except UserError as error:
        raise UserError(f"{where}: generate: examples: {error}") from None
    answers = dict(rows.completions.select("prompt_id", "response").reverse().iter_rows())
    examples = []
    for prompt_id, prompt, messages, line in rows.prompts.select("prompt_id", "prompt", "messages", "line").iter_rows():
        if prompt_id not in answers or len(parse(messages)) > 1:
            raise UserError(
                f"{where}: generate: examples: {path}:{line}: expected a prompt of one turn with its completion"
            )
        examples.append({"prompt": prompt, "completion": answers[prompt_id]})
    return step.model_copy(update={"settings": {**step.settings, "examples": examples}})
