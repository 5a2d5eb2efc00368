"""The two kinds of sections that a recipe has: with known keys only, or with settings of what they name."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A section whose unknown keys are errors and whose values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Open(Strict):
    """A section that accepts further keys: the settings of a step, of an engine or of TRL."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, populate_by_name=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The keys that are not fields of this section."""
        return dict(self.__pydantic_extra__ or {})
