"""Times FAISS IndexFlatIP on 200,000 × 1024 normalised directions around 500 centres, as `negatoscope bench --only search`.

    faiss_peer.py [--films N] [--queries Q] [--threads T] [--seconds S]
"""

import argparse
import json
import os
import resource
import time

parser = argparse.ArgumentParser()
parser.add_argument("--films", type=int, default=200_000)
parser.add_argument("--queries", type=int, default=1)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=2.0)
args = parser.parse_args()
os.environ.update(OMP_NUM_THREADS=str(args.threads), OMP_WAIT_POLICY="PASSIVE")

import faiss
import numpy as np

faiss.omp_set_num_threads(args.threads)
# Matrix products for batches, which the default keeps for far larger ones.
faiss.cvar.distance_compute_blas_threshold = 20
generator = np.random.default_rng(4)
centres = generator.standard_normal((500, 1024), dtype=np.float32)
films = np.resize(centres, (args.films, 1024)) + generator.standard_normal((args.films, 1024), dtype=np.float32)
queries = centres[:64] + generator.standard_normal((64, 1024), dtype=np.float32)
for rows in (films, queries):
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
index = faiss.IndexFlatIP(1024)
index.add(films)
del films


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def search(number):
    first = number % 64 if args.queries == 1 else 0
    index.search(queries[first : first + args.queries], 5)


search(0)
times = []
begun, cpu = time.perf_counter(), cpu_seconds()
while len(times) < 3 or time.perf_counter() - begun < args.seconds:
    start = time.perf_counter()
    search(len(times))
    times.append(time.perf_counter() - start)
cpu = (cpu_seconds() - cpu) / len(times)
print(json.dumps({
    "engine": "faiss", "version": faiss.__version__, "queries": args.queries, "repeats": len(times),
    "median_ms": 1e3 * sorted(times)[len(times) // 2], "cpu_ms": 1e3 * cpu,
}))
