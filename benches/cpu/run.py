"""burnlab and PyTorch on the CPU, side by side: the works of `works.py` in turns, medians of pairs, a page of Markdown.

    python3 benches/cpu/run.py [--rows a1,resnet-20] [--pairs 5] [--quick] [--burnlab BINARY] [--python PYTHON]

On Linux. `just bench` builds burnlab and calls it. The page is `benches/RESULTS.md`; of some rows, or of a quick bench,
which shows only that all of it works, `target/bench/RESULTS.md`.
"""

import argparse
import difflib
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from common import ROOT, Failed, Process, doctor, fail, table, told  # noqa: E402
from works import ROWS  # noqa: E402

QUIET = 0.05  # of the machine's processors taken by others; with more, times are not to be believed


class Others:
    """What the machine did beside the bench since this was made."""

    def __init__(self):
        self.start, self.time = self.seconds(), time.perf_counter()

    @staticmethod
    def seconds():
        """Of processors, by others; what a host took for itself (steal) is theirs, too."""
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return busy - sum(usage.ru_utime + usage.ru_stime for usage in usages)

    def share(self):
        """Of all processors of the machine."""
        return max(0.0, (self.seconds() - self.start) / (time.perf_counter() - self.time) / os.cpu_count())


class Bench:
    """What rows need to know, and what they find."""

    def __init__(self, arguments):
        # Not resolved: a virtual environment's Python is a link.
        self.burnlab, self.python = os.path.abspath(arguments.burnlab), os.path.abspath(arguments.python)
        self.scratch = ROOT / "target" / "bench"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.cores = len(os.sched_getaffinity(0))
        self.pair = 0
        self.parameters = {}
        self.torch = {}

    def told(self, usage):
        found = told(usage)
        self.torch = {key: found[key] for key in ("torch", "instructions")}
        return found

    def measure(self, row, pairs):
        """The samples of each program, taken in turns; of a peer that does not work the reason."""
        samples, broken = {program: [] for program in ("burnlab", *row.peers)}, {}
        for self.pair in range(pairs):
            for program in samples:
                if program in broken:
                    continue
                try:
                    samples[program].append(row.measure(self, program))
                except Failed as error:
                    if program == "burnlab":
                        raise
                    print(f"error: {error}", file=sys.stderr)
                    broken[program] = str(error).splitlines()[-1]
        return {program: found for program, found in samples.items() if program not in broken}, broken


def in_seconds(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def median(samples, name):
    values = [getattr(sample, name) for sample in samples]
    return None if None in values else statistics.median(values)


def ratio(samples, program, name="seconds"):
    """The median of the pairs' ratios, burnlab's part of the other program's."""
    pairs = zip(samples["burnlab"], samples.get(program, []))
    ratios = [getattr(ours, name) / getattr(theirs, name) for ours, theirs in pairs]
    return statistics.median(ratios) if ratios else None


def number(value, form):
    return "" if value is None else format(value, form)


def judged(row, samples):
    share = ratio(samples, "PyTorch")
    return "" if row.goal is None or share is None else "yes" if share <= row.goal else "no"


def compared(name, row, samples):
    """A line of the first table."""
    cells = [f"{name}: {row.title}", row.unit, in_seconds(median(samples["burnlab"], "seconds"))]
    for peer in ("PyTorch", "PyTorch, tuned"):
        found = samples.get(peer)
        cells += [in_seconds(median(found, "seconds")) if found else "", number(ratio(samples, peer), ".2f")]
    memory = number(ratio(samples, "PyTorch", "peak"), ".2f")
    return [*cells, number(row.goal, ".2f"), judged(row, samples), memory]


def details(name, samples):
    """The lines of the second table, one a program."""
    for program, found in samples.items():
        times = [sample.seconds for sample in found]
        cells = [name, program, f"{in_seconds(min(times))} - {in_seconds(max(times))}"]
        forms = {"images_per_second": ",.0f", "wall": ".2f", "cpu": ".2f", "train_loss": ".4g", "test_loss": ".4g"}
        texts = {key: number(median(found, key), form) for key, form in forms.items()}
        peak = f"{median(found, 'peak') / 2**20:.0f}"
        yield [*cells, texts["images_per_second"], texts["wall"], texts["cpu"], peak, texts["train_loss"], texts["test_loss"]]


def unlike(row, samples):
    """The programs whose loss is not near burnlab's."""
    ours = median(samples["burnlab"], "train_loss")
    for program, found in samples.items():
        theirs = median(found, "train_loss")
        if theirs and max(ours, theirs) / min(ours, theirs) > 1 + row.near:
            yield f"{program} ends with a training loss of {theirs:.4g}, burnlab with {ours:.4g}"


def page(machine, arguments, measured, failed):
    """All that was found, as Markdown."""
    many = f"median of {arguments.pairs} pairs" if arguments.pairs > 1 else "a single pair"
    parts = [
        "# On the CPU\n\nWritten by `just bench`: burnlab and PyTorch by turns, " + many + ". Ratios are burnlab's part of "
        "PyTorch's, of each pair; the goal is one of time beside PyTorch as a user would write it. \"Tuned\" is "
        "`torch.compile`, channels last and fused optimizers, compiled before what is timed begins.\n",
        "\n".join("    " + line for line in machine) + "\n",
        table(["work", "time of a", "burnlab", "PyTorch", "ratio", "tuned", "ratio", "goal", "met", "memory, ratio"],
              [compared(name, row, samples) for name, row, samples, _ in measured]) + "\n",
        "Least and greatest time; images trained on in a second (of two runs at once together; `inference`: measured); the "
        "whole process, with its start, its tables and the last test; its processor time; its resident memory at the most, "
        "children included; the losses at the end, which are alike where both learn the same: seeds draw other numbers.\n",
        table(["work", "program", "time", "images/s", "process, s", "processors, s", "memory, MiB", "training loss", "test loss"],
              [line for name, _, samples, _ in measured for line in details(name, samples)]) + "\n",
    ]
    notes = [f"- {name}: {text}." for name, row, samples, _ in measured for text in unlike(row, samples)]
    notes += [f"- {name}: {program} does not work here: {reason}" for name, _, _, broken in measured
              for program, reason in broken.items()]
    notes += [f"- {name}: not measured, burnlab failed." for name in failed]
    return "\n".join(parts + (["\n".join(notes) + "\n"] if notes else []))


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout + done.stderr).splitlines()[0]
    except (OSError, IndexError):
        return "unknown"


