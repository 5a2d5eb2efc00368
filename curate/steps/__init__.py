"""Find steps and read their signatures; the types that steps yield; SQL conditions; quoting; the hash of code."""
