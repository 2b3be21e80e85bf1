"""Imports a tree of PNG or DICOM files into arrays with Pillow or pydicom and NumPy, in two processes.

    import_peer.py TREE OUT [--processes P]

Does what the program's import does to the pixels: decode, area mean to 64 px, the pyramid down to 4 px, a hash of each
file; then one array of 16-bit numbers for each side.
"""

import argparse
import hashlib
import json
import resource
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("tree", type=Path)
parser.add_argument("out", type=Path)
parser.add_argument("--processes", type=int, default=2)
SIDE = 64


def levels(path):
    data = path.read_bytes()
    if path.suffix == ".png":
        import io

        from PIL import Image

        pixels = np.asarray(Image.open(io.BytesIO(data)), dtype=np.float32) / 65535
    else:
        import io

        import pydicom

        file = pydicom.dcmread(io.BytesIO(data))
        pixels = file.pixel_array.astype(np.float32) * float(file.get("RescaleSlope", 1)) + float(file.get("RescaleIntercept", 0))
    step = max(1, pixels.shape[0] // SIDE)
    pixels = pixels.reshape(pixels.shape[0] // step, step, -1, step).mean((1, 3))
    low, high = (0.0, 1.0) if path.suffix == ".png" else (float(pixels.min()), float(pixels.max()) + 1e-6)
    out = []
    while pixels.shape[0] >= 4:
        out.append(np.round(np.clip((pixels - low) / (high - low), 0, 1) * 65535).astype(np.uint16))
        pixels = pixels.reshape(pixels.shape[0] // 2, 2, -1, 2).mean((1, 3))
    return out, hashlib.sha256(data).digest()


def main():
    args = parser.parse_args()
    begun = time.perf_counter()
    files = sorted(path for path in args.tree.rglob("*") if path.suffix in (".png", ".dcm"))
    with Pool(args.processes) as pool:
        films = pool.map(levels, files, chunksize=16)
    args.out.mkdir(parents=True, exist_ok=True)
    for level in range(len(films[0][0])):
        np.save(args.out / f"{level}.npy", np.stack([film[0][level] for film in films]))
    seconds = time.perf_counter() - begun
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({
        "engine": "python", "files": len(files), "median_ms": 1e3 * seconds, "repeats": 1,
        "cpu_ms": 1e3 * sum(u.ru_utime + u.ru_stime for u in usage),
    }))


if __name__ == "__main__":
    main()
