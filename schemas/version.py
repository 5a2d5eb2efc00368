"""The version of gristmill, and of the store format that it reads and writes."""

VERSION = "0.1.0"
STORE_FORMAT = 1
