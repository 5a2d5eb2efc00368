"""The sections of a report: a pure function a file, from a connection to a store's tables to what a template shows."""
