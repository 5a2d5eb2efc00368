"""Files, folders and queries: which there are, and the rows in each."""
