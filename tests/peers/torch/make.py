"""What PyTorch makes of small networks: the answers that layers, losses and optimisers are held to.

    python make.py           writes answers/KIND.NAME.safetensors, a file for each case of cases.toml
    python make.py --check   makes the answers anew and compares them with the committed ones
    python make.py NAME ...  writes the answers of these cases only

A network's file holds its `input` and its weights under burnlab's names, the outputs of both forms, and the
gradients that `gradient.output` (or the loss, where the case names one) sends back through the training form.
"""

import argparse
import sys
import tomllib
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from layers import Pass, Place, Weights, run
from training import apply_loss, make_optimizer, rates

HERE = Path(__file__).resolve().parent
CASES = HERE / "cases.toml"
ANSWERS = HERE / "answers"
TOLERANCE = 1e-4
CHANCE_TOLERANCE = 0.05  # of shares and means: another processor may draw other numbers


def normal(rng, *shape):
    return rng.standard_normal(shape).astype("float32")


def network(case, rng):
    weights = Weights(rng)
    x = torch.tensor(normal(rng, *case["input"]), requires_grad=True)
    answers = {"input": x}

    # Training first: an auxiliary classifier has no other form, and draws its weights then.
    training = Pass(weights, training=True, case=case)
    output = run(case["layers"], x, Place(training))
    resting = run(case["layers"], x, Place(Pass(weights, training=False, case=case)))
    answers |= weights.trained | weights.kept | {"inference.output": resting}
    if "targets" in case:
        answers["targets"] = training.labels
    if not case.get("training", True):
        return answers

    answers |= {f"after.{name}": value for name, value in training.after.items()}
    answers["training.output"] = output
    if "loss" in case:
        total = apply_loss(case["loss"], output, training.labels) + training.penalty
        for weight, scores in training.auxiliary:
            total = total + weight * apply_loss(case["loss"], scores, training.labels)
        answers["loss"] = total.reshape(1)
        total.backward()
    else:
        sent = torch.tensor(normal(rng, *output.shape))
        answers["gradient.output"] = sent
        output.backward(sent)
    gradients = {"input": x} | weights.trained
    return answers | {f"gradient.{name}": tensor.grad for name, tensor in gradients.items()}


def told(prefix, tensor, axis):
    """What can be said of many random numbers: few distinct values and their shares, or how they spread."""
    numbers = tensor.detach().double()
    values, counts = numbers.unique(return_counts=True)
    mean, deviation = numbers.mean(), numbers.std(unbiased=False)
    answers = {
        f"{prefix}.mean": mean,
        f"{prefix}.deviation": deviation,
        # 0 where whole channels share their chance.
        f"{prefix}.deviation_along_axis": numbers.std(axis, unbiased=False).mean(),
    }
    if len(values) <= 4:
        return answers | {f"{prefix}.values": values, f"{prefix}.shares": counts / numbers.numel()}
    # Of a normal distribution 0.683.
    return answers | {f"{prefix}.within_a_deviation": ((numbers - mean).abs() <= deviation).double().mean()}


def chance(case, rng):
    torch.manual_seed(0)
    x = torch.full(case["input"], case["value"], requires_grad=True)
    weights, axis = Weights(rng), case.get("axis", 1)
    output = run(case["layers"], x, Place(Pass(weights, training=True, case=case)))
    output.sum().backward()
    answers = told("output", output.reshape(case["view"]), axis)
    return weights.trained | answers | told("gradient", x.grad.reshape(case["view"]), axis)


def divergence(case, rng):
    """Of the one gaussian code, and the gradients of what it adds to the loss."""
    weights = Weights(rng)
    x = torch.tensor(normal(rng, *case["input"]), requires_grad=True)
    training = Pass(weights, training=True, case=case)
    run(case["layers"], x, Place(training))
    [(beta, code)] = training.gaussian
    prior = torch.distributions.Normal(torch.zeros_like(code.mean), torch.ones_like(code.mean))
    apart = torch.distributions.kl_divergence(code, prior).sum(1)
    (beta * apart.mean()).backward()
    gradients = {"input": x} | weights.trained
    answers = {"input": x, "mean": code.mean, "log_variance": code.variance.log(), "divergence": apart}
    return answers | weights.trained | {f"gradient.{name}": tensor.grad for name, tensor in gradients.items()}


