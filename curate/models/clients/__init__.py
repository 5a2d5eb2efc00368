"""The only code that touches a model, one engine a file. An engine answers requests with replies."""
