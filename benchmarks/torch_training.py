"""What a PyTorch user would write for the trainings that `training.py` measures.

The same networks, batch and views, channels last, PyTorch's fused AdamW; losses, heads and moving
average are lightly's, used as in its examples, and the layers of a transformer torchvision's, whose
attention is PyTorch's `scaled_dot_product_attention`.
"""

import copy
import math
import time
from collections.abc import Callable

import torch
from lightly.loss import (
    BarlowTwinsLoss,
    DINOLoss,
    NegativeCosineSimilarity,
    NTXentLoss,
    VICRegLoss,
)
from lightly.models.modules import (
    BYOLPredictionHead,
    BYOLProjectionHead,
    NNMemoryBankModule,
    SimCLRProjectionHead,
)
from lightly.models.modules.heads import ProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from torch import nn
from torch.nn import functional as F
from torchvision.models.vision_transformer import EncoderBlock

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
LAYERS = {"vit_nano": 3, "vit_micro": 5}
HEAD, PATCH, MLP_RATIO, TOKENS = 32, 8, 2, 64
HIDDEN, OUTPUT, TEMPERATURE, MOMENTUM, CLASSES = 128, 64, 0.1, 0.9, 3
WIDE, BOTTLENECK, QUEUE = 128, 16, 448  # of Barlow Twins and VICReg, SimSiam, NNCLR
PROTOTYPES, DINO_HIDDEN = 512, 256


