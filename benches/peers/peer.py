"""Times one engine on one file of weights and inputs, and prints a line of JSON.

    peer.py ENGINE FILE [--batch N] [--seconds S] [--threads T]

ENGINE is torch, onnxruntime or openvino. The file is one that `negatoscope bench --weights DIR` wrote: weights, inputs
and the program's own outputs, against which the engine's are checked before anything is timed.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("engine", choices=["torch", "onnxruntime", "openvino"])
parser.add_argument("file", type=Path)
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--seconds", type=float, default=2.0)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
# Workers that spin while they wait would be charged CPU time that does no work.
os.environ.update(OMP_NUM_THREADS=str(args.threads), OMP_WAIT_POLICY="PASSIVE", KMP_BLOCKTIME="0")

import numpy as np
from safetensors import safe_open


def load():
    with safe_open(args.file, "np") as archive:
        return json.loads(archive.metadata()["bench"]), {name: archive.get_tensor(name) for name in archive.keys()}


def network(description, tensors):
    import torch

    import networks

    weights = {name: torch.from_numpy(value) for name, value in tensors.items() if not name.startswith("bench.")}
    if description["work"] == "sampler":
        model = networks.Generator(weights, description["network"], description["resolution"])
    else:
        model = networks.DenseNet(weights, description["config"])
    return model.eval().requires_grad_(False)


def onnx_file(description, tensors, inputs):
    """The network as ONNX with a free batch size; written beside the weights, anew where those are."""
    path = args.file.with_suffix(".onnx")
    if not path.exists() or path.stat().st_mtime < args.file.stat().st_mtime:
        import warnings

        import torch

        warnings.filterwarnings("ignore")
        names = list(inputs)
        axes = {name: {0: "n"} for name in [*names, "out"]}
        examples = tuple(torch.from_numpy(value[:2].copy()) for value in inputs.values())
        torch.onnx.export(
            network(description, tensors), examples, str(path), input_names=names, output_names=["out"],
            dynamic_axes=axes, opset_version=17, dynamo=False,
        )
    return str(path)


description, tensors = load()
all_inputs = {name[6:].replace(".", ""): tensors[name] for name in sorted(tensors) if name.startswith("bench.input.")}
inputs = {name: np.ascontiguousarray(value[: args.batch]) for name, value in all_inputs.items()}
expected = tensors["bench.output"][: args.batch]

if args.engine == "torch":
    import torch

    torch.set_num_threads(args.threads)
    model = network(description, tensors)
    given = [torch.from_numpy(value) for value in inputs.values()]
    given = [value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value for value in given]

    def compute():
        with torch.inference_mode():
            return model(*given).numpy()

    version = torch.__version__
elif args.engine == "onnxruntime":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = onnx_file(description, tensors, all_inputs)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def compute():
        return session.run(None, inputs)[0]

    version = onnxruntime.__version__
else:
    import openvino

    path = onnx_file(description, tensors, all_inputs)
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape({name: [args.batch, *value.shape[1:]] for name, value in inputs.items()})
    hints = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", hints)

    def compute():
        return compiled(inputs)[0]

    version = openvino.__version__.split("-")[0]

found = compute().reshape(expected.shape)
error = float(np.abs(found - expected).max() / np.sqrt(np.square(expected, dtype=np.float64).mean()))
compute()


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


times = []
begun, cpu = time.perf_counter(), cpu_seconds()
while len(times) < 3 or time.perf_counter() - begun < args.seconds:
    start = time.perf_counter()
    compute()
    times.append(time.perf_counter() - start)
cpu = (cpu_seconds() - cpu) / len(times)
print(json.dumps({
    "engine": args.engine, "version": version, "batch": args.batch, "median_ms": 1e3 * sorted(times)[len(times) // 2],
    "cpu_ms": 1e3 * cpu, "repeats": len(times), "error": error,
    "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
