"""The rows of a source: the layout of each, by the names of its keys, and its parts."""
