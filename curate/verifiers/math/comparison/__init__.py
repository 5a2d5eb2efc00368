"""Whether two answers that have been read are the same, kind by kind."""
