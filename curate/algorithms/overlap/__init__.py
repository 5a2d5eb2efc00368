"""Find texts that overlap a benchmark: ``benchmark_index`` indexes the benchmark, ``benchmark_overlap`` searches."""
