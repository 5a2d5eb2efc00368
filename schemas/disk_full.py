"""Whether an error says that a disk, or what is allowed of it, is full: in the words of the system and of libraries."""

WORDS = ("no space left", "disk is full", "os error 28", "quota exceeded", "file too large")


def disk_is_full(error: BaseException) -> bool:
    """Return whether an error says that nothing more can be written."""
    return any(word in str(error).lower() for word in WORDS)
