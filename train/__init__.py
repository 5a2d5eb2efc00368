"""From curated datasets to models: thin layers on TRL, one trainer a file, and the evaluation that judges them."""
