"""What NumPy and SciPy make of small tables: the answers that the measures are held to.

    python make.py           writes answers.json: the cases and their answers
    python make.py --check   makes the answers anew and compares them with the committed ones

Numbers of the cases are rounded to 1/1024, which both programs read alike.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy import linalg, spatial, special, stats

ANSWERS = Path(__file__).resolve().parent / "answers.json"
TOLERANCE = 1e-9
rng = np.random.default_rng(0)


def rounded(values):
    return np.round(np.asarray(values) * 1024) / 1024


def table(rows):
    return {"width": rows.shape[1], "values": rows.ravel().tolist()}


def curve(scores, positive):
    """Of all pairs of a positive and a negative case, ties counting half."""
    won = stats.mannwhitneyu(scores[positive], scores[~positive]).statistic
    area = won / (positive.sum() * (~positive).sum())
    return {"scores": scores.tolist(), "positive": positive.tolist(), "area": area}


def log_mean(values):
    return {"values": values.tolist(), "log_mean": special.logsumexp(values) - np.log(len(values))}


def neighbours(rows, labels):
    distances, indices = spatial.KDTree(rows).query(rows, k=11)
    assert (indices[:, 0] == np.arange(len(rows))).all() and np.diff(distances, axis=1).all(), "there are ties"
    indices, distances = indices[:, 1:], distances[:, 1:]
    return {
        "rows": table(rows),
        "labels": labels.tolist(),
        "indices": indices.tolist(),
        "distances": distances.tolist(),
        "precision": (labels[indices] == labels[:, None]).mean(),
    }


def components(rows, count):
    """The largest entry of a direction by size is positive, as with scikit-learn."""
    centred = rows - rows.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:count]
    largest = np.abs(directions).argmax(1)
    directions *= np.sign(directions[np.arange(count), largest])[:, None]
    return {
        "rows": table(rows),
        "variances": rows.var(0, ddof=1)[:3].tolist(),
        "shares": (sizes**2 / (sizes**2).sum())[:count].tolist(),
        "directions": directions.tolist(),
        "first": (centred[0] @ directions.T).tolist(),
    }


def distance(one, other):
    """Heusel et al. 2017, equation 6. The trace of the root of a product of covariances A A' and B B' is
    the sum of the singular values of A' B, which is exact where sqrtm warns of a singular matrix."""
    halves = [(rows - rows.mean(0)).T / np.sqrt(len(rows) - 1) for rows in (one, other)]
    common = linalg.svdvals(halves[0].T @ halves[1]).sum()
    means = ((one.mean(0) - other.mean(0)) ** 2).sum()
    traces = one.var(0, ddof=1).sum() + other.var(0, ddof=1).sum()
    return {"one": table(one), "other": table(other), "distance": means + traces - 2 * common}


def normal(count, width, spread=1.0):
    mix = rng.normal(size=(width, width))
    return rounded(spread * rng.normal(size=(count, width)) @ mix + rng.normal(size=width))


def answers():
    apart = rounded(rng.normal(size=60) + np.repeat([0, 1], 30))
    tied = rounded(rng.integers(0, 6, size=50) / 4)
    unused = normal(50, 4)
    unused[:, 2] = 0.5
    return {
        "curves": [
            curve(apart, np.arange(60) >= 30),
            curve(tied, rng.random(50) < 0.3),
        ],
        "log_means": [log_mean(rounded(rng.normal(-500, spread, size=20))) for spread in (1, 50)],
        "neighbours": [neighbours(normal(40, 3), rng.integers(0, 3, size=40))],
        "components": [components(normal(40, 5), 3), components(normal(20, 60), 4)],
        "distances": [
            distance(normal(50, 4), normal(70, 4, spread=2)),
            distance(normal(60, 4), unused),
        ],
    }


def differences(made, kept, where=""):
    """Every place where two answers differ, and by how much."""
    if isinstance(made, dict) and isinstance(kept, dict) and made.keys() == kept.keys():
        for key in made:
            yield from differences(made[key], kept[key], f"{where}.{key}")
    elif isinstance(made, list) and isinstance(kept, list) and len(made) == len(kept):
        for index, pair in enumerate(zip(made, kept)):
            yield from differences(*pair, f"{where}[{index}]")
    elif isinstance(made, (int, float)) and isinstance(kept, (int, float)):
        yield where, abs(made - kept) / (1 + abs(made))
    else:
        sys.exit(f"error: {ANSWERS.name} holds other cases than this script, at {where}: run it without --check")


def check(made):
    places = list(differences(made, json.loads(ANSWERS.read_text())))
    where, largest = max(places, key=lambda place: place[1])
    if not largest <= TOLERANCE:
        sys.exit(f"error: {ANSWERS.name} differs from SciPy by {largest:.1e} at {where}, allowed {TOLERANCE}")
    print(f"{len(places)} numbers agree, largest difference {largest:.1e}")


def write(made):
    lines = ",\n".join(f"  {json.dumps(kind)}: {json.dumps(cases)}" for kind, cases in made.items())
    ANSWERS.write_text(f"{{\n{lines}\n}}\n")
    print(f"{sum(map(len, made.values()))} cases, {ANSWERS.stat().st_size} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    made = json.loads(json.dumps(answers(), default=float))
    (check if parser.parse_args().check else write)(made)
