"""What is done with many vectors at once: neighbours, near pairs, clusters, subsets, and how diverse they are."""
