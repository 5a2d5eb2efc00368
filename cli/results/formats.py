"""The names of the formats that a result can be written in."""

FORMATS = ("table", "box", "records", "markdown", "json", "jsonl", "csv", "parquet")
FOR_PEOPLE = FORMATS[:4]  # those that show the first rows only
BY_ENDING = {".json": "json", ".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet", ".md": "markdown"}
