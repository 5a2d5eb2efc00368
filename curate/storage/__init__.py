"""The only code that touches the store's disk."""
