"""Reads and writes the files of a store; no other package opens or names them."""
