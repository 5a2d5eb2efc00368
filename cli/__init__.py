"""The command line, one file a group of commands. Heavy imports stay inside the commands that use them."""
