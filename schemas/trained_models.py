"""The trainings that a recipe's steps and trainings need: a step may ask a trained model, a reward may be one."""

from schemas.errors import UserError
from schemas.recipe import Recipe, Step

REWARD_TRAINER = "reward"  # the trainer of reward models, which are scorers by their training's name
READS_CLASSIFIER = ("reward_model", "toxicity")  # the scorers whose model is a reward model or a classifier


def is_reward_model(recipe: Recipe, name: str) -> bool:
    """Return whether a name is that of a training that makes a reward model."""
    return name in recipe.train and recipe.train[name].trainer == REWARD_TRAINER


def with_trained_scorers(recipe: Recipe) -> Recipe:
    """Return a recipe with ``score: rm`` written out where ``rm`` is a training that makes a reward model."""
    return recipe.model_copy(update={"completions": [_written_out(recipe, step) for step in recipe.completions]})


def reward_step(name: str, step: Step | None = None) -> Step:
    """Return the ``score`` step of a trained reward model, with the settings of a step that names it as its scorer."""
    settings = {"model": name, "as": name} | (step.settings if step else {})
    return Step(verb="score", use="reward_model", settings=settings, line=step.line if step else 0)


def _written_out(recipe: Recipe, step: Step) -> Step:
    names_it = step.verb == "score" and step.use is not None and is_reward_model(recipe, step.use)
    return reward_step(step.use, step) if names_it and step.use and "model" not in step.settings else step


def trainings_named(recipe: Recipe, step: Step) -> list[str]:
    """Return the trainings of a recipe whose models a step asks: the values of ``model``, ``critic_model`` ..."""
    named: list[str] = []
    for key, value in step.settings.items():
        if key == "model" or key.endswith("_model"):
            named += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    return [name for name in dict.fromkeys(named) if name in recipe.train]


def trainings_needed(recipe: Recipe, name: str) -> list[str]:
    """Return the trainings whose models a training starts from, learns from, or is rewarded by."""
    training = recipe.train[name]
    steps = {step.name: step for step in recipe.completions if step.verb == "score"}
    rewards: list[str] = []
    for one in training.rewards:
        named = [one] if is_reward_model(recipe, one) else []
        rewards += trainings_named(recipe, steps[one]) if one in steps else named
    return [one for one in (training.model, training.teacher, *rewards) if one in recipe.train]


def with_needed(recipe: Recipe, names: list[str]) -> list[str]:
    """Return some trainings and all that they need, in the recipe's order."""
    wanted = set(names)
    for name in reversed(recipe.train):
        if name in wanted:
            wanted.update(trainings_needed(recipe, name))
    return [name for name in recipe.train if name in wanted]


def datasets_needed(recipe: Recipe, names: list[str]) -> list[str]:
    """Return the datasets that these trainings are trained on, in the recipe's order.

    A random control comes with the dataset that it is the control of.
    """
    wanted = {recipe.train[name].dataset for name in names}
    wanted |= {of for name in wanted if (of := recipe.datasets[name].control_of)}
    return [name for name in recipe.datasets if name in wanted]


def check_trained_models(recipe: Recipe) -> None:
    """Raise ``UserError`` where a model is asked before it can be trained."""
    for step in recipe.prompts:
        if named := trainings_named(recipe, step):
            raise UserError(
                f"{recipe.step_where(step)}: {step.verb}: the model {named[0]!r} is trained on rows that are made of "
                f"this recipe's prompts; a step of 'completions' can ask it"
            )
    for step in recipe.completions:
        writes = step.verb != "score" or not (step.use in READS_CLASSIFIER or "." in (step.use or ""))
        for name in trainings_named(recipe, step) if writes else ():
            _refuse_reward_model(recipe, name, f"{recipe.step_where(step)}: {step.verb} {step.use}")
    for model in recipe.evaluate.models if recipe.evaluate else ():
        _refuse_reward_model(recipe, model, f"{recipe.where('evaluate', 'models')}: evaluate")
    above: list[str] = []
    for name, training in recipe.train.items():
        where = f"{recipe.where('train', name)}: train.{name}"
        later = [one for one in trainings_needed(recipe, name) if one not in above]
        if later:
            place = "itself" if later[0] == name else "below it; put it above"
            raise UserError(f"{where}: needs the training {later[0]!r}, which is {place}")
        texts = [training.teacher, *([] if training.trainer == REWARD_TRAINER else [training.model])]
        for model in texts:
            _refuse_reward_model(recipe, model, where)
        above.append(name)


def _refuse_reward_model(recipe: Recipe, name: str | None, where: str) -> None:
    """Raise ``UserError`` where a model that is to write text is a reward model of this recipe."""
    if name is not None and is_reward_model(recipe, name):
        raise UserError(f"{where}: needs a model that writes text; {name!r} is trained as a reward model")
