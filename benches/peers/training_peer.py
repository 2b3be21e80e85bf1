"""Times a WGAN-GP step (critic with gradient penalty and drift, Adam; generator, Adam) in PyTorch.

    training_peer.py FILE [--seconds S] [--threads T]

The file is one that `negatoscope bench --only training --weights DIR` wrote: weights before the first step, their run-time
scales, everything drawn at random for that step, and the program's two losses, which must agree before anything is timed.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--seconds", type=float, default=2.0)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
os.environ.update(OMP_NUM_THREADS=str(args.threads), OMP_WAIT_POLICY="PASSIVE", KMP_BLOCKTIME="0")

import torch
import torch.nn.functional as F
from safetensors import safe_open

from networks import pixel_norm, up2

torch.set_num_threads(args.threads)
with safe_open(args.file, "pt") as archive:
    description = json.loads(archive.metadata()["bench"])
    tensors = {name: archive.get_tensor(name) for name in archive.keys()}
conditional = description["network"] == "cpD-GAN"
resolution = description["resolution"]
scales = description["scales"]
layout = lambda value: value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value.clone()
generator, critic = ({name: layout(value).requires_grad_() for name, value in tensors.items() if name.startswith(kind)} for kind in ("g.", "d."))
real, labels, z, z2, labels2, mix = (tensors[f"bench.input.{i}"] for i in range(6))
wanted = tensors["bench.output"].tolist()
real = layout(real)


def weight(store, name):
    return store[f"{name}.weight"] * scales[f"{name}.weight"]


def conv(store, name, x):
    w = weight(store, name)
    return F.leaky_relu(F.conv2d(x, w, store[f"{name}.bias"], padding=w.shape[2] // 2), 0.2)


def generate(store, z, y):
    raw = torch.cat([z, y], 1)

    def normed(name, x):
        x = pixel_norm(x)
        if conditional:
            part = lambda kind: F.linear(raw, weight(store, f"{name}_norm.{kind}"), store[f"{name}_norm.{kind}.bias"])
            x = x * part("gamma")[:, :, None, None] + part("beta")[:, :, None, None]
        return x

    def image(side, x):
        return F.conv2d(x, weight(store, f"g.{side}.image"), store[f"g.{side}.image.bias"])

    x = F.linear(pixel_norm(raw), weight(store, "g.4.dense"))
    x = x.view(len(z), -1, 4, 4).contiguous(memory_format=torch.channels_last)
    x = normed("g.4.dense", F.leaky_relu(x + store["g.4.dense.bias"].view(1, -1, 1, 1), 0.2))
    x = normed("g.4.conv", conv(store, "g.4.conv", x))
    shown = image(4, x) if conditional else None
    side = 8
    while side <= resolution:
        x = normed(f"g.{side}.up", conv(store, f"g.{side}.up", up2(x)))
        x = normed(f"g.{side}.conv", conv(store, f"g.{side}.conv", x))
        if conditional:
            shown = up2(shown) + image(side, x)
        side *= 2
    return shown if conditional else image(resolution, x)


def criticise(store, x, y):
    x = conv(store, f"d.{resolution}.image", x)
    side = resolution
    while side > 4:
        name = f"d.{side}.down"
        main = F.avg_pool2d(F.conv2d(conv(store, f"d.{side}.conv", x), weight(store, name), padding=1), 2)
        main = F.leaky_relu(main + store[f"{name}.bias"].view(1, -1, 1, 1), 0.2)
        if conditional:
            skip = F.conv2d(F.avg_pool2d(x, 2), weight(store, f"d.{side}.skip"))
            main = (main + skip) * 0.5**0.5
        x, side = main, side // 2
    group = next(g for g in range(min(4, len(x)), 0, -1) if len(x) % g == 0)
    members = x.reshape(group, len(x) // group, -1)
    spread = ((members - members.mean(0)).square().mean(0) + 1e-8).sqrt().mean(1)
    x = torch.cat([x, spread.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)], 1)
    x = conv(store, "d.4.conv", x)
    x = F.leaky_relu(F.linear(x.flatten(1), weight(store, "d.4.dense"), store["d.4.dense.bias"]), 0.2)
    units = F.linear(x, weight(store, "d.score"), store["d.score.bias"])
    return ((units * y).sum(1), None) if conditional else (units[:, 0], units[:, 1:])


def label_loss(logits, y):
    return -(F.log_softmax(logits, 1) * (y / y.sum(1, keepdim=True).clamp(min=1e-6))).sum(1)


adam = lambda store: torch.optim.Adam(
    store.values(), lr=description["rate"], betas=(description["beta1"], description["beta2"]), eps=description["epsilon"])
critic_adam, generator_adam = adam(critic), adam(generator)


def step():
    with torch.no_grad():
        fake = generate(generator, z, labels)
    mixture = (real + (fake - real) * mix).requires_grad_()
    (slope,) = torch.autograd.grad(criticise(critic, mixture, labels)[0].sum(), mixture, create_graph=True)
    penalty = (slope.flatten(1).square().sum(1).sqrt() - 1).square() * 10
    (real_score, real_logits), (fake_score, fake_logits) = criticise(critic, real, labels), criticise(critic, fake, labels)
    total = fake_score - real_score + penalty + real_score.square() * 0.001
    for logits in (real_logits, fake_logits):
        if logits is not None:
            total = total + label_loss(logits, labels)
    critic_loss = total.mean()
    critic_adam.zero_grad()
    critic_loss.backward()
    critic_adam.step()
    for value in critic.values():
        value.requires_grad_(False)
    score, logits = criticise(critic, generate(generator, z2, labels2), labels2)
    total = -score
    if logits is not None:
        total = total + label_loss(logits, labels2)
    generator_loss = total.mean()
    generator_adam.zero_grad()
    generator_loss.backward()
    generator_adam.step()
    for value in critic.values():
        value.requires_grad_(True)
    return critic_loss.item(), generator_loss.item()


# Adam's first step divides by the gradient's own size, so that rounding shows most in the second loss.
found = step()
errors = [abs(a - b) / max(1.0, abs(b)) for a, b in zip(found, wanted)]
# The peak is that of steps alone, as the program's is: without reading the file.
del tensors
try:
    Path("/proc/self/clear_refs").write_text("5")
except OSError:
    pass


def peak_memory_mb():
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


times = []
begun, cpu = time.perf_counter(), cpu_seconds()
while len(times) < 3 or time.perf_counter() - begun < args.seconds:
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
cpu = (cpu_seconds() - cpu) / len(times)
print(json.dumps({
    "engine": "torch", "version": torch.__version__, "median_ms": 1e3 * sorted(times)[len(times) // 2], "cpu_ms": 1e3 * cpu,
    "repeats": len(times), "error": errors[0], "generator_error": errors[1],
    "peak_memory_mb": peak_memory_mb(),
}))
