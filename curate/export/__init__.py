"""Datasets in the forms that other programs read: ``export.export_dataset`` writes one into a folder."""