def machine_of(bench, others, arguments):
    """The machine and all versions, line by line."""
    with open("/proc/cpuinfo") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    lines = doctor(bench.burnlab)
    kernels = next((line for line in lines if line.startswith("cpu")), "cpu unknown").split(None, 1)[1]
    torch = "{torch} ({instructions})".format(**bench.torch) if bench.torch else "not measured"
    found = [
        ("date", time.strftime("%Y-%m-%d")),
        ("machine", f"{names[0] if names else 'unknown'}, {bench.cores} cores"),
        ("burnlab", f"{lines[0]}; {kernels}; {first_line('rustc', '--version')}"),
        ("PyTorch", f"{torch}; {first_line(bench.python, '--version')}"),
        ("beside it", f"others took {others.share():.1%} of the processors" +
         ("" if others.share() <= QUIET else ": provisional, this was not a quiet machine")),
    ]
    if arguments.quick:
        found.append(("sizes", "small ones of `--quick`: not to be compared with any goal"))
    return [f"{key:10} {text}" for key, text in found]


class Parser(argparse.ArgumentParser):
    def error(self, message):
        fail(message.replace("'", "`"), "`--help` lists what there is")


def rows_named(text):
    """The rows that `--rows` names."""
    names = text.split(",") if text else list(ROWS)
    for name in names:
        if name not in ROWS:
            near = difflib.get_close_matches(name, ROWS, 1)
            fail(f"expected a row's name in `--rows`, found `{name}`",
                 f"did you mean `{near[0]}`?" if near else "the rows are " + ", ".join(f"`{row}`" for row in ROWS))
    return list(dict.fromkeys(names))


def checked(arguments):
    """The rows, after a look at all that the bench needs."""
    names = rows_named(arguments.rows)
    if arguments.pairs < 1:
        fail(f"expected at least 1 for `--pairs`, found `{arguments.pairs}`")
    if not os.access(arguments.burnlab, os.X_OK):
        fail(f"there is no program `{arguments.burnlab}`", "`cargo build --release` makes it, and `just bench` calls that")
    if not doctor(arguments.burnlab):
        fail(f"`{arguments.burnlab}` is not burnlab: it has no `doctor`")
    if any(ROWS[name].peers for name in names):
        try:
            done = subprocess.run([arguments.python, "-c", "import torch"], capture_output=True)
        except OSError:
            done = None
        if done is None or done.returncode != 0:
            fail(f"`{arguments.python}` has no PyTorch", "`bash tests/peers/install .venv --torch` installs it (several GB)", 3)
    if arguments.output.is_dir() or not os.access(arguments.output.parent, os.W_OK):
        fail(f"`{arguments.output}` cannot be written")
    return names


def main():
    parser = Parser(description="burnlab beside PyTorch on the CPU", epilog="rows: " + ", ".join(ROWS))
    parser.add_argument("--rows", help="names separated by commas [default: all]")
    parser.add_argument("--pairs", type=int, help="of measurements [default: 5, quick: 1]")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all works")
    parser.add_argument("--burnlab", default=str(ROOT / "target/release/burnlab"), help="the program [default: the release build]")
    parser.add_argument("--python", default=str(ROOT / ".venv/bin/python"), help="a Python with PyTorch [default: .venv's]")
    parser.add_argument("--output", type=Path, help="the page [default: benches/RESULTS.md, of some rows and quick: target/bench/RESULTS.md]")
    arguments = parser.parse_args()
    arguments.pairs = (1 if arguments.quick else 5) if arguments.pairs is None else arguments.pairs
    bench = Bench(arguments)
    folder = bench.scratch if arguments.quick or arguments.rows else ROOT / "benches"
    arguments.output = arguments.output or folder / "RESULTS.md"
    names = checked(arguments)
    measured, failed, others = [], [], Others()
    for name in names:
        row = ROWS[name].smaller() if arguments.quick else ROWS[name]
        start = time.perf_counter()
        try:
            measured.append((name, row, *bench.measure(row, arguments.pairs)))
        except Failed as error:
            print(f"error: {error}", file=sys.stderr)
            failed.append(name)
        # So far: whoever stops it keeps what is done.
        arguments.output.write_text(page(machine_of(bench, others, arguments), arguments, measured, failed))
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    print(arguments.output.read_text())
    sys.exit(4 if failed else 0)


def interrupted(*_):
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, interrupted)
try:
    main()
except KeyboardInterrupt:
    Process.stop_all()
    sys.exit(130)
