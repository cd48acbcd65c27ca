"""Holds every experiment against the schema with an independent validator, and mistakes too.

usage: check.py     (from anywhere; reads schemas/ and experiments/ of the project)
"""
import json
import pathlib
import sys
import tomllib

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[3]
DATA = "[data]\ndataset = 'mnist'\n"


def layers(text):
    return f"{DATA}[model.classifier]\nlayers = [{text}]\n"


MISTAKES = [
    f"{DATA}trian = 3",
    f"{DATA}train = 0",
    "modle = 3",
    "[data]\ndataset = 'minst'",
    layers("{ conv2d = { filters = 4, kernel = 3, strid = 2 } }"),
    layers("{ conv2d = { kernel = 3 } }"),
    layers("{ conv2d = { filters = 0, kernel = 3 } }"),
    layers("{ conv2d = { filters = 4, kernel = 3 }, dropout = { rate = 0.5 } }"),
    layers("{ dropout = { rate = 1.0 } }"),
    layers("{ dense = { units = 'clases' } }"),
    layers("{ dense = { units = 3, activation = 'rleu' } }"),
    layers("'dense'"),
    layers("'flaten'"),
    "[train]\noptimizer = { adm = {} }",
    "[train]\noptimizer = { adam = { learning_rate = -1 } }",
    "[augment]\ncopies = [{ rotate = { degres = 3 } }]",
    "[augment]\nrandom = [{ shift = { x = 'ten' } }]",
    "[data]\ndataset = { folder = { path = 'x', sise = 64 } }",
    "[data]\ndataset = { folder = { path = 'x', labels = 'table.txt' } }",
    "[data]\nscale = 'standardise'",
    "[variants.a.train]\nepoch = 3",
    "[grid]\n'train.epochs' = []",
    "[[expect]]\nclaim = 'x'\nvariant = 'a'\natleast = 3",
]
RIGHT = [
    "[data]\ndataset = { folder = { path = 'x', size = [32, 48], channels = 'gray', background = 1.0, labels = 'a.csv' } }",
    "[data]\nscale = { mean = [0.5, 0.4, 0.3], standard_deviation = 0.25 }",
    "[augment]\nrandom = ['trivial_augment', { one_of = { operations = ['flip', { shift = { x = ['-10%', '10%'] } }] } }]",
    layers("'flatten', 'batch_normalization', { activation = { function = 'relu' } }"),
    layers("{ dense = { units = 3, activation = { elu = { alpha = 2 } } } }"),
    "[variants.a]\nmodel.classifier.layers.deep.filters = 3\ntrain.epochs = 4",
    "extends = 'base.toml'\n[train]\noptimizer = 'adam'",
    "[augment]\ncopies = ['flip', [{ rotate = { degrees = [-3, 3] } }, { zoom = { factor = 0.9 } }]]",
]


def main():
    schema = json.loads((ROOT / "schemas/experiment.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    failures = []
    files = [path for path in sorted((ROOT / "experiments").rglob("*.toml")) if path.name != "burnlab.toml"]
    for path in files:
        for error in validator.iter_errors(tomllib.loads(path.read_text())):
            failures.append(f"{path.relative_to(ROOT)}: {error.json_path}: {error.message[:200]}")
    for text in RIGHT:
        for error in validator.iter_errors(tomllib.loads(text)):
            failures.append(f"refused although right:\n{text}\n{error.json_path}: {error.message[:200]}")
    failures += [f"accepted although wrong:\n{text}" for text in MISTAKES if validator.is_valid(tomllib.loads(text))]
    if not files:
        failures.append("there are no experiments")
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        sys.exit(1)
    print(f"{len(files)} experiments are valid, {len(MISTAKES)} mistakes are found")


main()
