"""The round that ``gristmill run`` and ``gristmill check`` are about, and what they say of the others."""

from typing import TYPE_CHECKING

from rich.text import Text

from cli.check import show_plan
from cli.rounds.show_rounds import show_rounds
from cli.tables import console
from curate.api.run import Plan
from schemas.check_rounds import rounds_of
from schemas.counted import counted
from schemas.errors import printable
from schemas.recipe import Recipe
from train.rounds.estimate import later_requests
from train.rounds.state import RoundsState, rounds_state
from train.rounds.words import end_line, rounds_line

if TYPE_CHECKING:
    from curate.storage.store import Store
    from schemas.progress import Progress


def next_round(recipe: Recipe, store: "Store", progress: "Progress") -> Recipe:
    """Return the recipe of the round whose datasets can be made now, and say which it is."""
    state = rounds_state(recipe, store)
    progress.say(printable(_which(state)))
    return state.next_recipe


def check_rounds(recipe: Recipe, store: "Store | None", rows: int, references: int) -> Plan:
    """Print what ``check`` does of the round that would be made now, the rounds before it, and what later ones ask.

    The arguments and the result are those of ``cli.check.show_plan``.
    """
    state = RoundsState(recipe) if store is None else rounds_state(recipe, store)
    found = show_plan(state.next_recipe, store, rows, references)
    shown = console()
    shown.print(Text("\n" + printable(rounds_line(recipe))))
    if state.rounds:
        show_rounds(state)
    requests, tokens = later_requests(state, store)
    later = (
        f"; each later round asks {counted(requests, 'request')} of the model just trained (at most {tokens:,} new "
        f"tokens), and what its steps make of the answers; nothing is asked twice"
    )
    shown.print(Text(printable(_which(state) + (later if requests else ""))))
    return found


def _which(state: RoundsState) -> str:
    """Return which round is shown or made now."""
    most, count = rounds_of(state.recipe).most, len(state.rounds)
    if state.ended:
        return end_line(state)
    if not state.evaluated:
        return (
            f"round {count} of at most {most} is trained and not evaluated yet: 'gristmill train "
            f"{state.recipe.argument}' goes on"
        )
    return f"round {count + 1} of at most {most}; 'gristmill train {state.recipe.argument}' makes all rounds"
