"""Training and evaluation: thin layers on TRL, one trainer a file, and the comparison of base and trained models."""
