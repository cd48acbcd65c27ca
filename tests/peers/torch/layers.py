"""What each of burnlab's layers and blocks computes, in PyTorch: one function a layer, called by its key.

A function takes the batch, its Place and the layer's fields as a file writes them; its defaults are the
layer's. Where burnlab follows TensorFlow and Keras, PyTorch's own module would not do: zeros are padded by
hand (SAME pads the odd row at the end), and running statistics are kept by hand (their variance is biased).
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Weights:
    """A network's tensors by name, drawn the first time they are asked for."""

    def __init__(self, rng):
        self.rng = rng
        self.trained = {}
        self.kept = {}  # running statistics

    def get(self, name, shape, low, high, trained=True):
        tensors = self.trained if trained else self.kept
        if name not in tensors:
            values = self.rng.uniform(low, high, tuple(shape)).astype("float32")
            tensors[name] = torch.tensor(values, requires_grad=trained)
        assert tensors[name].shape == tuple(shape), f"{name} is {tuple(tensors[name].shape)}"
        return tensors[name]


class Pass:
    """One pass through the network, and what it leaves besides its output."""

    def __init__(self, weights, training, case):
        self.weights = weights
        self.training = training
        self.labels = torch.tensor(case.get("targets", []), dtype=torch.int64)
        self.classes = case.get("classes", 10)
        self.after = {}  # running statistics
        self.penalty = torch.zeros(())
        self.auxiliary = []  # weight and scores of each auxiliary classifier
        self.gaussian = []  # beta and distribution of each gaussian code


class Place:
    """Where a layer stands: its name within the blocks around it."""

    def __init__(self, passing, *names):
        self.passing = passing
        self.names = names

    training = property(lambda self: self.passing.training)

    def inside(self, name):
        return Place(self.passing, *self.names, str(name))

    def name(self, role):
        return ".".join([*self.names, role])

    def beside(self, name, role):
        """The trained tensor of another layer of the same list."""
        return self.passing.weights.trained[".".join([*self.names[:-1], name, role])]

    def weight(self, role, shape, low=None, high=None):
        """Drawn evenly from `low` to `high`, by default so that outputs are about as large as inputs."""
        if low is None:
            high = math.sqrt(3 / math.prod(shape[1:])) if len(shape) > 1 else 0.5
            low = -high
        return self.passing.weights.get(self.name(role), shape, low, high)

    def running(self, role, shape, low, high):
        return self.passing.weights.get(self.name(role), shape, low, high, trained=False)


def run(layers, x, place):
    """Sends a batch through a list of layers as a file writes it."""
    counts = {}
    for layer in layers:
        [(key, fields)] = [(layer, {})] if isinstance(layer, str) else layer.items()
        counts[key] = counts.get(key, 0) + 1
        activity = fields.get("activity", {})
        name = fields.get("name", f"{key}_{counts[key]}")
        fields = {field: value for field, value in fields.items() if field not in ["name", "activity"]}
        x = LAYERS[key](x, place.inside(name), **fields)
        penalize_activity(place, x, **activity)
    return x


LAYERS = {}


def layer(function):
    LAYERS[function.__name__] = function
    return function


# Axes: features [batch, features]; sequence [batch, steps, features]; image [batch, channels, height, width];
# volume [batch, channels, depth, height, width].


def channels_last(x):
    """The batch with its features or channels on the last axis, and the way back."""
    if x.dim() <= 3:
        return x, lambda y: y
    return x.movedim(1, -1), lambda y: y.movedim(-1, 1)


def channel_axis(x):
    return 1 if x.dim() >= 4 else -1


def spatial_axes(x):
    """Steps, or height and width, or depth, height and width."""
    return [1] if x.dim() == 3 else list(range(2, x.dim()))


def each(value, axes):
    return list(value) if isinstance(value, list) else [value] * axes


def activate(x, function):
    if function is None:
        return x
    [(key, fields)] = [(function, {})] if isinstance(function, str) else function.items()
    return FUNCTIONS[key](x, **fields)


FUNCTIONS = {
    "relu": F.relu,
    "elu": F.elu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "leaky_relu": lambda x, negative_slope=0.3: F.leaky_relu(x, negative_slope),
    "gelu": F.gelu,
    "selu": F.selu,
    "silu": F.silu,
    "mish": F.mish,
    "softsign": F.softsign,
    "hard_sigmoid": F.hardsigmoid,
    "relu6": F.relu6,
    "exponential": torch.exp,
    "softmax": lambda x: torch.softmax(x, channel_axis(x)),
}


