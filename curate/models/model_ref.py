"""``ModelRef``: which model a name in a recipe means, and where its weights are. Nothing is loaded to make one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ModelRef:
    """A model: its ``identity`` (part of every cache key) and its ``location``, plus LoRA ``adapters``.

    ``location`` is a hub id, a folder, or the name that a server knows the model by; ``package`` names the package
    that a built-in model's weights come from, or is empty. ``adapters`` are folders of LoRA weights to merge, first to
    last. ``settings`` are the recipe's settings for the engine as sorted pairs, so that a ref can be hashed.
    """

    name: str
    identity: str
    location: str
    engine: str = "transformers"
    package: str = ""
    adapters: tuple[str, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()

    def setting(self, name: str, default: Any = None) -> Any:
        """Return a setting's value as the recipe gives it, or ``default`` where the recipe leaves it out."""
        return next((value for key, value in self.settings if key == name), default)

    @property
    def untrained(self) -> bool:
        """Whether this stands for the model of a training that is not done yet, and whose id is not known."""
        return self.identity.endswith(">")

    @property
    def priced(self) -> bool:
        """Whether the recipe gives the prices of prompt and completion tokens."""
        return self.setting("prompt_price") is not None and self.setting("completion_price") is not None

    @property
    def short_name(self) -> str:
        """The model's name in the column ``model``: its identity without versions and hashes."""
        return self.identity.split("@")[0] + "".join(f">{part}" for part in self.identity.split(">")[1:])

    def trained(self, name: str, training_id: str, folder: Path, *, adapter: bool) -> "ModelRef":
        """Return the model that a training made of this one.

        Args:
            name: The new model's name.
            training_id: The training's id, which becomes part of the identity.
            folder: The folder that the training wrote.
            adapter: Whether the folder holds a LoRA adapter to merge on top, rather than full weights.
        """
        identity = f"{self.identity}>{training_id}"
        if adapter:
            adapters = (*self.adapters, str(folder))
            return ModelRef(name, identity, self.location, self.engine, self.package, adapters, self.settings)
        return ModelRef(name, identity, str(folder), self.engine, settings=self.settings)
