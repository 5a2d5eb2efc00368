"""When a dedup step is made in parts: where others make the calls, for very many rows, or where the recipe says so."""

from curate.pipeline.row_rule import RowRule
from curate.spread.spread import elsewhere
from curate.storage.row_set import CANDIDATES
from schemas.errors import UserError
from schemas.rows import PROMPTS

FROM = 50_000_000  # rows: 31 bytes of each would be in memory at once, and some 200 with its text on one disk
FROM_ELSEWHERE = 1_000_000  # rows that are worth other machines' tasks


def check_in_parts(setting: object, rule: RowRule, table: str, where: str) -> bool | None:
    """Return a recipe's ``in_parts``: whether the step is to be made in parts; None where it does not say.

    Args:
        setting: What the recipe says.
        rule: The step.
        table: ``prompts`` or ``completions``: what is deduplicated.
        where: The recipe's file and line, for errors.

    Raises:
        UserError: It is neither true nor false; or the step cannot be made in parts.
    """
    if setting is None or isinstance(setting, bool):
        if setting and not can_be_in_parts(rule, table):
            name, columns = rule.step.name, ", ".join(_columns(table))
            raise UserError(
                f"{where}: dedup {name!r} on {rule.on!r} cannot be made in parts; expected semantic, or minhash on a "
                f"column of the {table} ({columns})"
            )
        return setting
    raise UserError(f"{where}: dedup: in_parts: expected true or false, found {setting!r}")


def can_be_in_parts(rule: RowRule, table: str) -> bool:
    """Return whether a step can be made in parts: ``semantic``; ``minhash``, on a column of the rows' files."""
    return rule.step.name == "semantic" or (rule.step.name == "minhash" and rule.on in _columns(table))


def is_in_parts(setting: bool | None, rule: RowRule, table: str, rows: int) -> bool:
    """Return whether a step is made in parts, by the recipe's ``in_parts`` and the number of its rows."""
    if setting is not None:
        return setting
    return can_be_in_parts(rule, table) and rows >= (FROM_ELSEWHERE if elsewhere() else FROM)


def _columns(table: str) -> dict[str, str]:
    return PROMPTS if table == "prompts" else CANDIDATES
