"""What each of burnlab's losses, optimizers and schedules computes, in PyTorch, called by its key."""

import torch
from torch.nn import functional as F
from torch.optim import lr_scheduler


def one(table):
    """The key and the fields of a table with one key, or of a bare name."""
    [(key, fields)] = [(table, {})] if isinstance(table, str) else table.items()
    return key, fields


# Losses.


def cross_entropy(outputs, targets, label_smoothing=0.0, class_weights=None):
    weight = None if class_weights is None else torch.tensor(class_weights)
    return F.cross_entropy(outputs, targets, weight=weight, label_smoothing=label_smoothing)


def reduced(losses, over_pixels, over_batch):
    """One number of the losses of each pixel, `[batch, pixels]`."""
    losses = losses.sum(1) if over_pixels == "sum" else losses.mean(1)
    return losses.sum() if over_batch == "sum" else losses.mean()


def sum_squared(outputs, values, over_batch="sum"):
    return reduced(F.mse_loss(outputs, values, reduction="none"), "sum", over_batch)


def binary_cross_entropy(outputs, values, over_pixels="mean", over_batch="mean"):
    return reduced(F.binary_cross_entropy(outputs, values, reduction="none"), over_pixels, over_batch)


CLASS_LOSSES = {"cross_entropy": cross_entropy}
VALUE_LOSSES = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "half_mse": lambda outputs, values: F.mse_loss(outputs, values) / 2,
    "sum_squared": sum_squared,
    "binary_cross_entropy": binary_cross_entropy,
    "huber": F.huber_loss,
    "hinge": lambda outputs, values: F.relu(1 - (2 * values - 1) * outputs).mean(),
    # What clips the weights is no part of the loss.
    "wasserstein": lambda outputs, values, clip=0.01: torch.where(values == 1, -outputs, outputs).mean(),
}
# Of a GAN's generator, which is judged by the verdicts on its images alone.
GENERATOR_LOSSES = {
    "hinge": lambda verdicts: -verdicts.mean(),
    "wasserstein": lambda verdicts, clip=0.01: -verdicts.mean(),
    "mse": lambda verdicts: F.mse_loss(verdicts, torch.ones_like(verdicts)),
}


def apply_loss(loss, outputs, targets, of_generator=False):
    """Of classes, or of values; to a loss of values a class is 1 in its own place."""
    key, fields = one(loss)
    if of_generator:
        return GENERATOR_LOSSES[key](outputs, **fields)
    if key in CLASS_LOSSES:
        return CLASS_LOSSES[key](outputs, targets, **fields)
    values = targets if targets.is_floating_point() else F.one_hot(targets, outputs.shape[1]).float()
    return VALUE_LOSSES[key](outputs, values, **fields)


# Optimizers. What a file leaves out keeps PyTorch's default.

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}
NAMES = {"learning_rate": "lr", "epsilon": "eps", "rho": "alpha"}


def make_optimizer(optimizer, weights):
    key, fields = one(optimizer)
    fields = {NAMES.get(field, field): value for field, value in fields.items()}
    if "beta_1" in fields:
        fields["betas"] = (fields.pop("beta_1"), fields.pop("beta_2"))
    return OPTIMIZERS[key]([weights], **fields)


# Schedules, which move the rate after every batch.

SCHEDULES = {
    "constant": lambda optimizer, steps: lr_scheduler.ConstantLR(optimizer, factor=1.0),
    "milestones": lambda optimizer, steps, epochs, factor=0.1: lr_scheduler.MultiStepLR(optimizer, epochs, factor),
    "plateau": lambda optimizer, steps, metric, factor=0.1, patience=10, min_delta=1e-4: (
        lr_scheduler.ReduceLROnPlateau(
            optimizer, "min", factor, patience, threshold=min_delta, threshold_mode="abs", eps=0.0
        )
    ),
    "step": lambda optimizer, steps, every, factor: lr_scheduler.StepLR(optimizer, every, factor),
    # Each `every` batches bring the whole factor: at once, or evenly spread.
    "exponential": lambda optimizer, steps, factor, every=1, staircase=True: (
        lr_scheduler.StepLR(optimizer, every, factor)
        if staircase
        else lr_scheduler.ExponentialLR(optimizer, factor ** (1 / every))
    ),
    "cosine": lambda optimizer, steps, final=0.0: lr_scheduler.CosineAnnealingLR(optimizer, steps, final),
    "linear": lambda optimizer, steps, final=0.0: lr_scheduler.LinearLR(optimizer, 1.0, final, steps),
    "one_cycle": lambda optimizer, steps, rise=0.3, start=0.04, final=4e-6: lr_scheduler.OneCycleLR(
        optimizer,
        optimizer.param_groups[0]["lr"],
        total_steps=steps,
        pct_start=rise,
        div_factor=1 / start,
        final_div_factor=start / final,
        cycle_momentum=False,
    ),
}


def rates(schedule, steps, warm_up=None, losses=None):
    """The rate of each batch, where the optimizer's own is 1, given the loss after each, if the schedule goes by it.

    A warm-up climbs evenly to the schedule's first rate, which the batch after it has.
    """
    warm = warm_up["steps"] if warm_up else 0
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    key, fields = one(schedule)
    scheduler = SCHEDULES[key](optimizer, steps - warm, **fields)
    if warm > 0:
        climb = lr_scheduler.LinearLR(optimizer, warm_up["start"], 1.0, warm)
        scheduler = lr_scheduler.SequentialLR(optimizer, [climb, scheduler], [warm])
    rates = []
    for batch in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([losses[batch]] if losses else []))
    return rates
