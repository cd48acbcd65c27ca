"""What the benches of CPU and GPU share: programs run and measured, burnlab's and the twins' numbers, tables in Markdown."""

import csv
import gzip
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORKS = HERE / "works"
TWIN = HERE / "peers" / "twin.py"
DIGITS = ROOT / "data" / "mnist"
# Works on images of 3x32x32, and how many there are.
COLORED, COLORED_IMAGES = ["resnet-20"], {"train": 12800, "t10k": 1000}
# Of works whose file has variants that are not meant.
ONLY = {"resnet-20": ["--only", "full"]}
LOOKS = 0.2  # seconds between two looks at the memory


class Failed(Exception):
    """A program did not do what it was run for."""


@dataclass
class Usage:
    """What a program and its children took."""

    wall: float = 0.0  # seconds
    cpu: float = 0.0  # seconds of processors
    peak: int = 0  # bytes, resident, of all processes together
    code: int = 0
    lines: list = field(default_factory=list)  # (seconds after the start, text) of standard output


class Process:
    """A program at work."""

    at_work = []

    def __init__(self, command, log, limit=None, **environment):
        self.command, self.usage = [str(word) for word in command], Usage()
        self.log = Path(log)
        self.start = time.perf_counter()
        with open(self.log, "w") as errors:
            self.child = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT,
                                          env=dict(os.environ, **environment), start_new_session=True)
        Process.at_work.append(self)
        self.threads = [threading.Thread(target=work) for work in (self._follow, self._weigh)]
        for thread in self.threads:
            thread.start()
        self.timer = threading.Timer(limit, self._stop) if limit else None
        if self.timer:
            self.timer.start()

    def _now(self):
        return time.perf_counter() - self.start

    def _stop(self):
        os.killpg(self.child.pid, signal.SIGKILL)

    @classmethod
    def stop_all(cls):
        """Ends what is at work: it stands in groups of its own, which the terminal's Ctrl-C does not reach."""
        for process in cls.at_work:
            if process.threads[0].is_alive():
                process._stop()

    def _follow(self):
        usage = self.usage
        for line in self.child.stdout:
            usage.lines.append((self._now(), line.rstrip("\n")))
        _, status, resources = os.wait4(self.child.pid, 0)
        usage.wall, usage.cpu = self._now(), resources.ru_utime + resources.ru_stime
        # Of the largest process alone, but exact.
        usage.peak = max(usage.peak, resources.ru_maxrss * 1024)
        self.child.returncode = usage.code = os.waitstatus_to_exitcode(status)

    def _weigh(self):
        while self.threads[0].is_alive():
            self.usage.peak = max(self.usage.peak, resident(self.child.pid))
            self.threads[0].join(LOOKS)

    def wait(self, codes=(0,)):
        """What it took; an error where it ended with another code."""
        for thread in self.threads:
            thread.join()
        Process.at_work.remove(self)
        if self.timer:
            self.timer.cancel()
        if self.usage.code not in codes:
            words = self.log.read_text().strip()[-600:]
            raise Failed(f"`{' '.join(self.command)}` ended with {self.usage.code}: {words}")
        return self.usage


def resident(root):
    """Resident memory of a process and all that it started, bytes; 0 where the system does not tell."""
    parents, pages = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(folder.name)], pages[int(folder.name)] = int(after_name[1]), int(after_name[21])

    def belongs(process):
        while process not in (root, 0):
            process = parents.get(process, 0)
        return process == root

    return sum(pages[process] for process in pages if belongs(process)) * os.sysconf("SC_PAGE_SIZE")


def colored_digits(folder):
    """Makes a folder of digits of 3x32x32 as IDX files, where CIFAR-10 would have to be fetched.

    The first plane is the digit, the second its negative, the third the digit at half its brightness.
    """
    if (folder / "t10k-labels-idx1-ubyte").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    negative, half = bytes(255 - value for value in range(256)), bytes(value // 2 for value in range(256))
    for part, count in COLORED_IMAGES.items():
        pixels = gzip.decompress((DIGITS / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
        labels = gzip.decompress((DIGITS / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
        images = bytearray()
        for start in range(0, count * 784, 784):
            lines = (pixels[line:line + 28] for line in range(start, start + 784, 28))
            plane = bytes(64) + b"".join(b"\0\0" + line + b"\0\0" for line in lines) + bytes(64)
            images += plane + plane.translate(negative) + plane.translate(half)
        sizes = b"".join(size.to_bytes(4, "big") for size in (count, 3, 32, 32))
        (folder / f"{part}-images-idx4-ubyte").write_bytes(b"\0\0\x08\x04" + sizes + images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + count.to_bytes(4, "big") + labels[:count])
    return folder


def data_of(work, scratch):
    """The folder of IDX files that burnlab and its twin both train on."""
    return colored_digits(Path(scratch).resolve() / "colored-digits") if work in COLORED else DIGITS


def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(file))


@dataclass
class Trained:
    """What burnlab left of an experiment: its tables, of runs that are done, and what the process took."""

    usage: Usage
    epochs: list
    summary: list


def burnlab(program, work, results, *options, limit=None):
    """Trains a work, or an experiment of `experiments`, anew. A claim that does not hold (5) is no matter here."""
    file = WORKS / f"{work}.toml"
    file = file if file.exists() else ROOT / "experiments" / f"{work}.toml"
    results = Path(results)
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    command = [program, "run", file, "--results", results, "--fresh", *ONLY.get(work, []), *options]
    if work in COLORED:
        command += ["--set", f'data.dataset={{ idx = "{data_of(work, results.parent)}" }}']
    command += [] if "--json" in options else ["--quiet"]
    usage = Process(command, results / "log", limit).wait((0, 5))
    folder = results / work
    done = [row for row in rows_of(folder / "summary.csv") if row["status"] == "done"]
    return Trained(usage, rows_of(folder / "epochs.csv"), done)


def twin(python, work, scratch, *options, limit=None):
    """Starts the work's twin in PyTorch."""
    scratch = Path(scratch)
    log = scratch / re.sub(r"\W+", "-", f"twin-{work}-{' '.join(map(str, options[-2:]))}.log")
    command = [python, TWIN, work, "--data", data_of(work, scratch), *options]
    return Process(command, log, limit, TORCHINDUCTOR_CACHE_DIR=str(scratch / "compiled"))


def told(usage):
    """What a twin says at its end."""
    return json.loads(usage.lines[-1][1])


def epoch_seconds(epochs):
    """The median of the epochs after the first, of a single one its own."""
    seconds = [float(row["seconds"]) for row in epochs]
    return statistics.median(seconds[1:] or seconds) if seconds else float("nan")


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def doctor(program):
    """What burnlab says of itself and of devices, line by line."""
    text = subprocess.run([program, "doctor"], capture_output=True, text=True).stdout
    return [line for line in text.splitlines() if re.match(r"burnlab|cores|cpu|cuda|vulkan", line)]


def fail(message, hint=None, code=2):
    """Ends the program in the manner of burnlab's own errors."""
    print(f"error: {message}" + (f"\nhint: {hint}" if hint else ""), file=sys.stderr)
    sys.exit(code)
