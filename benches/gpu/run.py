"""All that burnlab claims of a GPU, checked and timed in one call; no network, no Rust toolchain.

    python3 benches/gpu/run.py --burnlab BINARY [--tests TEST_BINARY] [--device cuda:0] [--output FILE]

From the repository's root. Writes a page of Markdown: what the doctor says, the tests on the device, curves beside
the CPU's, seconds an epoch beside PyTorch's, a grid of small runs alone and together.
"""

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from common import Failed, burnlab, doctor, epoch_seconds, table, told, twin  # noqa: E402

WORKS = {
    "lenet": "main job's network, 20,000 digits, batch 100",
    "better-cnn": "batch normalization and dropout, 60,000 digits, batch 100",
    "resnet-20": "ResNet-20, 12,800 images of 3x32x32, batch 128",
    "vae": "fully connected VAE, 60,000 digits, batch 150",
    "gan": "GAN of digits, 10,000 digits, batch 100",
}
# Compared with the CPU's curve: dropout and codes are drawn alike on every device.
CURVES = {"quickstart": [], "lenet": ["--set", "data.train=4000"],
          "vae": ["--set", "data.train=6000", "--set", "train.epochs=2"],
          "resnet-20": ["--set", "data.train=1280", "--set", "train.epochs=2"]}


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.results = Path(arguments.scratch)
        self.results.mkdir(parents=True, exist_ok=True)
        self.page = []

    def say(self, text):
        print(text, flush=True)
        self.page.append(text)

    def run(self, name, device, *options, results=None):
        """Trains; gives the wall time and the rows of epochs.csv."""
        results = results or self.results / re.sub(r"\W+", "-", f"{name}-{device}-{' '.join(options)}")
        start = time.perf_counter()
        try:
            trained = burnlab(self.arguments.burnlab, name, results, "--device", device, *options, limit=self.arguments.limit)
        except Failed as error:
            logs = [path.read_text()[-600:] for path in results.rglob("workers.log")]
            print(f"{name} on {device}: {error} {' '.join(logs)}", file=sys.stderr)
            return time.perf_counter() - start, []
        return trained.usage.wall, trained.epochs

    def tests(self):
        if not self.arguments.tests:
            return
        names = ["layers::", "network::reference", "objective::", "optim::", "backend::", "train::tests"]
        environment = dict(os.environ, BURNLAB_TEST_DEVICE=self.arguments.device)
        start = time.perf_counter()
        done = subprocess.run([self.arguments.tests, "--test-threads", "4", *names], env=environment,
                              capture_output=True, text=True, timeout=500)
        (self.results / "tests.log").write_text(done.stdout + done.stderr)
        failed = re.findall(r"^test (\S+) \.\.\. FAILED", done.stdout, re.M)
        passed = len(re.findall(r"^test \S+ \.\.\. ok", done.stdout, re.M))
        self.say(f"Tests of layers, losses, optimizers, networks against PyTorch and whole runs on the device: {passed} "
                 f"passed, {len(failed)} failed, in {time.perf_counter() - start:.0f} s.\n")
        if failed:
            self.say("".join(f"- failed: `{name}`\n" for name in failed))

    def curves(self):
        rows = []
        for name, options in CURVES.items():
            here = self.run(name, self.arguments.device, *options)[1]
            cpu = self.run(name, "cpu", *options)[1]
            for ours, theirs in zip(here, cpu):
                rows.append([name, ours["seed"], ours["epoch"], theirs["train_loss"], ours["train_loss"],
                             theirs["gradient_norm"], ours["gradient_norm"]])
        self.say("### Curves beside the CPU's\n\n" + table(
            ["work", "seed", "epoch", "loss, CPU", "loss, GPU", "gradient norm, CPU", "gradient norm, GPU"], rows) + "\n")

    def speed(self):
        peers, version = self.peers()
        rows = []
        for name, what in WORKS.items():
            cold, _ = self.run(name, self.arguments.device)
            warm, epochs = self.run(name, self.arguments.device)
            ours = epoch_seconds(epochs)
            rounded = self.run(name, self.arguments.device, "--set", "train.precision=\"tf32\"")[1]
            theirs = peers.get(name, {})
            cell = lambda form: f"{theirs[form]:.3f} ({ours / theirs[form]:.2f})" if form in theirs else ""
            rows.append([what, f"{ours:.3f}", f"{epoch_seconds(rounded):.3f}", cell("eager"), cell("compiled"),
                         cell("graphs"), f"{cold:.1f}", f"{warm:.1f}"])
        self.say(f"### Seconds an epoch, medians of the epochs after the first (PyTorch {version or 'not there'}; "
                 "in brackets burnlab's time in f32 as a share of it; empty: not measured)\n\n" + table(
                     ["work", "burnlab, f32", "burnlab, tf32", "PyTorch eager", "`torch.compile`", "CUDA graphs",
                      "whole run, first time, s", "again, s"], rows) + "\n")

    def peers(self):
        """Seconds an epoch of each work in each form of PyTorch, and its version; what fails or is late is left out."""
        found, version = {}, None
        end = time.perf_counter() + self.arguments.peers_limit
        for form in self.arguments.forms.split(","):
            for name in WORKS:
                left = end - time.perf_counter()
                if name == "gan" or left <= 0:  # its twin is not written
                    continue
                options = ["--device", self.arguments.device, "--form", form]
                try:
                    said = told(twin(sys.executable, name, self.results, *options, limit=left).wait())
                except Failed as error:
                    print(error, file=sys.stderr)
                    continue
                version = said["torch"]
                found.setdefault(name, {})[form] = epoch_seconds(said["runs"][0]["epochs"])
        return found, version

    def repeats(self):
        """Whether two runs of one seed give the same weights, to the last bit."""
        rows = []
        for name in WORKS:
            count = 1280 if name == "resnet-20" else 2000
            digests = set()
            for attempt in ("1", "2"):
                folder = self.results / f"repeat-{name}-{attempt}"
                self.run(name, self.arguments.device, "--set", f"data.train={count}", "--set", "train.epochs=1",
                         results=folder)
                for path in sorted(folder.rglob("weights.safetensors")):
                    digests.add(hashlib.sha256(path.read_bytes()).hexdigest()[:12])
            rows.append([WORKS[name], "yes" if len(digests) == 1 else f"no: {sorted(digests)}"])
        self.say("### The same weights again\n\n" + table(["work", "two runs of a seed are equal to the last bit"], rows) + "\n")

    def grid(self):
        rows = []
        for digits in ("4000", "20000"):
            for jobs in ("1", "4", "8"):
                times = []
                for service in (False, True):
                    with multi_process_service() if service else contextlib.nullcontext(True) as is_there:
                        options = ["--jobs", jobs, "--set", f"data.train={digits}"]
                        seconds, _ = self.run("grid", self.arguments.device, *options) if is_there else (None, [])
                        times.append(f"{seconds:.1f}" if is_there else "")
                rows.append([digits, jobs, *times])
        self.say("### Twelve runs of 5 epochs, seconds in all\n\n" + table(
            ["digits", "workers", "by themselves", "with NVIDIA's multi-process service"], rows) + "\n")


