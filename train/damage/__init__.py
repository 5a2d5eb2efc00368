"""Signs that a training damaged a model, or that its reward is gamed: figures of answers, and when to warn."""
