"""What SciPy makes of two variants' numbers: the answers that differences in reports are held to.

    python make.py           writes answers.json: the cases and their answers
    python make.py --check   makes the answers anew and compares them with the committed ones
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy import stats

ANSWERS = Path(__file__).resolve().parent / "answers.json"
TOLERANCE = 1e-9
LEVEL = 0.05
WANTED = 0.8
rng = np.random.default_rng(0)


def numbers(mean, deviation, count):
    return np.round(rng.normal(mean, deviation, count), 6)


def power(effect, seeds):
    """Of the two-sided paired test."""
    freedom, shift = seeds - 1, effect * np.sqrt(seeds)
    critical = stats.t.ppf(1 - LEVEL / 2, freedom)
    return stats.nct.sf(critical, freedom, shift) + stats.nct.cdf(-critical, freedom, shift)


def answer(own, other, test):
    interval = test.confidence_interval(1 - LEVEL)
    case = {"own": own.tolist(), "other": other.tolist(), "p": test.pvalue}
    return case | {"low": interval.low, "high": interval.high}


def paired(own, other):
    test = stats.ttest_rel(own, other)
    more = None
    if test.pvalue >= LEVEL:
        difference = own - other
        effect = abs(difference.mean() / difference.std(ddof=1))
        more = next(more for more in range(1, 10_000) if power(effect, len(own) + more) >= WANTED)
    return answer(own, other, test) | {"more": more}


def independent(own, other):
    return answer(own, other, stats.ttest_ind(own, other, equal_var=False)) | {"more": None}


def cases():
    spreads = [(2, 0.01), (8, 0.002), (3, 0.004), (3, 0.02), (5, 0.01), (10, 0.02), (30, 0.03)]
    return {
        "paired": [paired(numbers(0.91, spread, n), numbers(0.90, spread, n)) for n, spread in spreads],
        "independent": [
            independent(numbers(0.91, 0.01, n), numbers(0.90, 0.02, m)) for n, m in [(2, 2), (3, 5), (10, 4), (30, 30)]
        ],
        "powers": [
            {"effect": effect, "seeds": seeds, "power": power(effect, seeds)}
            for effect, seeds in [(0.5, 2), (3.0, 2), (0.1, 3), (1.0, 3), (2.0, 5), (0.5, 33), (0.5, 34), (0.05, 3000)]
        ],
    }


def leaves(value, at=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{at}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{at}.{index}")
    else:
        yield at, value


def same(one, other):
    if one is None or other is None:
        return one is other
    return abs(one - other) <= TOLERANCE * (1 + abs(other))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    made = json.loads(json.dumps(cases()))
    if not parser.parse_args().check:
        ANSWERS.write_text(json.dumps(made, indent=1) + "\n")
        return
    ours, committed = dict(leaves(made)), dict(leaves(json.loads(ANSWERS.read_text())))
    wrong = [at for at in ours.keys() | committed.keys() if not same(ours.get(at), committed.get(at))]
    if wrong:
        sys.exit(f"these are not SciPy's answers: {sorted(wrong)}")
    print(f"{len(ours)} numbers agree")


if __name__ == "__main__":
    main()
