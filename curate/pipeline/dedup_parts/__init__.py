"""``dedup: minhash`` for more rows than one machine holds: the same decisions, made in tasks of ``spread``.

Each phase is many tasks, which leave files for the next (``dedup.write_in_parts`` calls them in order):

1. ``sketches``: a part of the rows is read and sketched; its keys are written by band and range of keys, and the hashes
   of its texts by range.
2. ``copies``: of one range of hashes, which rows are equal after levelling. Only the first of such rows goes on.
3. ``buckets``: of one band and range of keys, the rows that share a key: pairs, and large buckets.
4. ``texts``: the texts of the rows that are in a pair or a large bucket.
5. ``verify``: pairs are compared in full. Which, and in what order, ``near_duplicates.near_pairs`` says, as it does on
   one machine; ``families`` has it the pairs, in the process that called ``spread``.
6. ``decide``: the decisions about a part of the rows.
"""
