"""The networks of `benches/works` as a user of PyTorch would write them, with the first values and losses of the files.

A work says its network, the loss of a batch, its optimizer, and what is measured of images. `loss(model, x, y)` is the
mean over a batch's images that burnlab's tables tell, so that both can be compared.
"""

import math
from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn.functional as F
from torch import nn


def first_values(model, draw, bias=0.0):
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            draw(layer.weight)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, bias)
    return model


def he_normal(weight):
    """As Keras: cut at two deviations, and as wide after that as He et al. 2015 ask for."""
    fan_in = weight[0].numel()
    deviation = math.sqrt(2 / fan_in) / 0.87962566103423978
    nn.init.trunc_normal_(weight, std=deviation, a=-2 * deviation, b=2 * deviation)


def tenth(weight):
    nn.init.trunc_normal_(weight, std=0.1, a=-0.2, b=0.2)


def lenet():
    return first_values(nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1152, 128), nn.ReLU(), nn.Linear(128, 10),
    ), nn.init.xavier_uniform_)


def better_cnn():
    def normalized(features):
        return nn.BatchNorm2d(features, eps=1e-3)

    def conv(channels, filters, stride, padding):
        return [nn.ZeroPad2d(padding), nn.Conv2d(channels, filters, 4, stride=stride, bias=False), normalized(filters),
                nn.ReLU()]

    return first_values(nn.Sequential(
        normalized(1), *conv(1, 16, 1, (1, 2, 1, 2)), *conv(16, 32, 2, 1), nn.MaxPool2d(2),
        *conv(32, 64, 2, (1, 2, 1, 2)), nn.Flatten(), nn.Linear(1024, 200), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(200, 100), nn.ReLU(), nn.Dropout(0.5), nn.Linear(100, 10),
    ), nn.init.xavier_uniform_)


class Unit(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.one = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(filters), nn.BatchNorm2d(filters)])
        self.side = nn.Identity()
        if stride > 1:
            self.side = nn.Sequential(nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.norms[1](self.two(F.relu(self.norms[0](self.one(x)))))
        return F.relu(y + self.side(x))


def resnet_20():
    units, channels = [], 16
    for filters in (16, 32, 64):
        for number in range(3):
            units.append(Unit(channels, filters, 2 if filters > 16 and number == 0 else 1))
            channels = filters
    output = nn.Linear(64, 10)
    model = first_values(nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *units,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), output,
    ), he_normal)
    nn.init.xavier_uniform_(output.weight)
    return model


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 500), nn.ELU(), nn.Linear(500, 500), nn.ELU(), nn.Linear(500, 40))
        self.decoder = nn.Sequential(
            nn.Linear(20, 500), nn.ELU(), nn.Linear(500, 500), nn.ELU(), nn.Linear(500, 784))

    def forward(self, x):
        mean, gamma = self.encoder(x).chunk(2, 1)
        code = mean + torch.exp(0.5 * gamma) * torch.randn_like(mean)  # when tested, too: the bound is of drawn codes
        return self.decoder(code), mean, gamma


def vae():
    return first_values(Vae(), he_normal)


def conv_autoencoder():
    return first_values(nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=2), nn.Tanh(), nn.Conv2d(32, 1, 3), nn.Tanh(),
    ), he_normal)


class TiedDenoising(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(500, 784).uniform_(-0.27344, 0.27344))
        self.hidden = nn.Parameter(torch.zeros(500))
        self.visible = nn.Parameter(torch.zeros(784))

    def forward(self, x):
        x = x.flatten(1)
        x = x * torch.empty_like(x).bernoulli_(0.7)  # when tested, too
        code = torch.sigmoid(F.linear(x, self.weight, self.hidden))
        return torch.sigmoid(F.linear(code, self.weight.t(), self.visible))


def two_numbers():
    return first_values(nn.Sequential(
        nn.Flatten(), nn.Linear(784, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 2),
        nn.Linear(2, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 784),
    ), tenth, bias=0.1)


def classified(model, x, y):
    return F.cross_entropy(model(x), y)


def reconstructed(model, x, _):
    logits, mean, gamma = model(x)
    error = F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="sum")
    return (error + 0.5 * (gamma.exp() + mean**2 - 1 - gamma).sum()) / len(x)


def half_squared(model, x, _):
    return 0.5 * F.mse_loss(model(x), x)


def squared(model, x, _):
    return F.mse_loss(model(x), x.flatten(1))


def sum_squared(model, x, _):
    return ((model(x) - x.flatten(1)) ** 2).sum() / len(x)


def adam(rate=1e-3):
    return lambda values, **options: torch.optim.Adam(values, rate, **options)


def sgd(rate, **settings):
    return lambda values, **options: torch.optim.SGD(values, rate, **settings, **options)


@dataclass
class Work:
    """What a file of `benches/works` says, for the twin."""

    network: Callable
    loss: Callable
    optimizer: Callable
    batch: int
    images: int | None = None  # the first ones; `None`: all of the training set
    scale: tuple = (0.0, 1.0)
    shuffle: bool = True
    test_every_epoch: bool = False
    summed: bool = False  # whether a step goes by the sum over its batch


# By the names of their files.
WORKS = {
    "lenet": Work(lenet, classified, adam(), 100, 20000),
    "better-cnn": Work(better_cnn, classified, adam(), 100),
    "resnet-20": Work(resnet_20, classified, sgd(0.1, momentum=0.9, weight_decay=1e-4), 128),
    "vae": Work(vae, reconstructed, adam(), 150),
    "conv-autoencoder": Work(conv_autoencoder, half_squared, adam(1e-2), 1024, 55000, scale=(-1.0, 1.0)),
    "tied-denoising": Work(TiedDenoising, sum_squared, sgd(0.02), 128, 54912, shuffle=False, test_every_epoch=True,
                           summed=True),
    "two-numbers": Work(two_numbers, squared, adam(1e-4), 50, 25000),
}
