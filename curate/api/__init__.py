"""The way in: run and plan a recipe, open a store, call one step. ``curate/__init__.py`` gives these names to users."""