def penalize_activity(place, y, l1=0.0, l2=0.0, kl=None):
    """As Keras' activity regularizers, for the mean sample; `kl` as Ng's sparse auto-encoder."""
    size = l1 * y.abs().sum() + l2 * y.square().sum()
    place.passing.penalty = place.passing.penalty + size / len(y)
    if kl is not None:
        mean = channels_last(y)[0].flatten(0, -2).mean(0)
        target = torch.distributions.Bernoulli(torch.full_like(mean, kl["target"]))
        apart = torch.distributions.kl_divergence(target, torch.distributions.Bernoulli(mean))
        place.passing.penalty = place.passing.penalty + kl["weight"] * apart.sum()


@layer
def activation(x, place, function):
    return activate(x, function)


def penalize(place, weight, l1, l2):
    place.passing.penalty = place.passing.penalty + l1 * weight.abs().sum() + l2 * weight.square().sum()


@layer
def dense(x, place, units, activation=None, bias=True, tied_to=None, l1=0.0, l2=0.0):
    if tied_to is None:
        bound = math.sqrt(3 / x.shape[-1])
        weight = place.weight("weight", [x.shape[-1], units], -bound, bound)
    else:
        weight = place.beside(tied_to, "weight").T
    penalize(place, weight, l1, l2)
    y = x @ weight
    if bias:
        y = y + place.weight("bias", [units])
    return activate(y, activation)


# Convolutions. Sequences are turned to [batch, features, steps] and back.


def same_padding(sizes, windows, strides):
    """Zeros before and after each axis, as TensorFlow's SAME: output = ceil(input / stride)."""
    padding = []
    for size, window, stride in zip(sizes, windows, strides):
        total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
        padding.append((total // 2, total - total // 2))
    return padding


def pad(x, padding, value=0.0):
    """Pads the last axes; F.pad wants the last axis first."""
    return F.pad(x, [number for pair in reversed(padding) for number in pair], value=value)


CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONVOLVE_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def windows(x, kernel, stride, dilation, padding):
    """The batch padded, and the steps and gaps of a window on each of its axes."""
    axes = x.dim() - 2
    stride, dilation = each(stride, axes), each(dilation, axes)
    spans = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilation)]
    if padding == "same":
        x = pad(x, same_padding(x.shape[2:], spans, stride))
    return x, stride, dilation


def convolve(x, weight, bias, stride, dilation, groups, padding):
    x, stride, dilation = windows(x, weight.shape[2:], stride, dilation, padding)
    zeros = padding if isinstance(padding, int) else 0
    return CONVOLVE[x.dim() - 2](x, weight, bias, stride, zeros, dilation, groups)


