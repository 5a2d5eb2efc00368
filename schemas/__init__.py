"""The contracts: tables, messages, requests, recipes and errors. Imports none of our other packages."""
