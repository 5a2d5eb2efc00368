"""The plan of ``dedup: semantic`` in parts for so many rows: tasks, disk, memory and time, from measured rates.

docs/scale.md has the arithmetic, and where the rates come from (``python -m benchmarks.semantic_parts``).
"""

import numpy as np

from curate.algorithms.vectors.hyperplanes import BandPlan, plan_bands
from curate.algorithms.vectors.row_hashes import SAMPLE
from curate.pipeline.dedup_parts.plan import PartsPlan
from curate.pipeline.dedup_parts.when import is_in_parts
from curate.pipeline.row_rule import RowRule
from curate.pipeline.semantic_parts.sizes import TaskSizes, task_sizes
from curate.storage.row_set import RowSet

WIDTH = 384  # numbers of a vector, where it is not known
ROUNDS = 2  # of the comparisons, that go through most members of the buckets
MEMORY = 70  # bytes of a row in the process that calls ``spread``: its order, its place, its state, what is nearest
FIXED, OVER = 13.0, 1.2  # microseconds of a row beside the comparisons; their cost to that of the planner's model


def meaning_plan(rows: int, width: int, layout: BandPlan, sizes: TaskSizes) -> PartsPlan:
    """Return what a step takes.

    Args:
        rows: How many rows.
        width: The numbers of a vector.
        layout: The buckets.
        sizes: The sizes of tasks.
    """
    bits, bands = layout.flips.shape[0] * layout.flips.shape[2] // 8, layout.bands
    parts, ranges = -(-rows // sizes.part), bands * sizes.ranges
    disk = rows * (4 * width + 2 * bits + 4 * bands)
    of_task = max(sizes.part * (bits + 4 * bands), 24 * rows // sizes.ranges)
    seconds = rows * (FIXED + OVER * layout.cost / 1000) / 1e6
    return PartsPlan(parts + (ROUNDS + 1) * ranges, disk, MEMORY * rows, of_task, seconds)


def meaning_note(rows: RowSet, rule: RowRule, in_parts: bool | None) -> str:
    """Return a line on what a step takes that would be made in parts; "" for another.

    It is for vectors that lie evenly, as none are there yet: of texts about the same, more share a bucket.

    Args:
        rows: The rows, of which some may be dropped before.
        rule: The step.
        in_parts: What the recipe says.
    """
    chosen, count = rule.settings, rows.height
    if count < max(1, chosen["exact_below"]) or not is_in_parts(in_parts, rule, rows.table, count):
        return ""
    sample = np.random.default_rng(chosen["seed"]).standard_normal((SAMPLE, WIDTH)).astype(np.float32)
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    layout = plan_bands(sample, count, count, chosen["threshold"], chosen["recall"], chosen["seed"])
    if layout is None:
        return ""
    line = meaning_plan(count, WIDTH, layout, task_sizes(count)).line(count)
    return f"{line}, if the rows are about different things: about the same ones, some times as long"
