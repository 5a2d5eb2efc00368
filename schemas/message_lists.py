"""Lists of messages in other forms than a list of mappings with roles."""

ROLE_KEYS = ("role", "from", "speaker", "author", "sender")


def by_turns(value: dict) -> list:
    """Return the messages of a mapping: itself, or one for each place in its lists."""
    if not any(isinstance(value.get(key), list) for key in ROLE_KEYS):
        return [value]
    lists = {key: column for key, column in value.items() if isinstance(column, list)}
    same = {key: one for key, one in value.items() if key not in lists}
    return [
        {**same, **{key: column[index] for key, column in lists.items() if index < len(column)}}
        for index in range(max(map(len, lists.values())))
    ]
