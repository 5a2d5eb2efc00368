"""Figures of a training while it runs: step, loss or reward, pace, time left."""
