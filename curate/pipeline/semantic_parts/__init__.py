"""``dedup: semantic`` for more rows than one machine compares: the same decisions, made in tasks of ``spread``.

Texts, their vectors and the priority of rows are there before, on the disk of the run. ``in_parts`` has the order:

1. ``signs``: the sign bits of a part of the rows, and the bucket of each row in every band.
2. ``compare``: of one band and range of buckets, the near pairs among rows that may be kept. In rounds, as a row that
   stays in one band may be dropped by another; the process that called ``spread`` decides between them.
3. ``nearest``: of one band and range of buckets, the nearest kept row of each row that is dropped.
"""
