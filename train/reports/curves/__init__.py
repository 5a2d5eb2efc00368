"""The curves of a training, as an SVG picture."""
