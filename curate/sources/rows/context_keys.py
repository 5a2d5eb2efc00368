"""Find the keys of what belongs to a row's prompt: its system text, its tools and the texts put below it."""

from curate.sources.rows import layout_names as names
from curate.sources.rows.row_keys import ANSWER, MAPPING, MAPPINGS, MESSAGE, TEXT, TEXTS, TURNS, Keys


def system_key(keys: Keys, conversation: str) -> str | None:
    """Return the key of the system text; Gemini's is a mapping of parts, that of OpenAI's Responses ``instructions``.

    Args:
        keys: The row's keys.
        conversation: The normal name of the conversation's key, "" where there is none.
    """
    found = keys.find(names.SYSTEMS, TEXT, TEXTS, MESSAGE, MAPPINGS)
    if not found and conversation == "contents":
        found = keys.find(("system_instruction", "systeminstruction"), MAPPING, ANSWER)
    return found or (keys.find(("instructions",), TEXT) if conversation == "input" else None)


def tools_key(keys: Keys) -> str | None:
    """Return the key of the tools; a text or a mapping is looked at under ``tools`` only."""
    return keys.find(("tools",)) or keys.find(names.TOOLS, MAPPINGS)


def context_keys(keys: Keys) -> tuple[str, ...]:
    """Return the keys of the texts that belong to a prompt, marked as used; ``input`` may be a value of any kind."""
    found = [key for key in (keys.find(("input",)),) if key and keys.kinds[key] not in (TURNS, MESSAGE)]
    found += [key for key in keys.find_all(names.CONTEXTS, TEXT, TEXTS) if key not in found]
    keys.used.update(found)
    return tuple(found)
