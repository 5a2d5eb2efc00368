"""``gristmill report``: one HTML file, offline, that shows what a store holds. A section is a file and a template."""