def convolution(
    x, place, filters, kernel, stride=1, dilation=1, groups=1, padding="same", activation=None, bias=True,
    connections=None, l1=0.0, l2=0.0,
):  # fmt: skip
    kernel = each(kernel, x.dim() - 2)
    weight = place.weight("weight", [filters, x.shape[1] // groups, *kernel])
    penalize(place, weight, l1, l2)
    if connections is not None:
        seen = torch.zeros(filters, x.shape[1], 1, 1)
        for filter, channels in enumerate(connections):
            seen[filter, channels] = 1
        weight = weight * seen
    bias = place.weight("bias", [filters]) if bias else None
    return activate(convolve(x, weight, bias, stride, dilation, groups, padding), activation)


@layer
def conv1d(x, place, **fields):
    return convolution(x.transpose(1, 2), place, **fields).transpose(1, 2)


@layer
def conv2d(x, place, **fields):
    return convolution(x, place, **fields)


@layer
def conv3d(x, place, **fields):
    return convolution(x, place, **fields)


def depthwise(x, place, role, kernel, stride, dilation, multiplier, padding, bias, l1, l2):
    channels = x.shape[1]
    weight = place.weight(role, [channels * multiplier, 1, *each(kernel, 2)])
    penalize(place, weight, l1, l2)
    return convolve(x, weight, bias, stride, dilation, channels, padding)


@layer
def depthwise_conv2d(
    x, place, kernel, stride=1, dilation=1, multiplier=1, padding="same", activation=None, bias=True, l1=0.0,
    l2=0.0,
):  # fmt: skip
    bias = place.weight("bias", [x.shape[1] * multiplier]) if bias else None
    y = depthwise(x, place, "weight", kernel, stride, dilation, multiplier, padding, bias, l1, l2)
    return activate(y, activation)


@layer
def separable_conv2d(
    x, place, filters, kernel, stride=1, dilation=1, multiplier=1, padding="same", activation=None, bias=True,
    l1=0.0, l2=0.0,
):  # fmt: skip
    y = depthwise(x, place, "depthwise_weight", kernel, stride, dilation, multiplier, padding, None, l1, l2)
    pointwise = place.weight("pointwise_weight", [filters, y.shape[1], 1, 1])
    penalize(place, pointwise, l1, l2)
    bias = place.weight("bias", [filters]) if bias else None
    return activate(F.conv2d(y, pointwise, bias), activation)


def transposed(
    x, place, filters, kernel, stride=1, padding="same", activation=None, bias=True, tied_to=None, l1=0.0, l2=0.0
):
    """As TensorFlow's: SAME gives input * stride, VALID input * stride + max(kernel - stride, 0); a number as PyTorch's."""
    axes = x.dim() - 2
    kernel, stride = each(kernel, axes), each(stride, axes)
    if tied_to is None:
        weight = place.weight("weight", [x.shape[1], filters, *kernel])
    else:
        weight = place.beside(tied_to, "weight")
    penalize(place, weight, l1, l2)
    zeros = padding if isinstance(padding, int) else 0
    y = CONVOLVE_TRANSPOSE[axes](x, weight, None, stride, zeros)
    for axis in range(0 if isinstance(padding, int) else axes):
        spare = max(kernel[axis] - stride[axis], 0)
        before, wanted = 0, x.shape[axis + 2] * stride[axis]
        if padding == "same":
            before = spare // 2
        else:
            wanted += spare
        # A kernel smaller than its stride leaves places that no input reaches.
        lacking = max(before + wanted - y.shape[axis + 2], 0)
        y = pad(y, [(0, lacking if other == axis else 0) for other in range(axes)])
        y = y.narrow(axis + 2, before, wanted)
    if bias:
        y = y + place.weight("bias", [filters]).reshape(-1, *[1] * axes)
    return activate(y, activation)


@layer
def conv1d_transpose(x, place, **fields):
    return transposed(x.transpose(1, 2), place, **fields).transpose(1, 2)


@layer
def conv2d_transpose(x, place, **fields):
    return transposed(x, place, **fields)


@layer
def conv3d_transpose(x, place, **fields):
    return transposed(x, place, **fields)


# Pooling.

MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def pool_windows(x, size, stride, padding):
    axes = x.dim() - 2
    size = each(size, axes)
    stride = size if stride is None else each(stride, axes)
    padded = same_padding(x.shape[2:], size, stride) if padding == "same" else [(0, 0)] * axes
    return size, stride, padded


def max_pool(x, size=2, stride=None, padding="valid"):
    size, stride, padded = pool_windows(x, size, stride, padding)
    if isinstance(padding, int):
        return MAX_POOL[x.dim() - 2](x, size, stride, padding)
    return MAX_POOL[x.dim() - 2](pad(x, padded, -math.inf), size, stride)


def avg_pool(x, size=2, stride=None, padding="valid"):
    """The padded places of SAME do not count, as in TensorFlow; a number of zeros counts, as in PyTorch."""
    size, stride, padded = pool_windows(x, size, stride, padding)
    mean = AVG_POOL[x.dim() - 2]
    if isinstance(padding, int):
        return mean(x, size, stride, padding)
    return mean(pad(x, padded), size, stride) / mean(pad(torch.ones_like(x), padded), size, stride)


for axes in [1, 2, 3]:
    for name, pool in [("max_pool", max_pool), ("avg_pool", avg_pool)]:

        def pooling(x, place, pool=pool, **fields):
            if x.dim() == 3:
                return pool(x.transpose(1, 2), **fields).transpose(1, 2)
            return pool(x, **fields)

        LAYERS[f"{name}{axes}d"] = pooling


@layer
def global_avg_pool(x, place):
    return x.mean(spatial_axes(x))


@layer
def global_max_pool(x, place):
    return x.amax(spatial_axes(x))


@layer
def adaptive_avg_pool2d(x, place, size):
    return F.adaptive_avg_pool2d(x, each(size, 2))


@layer
def adaptive_max_pool2d(x, place, size):
    return F.adaptive_max_pool2d(x, each(size, 2))


# Shapes.


@layer
def upsampling(x, place, size=2, interpolation="nearest"):
    if interpolation == "bilinear":
        return F.interpolate(x, scale_factor=[float(s) for s in each(size, 2)], mode="bilinear", align_corners=False)
    axes = spatial_axes(x)
    for axis, times in zip(axes, each(size, len(axes))):
        x = x.repeat_interleave(times, axis)
    return x


def margins(x, size):
    axes = spatial_axes(x)
    return axes, [tuple(each(margin, 2)) for margin in each(size, len(axes))]


@layer
def zero_padding(x, place, size):
    _, margin = margins(x, size)
    return pad(x, [*margin, (0, 0)] if x.dim() == 3 else margin)


@layer
def cropping(x, place, size):
    for axis, (before, after) in zip(*margins(x, size)):
        x = x.narrow(axis, before, x.shape[axis] - before - after)
    return x


@layer
def reshape(x, place, shape):
    return x.reshape(len(x), *shape)


@layer
def permute(x, place, axes):
    return x.permute(0, *axes)


@layer
def flatten(x, place):
    return x.flatten(1)


# Chance, in training only.


@layer
def dropout(x, place, rate):
    return F.dropout(x, rate, place.training)


@layer
def spatial_dropout(x, place, rate):
    """Whole channels, or whole features of a sequence, as Keras."""
    if x.dim() == 3:
        return F.dropout1d(x.transpose(1, 2), rate, place.training).transpose(1, 2)
    return (F.dropout2d if x.dim() == 4 else F.dropout3d)(x, rate, place.training)


@layer
def gaussian_noise(x, place, standard_deviation):
    return x + torch.randn_like(x) * standard_deviation if place.training else x


@layer
def mask_noise(x, place, keep):
    """Dropout that does not rescale."""
    return F.dropout(x, 1 - keep) * keep if place.training else x


@layer
def salt_and_pepper_noise(x, place, rate, low=0.0, high=1.0):
    if not place.training:
        return x
    noise = torch.where(torch.rand_like(x) < 0.5, low, high)
    return torch.where(torch.rand_like(x) < rate, noise, x)


# Codes.


@layer
def gaussian_code(x, place, units, form="log_variance", beta=1.0):
    def head(name):
        bound = math.sqrt(3 / x.shape[-1])
        weight = place.weight(f"{name}_weight", [x.shape[-1], units], -bound, bound)
        return x @ weight + place.weight(f"{name}_bias", [units])

    mean, h = head("mean"), head("spread")
    deviation = F.softplus(h) if form == "softplus" else torch.exp(h / 2)
    distribution = torch.distributions.Normal(mean, deviation)
    place.passing.gaussian.append((beta, distribution))
    return distribution.rsample() if place.training else mean


def largest(x, count, axis):
    """1 for the largest values along an axis."""
    places = x.detach().topk(count, axis).indices
    return torch.zeros_like(x).scatter(axis, places, 1.0)


@layer
def k_sparse(x, place, k, alpha=1.0):
    rows = x.flatten(1)
    count = k if place.training else min(round(alpha * k), rows.shape[1])
    return x * largest(rows, count, 1).reshape(x.shape)


@layer
def winner_take_all(x, place, spatial=False, lifetime=None):
    if not place.training:
        return x
    # [places, batch, channels]
    y, back = channels_last(x)
    shape = y.movedim(0, -2).shape
    y = y.movedim(0, -2).reshape(-1, *shape[-2:])
    marked = largest(y, 1, 0) if spatial else torch.ones_like(y)
    if lifetime is not None:
        contest = y.amax(0, keepdim=True) if spatial else y
        units = contest.flatten(0, 1)
        winners = largest(units, max(round(lifetime * len(units)), 1), 0)
        marked = marked * winners.reshape(contest.shape)
    return back((y * marked).reshape(shape).movedim(-2, 0))


@layer
def concat_label(x, place):
    label = F.one_hot(place.passing.labels, place.passing.classes).float()
    y, back = channels_last(x)
    label = label.reshape(len(y), *[1] * (y.dim() - 2), -1).expand(*y.shape[:-1], -1)
    return back(torch.cat([y, label], -1))


# Normalization. PyTorch normalizes the last axes or axis 1; Keras the features or channels wherever they are.


def scale_and_offset(place, channels):
    return place.weight("gamma", [channels], 0.5, 1.5), place.weight("beta", [channels], -0.5, 0.5)


@layer
def batch_normalization(x, place, momentum=0.99, epsilon=1e-3):
    x, back = channels_last(x)
    rows = x.reshape(-1, x.shape[-1])
    gamma, beta = scale_and_offset(place, x.shape[-1])
    mean = place.running("running_mean", [x.shape[-1]], -0.5, 0.5)
    variance = place.running("running_var", [x.shape[-1]], 0.5, 1.5)
    if place.training:
        # PyTorch's own running variance is unbiased.
        fresh = {"running_mean": (mean, rows.mean(0)), "running_var": (variance, rows.var(0, unbiased=False))}
        for role, (old, batch) in fresh.items():
            place.passing.after[place.name(role)] = momentum * old + (1 - momentum) * batch.detach()
        rows = F.batch_norm(rows, None, None, gamma, beta, training=True, eps=epsilon)
    else:
        rows = F.batch_norm(rows, mean, variance, gamma, beta, training=False, eps=epsilon)
    return back(rows.reshape(x.shape))


@layer
def layer_normalization(x, place, epsilon=1e-3):
    x, back = channels_last(x)
    gamma, beta = scale_and_offset(place, x.shape[-1])
    return back(F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon))


@layer
def group_normalization(x, place, groups=32, epsilon=1e-3):
    gamma, beta = scale_and_offset(place, x.shape[1])
    return F.group_norm(x, groups, gamma, beta, epsilon)


@layer
def instance_normalization(x, place, epsilon=1e-3):
    gamma, beta = scale_and_offset(place, x.shape[1])
    return F.instance_norm(x, weight=gamma, bias=beta, eps=epsilon)


@layer
def local_response_normalization(x, place, size=5, alpha=1e-4, beta=0.75, k=2.0):
    # PyTorch divides alpha by the size, which AlexNet's paper does not.
    return F.local_response_norm(x, size, alpha * size, beta, k)


@layer
def prelu(x, place, slope=0.25, shared=False):
    x, back = channels_last(x)
    weight = place.weight("weight", [1 if shared else x.shape[-1]], 0.05, 0.6)
    return back(torch.where(x > 0, x, weight * x))


@layer
def scale(x, place):
    x, back = channels_last(x)
    return back(x * place.weight("weight", [x.shape[-1]], 0.5, 1.5) + place.weight("bias", [x.shape[-1]]))


# Memory.


def recurrent(module, tensors, x, return_sequences, reverse):
    if reverse:
        x = x.flip(1)
    outputs, _ = torch.func.functional_call(module, tensors, (x,))
    if not return_sequences:
        return outputs[:, -1]
    # Each output stands at its own input's step, as in PyTorch's bidirectional layers.
    return outputs.flip(1) if reverse else outputs


@layer
def lstm(x, place, units, return_sequences=False, reverse=False):
    module = nn.LSTM(x.shape[-1], units, batch_first=True)
    tensors = {
        "weight_ih_l0": place.weight("weight_ih", [4 * units, x.shape[-1]]),
        "weight_hh_l0": place.weight("weight_hh", [4 * units, units]),
        # One bias, as Keras; PyTorch adds two.
        "bias_ih_l0": place.weight("bias", [4 * units]),
        "bias_hh_l0": torch.zeros(4 * units),
    }
    return recurrent(module, tensors, x, return_sequences, reverse)


@layer
def gru(x, place, units, return_sequences=False, reverse=False):
    module = nn.GRU(x.shape[-1], units, batch_first=True)
    tensors = {
        "weight_ih_l0": place.weight("weight_ih", [3 * units, x.shape[-1]]),
        "weight_hh_l0": place.weight("weight_hh", [3 * units, units]),
        "bias_ih_l0": place.weight("bias_ih", [3 * units]),
        "bias_hh_l0": place.weight("bias_hh", [3 * units]),
    }
    return recurrent(module, tensors, x, return_sequences, reverse)


@layer
def squeeze_excite(x, place, ratio=16):
    channels = x.shape[1]
    narrow = channels // ratio
    y = x.mean([2, 3]) @ place.weight("reduce_weight", [channels, narrow]) + place.weight("reduce_bias", [narrow])
    y = F.relu(y) @ place.weight("expand_weight", [narrow, channels]) + place.weight("expand_bias", [channels])
    return x * torch.sigmoid(y)[:, :, None, None]


# Blocks.


@layer
def sequential(x, place, layers):
    return run(layers, x, place)


@layer
def residual(x, place, layers, projection=(), activation=None):
    return activate(run(layers, x, place) + run(projection, x, place.inside("projection")), activation)


@layer
def parallel(x, place, branches, join="concat"):
    outputs = []
    for number, branch in enumerate(branches, 1):
        outputs.append(run(branch["layers"], x, place.inside(branch.get("name", f"branch_{number}"))))
    return torch.cat(outputs, channel_axis(outputs[0])) if join == "concat" else sum(outputs)


@layer
def repeat(x, place, times, layers):
    for number in range(1, times + 1):
        x = run(layers, x, place.inside(number))
    return x


@layer
def auxiliary(x, place, layers, weight=0.3):
    if place.training:
        place.passing.auxiliary.append((weight, run(layers, x, place)))
    return x
