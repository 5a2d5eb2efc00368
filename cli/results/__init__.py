"""Results of queries: as tables for a person, as JSON, CSV or Parquet for a program; and the shell that asks."""
