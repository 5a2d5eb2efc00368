"""Refusals: the trainings that would teach nothing, or whose held-out figures would be too good, and why.

Each is found in the rows and the recipe, before a model is loaded. A training takes a refusal back by its name
(``allow: [NAME]``); then it is a warning.
"""
