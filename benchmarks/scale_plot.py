"""Draw the seconds and the memory of runs against the number of candidates, both axes by powers of ten."""

from math import ceil, floor, log10

from train.reports.svg import colour_rules, svg_text

WIDTH, HEIGHT, GAP = 300, 190, 90  # of a panel, and between the two
LEFT, TOP, BELOW, RIGHT = 64, 34, 44, 44
COLOURS = {
    "ground": ("fill", "#ffffff", "#15171b"),
    "ink": ("fill", "#22252b", "#e7e9ee"),
    "soft": ("fill", "#667085", "#98a2b3"),
    "line": ("stroke", "#e4e7ec", "#2b303a"),
    "curve": ("stroke", "#2563eb", "#7aa7ff"),
    "dot": ("fill", "#2563eb", "#7aa7ff"),
    "bar": ("stroke", "#b42318", "#ff8a7a"),
}
BARS = ((900.0, "15 min"), (8192.0, "8 GB"))


def plot(points: list[tuple[int, float, float]]) -> str:
    """Return an SVG of two panels: seconds, and megabytes, each with the bar for ten million candidates.

    Args:
        points: The candidates, the seconds and the megabytes of each run, the fewest candidates first.
    """
    light, dark = colour_rules(COLOURS)
    width, height = 2 * (WIDTH + LEFT) + GAP // 2 + RIGHT, TOP + HEIGHT + BELOW
    seconds = _panel([(size, value) for size, value, _ in points], LEFT, "Seconds of the whole command", BARS[0])
    memory = _panel(
        [(size, value) for size, _, value in points], 2 * LEFT + WIDTH + GAP // 2, "Peak memory, MB", BARS[1]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="Seconds and memory of a run against the number of candidates" '
        f'font-family="system-ui, sans-serif"><style>{light}@media (prefers-color-scheme:dark){{{dark}}}</style>'
        f'<rect class="ground" width="{width}" height="{height}"/>{seconds}{memory}</svg>\n'
    )


def _panel(points: list[tuple[int, float]], left: float, title: str, bar: tuple[float, str]) -> str:
    low, high = _decades([value for _, value in points] + [bar[0]])
    first, last = _decades([size for size, _ in points])

    def at(size: float, value: float) -> tuple[float, float]:
        across, up = (log10(size) - first) / max(1, last - first), (log10(value) - low) / (high - low)
        return left + across * WIDTH, TOP + HEIGHT - up * HEIGHT

    parts = [svg_text(left, TOP - 14, title, "ink", size=13, weight=600)]
    for power in range(low, high + 1):
        _, y = at(10**first, 10**power)
        parts.append(f'<line class="line" x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(svg_text(left - 8, y + 4, f"{10**power:,}", "soft", size=11, anchor="end"))
    _, y = at(10**first, bar[0])
    parts.append(
        f'<line class="bar" x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke-dasharray="4 4"/>'
    )
    parts.append(
        svg_text(left + 4, y + 14, f"{bar[1]}, for 10M", "soft", size=11)
    )  # below: a line of the grid is above
    for size, _ in points:
        x, _ = at(size, 10**low)
        parts.append(svg_text(x, TOP + HEIGHT + 18, f"{size:,}", "soft", size=11, anchor="middle"))
    parts.append(svg_text(left + WIDTH / 2, TOP + HEIGHT + 36, "candidates", "soft", size=11, anchor="middle"))
    places = [at(*point) for point in points]
    parts.append(f'<polyline class="curve" fill="none" stroke-width="2" points="{_path(places)}"/>')
    for (x, y), (_, value) in zip(places, points, strict=True):
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        shown = f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
        parts.append(
            svg_text(x + 5, y + 16, shown, "ink", size=11)
        )  # below and right: the curve rises, the bar is above
    return "".join(parts)


def _path(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _decades(values: list[float]) -> tuple[int, int]:
    """Return the powers of ten that values lie between."""
    return floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)