@contextlib.contextmanager
def multi_process_service():
    """Lets processes use an NVIDIA GPU side by side; whether that can be had."""
    control = shutil.which("nvidia-cuda-mps-control", path=os.environ.get("PATH", "") + ":/usr/local/nvidia/bin")
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        before = {name: os.environ.get(name) for name in places}
        os.environ.update(places)
        is_there = bool(control) and subprocess.run([control, "-d"]).returncode == 0
        try:
            yield is_there
        finally:
            if is_there:
                subprocess.run([control], input="quit\n", text=True, timeout=60)
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--burnlab", required=True)
    parser.add_argument("--tests")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--limit", type=float, default=300, help="seconds of one run")
    parser.add_argument("--scratch", default="target/gpu")
    parser.add_argument("--output", default="benches/GPU.md")
    parser.add_argument("--parts", default="tests,curves,repeats,speed,grid")
    parser.add_argument("--forms", default="eager,graphs,compiled", help="of PyTorch")
    parser.add_argument("--peers-limit", type=float, default=400, help="seconds of all of PyTorch")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    bench.say("# On a GPU\n\nMeasured by `just gpu` on " + time.strftime("%Y-%m-%d") + ".\n\n" +
              "\n".join("    " + line for line in doctor(arguments.burnlab)) + "\n")
    for part in arguments.parts.split(","):
        start = time.perf_counter()
        getattr(bench, part)()
        print(f"[{part}: {time.perf_counter() - start:.0f} s]", file=sys.stderr)
        Path(arguments.output).write_text("\n".join(bench.page))


main()
