"""``gristmill report``: one HTML file, for offline, that shows what is in a store. A section a file, a template each."""
