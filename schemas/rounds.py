"""The section ``rounds`` of a recipe: how often generate, score, select and train are repeated, and what stops them."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from schemas.sections import Strict

MOST = 100  # rounds of a recipe: each trains a model


class Rounds(Strict):
    """The section ``rounds``; ``rounds: 3`` is short for ``rounds: {most: 3}``.

    Attributes:
        most: The most rounds there are.
        student: The model whose place the model just trained takes from the second round on; by default the one that
            ``train`` starts from.
        train: The training whose model is the student of the next round; by default the only one whose model no other
            training of the recipe starts from.
        from_: What the trainings of a round start from: the student of the round (``last``), or the model that the
            first round starts from (``first``).
        data: What the datasets of a round are chosen from: the answers of its own student (``last``), or those of the
            students of all rounds so far (``all``).
        by: The scorer of ``evaluate`` that says whether a round is better; by default the first one.
        split: The held-out split that it is measured on; by default the first one by name.
        patience: The number of rounds in a row that may be no better than the best; then the rounds end.
        threshold: A round is better if its mean is higher by more than this.
    """

    most: int = Field(ge=1, le=MOST)
    student: str | None = None
    train: str | None = None
    from_: Literal["last", "first"] = Field(default="last", alias="from")
    data: Literal["last", "all"] = "last"
    by: str | None = None
    split: str | None = None
    patience: int = Field(default=1, ge=1)
    threshold: float = Field(default=0.0, ge=0, allow_inf_nan=False)


def written_out(value: Any) -> Any:
    """Return the long form of a value of ``rounds``: a number is the most rounds.

    Raises:
        ValueError: It is neither a number nor a mapping.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return {"most": value}
    if value is not None and not isinstance(value, dict | Rounds):
        raise ValueError(
            "expected how many rounds at most, such as rounds: 3, or a mapping such as {most: 3, from: first}"
        )
    return value


RoundsSection = Annotated[Rounds | None, BeforeValidator(written_out)]
