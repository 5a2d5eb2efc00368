"""Trainings by a dotted path: any trainer of TRL's shape, run as it is."""
