"""Draws how time grows, from the rows that compare.py measured.

    curves.py ROWS.json OUT.svg

Four panels, both axes logarithmic: the sampler against resolution and batch, training against batch, search against the
cohort. CPU time of the program and of each peer; a thin line shows growth in proportion.
"""

import json
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# Text stays text, and the same figures give the same file.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "negatoscope", "font.family": "sans-serif", "font.size": 9})
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator

ENGINES = {
    "ours": ("Negatoscope", "#b3432b", "o"), "torch": ("PyTorch", "#5b6770", "s"),
    "onnxruntime": ("ONNX Runtime", "#8a97a0", "^"), "openvino": ("OpenVINO", "#2f6f8f", "D"), "faiss": ("FAISS", "#2f6f8f", "D"),
}


def points(rows, work, choose, place):
    """For each engine the places and CPU milliseconds of the rows of one work that `choose` takes."""
    own = {key: found["ours"] for *key, found in rows["ours"] for key in [tuple(key)] if key[0] == work}
    peers = {tuple(key): found for *key, found in rows["theirs"]}
    lines = {}
    for key, mine in own.items():
        row = mine[0]
        if not choose(row):
            continue
        for engine, found in {"ours": mine, **peers.get(key, {})}.items():
            times = [each["cpu_ms"] for each in found if "cpu_ms" in each]
            if times:
                lines.setdefault(engine, []).append((place(row), statistics.median(times)))
    return {engine: sorted(line) for engine, line in lines.items()}


def draw(rows, out):
    prog = lambda row: row["network"] == "prog-GAN"
    panels = [
        ("Sampler, prog-GAN, one sample", "side, px", points(
            rows, "sampler", lambda row: prog(row) and row["batch"] == 1, lambda row: row["resolution"])),
        ("Sampler, prog-GAN 64 px", "samples together", points(
            rows, "sampler", lambda row: prog(row) and row["resolution"] == 64, lambda row: row["batch"])),
        ("Training step, prog-GAN 32 px,\n128 features", "batch", points(
            rows, "training", lambda row: prog(row) and row["resolution"] == 32 and row["features"] == 128, lambda row: row["batch"])),
        ("Search, top 5, one query", "films", points(
            rows, "search", lambda row: row["queries"] == 1, lambda row: row["films"])),
    ]
    panels = [panel for panel in panels if panel[2]]
    if not panels:
        return False
    figure, axes = plt.subplots(1, len(panels), figsize=(3.2 * len(panels), 3.1), squeeze=False, layout="constrained")
    for axis, (title, along, lines) in zip(axes[0], panels):
        for engine, line in lines.items():
            name, colour, mark = ENGINES[engine]
            axis.plot(*zip(*line), color=colour, marker=mark, markersize=4, linewidth=2 if engine == "ours" else 1, label=name)
        first, last = lines["ours"][0], lines["ours"][-1]
        axis.plot([first[0], last[0]], [first[1], first[1] * last[0] / first[0]], color="#c9c9c9", linewidth=0.8, zorder=0, label="in proportion")
        places = [place for place, _ in lines["ours"]]
        axis.set(xscale="log", yscale="log", xlabel=along, ylabel="CPU ms", title=title)
        axis.set_xticks(places, [f"{place:,}" if place < 1000 else f"{place // 1000}k" for place in places])
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.minorticks_off()
        axis.grid(True, which="major", color="#ececec", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=7, loc="upper left")
        low, high = axis.get_ylim()
        # Room for the legend above the lines.
        axis.set_ylim(low, high * (high / low) ** 0.3)
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    return True


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
