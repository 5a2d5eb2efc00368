"""A difference as text, with its sign: in the tables, the drawing and the sentences of evaluations and comparisons."""


def signed(value: float | None) -> str:
    """Return a difference with its sign: ``+0.471``, ``-12.3``, ``+1,234``; ``-`` for none."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 1e9 or 0 < size < 0.0005:
        return f"{value:+.3g}"
    return f"{value:+.3f}" if size < 10 else f"{value:+.1f}" if size < 1000 else f"{value:+,.0f}"
