"""What decides whether an answer is right: constraints, math, programs in a sandbox."""
