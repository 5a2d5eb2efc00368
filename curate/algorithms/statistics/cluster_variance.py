"""The variance of a figure over clusters of answers, with the degrees of freedom that the clusters' sizes allow."""

import numpy as np


def cluster_variance(influence: np.ndarray, cluster: np.ndarray) -> tuple[float, float, int]:
    """Return the variance of a sum of influence values by clusters, its degrees of freedom, and how many clusters.

    The influences of a cluster are summed before they are squared. The correction CR2 and the degrees of freedom are
    those of Bell and McCaffrey (2002), for a mean: the clusters less one where all are of one size; fewer, down to one,
    where a few clusters have most of the answers, as it is they that the variance is of.

    Args:
        influence: How far each answer moves the figure [N]; they add up to 0.
        cluster: The cluster of each answer [N].

    Returns:
        The variance, the degrees of freedom, and the clusters. The former are 0 for less than two clusters.
    """
    _, code, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    clusters = len(sizes)
    if clusters < 2:
        return 0.0, 0.0, clusters
    share = sizes / sizes.sum()
    variance = float(np.sum(np.bincount(code, influence) ** 2 / (1 - share)))
    pairs = float(np.sum(share**2 / (1 - share)) ** 2 - np.sum(share**4 / (1 - share) ** 2))
    return variance, max(1.0, 1 / (float(np.sum(share**2)) + pairs)), clusters
