"""The recipe of a later round, and its entries of models that earlier rounds trained: no file has them.

``train.rounds`` makes them of the recipe that has the section ``rounds``.
"""

from pydantic import SerializeAsAny

from schemas.recipe import Model, Recipe
from schemas.sections import Strict


class Made(Strict):
    """A training that is done.

    Attributes:
        name: The name of its model, such as ``sft.round1``.
        training_id: Its id.
        folder: The folder of its model.
        adapter: Whether the folder holds a LoRA adapter rather than full weights.
    """

    name: str
    training_id: str
    folder: str
    adapter: bool


class RoundModel(Model):
    """A model of the section ``models`` with trainings on top of it.

    Attributes:
        trained: The trainings, first to last.
    """

    trained: tuple[Made, ...] = ()


class RoundRecipe(Recipe):
    """The recipe of the second round or a later one.

    Attributes:
        models: The recipe's models, and those of earlier rounds.
        round: The round's number, from 2.
    """

    models: dict[str, SerializeAsAny[Model]]
    round: int

    @property
    def run_name(self) -> str:
        """The name that the round is recorded under: ``demo.round2``, or with a limit ``demo.round2.limit20``."""
        return f"{self.name}.round{self.round}{self.limit_suffix}"
