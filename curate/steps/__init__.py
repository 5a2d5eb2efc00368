"""Finding a step by folder and file name, reading its signature, the types it yields, SQL conditions."""
