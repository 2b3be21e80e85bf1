"""An independent PyTorch implementation of both GANs and of one WGAN-GP step, and the numbers it gives.

    python3 tests/reference/gan.py > tests/reference/gan.json

Written from the description of the networks (DuMont Schütte 2021), not from the Rust code. All
inputs are formulas, so that both sides can compute them (`noise` below). Results are in double precision, each tensor as
its product with such noise.
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
RESOLUTION, LATENT, LABELS, N = 16, 6, 3, 8
WIDTH = {4: 6, 8: 6, 16: 4}
ROOT2 = math.sqrt(2.0)


def noise(number, *shape):
    count = math.prod(shape)
    x = 10000.0 * torch.sin(12.9898 * (1.0 + torch.arange(count)) + 78.233 * number)
    return (3.0 * (x - x.floor()) - 1.5).reshape(shape)


def probe(tensor):
    return float((tensor.detach() * noise(77, *tensor.shape)).sum())


class Store:
    """Tensors in the order they are asked for first; their number in that order fixes their values."""

    def __init__(self, first):
        self.tensors, self.first = {}, first

    def __call__(self, name, *shape):
        if name not in self.tensors:
            size = 0.1 if len(shape) == 1 else 1.0
            value = size * noise(self.first + len(self.tensors), *shape)
            self.tensors[name] = value.requires_grad_()
        return self.tensors[name]


def lrelu(x):
    return F.leaky_relu(x, 0.2)


def pixel_norm(x):
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def upscale(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


def channels(bias):
    return bias.view(1, -1, 1, 1)


def norm(get, family, name, x, raw):
    x = pixel_norm(x)
    if family == "prog_gan":
        return x
    c, size = x.shape[1], raw.shape[1]
    gamma, beta = [
        raw @ get(f"{name}.{kind}.weight", c, size).T / math.sqrt(size) + get(f"{name}.{kind}.bias", c)
        for kind in ("gamma", "beta")
    ]
    return x * gamma[:, :, None, None] + beta[:, :, None, None]


def generator(get, family, z, y, side, fade):
    prog = family == "prog_gan"
    raw = torch.cat([z, y], 1)
    size, c = raw.shape[1], WIDTH[4]
    gain = ROOT2 if prog else 1.0
    x = pixel_norm(raw) @ get("g.4.dense.weight", c * 16, size).T * ((ROOT2 / 4 if prog else 1.0) / math.sqrt(size))
    x = lrelu(x.view(-1, c, 4, 4) + channels(get("g.4.dense.bias", c)))
    x = norm(get, family, "g.4.dense_norm", x, raw)
    x = F.conv2d(x, get("g.4.conv.weight", c, c, 3, 3) * (gain / math.sqrt(9 * c)), get("g.4.conv.bias", c), padding=1)
    x = norm(get, family, "g.4.conv_norm", lrelu(x), raw)

    def to_image(at, x):
        w = get(f"g.{at}.image.weight", 1, WIDTH[at], 1, 1) / math.sqrt(WIDTH[at])
        return F.conv2d(x, w, get(f"g.{at}.image.bias", 1))

    image = to_image(4, x)
    at = 4
    while at < RESOLUTION:
        at *= 2
        inside, c = WIDTH[at // 2], WIDTH[at]
        fan = 9 * (inside if prog else c)
        w = get(f"g.{at}.up.weight", c, inside, 3, 3) * (ROOT2 / math.sqrt(fan))
        x = lrelu(F.conv2d(upscale(x), w, get(f"g.{at}.up.bias", c), padding=1))
        x = norm(get, family, f"g.{at}.up_norm", x, raw)
        w = get(f"g.{at}.conv.weight", c, c, 3, 3) * (gain / math.sqrt(9 * c))
        x = lrelu(F.conv2d(x, w, get(f"g.{at}.conv.bias", c), padding=1))
        x = norm(get, family, f"g.{at}.conv_norm", x, raw)
        own = to_image(at, x)
        if prog:
            faded = own + (upscale(image) - own) * fade
            image = own
            if at == side:
                result = faded
        else:
            image = result = upscale(image) + own
    return result


def critic(get, family, x, y, side, fade):
    prog = family == "prog_gan"
    gain = ROOT2 if prog else 1.0

    def from_image(at, image):
        w = get(f"d.{at}.image.weight", WIDTH[at], 1, 1, 1) * gain
        return lrelu(F.conv2d(image, w, get(f"d.{at}.image.bias", WIDTH[at])))

    # All tensors are asked for in the order of the whole network, whichever part of it is in use.
    at = RESOLUTION
    while at > 4:
        c, out = WIDTH[at], WIDTH[at // 2]
        if prog or at == RESOLUTION:
            get(f"d.{at}.image.weight", c, 1, 1, 1), get(f"d.{at}.image.bias", c)
        get(f"d.{at}.conv.weight", c, c, 3, 3), get(f"d.{at}.conv.bias", c)
        get(f"d.{at}.down.weight", out, c, 3, 3), get(f"d.{at}.down.bias", out)
        if not prog:
            get(f"d.{at}.skip.weight", out, c, 1, 1)
        at //= 2
    if prog:
        get("d.4.image.weight", WIDTH[4], 1, 1, 1), get("d.4.image.bias", WIDTH[4])

    image, at = x, side
    x = from_image(side, image)
    while at > 4:
        c, out = WIDTH[at], WIDTH[at // 2]
        w = get(f"d.{at}.conv.weight", c, c, 3, 3) * (gain / math.sqrt(9 * c))
        main = lrelu(F.conv2d(x, w, get(f"d.{at}.conv.bias", c), padding=1))
        w = get(f"d.{at}.down.weight", out, c, 3, 3) * (ROOT2 / math.sqrt(9 * c))
        main = F.avg_pool2d(F.conv2d(main, w, padding=1), 2) + channels(get(f"d.{at}.down.bias", out))
        main = lrelu(main)
        if prog:
            if at == side:
                main = main + (from_image(at // 2, F.avg_pool2d(image, 2)) - main) * fade
            x = main
        else:
            w = get(f"d.{at}.skip.weight", out, c, 1, 1) * (ROOT2 / math.sqrt(c))
            x = (main + F.avg_pool2d(F.conv2d(x, w), 2)) / ROOT2
        at //= 2
    groups = x.reshape(4, -1, *x.shape[1:])
    deviation = (groups.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    extra = deviation.repeat(4).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    x = torch.cat([x, extra], 1)
    c = WIDTH[4]
    w = get("d.4.conv.weight", c, c + 1, 3, 3) * (gain / math.sqrt(9 * (c + 1)))
    x = lrelu(F.conv2d(x, w, get("d.4.conv.bias", c), padding=1)).flatten(1)
    x = lrelu(x @ get("d.4.dense.weight", c, 16 * c).T * (gain / math.sqrt(16 * c)) + get("d.4.dense.bias", c))
    units = 1 + LABELS if prog else LABELS
    x = x @ get("d.score.weight", units, c).T / math.sqrt(c) + get("d.score.bias", units)
    return (x[:, 0], x[:, 1:]) if prog else ((x * y).sum(1), None)


def label_loss(logits, y):
    return 0.0 if logits is None else -(y / y.sum(1, keepdim=True) * F.log_softmax(logits, 1)).sum(1)


def update(store, loss, rate=0.01, epsilon=1e-4):
    """One first step of Adam with betas (0, 0.99): bias correction cancels the decay."""
    names = [n for n, t in store.tensors.items()]
    gradients = torch.autograd.grad(loss, [store.tensors[n] for n in names], allow_unused=True)
    with torch.no_grad():
        for name, g in zip(names, gradients):
            if g is not None:
                store.tensors[name] -= rate * g / (g.abs() + epsilon)


LABEL_TABLE = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 0], [1, 1, 1], [0, 0.5, 1]])


def gradients_of(store, loss):
    names = list(store.tensors)
    values = torch.autograd.grad(loss, [store.tensors[n] for n in names], allow_unused=True)
    return {n: probe(g) for n, g in zip(names, values) if g is not None}


def case(family, side, fade):
    z, y = noise(3, N, LATENT), LABEL_TABLE
    images = noise(5, N, 1, side, side)
    g, d = Store(100), Store(200)
    out = generator(g, family, z, y, side, fade)
    score, logits = critic(d, family, images, y, side, fade)
    judged = (score * noise(77, N)).sum() + (0 if logits is None else (logits * noise(77, N, LABELS)).sum())
    result = {
        "family": family,
        "side": side,
        "fade": fade,
        "image": probe(out),
        "first_pixels": out.flatten()[:4].tolist(),
        "generator_gradients": gradients_of(g, (out * noise(77, *out.shape)).sum()),
        "score": score.tolist(),
        "logits": None if logits is None else probe(logits),
        "critic_gradients": gradients_of(d, judged),
    }

    # One whole WGAN-GP step: critic, then generator against the critic so moved.
    g, d = Store(100), Store(200)
    mix = (0.5 + noise(9, N) / 3.0).view(N, 1, 1, 1)
    fake = generator(g, family, z, y, side, fade).detach()
    mixed = (images + mix * (fake - images)).requires_grad_()
    slope = torch.autograd.grad(critic(d, family, mixed, y, side, fade)[0].sum(), mixed, create_graph=True)[0]
    penalty = 10 * (slope.flatten(1).norm(dim=1) - 1).square()
    (real_score, real_logits), (fake_score, fake_logits) = [critic(d, family, x, y, side, fade) for x in (images, fake)]
    loss = fake_score - real_score + penalty + 0.001 * real_score.square()
    loss = loss + label_loss(real_logits, y) + label_loss(fake_logits, y)
    result |= {"critic_loss": float(loss.mean()), "penalty": float(penalty.mean())}
    update(d, loss.mean())
    result["critic_after"] = {n: probe(t) for n, t in d.tensors.items()}
    score, logits = critic(d, family, generator(g, family, noise(4, N, LATENT), y, side, fade), y, side, fade)
    loss = (-score + label_loss(logits, y)).mean()
    result["generator_loss"] = float(loss)
    update(g, loss)
    result["generator_after"] = {n: probe(t) for n, t in g.tensors.items()}

    # The logistic loss with R1 on the reals.
    d = Store(200)
    reals = images.clone().requires_grad_()
    real_score, real_logits = critic(d, family, reals, y, side, fade)
    slope = torch.autograd.grad(real_score.sum(), reals, create_graph=True)[0]
    fake_score, fake_logits = critic(d, family, fake, y, side, fade)
    penalty = 0.5 * 2.0 * 4 * slope.flatten(1).square().sum(1)
    loss = F.softplus(fake_score) + F.softplus(-real_score) + penalty
    loss = (loss + 0.5 * (label_loss(real_logits, y) + label_loss(fake_logits, y))).mean()
    result["r1_loss"], result["r1_gradients"] = float(loss), gradients_of(d, loss)
    return result


cases = [("prog_gan", 16, 0.0), ("prog_gan", 16, 0.3), ("prog_gan", 8, 0.75), ("cpd_gan", 16, 0.0)]
rounded = json.loads(json.dumps([case(*c) for c in cases]), parse_float=lambda text: float(f"{float(text):.9g}"))
print(json.dumps(rounded, indent=0))
