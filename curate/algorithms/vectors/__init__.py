"""Algorithms on embedding matrices: nearest neighbours, k-means, near pairs, subset selection, diversity, places in 2-D."""
