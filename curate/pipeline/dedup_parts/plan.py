"""The plan of ``dedup: minhash`` in parts for so many rows: tasks, disk, memory and time, from measured rates.

docs/scale.md has the arithmetic, and where the rates come from (``python -m benchmarks.dedup_parts``).
"""

from dataclasses import dataclass

from curate.algorithms.near_duplicates.clusters import Keep
from curate.algorithms.text.shingles import CONTENT, bands
from curate.pipeline.dedup_parts.sizes import Sizes, sizes_for
from curate.pipeline.dedup_parts.when import is_in_parts
from curate.pipeline.row_rule import RowRule
from curate.spread.worker_processes import processes_here
from curate.storage.damage import read_table
from curate.storage.row_set import RowSet

KEY, HASH = 8, 24  # bytes on disk for each row: of a band, and for the hashes of its text
# Shares of rows in the texts of the benchmark, of which 40 % are copies, and microseconds of a processor.
EDGE, PAIRS, COPIES = 0.4, 0.3, 0.12  # rows in a pair; pairs that are compared for each row; rows equal to another
PAIR_DISK, PAIR_MEMORY = 110, 64  # bytes of a pair: once for each band that finds it, and while it is compared
ROW_MEMORY = 40  # bytes of a row with an edge: its place, its group, what it duplicates
SKETCH, READ, COMPARE = 0.0175, 0.0035, 0.018  # for each byte of a text
SORT, DECIDE = 0.16, 1.3  # for each key; for each row


@dataclass(frozen=True)
class PartsPlan:
    """The tasks, disk, memory and time of a step.

    Attributes:
        tasks: How many tasks.
        disk: The most bytes of the phases' files.
        memory: The most bytes in the process that calls ``spread``, beside the rows' own ten.
        task_memory: The most bytes of a task.
        seconds: Seconds of a processor.
    """

    tasks: int
    disk: int
    memory: int
    task_memory: int
    seconds: float

    def line(self, rows: int) -> str:
        """Return what ``check`` says of it, for at most so many rows."""
        processes = processes_here()
        return (
            f"in parts: {self.tasks:,} tasks for at most {rows:,} rows, about {_bytes(self.disk)} of disk, "
            f"{_bytes(self.memory)} here and {_bytes(self.task_memory)} in a task, {_time(self.seconds)} of a processor"
            f" ({_time(self.seconds / processes)} on {processes} here)"
        )


def parts_plan(rows: int, size: float, count: int, sizes: Sizes, keep: Keep = "first") -> PartsPlan:
    """Return what a step takes.

    Args:
        rows: How many rows.
        size: The mean bytes of a text.
        count: How many bands there are.
        sizes: The sizes of tasks.
        keep: The priority among rows; but for ``first``, their texts are needed to break ties.
    """
    pairs, texts = PAIRS * rows, EDGE * rows * size
    parts = -(-rows // sizes.part)
    compared = 2 * pairs * size
    tasks = 3 * parts + sizes.content_ranges + count * sizes.ranges + -(-int(compared) // sizes.compared)
    disk = rows * (KEY * count + HASH) + PAIR_DISK * pairs + texts
    memory = rows / 8 + PAIR_MEMORY * pairs + ROW_MEMORY * (EDGE + COPIES) * rows
    if keep != "first":
        disk, memory = disk + COPIES * rows * size, memory + (EDGE + COPIES) * rows * size
    of_task = max(sizes.part * 2 * KEY * (count + CONTENT), 3 * KEY * rows / sizes.ranges, 4 * sizes.compared)
    micro = rows * (size * (SKETCH + READ) + SORT * (count + HASH // KEY) + DECIDE) + compared * COMPARE
    return PartsPlan(tasks, int(disk), int(memory), int(of_task), micro / 1e6)


def parts_note(rows: RowSet, rule: RowRule, in_parts: bool | None) -> str:
    """Return a line on what a step ``minhash`` takes that would be made in parts; "" for another.

    Args:
        rows: The rows, of which some may be dropped before.
        rule: The step.
        in_parts: What the recipe says.
    """
    if not rows.height or not is_in_parts(in_parts, rule, rows.table, rows.height):
        return ""
    chosen = rule.settings
    count = bands(chosen["threshold"], chosen["permutations"], chosen["recall"]).count
    column = rows.file_column(rule.on)
    text = read_table(rows.files[0], [column])[column]
    size = int(text.str.len_bytes().sum()) / max(1, len(text))
    return parts_plan(rows.height, size, count, sizes_for(rows.height), chosen["keep"]).line(rows.height)


def _bytes(count: float) -> str:
    unit, size = next((one for one in (("TB", 1e12), ("GB", 1e9)) if count >= one[1]), ("MB", 1e6))
    return f"{count / size:,.1f} {unit}"


def _time(seconds: float) -> str:
    unit, size = next((one for one in (("hours", 3600), ("minutes", 60)) if seconds >= one[1]), ("seconds", 1))
    return f"{seconds / size:,.1f} {unit}"