def contractive(case, rng):
    """The squared Frobenius norm of an encoder's Jacobian, mean over the images, and its gradients."""
    weights = Weights(rng)
    x = torch.tensor(normal(rng, *case["input"]), requires_grad=True)

    def encode(image):
        return run(case["layers"], image[None], Place(Pass(weights, training=True, case=case), "encoder"))

    jacobians = [torch.autograd.functional.jacobian(encode, image, create_graph=True) for image in x]
    norm = torch.stack([jacobian.square().sum() for jacobian in jacobians]).mean()
    norm.backward()
    # Where nothing bends the norm is the same for all images and biases.
    still = torch.zeros_like(x) if x.grad is None else x.grad
    answers = {"input": x, "norm": norm.reshape(1), "gradient.input": still} | weights.trained
    bent = {name: tensor for name, tensor in weights.trained.items() if tensor.grad is not None}
    return answers | {f"gradient.{name}": tensor.grad for name, tensor in bent.items()}


def loss(case, rng):
    if "images" in case:
        shape = (case["images"], case["pixels"])
        targets = torch.tensor(rng.random(shape, dtype="float32"))
        outputs = torch.tensor(normal(rng, *shape)).sigmoid().requires_grad_()
    else:
        targets = torch.tensor(case["targets"])
        outputs = torch.tensor(2 * normal(rng, len(targets), case["classes"]), requires_grad=True)
    mean = apply_loss(case["loss"], outputs, targets, case.get("of_generator", False))
    mean.backward()
    return {"outputs": outputs, "targets": targets, "loss": mean.reshape(1), "gradient.outputs": outputs.grad}


def optimizer(case, rng):
    weights = torch.tensor(normal(rng, 4), requires_grad=True)
    gradients = torch.tensor(normal(rng, 5, 4))
    answers = {"start": weights.detach().clone(), "gradients": gradients}
    stepper, steps = make_optimizer(case["optimizer"], weights), []
    for gradient in gradients:
        weights.grad = gradient.clone()
        stepper.step()
        steps.append(weights.detach().clone())
    return answers | {"steps": torch.stack(steps)}


def schedule(case, rng):
    return {"rates": torch.tensor(rates(case["schedule"], case["batches"], case.get("warm_up", 0), case.get("losses")))}


KINDS = {
    "network": network,
    "chance": chance,
    "divergence": divergence,
    "contractive": contractive,
    "loss": loss,
    "optimizer": optimizer,
    "schedule": schedule,
}


def plain(tensor):
    array = tensor.detach().numpy()
    return np.ascontiguousarray(array, dtype="int64" if array.dtype == "int64" else "float32")


def answers(only):
    """Each case's file and tensors."""
    torch.set_num_threads(1)
    for kind, cases in tomllib.loads(CASES.read_text()).items():
        for name, case in cases.items():
            if not only or name in only:
                rng = np.random.default_rng(zlib.crc32(f"{kind}.{name}".encode()))
                try:
                    made = KINDS[kind](case, rng)
                except Exception as error:
                    error.add_note(f"in the case [{kind}.{name}]")
                    raise
                yield ANSWERS / f"{kind}.{name}.safetensors", {key: plain(value) for key, value in made.items()}


def write(only):
    ANSWERS.mkdir(exist_ok=True)
    made = dict(answers(only))
    for path, tensors in made.items():
        save_file(tensors, path)
    for path in [] if only else set(ANSWERS.iterdir()) - made.keys():
        path.unlink()
    print(f"{len(made)} cases, {sum(path.stat().st_size for path in made)} bytes of answers")


def check(only):
    made, largest, wrong = dict(answers(only)), 0.0, []
    for path in [] if only else sorted(set(ANSWERS.iterdir()) ^ made.keys()):
        wrong.append(f"{path.name}: there is no such case or no such file, run make.py without --check")
    for path, tensors in made.items():
        kept = load_file(path) if path.exists() else {}
        shapes = [{name: tensor.shape for name, tensor in both.items()} for both in (kept, tensors)]
        if shapes[0] != shapes[1]:
            wrong.append(f"{path.name}: holds other tensors than its case asks for")
            continue
        for name, tensor in tensors.items():
            drawn = path.name.startswith("chance.") and not name.endswith(".values")
            tolerance = CHANCE_TOLERANCE if drawn else TOLERANCE
            off = (np.abs(kept[name] - tensor) / np.maximum(1.0, np.abs(tensor))).max(initial=0.0)
            largest = largest if drawn else max(largest, off)
            if not off <= tolerance:
                wrong.append(f"{path.name}: {name} is off by {off:.1e}, allowed {tolerance}")
    if wrong:
        sys.exit("\n".join(f"error: {line}" for line in wrong))
    print(f"{len(made)} cases agree, largest difference {largest:.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these cases")
    arguments = parser.parse_args()
    (check if arguments.check else write)(arguments.names)
