"""The program's networks once more, in PyTorch, from the weights that `negatoscope bench --weights` writes.

Weights there carry their run-time scale already. Names are those of the program's own parameter lists.
"""

import torch
import torch.nn.functional as F


def pixel_norm(x):
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def up2(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Generator(torch.nn.Module):
    """prog-GAN or cpD-GAN: latent and labels in, image out."""

    def __init__(self, tensors, family, resolution):
        super().__init__()
        self.conditional = family == "cpD-GAN"
        self.resolution = resolution
        self.names = {}
        for name, value in tensors.items():
            if not name.startswith("g."):
                continue
            key = name.replace(".", "_")
            if value.dim() == 4:
                value = value.contiguous(memory_format=torch.channels_last)
            self.names[name] = key
            self.register_parameter(key, torch.nn.Parameter(value))

    def get(self, name):
        return getattr(self, self.names[name])

    def layer(self, name, x, raw):
        """Bias, leaky ReLU and the family's norm."""
        x = pixel_norm(F.leaky_relu(x + self.get(f"{name}.bias").view(1, -1, 1, 1), 0.2))
        if self.conditional:
            part = lambda kind: F.linear(raw, self.get(f"{name}_norm.{kind}.weight"), self.get(f"{name}_norm.{kind}.bias"))
            x = x * part("gamma")[:, :, None, None] + part("beta")[:, :, None, None]
        return x

    def image(self, side, x):
        return F.conv2d(x, self.get(f"g.{side}.image.weight"), self.get(f"g.{side}.image.bias"))

    def forward(self, z, y):
        raw = torch.cat([z, y], 1)
        weight = self.get("g.4.dense.weight")
        x = F.linear(pixel_norm(raw), weight).view(-1, weight.shape[0] // 16, 4, 4)
        if not torch.onnx.is_in_onnx_export():
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.layer("g.4.dense", x, raw)
        x = self.layer("g.4.conv", F.conv2d(x, self.get("g.4.conv.weight"), padding=1), raw)
        image = self.image(4, x) if self.conditional else None
        side = 8
        while side <= self.resolution:
            x = self.layer(f"g.{side}.up", F.conv2d(up2(x), self.get(f"g.{side}.up.weight"), padding=1), raw)
            x = self.layer(f"g.{side}.conv", F.conv2d(x, self.get(f"g.{side}.conv.weight"), padding=1), raw)
            if self.conditional:
                image = up2(image) + self.image(side, x)
            side *= 2
        return image if self.conditional else self.image(self.resolution, x)


class DenseNet(torch.nn.Module):
    """DenseNet to its pooled features."""

    def __init__(self, tensors, config):
        super().__init__()
        self.config = config
        self.names = {}
        for name, value in tensors.items():
            key = name.replace(".", "_")
            if value.dim() == 4:
                value = value.contiguous(memory_format=torch.channels_last)
            self.names[name] = key
            self.register_buffer(key, value)

    def get(self, name):
        return getattr(self, self.names[name])

    def norm(self, name, x):
        part = lambda kind: self.get(f"{name}.{kind}")
        x = F.batch_norm(x, part("running_mean"), part("running_var"), part("weight"), part("bias"), False, 0.0, 1e-5)
        return F.relu(x)

    def forward(self, x):
        wide = self.config["stem"] == "wide"
        x = F.conv2d(x, self.get("features.conv0.weight"), stride=2, padding=3 if wide else 1)
        x = self.norm("features.norm0", x)
        if wide:
            x = F.max_pool2d(x, 3, 2, 1)
        blocks = self.config["blocks"]
        for b, layers in enumerate(blocks, 1):
            for l in range(1, layers + 1):
                name = f"features.denseblock{b}.denselayer{l}"
                y = F.conv2d(self.norm(f"{name}.norm1", x), self.get(f"{name}.conv1.weight"))
                y = F.conv2d(self.norm(f"{name}.norm2", y), self.get(f"{name}.conv2.weight"), padding=1)
                x = torch.cat([x, y], 1)
            if b < len(blocks):
                name = f"features.transition{b}"
                x = F.avg_pool2d(F.conv2d(self.norm(f"{name}.norm", x), self.get(f"{name}.conv.weight")), 2)
        return self.norm("features.norm5", x).mean((2, 3))
