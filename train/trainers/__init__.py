"""The trainers, one thin file per trainer of TRL."""
