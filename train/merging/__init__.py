"""``merge: true``: a trained adapter merged into whole weights, and compared with base + adapter before it is kept."""
