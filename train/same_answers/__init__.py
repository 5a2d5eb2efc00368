"""Two forms of a model (base + adapter, merged, exported), compared by greedy answers or scores, up to rounding."""
