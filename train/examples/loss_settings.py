"""The options of TRL that decide what is learnt, read from a recipe's training without importing TRL."""

from dataclasses import dataclass
from typing import Any

from train.options import options


@dataclass(frozen=True)
class LossSettings:
    """Which tokens of a row are learnt. Only SFT has the first two settings.

    Attributes:
        every_token: Whether all tokens are, the user's too: ``completion_only_loss: false``.
        completion_only: Whether only the completion's are, and no earlier turn's: ``completion_only_loss: true``.
        max_length: The most tokens of a sequence, where longer ones are cut; None for no limit.
        keep_end: Whether the beginning of a sequence is cut off, rather than its end: ``truncation_mode: keep_end``.
        traces_in_text: Whether reasoning traces are written into the text where the chat template prints none.
    """

    every_token: bool
    completion_only: bool
    max_length: int | None
    keep_end: bool
    traces_in_text: bool = False

    @property
    def kept(self) -> slice:
        """The part of a sequence that is kept."""
        if self.max_length is None:
            return slice(None)
        return slice(-self.max_length, None) if self.keep_end else slice(self.max_length)


def loss_settings(
    trainer: str, settings: dict[str, Any], unshown: str = "refuse", *, evaluation: bool = False
) -> LossSettings:
    """Return what is learnt under a training's settings; an option that they leave out has TRL's default.

    ``assistant_only_loss: true`` is what is learnt anyway, so it only takes back ``completion_only_loss: false``.
    Packing by ``bfd`` cuts sequences as training without packing does; the other strategies split them and cut none.

    Args:
        trainer: The trainer's name.
        settings: The training's settings.
        unshown: What becomes of rows with something that the chat template does not print (``Training.unshown``).
        evaluation: Whether they are for the rows to evaluate on, which may be packed otherwise.
    """

    def given(name: str) -> Any:
        return settings.get(name, options.default(trainer, name))

    packed = given("packing")
    if evaluation and given("eval_packing") is not None:
        packed = given("eval_packing")
    whole = packed and given("packing_strategy") != "bfd"
    return LossSettings(
        every_token=given("completion_only_loss") is False and not given("assistant_only_loss"),
        completion_only=given("completion_only_loss") is True,
        max_length=None if whole else given("max_length"),
        keep_end=given("truncation_mode") == "keep_end",
        traces_in_text=unshown == "in_text",
    )