def train(
    name: str,
    width: int,
    method: str,
    images: int,
    batch: int,
    epochs: int,
    threads: int,
    end_epoch: Callable[[float], None],
) -> int:
    """Train, and call `end_epoch` with the images a second; return the encoder's parameters."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pixels = torch.randn(images, 1, 64, 64).to(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (images,))
    network = Transformer if name in LAYERS else ResNet
    encoder = network(name, width).to(memory_format=torch.channels_last)
    task = TASKS[method](encoder)
    task.train()
    trained = [parameter for parameter in task.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3, weight_decay=1e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (images // batch))
    for _ in range(epochs):
        began = time.perf_counter()
        order = torch.randperm(images)[: images // batch * batch]
        total = 0.0
        for rows in order.split(batch):
            optimizer.zero_grad(set_to_none=True)
            loss = task.loss(pixels[rows], labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            task.after_step()
            total += loss.item()
        if not math.isfinite(total):
            raise FloatingPointError(f"PyTorch's loss of {method} is {total}")
        end_epoch(len(order) / (time.perf_counter() - began))
    return sum(parameter.numel() for parameter in encoder.parameters())


# --- networks -------------------------------------------------------------------------------------


class ResNet(nn.Sequential):
    """He et al. 2016 (arXiv:1512.03385) for one channel, of any width, to pooled features."""

    def __init__(self, name: str, width: int):
        stem = [
            nn.Conv2d(1, width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        ]
        block, growth = (Basic, 1) if name == "resnet18" else (Bottleneck, 4)
        blocks, channels = [], width
        for stage, depth in enumerate(DEPTHS[name]):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(block(channels, width * 2**stage, stride))
                channels = width * 2**stage * growth
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.features = channels


class Residual(nn.Module):
    """ReLU of the body plus the shortcut."""

    def __init__(self, body: list, before: int, after: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(*body)
        plain = stride == 1 and before == after
        self.shortcut = nn.Identity() if plain else nn.Sequential(*conv(before, after, 1, stride))

    def forward(self, maps):
        return F.relu(self.body(maps) + self.shortcut(maps), inplace=True)


class Basic(Residual):
    """Two 3x3 convolutions."""

    def __init__(self, before: int, channels: int, stride: int):
        first, second = conv(before, channels, 3, stride), conv(channels, channels, 3, 1)
        super().__init__([*first, nn.ReLU(inplace=True), *second], before, channels, stride)


class Bottleneck(Residual):
    """1x1, 3x3 and 1x1 convolutions."""

    def __init__(self, before: int, channels: int, stride: int):
        body = [
            *conv(before, channels, 1, 1),
            nn.ReLU(inplace=True),
            *conv(channels, channels, 3, stride),
            nn.ReLU(inplace=True),
            *conv(channels, 4 * channels, 1, 1),
        ]
        super().__init__(body, before, 4 * channels, stride)


class Transformer(nn.Module):
    """A vision transformer of patches without class token, with torchvision's layers."""

    def __init__(self, name: str, width: int):
        super().__init__()
        self.patches = nn.Conv2d(1, width, PATCH, PATCH)
        self.register_buffer("positions", torch.randn(1, TOKENS, width))
        blocks = [
            EncoderBlock(width // HEAD, width, MLP_RATIO * width, 0.0, 0.0)
            for _ in range(LAYERS[name])
        ]
        self.layers = nn.Sequential(*blocks, nn.LayerNorm(width, eps=1e-6))
        self.features = width

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        return self.layers(tokens + self.positions).mean(dim=1)


def conv(before: int, after: int, size: int, stride: int) -> list:
    """Convolution without bias, batch normalisation."""
    return [
        nn.Conv2d(before, after, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(after),
    ]


# --- views ----------------------------------------------------------------------------------------


def rotated(images: torch.Tensor) -> torch.Tensor:
    """Each rotated by an angle of its own."""
    angle = (2 * torch.rand(len(images)) - 1) * math.pi
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    matrices = torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)


def flipped(images: torch.Tensor) -> torch.Tensor:
    """Each by one of the eight flips and quarter turns."""
    coins = torch.rand(3, len(images), 1, 1, 1) < 0.5
    images = torch.where(coins[0], images.flip(2), images)
    images = torch.where(coins[1], images.flip(3), images)
    return torch.where(coins[2], images.transpose(2, 3), images)


# --- tasks ----------------------------------------------------------------------------------------


class Task(nn.Module):
    """What is trained."""

    def after_step(self):
        """Nothing, where a task has nothing to do then."""


class Supervised(Task):
    """Classification of rotated and flipped images."""

    def __init__(self, encoder):
        super().__init__()
        self.network = nn.Sequential(encoder, nn.Linear(encoder.features, CLASSES))

    def loss(self, images, labels):
        return F.cross_entropy(self.network(flipped(rotated(images))), labels)


class Contrastive(Task):
    """SimCLR on two rotations."""

    def __init__(self, encoder):
        super().__init__()
        head = SimCLRProjectionHead(encoder.features, HIDDEN, OUTPUT)
        self.network = nn.Sequential(encoder, head)
        self.criterion = NTXentLoss(temperature=TEMPERATURE)

    def loss(self, images, labels):
        return self.criterion(self.network(rotated(images)), self.network(rotated(images)))


class Byol(Task):
    """BYOL on two flips."""

    def __init__(self, encoder):
        super().__init__()
        head = BYOLProjectionHead(encoder.features, HIDDEN, OUTPUT)
        self.online = nn.Sequential(encoder, head)
        self.predictor = BYOLPredictionHead(OUTPUT, HIDDEN, OUTPUT)
        self.target = copy.deepcopy(self.online)
        deactivate_requires_grad(self.target)
        self.criterion = NegativeCosineSimilarity()

    def loss(self, images, labels):
        views = flipped(images), flipped(images)
        first, second = (self.predictor(self.online(view)) for view in views)
        with torch.no_grad():
            targets = [self.target(view) for view in views]
        return (self.criterion(first, targets[1]) + self.criterion(second, targets[0])) / 2

    def after_step(self):
        update_momentum(self.online, self.target, m=MOMENTUM)


class TwoViews(Task):
    """Embeddings of two flips of every image, and a loss of both."""

    output = OUTPUT

    def __init__(self, encoder, hidden=HIDDEN, norm_output=False):
        super().__init__()
        norm = nn.BatchNorm1d(self.output, affine=False) if norm_output else None
        layers = [
            (encoder.features, hidden, nn.BatchNorm1d(hidden), nn.ReLU()),
            (hidden, self.output, norm, None),
        ]
        self.network = nn.Sequential(encoder, ProjectionHead(layers))

    def loss(self, images, labels):
        return self.of_embeddings(*(self.network(flipped(images)) for _ in range(2)))

    def predictor(self, hidden):
        """From embeddings to embeddings."""
        layers = [
            (self.output, hidden, nn.BatchNorm1d(hidden), nn.ReLU()),
            (hidden, self.output, None, None),
        ]
        return ProjectionHead(layers)


class SimSiam(TwoViews):
    """SimSiam."""

    def __init__(self, encoder):
        super().__init__(encoder, norm_output=True)
        self.predict = self.predictor(BOTTLENECK)
        self.criterion = NegativeCosineSimilarity()

    def of_embeddings(self, one, other):
        first, second = (self.predict(z) for z in (one, other))
        loss = self.criterion(first, other.detach()) + self.criterion(second, one.detach())
        return loss / 2


class Nnclr(TwoViews):
    """NNCLR, as in lightly's example, with the memory of nearest neighbours."""

    def __init__(self, encoder):
        super().__init__(encoder)
        self.predict = self.predictor(HIDDEN)
        self.memory = NNMemoryBankModule(size=(QUEUE, OUTPUT))
        self.criterion = NTXentLoss(temperature=TEMPERATURE)

    def of_embeddings(self, one, other):
        first, second = (self.predict(z) for z in (one, other))
        near = self.memory(one.detach(), update=False), self.memory(other.detach(), update=True)
        return (self.criterion(near[0], second) + self.criterion(near[1], first)) / 2


class BarlowTwins(TwoViews):
    """Barlow Twins."""

    output = WIDE

    def __init__(self, encoder):
        super().__init__(encoder)
        self.of_embeddings = BarlowTwinsLoss()


class VicReg(TwoViews):
    """VICReg."""

    output = WIDE

    def __init__(self, encoder):
        super().__init__(encoder)
        self.of_embeddings = VICRegLoss()


class Dino(TwoViews):
    """DINO of two whole views."""

    def __init__(self, encoder):
        super().__init__(encoder, DINO_HIDDEN)
        prototypes = nn.utils.parametrizations.weight_norm(
            nn.Linear(OUTPUT, PROTOTYPES, bias=False)
        )
        self.student = nn.Sequential(self.network, Unit(), prototypes)
        self.teacher = copy.deepcopy(self.student)
        deactivate_requires_grad(self.teacher)
        self.criterion = DINOLoss(PROTOTYPES, warmup_teacher_temp_epochs=1)

    def loss(self, images, labels):
        views = flipped(images), flipped(images)
        with torch.no_grad():
            targets = [self.teacher(view) for view in views]
        return self.criterion(targets, [self.student(view) for view in views], epoch=1)

    def after_step(self):
        update_momentum(self.student, self.teacher, m=MOMENTUM)


class Unit(nn.Module):
    """Embeddings of unit length."""

    def forward(self, embeddings):
        return F.normalize(embeddings, dim=1)


TASKS = {
    "supervised": Supervised,
    "contrastive": Contrastive,
    "byol": Byol,
    "simsiam": SimSiam,
    "nnclr": Nnclr,
    "dino": Dino,
    "barlow_twins": BarlowTwins,
    "vicreg": VicReg,
}
