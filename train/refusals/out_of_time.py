"""Recognises verdicts on programs that ran out of time, as on a busy machine, and so were not judged."""

import json

# Words of the sandbox for it (``curate.verifiers.sandbox.clock``), and the scorer ``code`` where it did not answer.
OUT_OF_TIME = ("took more than", "the machine was too busy", "the sandbox gave no reply")


def out_of_time(error: str | None, detail: str | None) -> bool:
    """Return whether a program was not judged, or failed no test but by the time that it took.

    Args:
        error: Why it has no score, or None.
        detail: The detail of the scorer ``code``, as JSON, or None.
    """
    if error is not None:
        return _says_so(error)
    try:
        found = json.loads(detail or "null")
    except ValueError:  # another scorer's
        return False
    failed = found.get("failed") if isinstance(found, dict) else None
    return isinstance(failed, dict) and bool(failed) and all(_says_so(str(why)) for why in failed.values())


def _says_so(text: str) -> bool:
    return any(one in text for one in OUT_OF_TIME)
