"""The options of a training: which there are, what other tools call them, and what TRL would refuse too late."""
