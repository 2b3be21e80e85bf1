"""Measures the program and its peers in turn, and writes the table into docs/performance.md and curves beside it.

    compare.py [--program PATH] [--rounds N] [--seconds S] [--only WORK ...] [--document FILE] [--scratch DIR]

In each round every engine is started anew and measured once for each row; the table holds medians over the rounds.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import curves

here = Path(__file__).resolve().parent
root = here.parent.parent
parser = argparse.ArgumentParser()
parser.add_argument("--program", type=Path, default=root / "target/release/negatoscope")
parser.add_argument("--rounds", type=int, default=1)
parser.add_argument("--seconds", type=float, default=1.0)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--only", nargs="*", default=["sampler", "models", "encoder", "search", "training", "import", "start", "window"])
parser.add_argument("--sides", default="32,64,128,256")
parser.add_argument("--document", type=Path, default=root / "docs/performance.md")
parser.add_argument("--scratch", type=Path, required=True)
args = parser.parse_args()
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
weights = args.scratch / "weights"
weights.mkdir(parents=True, exist_ok=True)
environment = dict(os.environ, RAYON_NUM_THREADS=str(args.threads))
ours, theirs, versions, errors = {}, {}, {}, {}


def lines(command):
    done = subprocess.run([str(part) for part in command], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        print(f"failed: {' '.join(map(str, command))}", file=sys.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def bench(work, *more):
    return lines([args.program, "bench", "--json", "--only", work, "--sides", args.sides, *more])


def peer(script, *words):
    for row in lines([sys.executable, here / script, *words]):
        versions[row["engine"]] = row.get("version", "")
        errors[row["engine"]] = max(errors.get(row["engine"], 0.0), row.get("error", 0.0))
        if row.get("error", 0) > 1e-3:
            # No figure for it: what it measured is not this work.
            print(f"{row['engine']} computes something else: {row}", file=sys.stderr)
            return None
        return row
    return None


def note(table, key, engine, row):
    if row is not None:
        table.setdefault(key, {}).setdefault(engine, []).append(row)


for number in range(args.rounds):
    for work in args.only:
        print(f"round {number + 1}: {work}", file=sys.stderr, flush=True)
        # Weights are written once; they do not change.
        keep = ["--weights", weights] if number == 0 and work not in ("start", "window") else []
        for row in bench(work, *keep):
            if "failed" in row:
                print(f"not measured: {row}", file=sys.stderr)
                continue
            name = {
                "sampler": lambda: f"{row['network']} {row['resolution']} px, batch {row['batch']}",
                "encoder": lambda: f"{row['network']} {row['resolution']} px, batch {row['batch']}",
                "search": lambda: f"top 5 of {row['films']} × {row['dim']}, {row['queries']} quer{'y' if row['queries'] == 1 else 'ies'}",
                "training": lambda: f"{row['network']} {row['resolution']} px, "
                                    f"{'' if row['features'] == 512 else '%d features, ' % row['features']}batch {row['batch']}",
                "phantoms": lambda: f"{row['films']} {row['body']} phantoms drawn at {row['resolution']} px",
                "feed": lambda: f"minibatch of {row['batch']} films at {row['resolution']} px, drawn, read and shifted",
                "import": lambda: f"{row['films']} {row['files']} files to {row['resolution']} px",
                "models": lambda: f"{row['network']} {row['resolution']} px, batch 1",
                "open pack": lambda: f"pack of {row['films']} films opened",
                "start": lambda: f"process start to first sample on disk, {row['network']}",
                "first sample": lambda: f"process start to first sample in the window's pixels, {row['network']}",
                "slider": lambda: f"slider to sample in the window, {row['network']}{', beside %d films' % row['films'] if row['films'] else ''}",
            }[row["work"]]()
            key = (row["work"], name)
            note(ours, key, "ours", row)
            common = ["--seconds", args.seconds, "--threads", args.threads]
            if row["work"] in ("sampler", "models", "encoder"):
                stem = f"{work}-{row['network']}" + (f"-{row['resolution']}" if work == "sampler" else "")
                for engine in ("torch", "onnxruntime", "openvino"):
                    found = peer("peer.py", engine, weights / f"{stem}.safetensors", "--batch", row["batch"], *common)
                    note(theirs, key, engine, found)
            elif row["work"] == "training":
                stem = f"training-{row['network']}-{row['resolution']}-{row['features']}-{row['batch']}"
                file = weights / f"{stem}.safetensors"
                note(theirs, key, "torch", peer("training_peer.py", file, *common))
            elif row["work"] == "search":
                note(theirs, key, "faiss", peer("faiss_peer.py", "--films", row["films"], "--queries", row["queries"], *common))
            elif row["work"] == "import":
                tree = weights / row["files"].lower()
                note(theirs, key, "python", peer("import_peer.py", tree, args.scratch / "imported"))


def middle(rows, figure):
    values = [row[figure] for row in rows if figure in row]
    return statistics.median(values) if values else None


def shown(value):
    return "–" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


names = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "faiss": "FAISS", "python": "Pillow/pydicom + NumPy"}
out = ["| work | ours, CPU ms | ours, wall ms | peers, CPU ms | peers, wall ms | **ratio, CPU** | ratio, wall | share of peak |",
       "|---|---:|---:|---|---|---:|---:|---:|"]
last = None
titles = {"sampler": "Sampler, papers' width", "encoder": "DenseNet features", "search": "Exact cosine search", "training": "WGAN-GP step",
          "phantoms": "Phantoms", "feed": "Data for training", "import": "Import", "models": "Shipped models", "open pack": "Opening", "start": "Cold start",
          "first sample": "First sample in the window", "slider": "Slider to pixels (the driver's drawing counted apart)"}
for (work, name), rows in ours.items():
    if work != last:
        out.append(f"| **{titles[work]}** | | | | | | | |")
        last = work
    mine = rows["ours"]
    peers = theirs.get((work, name), {})
    cpu = {engine: middle(found, "cpu_ms") for engine, found in peers.items()}
    wall = {engine: middle(found, "median_ms") for engine, found in peers.items()}
    listed = lambda figures: ", ".join(f"{names[e]} {shown(v)}" for e, v in figures.items()) or "–"
    ratio = lambda figures, own: f"{min(figures.values()) / own:.2f}" if figures and own else "–"
    own_cpu, own_wall = middle(mine, "cpu_ms"), middle(mine, "median_ms")
    if work == "slider":
        # Wall time without the driver's share; beside it what nineteen in twenty moves stay under, with and without.
        own_wall = middle(mine, "own_median_ms")
        name += (f"; 95 % under {middle(mine, 'own_p95_ms'):.0f} ms and {middle(mine, 'drawing_p95_ms'):.0f} ms of drawing by "
                 f"{mine[0]['adapter'].split(' (')[0]}; resident {middle(mine, 'resident_mb'):.0f} MB, of it mapped {middle(mine, 'mapped_mb'):.0f}, at most {middle(mine, 'peak_mb'):.0f}")
    share = middle(mine, "share_of_peak")
    memory = middle(mine, "peak_memory_mb")
    if work == "training" and memory and peers:
        name += f"; peak memory {memory:.0f} MB, PyTorch {middle(peers['torch'], 'peak_memory_mb'):.0f} MB"
    out.append(f"| {name} | {shown(own_cpu)} | {shown(own_wall)} | {listed(cpu)} | {listed(wall)} | **{ratio(cpu, own_cpu)}** | "
               f"{ratio(wall, own_wall)} | {'–' if share is None else f'{100 * share:.0f} %'} |")

model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
(peak,) = bench("peak")
rate = peak["gflop_per_second_and_thread"]
described = [
    f"Measured on {datetime.date.today().isoformat()} on {os.cpu_count()} cores of {model} ({peak['instructions']}"
    f"{'' if rate is None else f', {rate:.0f} GFLOP/s a core at most'}), {args.threads} threads for everybody, medians of {args.rounds} round{'' if args.rounds == 1 else 's'}"
    f" with all engines in turn; {platform.system()} {platform.release()}; load at the end {os.getloadavg()[0]:.1f}.",
    "Versions: " + ", ".join(f"{names[e]} {v}" for e, v in versions.items() if v) + ".",
    "Largest error of a peer against the program, as a share of the output's root mean square: "
    + ", ".join(f"{names[e]} {v:.0e}" for e, v in errors.items() if v) + ".",
    "Commands: `cargo build --release`, then `benches/peers/run`.",
]
table = "\n".join([BEGIN, "", *described, "", *out, "", END])
text = args.document.read_text() if args.document.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
before, rest = text.split(BEGIN)
args.document.write_text(before + table + rest.split(END)[1])
rows = {"ours": [[*k, v] for k, v in ours.items()], "theirs": [[*k, v] for k, v in theirs.items()]}
(args.scratch / "rows.json").write_text(json.dumps(rows))
curves.draw(rows, args.document.with_name(f"{args.document.stem}-growth.svg"))
print(table)
