"""Pass rates by kind of prompt, and the balance of good and bad candidates within a prompt."""

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cli.reporting.charts import Drawing, bars, histogram, label
from cli.reporting.section import Section, figure, percent, rows
from schemas.counted import counted
from schemas.json_text import parse

if TYPE_CHECKING:
    import duckdb

MOST_KINDS = 14  # of a key
MOST_KEYS = 6
GOOD = 0.5  # from this score on, of 0 to 1, a candidate is called good


def pass_rates(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the mean score by source, family and metadata, and how many candidates of a prompt are good.

    It is of the scorer whose scores are from 0 to 1 and have the fewest values: one that passes or fails, where there
    is one. None where there is no such scorer.
    """
    scorer = _scorer(con)
    if scorer is None:
        return None
    name, binary = scorer["scorer"], scorer["different"] <= 2
    prompts = rows(
        con,
        """SELECT p.prompt_id, any_value(p.source) AS source, any_value(p.family) AS family,
                  any_value(p.metadata)::VARCHAR AS metadata, count(*) AS n, sum(s.value) AS total,
                  count(*) FILTER (s.value >= ?) AS good
           FROM scores AS s JOIN completions AS c ON c.completion_id = s.row_id JOIN prompts AS p USING (prompt_id)
           WHERE s.scorer = ? AND s.value IS NOT NULL GROUP BY 1 ORDER BY 1""",
        [GOOD, name],
    )
    if not prompts:
        return None
    what = "pass rate" if binary else "mean score"
    kinds = _kinds(prompts)
    drawings = [_by_kind(f"kind-{place}", key, held, what) for place, (key, held) in enumerate(kinds.items())]
    if not kinds and all(row["n"] == 1 for row in prompts):
        return None
    several = [row for row in prompts if row["n"] > 1]
    n, total = sum(row["n"] for row in prompts), sum(row["total"] for row in prompts)
    title = f"{percent(total / n)} of candidates pass" if binary else f"The mean score is {figure(total / n)}"
    worst = _worst(kinds)
    title += f" {label(name, 30)}" if binary else f" by {label(name, 30)}"
    return Section(
        "pass_rates", "Pass rates", f"{title}{worst}",
        f"Scores by {label(name)} of {counted(n, 'candidate')} of {counted(len(prompts), 'prompt')}, none sampled. A "
        f"candidate is called good from {GOOD} on.",
        {"drawings": drawings, "balance": _balance(several)},
    )  # fmt: skip


def _scorer(con: "duckdb.DuckDBPyConnection") -> dict[str, Any] | None:
    found = rows(
        con,
        """SELECT scorer, count(DISTINCT value) AS different, count(*) AS n
           FROM scores JOIN completions ON completion_id = row_id WHERE value IS NOT NULL
           GROUP BY 1 HAVING min(value) >= 0 AND max(value) <= 1 AND max(value) > 0
           ORDER BY different > 2, n DESC, different, scorer LIMIT 1""",
    )
    return found[0] if found else None


def _kinds(prompts: list[dict[str, Any]]) -> dict[str, dict[str, tuple[int, float]]]:
    """Return for each key that splits the prompts into a few kinds: the kinds with their candidates and sum of scores.

    A prompt whose metadata have a list is of each kind in it.
    """
    found: dict[str, dict[str, tuple[int, float]]] = defaultdict(dict)
    for row in prompts:
        for key, kind in _keys_of(row):
            n, total = found[key].get(kind, (0, 0.0))
            found[key][kind] = (n + row["n"], total + row["total"])
    few = {key: held for key, held in found.items() if 2 <= len(held) <= max(40, len(prompts) // 20)}
    return dict([*few.items()][:MOST_KEYS])


def _keys_of(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("source", "family"):
        if row[key] is not None and row[key] != row["prompt_id"]:
            yield key, str(row[key])
    try:
        metadata = parse(row["metadata"]) if row["metadata"] else {}
    except ValueError:
        return
    for key, value in metadata.items() if isinstance(metadata, dict) else ():
        for kind in dict.fromkeys(value if isinstance(value, list) else [value]):
            if isinstance(kind, str | int | bool):
                yield str(key), str(kind)


def _by_kind(name: str, key: str, held: dict[str, tuple[int, float]], what: str) -> Drawing:
    ordered = sorted(held.items(), key=lambda item: (-item[1][1] / item[1][0], item[0]))
    shown = ordered if len(ordered) <= MOST_KINDS else [*ordered[: MOST_KINDS // 2], *ordered[-MOST_KINDS // 2 :]]
    data = [
        {"row": place, "part": 0, "kind": "accent", "value": total / n, "tip": f"{label(kind)}: {figure(total / n)}, "
         f"{counted(n, 'candidate')}", "label": f"{label(kind, 30)}   {figure(total / n, 2)}  ({n:,})"}
        for place, (kind, (n, total)) in enumerate(shown)
    ]  # fmt: skip
    about = "in brackets: candidates" if len(shown) == len(ordered) else (
        f"the {MOST_KINDS // 2} highest and lowest of {len(ordered)}; in brackets: candidates"
    )  # fmt: skip
    return bars(name, f"By {label(key, 40)}", data, what, about=about, most=1, form="~g")


def _worst(kinds: dict[str, dict[str, tuple[int, float]]]) -> str:
    """Return the end of a title: the kind with the lowest rate of those that have enough candidates."""
    held = [
        (total / n, key, kind) for key, some in kinds.items() for kind, (n, total) in some.items()
        if n >= 20 and key != "family"
    ]  # fmt: skip
    if len(held) < 2:
        return ""
    low, key, kind = min(held)
    return f"; lowest: {label(kind, 30)} ({label(key, 20)}) at {figure(low, 2)}"


def _balance(several: list[dict[str, Any]]) -> Drawing | None:
    """Return how many prompts have which share of good candidates, of prompts with several."""
    if not several:
        return None
    counts = [0] * 10
    for row in several:
        counts[min(9, int(10 * row["good"] / row["n"]))] += 1
    never = sum(row["good"] == 0 for row in several)
    always = sum(row["good"] == row["n"] for row in several)
    both = len(several) - never - always
    data = [
        {"low": at / 10, "high": (at + 1) / 10, "value": count, "kind": "dropped" if at == 0 else "kept" if at == 9
         else "accent", "tip": f"{counted(count, 'prompt')}: {10 * at}% to {10 * at + 10}% of the candidates are good"}
        for at, count in enumerate(counts) if count
    ]  # fmt: skip
    return histogram(
        "balance", f"{percent(both / len(several))} of prompts have good and bad candidates", data,
        "share of a prompt's candidates that are good", "prompts", form=",d", height=150,
        about=f"{counted(len(several), 'prompt')} with several candidates: {never:,} have no good one, {always:,} no "
        f"bad one, {both:,} both, which pairs and RL learn from",
    )  # fmt: skip
