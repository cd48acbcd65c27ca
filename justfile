# burnlab's everyday commands. `just` alone lists them.

burnlab := "cargo run --release --quiet --"
venv    := ".venv"

_default:
    @just --list --unsorted

# Train an experiment: just run augmentation
run NAME *OPTIONS:
    {{burnlab}} run {{NAME}} {{OPTIONS}}

# Find every problem of all experiment files
check *FILES:
    {{burnlab}} check {{FILES}}

# The tests
test:
    cargo test --release

# TensorBoard on everything that has been run
tensorboard PORT="6006": _python
    {{venv}}/bin/tensorboard --logdir results --port {{PORT}}

# Tables and verdict of an experiment as far as it has been run
report NAME:
    {{burnlab}} compare {{NAME}}

# Write the JSON schema of experiment files anew
schema:
    {{burnlab}} schema > schemas/experiment.schema.json

# Checks against PyTorch (several GB to install), SciPy, TensorBoard and taplo
peers: _python
    {{venv}}/bin/python -c "import torch" 2>/dev/null || bash tests/peers/install {{venv}} --torch
    bash tests/peers/run {{venv}}

# All that CI does
ci:
    bash .ci/run

_python:
    test -x {{venv}}/bin/tensorboard || bash tests/peers/install {{venv}}
