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

# Train the regression experiments anew and compare them with the committed reference: just regress --accept
regress *OPTIONS:
    {{burnlab}} regress {{OPTIONS}}

# The articles' claims beside what is measured, on one page: just reproduce, just reproduce a3, just reproduce --full
reproduce *OPTIONS:
    {{burnlab}} reproduce {{OPTIONS}}

# Keep tables, provenance and last small pictures of what has been reproduced as evidence, under results/reference/articles
evidence:
    #!/usr/bin/env bash
    set -euo pipefail
    {{burnlab}} reproduce --no-train --quiet || test $? = 5
    cp results/reproduction.md results/reference/
    for folder in results/articles/*/; do
        kept=results/reference/articles/$(basename "$folder")
        grep -q ,done, "$folder/summary.csv" || continue
        rm -rf "$kept" && mkdir -p "$kept"
        cp "$folder"/{summary.csv,epochs.csv,table.md} "$kept"
        cp "$(find "$folder/runs" -name provenance.json | sort | head -1)" "$kept"
        for kind in "$folder"/runs/*-seed-0-*/pictures/*/; do
            test -d "$kind" || continue
            run=$(basename "$(dirname "$(dirname "$kind")")")
            last=$(find "$kind" -name "*.png" -size -256k | sort -V | tail -1)
            test -z "$last" || cp "$last" "$kept/${run%%-seed-*}.$(basename "$kind").png"
        done
    done

# The tests
test:
    cargo test --release

# Thousands of random experiments and damaged files, others with another seed: just fuzz 5000 7
fuzz COUNT="3000" SEED="1":
    BURNLAB_FUZZ={{COUNT}} BURNLAB_FUZZ_SEED={{SEED}} cargo test --release --test integration -- grown:: mutants::

# Kills, a full disk, refused system calls and unwritable streams, for SECONDS seconds
torture SECONDS="120" SEED="0":
    cargo build --release
    python3 tests/torture/run --seconds {{SECONDS}} --seed {{SEED}}

# A grid on a Slurm cluster of this machine, where everything is killed in turn; as root, with slurm-wlm and munge
cluster:
    cargo build --release
    python3 tests/cluster/run

# The weights that a 64-bit ARM gives, under emulation, are those of x86-64; see tests/aarch64/run for what it needs
aarch64:
    tests/aarch64/run

# The unit tests with another C library, in a static program; see tests/musl/run for what it needs
musl:
    tests/musl/run

# TensorBoard on everything that has been run, or on one experiment: just tensorboard articles/a1-a3-few-digits
tensorboard NAME="." PORT="6006": _python
    {{venv}}/bin/tensorboard --logdir results/{{NAME}} --port {{PORT}}

# What has been run of an experiment, as one page: just report augmentation; of all: just report --all
report *NAME:
    {{burnlab}} report {{NAME}}

# The tables of an experiment on the terminal, or of two: just compare quickstart:rate=0.0 quickstart:rate=0.5
compare *NAMES:
    {{burnlab}} compare {{NAMES}}

# Write the JSON schema of experiment files anew, and the reference that is made of it
schema:
    {{burnlab}} schema > schemas/experiment.schema.json
    {{burnlab}} reference > docs/reference.md

# A Python wheel with the program, in target/wheels; installed in an empty environment and tried
wheel:
    test -x target/maturin/bin/maturin || { python3 -m venv target/maturin && target/maturin/bin/pip install --quiet "maturin>=1.9,<2"; }
    target/maturin/bin/maturin build --release --out target/wheels
    python3 tests/wheel/run "$(ls -t target/wheels/burnlab-*.whl | head -1)"

# Checks against PyTorch and torchvision (several GB to install), SciPy, onnxruntime, TensorBoard, taplo and, where there is one, Chromium
peers: _python
    {{venv}}/bin/python -c "import torch" 2>/dev/null || bash tests/peers/install {{venv}} --torch
    bash tests/peers/run {{venv}}

# burnlab beside PyTorch on the CPU, into benches/RESULTS.md: just bench --rows a1,resnet-20 --pairs 5; or --quick
bench *OPTIONS:
    cargo build --release
    python3 benches/cpu/run.py {{OPTIONS}}

# On a machine with a GPU: tests, curves and times on it, into benches/GPU.md
gpu DEVICE="cuda:0" FEATURES="cuda":
    cargo build --release --features {{FEATURES}}
    python3 benches/gpu/run.py --device {{DEVICE}} --burnlab target/release/burnlab --tests "$(just _tests {{FEATURES}})"

# Without a GPU: compile the kernels of all layers, losses and optimizers for NVIDIA's architectures
gpu-compile *ARCHITECTURES:
    tests/gpu/compile "$(just _tests cuda)" {{ARCHITECTURES}}

# The program of the unit tests, built with a feature
_tests FEATURES:
    @cargo test --release --lib --no-run --features {{FEATURES}} 2>&1 | tee /dev/stderr | grep -o 'target/release/deps/burnlab-[0-9a-f]*'

# All that CI does
ci:
    bash .ci/run

_python:
    test -x {{venv}}/bin/tensorboard || bash tests/peers/install {{venv}}
