"""dlcourse's networks in plain PyTorch, with the order of layers of textbooks and tutorials.

Their parameters have the shapes of dlcourse's and, except for the transformer, the same order.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LeNet(nn.Module):
    """LeNet-5 for (N, 1, 28, 28), every convolution followed by ReLU and then pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (N, 6, 14, 14)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 16, 5, 5)
        x = x.flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def make_mlp() -> nn.Module:
    """Make an MLP with 784 inputs, 128 hidden units and 10 outputs."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut of option A: every second pixel, zeros for new maps."""

    def __init__(self, inputs: int, maps: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new = stride, maps - inputs
        self.conv1 = nn.Conv2d(inputs, maps, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(maps)
        self.conv2 = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(maps)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new))
        return F.relu(out + x)


class ResNet20(nn.Module):
    """The residual net for CIFAR-10 with three stages of three blocks; (N, 3, 32, 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        blocks, inputs = [], 16
        for maps in (16, 32, 64):
            for _ in range(3):
                blocks.append(BasicBlock(inputs, maps, 1 if inputs == maps else 2))
                inputs = maps
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.blocks(x)  # (N, 64, 8, 8)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def make_resnet18() -> nn.Module:
    """Make torchvision's ResNet-18 with a stem for 32 x 32 images."""
    from torchvision.models import resnet18

    net = resnet18(num_classes=10)
    net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
    return net


class VisionTransformer(nn.Module):
    """A vision transformer of PyTorch's own encoder layers: patches of 4, width 192, depth 6."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 192, 4, stride=4)
        self.cls = nn.Parameter(torch.zeros(1, 1, 192))
        self.positions = nn.Parameter(torch.zeros(1, 65, 192))
        layer = nn.TransformerEncoderLayer(
            192, 3, 768, 0.0, "gelu", batch_first=True, norm_first=True, layer_norm_eps=1e-6
        )
        norm = nn.LayerNorm(192, eps=1e-6)
        self.encoder = nn.TransformerEncoder(layer, 6, norm, enable_nested_tensor=False)
        self.head = nn.Linear(192, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)  # (N, 64, 192)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], dim=1) + self.positions
        return self.head(self.encoder(x)[:, 0])

    def in_our_order(self) -> list[nn.Parameter]:
        """Return the parameters in the order of dlcourse's ViT."""
        ordered = [self.cls, self.positions, *self.patches.parameters()]
        for layer in self.encoder.layers:
            assert isinstance(layer, nn.TransformerEncoderLayer)
            for part in (layer.norm1, layer.self_attn, layer.norm2, layer.linear1, layer.linear2):
                ordered += part.parameters()
        assert self.encoder.norm is not None
        return [*ordered, *self.encoder.norm.parameters(), *self.head.parameters()]


NETS = {
    "lenet": LeNet,
    "mlp": make_mlp,
    "resnet20": ResNet20,
    "resnet18": make_resnet18,
    "vit": VisionTransformer,
}


def make_net(name: str, ours: nn.Module) -> nn.Module:
    """Make a network of this module with the weights of dlcourse's network.

    Raises ValueError if the two do not have the same parameters.
    """
    net = NETS[name]()
    own = net.in_our_order() if hasattr(net, "in_our_order") else list(net.parameters())
    with torch.no_grad():
        for mine, theirs in zip(own, ours.parameters(), strict=True):
            if mine.shape != theirs.shape:
                raise ValueError(f"{name}: {tuple(mine.shape)} and {tuple(theirs.shape)} differ")
            mine.copy_(theirs)
    return net


def count(net: nn.Module) -> int:
    """Return the number of a network's parameters."""
    return sum(parameter.numel() for parameter in net.parameters())
