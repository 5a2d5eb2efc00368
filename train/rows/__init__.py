"""The rows that a training gets: checked, with the reason of each that is left out."""
