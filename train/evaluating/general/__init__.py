"""The general prompts and texts, on which an evaluation measures what a training has damaged."""
