"""Few-shot examples that a recipe keeps in a file: ``examples: shots.jsonl``."""

from curate.pipeline.run_state import RunState, recipe_file
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
        source = read_source(recipe_file(state.recipe, path))
    except UserError as error:
        raise UserError(f"{where}: generate: examples: {error}") from None
    answers = dict(source.completions.select("prompt_id", "response").reverse().iter_rows())
    examples = []
    prompts = source.prompts.select("prompt_id", "prompt", "messages", "line")
    for prompt_id, prompt, messages, line in prompts.iter_rows():
        if prompt_id not in answers or len(parse(messages)) > 1:
            raise UserError(
                f"{where}: generate: examples: {path}:{line}: expected a prompt of one turn with its completion"
            )
        examples.append({"prompt": prompt, "completion": answers[prompt_id]})
    return step.model_copy(update={"settings": {**step.settings, "examples": examples}})
