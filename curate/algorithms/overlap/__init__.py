"""N-gram overlap between rows and benchmarks."""
