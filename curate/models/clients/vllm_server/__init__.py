"""A vLLM server as a process of its own: its arguments, its start, its end, and the engines that ask it."""
