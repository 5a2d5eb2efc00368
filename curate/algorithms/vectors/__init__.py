"""Algorithms on embedding matrices: neighbours, k-means, near pairs, subset selection, diversity, places in 2-D."""
