"""Windows of requests: so many are sorted by length and cut into batches together."""

from schemas.requests import Request, Take

WINDOW = 4096  # requests sorted together: enough to sort into batches, few enough to hold


def window(take: Take) -> list[Request]:
    """Return the next requests: a full window, or all that are left."""
    found: list[Request] = []
    while len(found) < WINDOW and (group := take()):
        found += group
    return found
