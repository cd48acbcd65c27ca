"""The works of `just bench`: one entry a row of the page."""

import statistics
from dataclasses import dataclass, replace

from common import ROOT, Failed, Process, burnlab, epoch_seconds, twin

# What burnlab is compared with: name on the page and the twin's form.
PEERS = {"PyTorch": "eager", "PyTorch, tuned": "tuned"}


@dataclass
class Sample:
    """What one program took for a work once."""

    seconds: float  # of the row's unit
    wall: float  # of the whole process, and what follows
    cpu: float
    peak: int
    images_per_second: float | None = None
    train_loss: float | None = None
    test_loss: float | None = None


@dataclass
class Row:
    """A training of a work by burnlab and its twin, with the same images, sizes and threads."""

    title: str
    work: str
    unit: str  # run, epoch or step
    batch: int
    images: int
    epochs: int
    quick: tuple  # images, epochs
    goal: float | None = None  # of PyTorch's time
    runs: int = 1  # at once, with an equal share of the cores
    test_every_epoch: bool = False
    near: float = 0.1  # share by which the losses of both may differ

    def smaller(self):
        return replace(self, images=self.quick[0], epochs=self.quick[1])

    peers = tuple(PEERS)

    def seeds(self, bench):
        """Others in every pair: what is learned hangs on them, what it takes does not."""
        return [bench.pair * self.runs + number for number in range(self.runs)]

    def burnlab(self, bench, *options):
        """The files of one run of the experiment, and what it took."""
        sizes = [f"data.train={self.images}", f"train.epochs={self.epochs}", f"train.seeds={self.seeds(bench)}"]
        if self.test_every_epoch:
            sizes.append('record.test="every_epoch"')
        options = [*options, *(word for size in sizes for word in ("--set", size))]
        return burnlab(bench.burnlab, self.work, bench.scratch / self.work, *options)

    def twins(self, bench, form):
        """One process for each run, all at once."""
        options = ["--form", form, "--images", self.images, "--epochs", self.epochs,
                   "--threads", max(1, bench.cores // self.runs)]
        options += ["--test-every-epoch"] if self.test_every_epoch else []
        return [twin(bench.python, self.work, bench.scratch, *options, "--seeds", seed) for seed in self.seeds(bench)]

    def seconds_of(self, epochs):
        """Of the row's unit, from the epochs of one run."""
        if self.unit == "run":
            return sum(float(epoch["seconds"]) for epoch in epochs)
        share = self.batch / self.images if self.unit == "step" else 1
        return epoch_seconds(epochs) * share

    def sample(self, runs, usages, test_loss):
        """Of the epochs of all runs and what their processes took."""
        seconds = statistics.mean(self.seconds_of(epochs) for epochs in runs)
        whole = statistics.mean(sum(float(epoch["seconds"]) for epoch in epochs) for epochs in runs)
        return Sample(
            seconds, max(usage.wall for usage in usages), sum(usage.cpu for usage in usages),
            sum(usage.peak for usage in usages), self.images * self.epochs * self.runs / whole,
            statistics.mean(float(epochs[-1]["train_loss"]) for epochs in runs), test_loss)

    def of_burnlab(self, bench):
        trained = self.burnlab(bench)
        bench.parameters[self.work] = int(trained.summary[0]["parameters"])
        seeds = sorted({row["seed"] for row in trained.epochs})
        runs = [[row for row in trained.epochs if row["seed"] == seed] for seed in seeds]
        return self.sample(runs, [trained.usage], statistics.mean(float(row["test_loss"]) for row in trained.summary))

    def of_peer(self, bench, peer):
        usages = [process.wait() for process in self.twins(bench, PEERS[peer])]
        runs = [run for usage in usages for run in bench.told(usage)["runs"]]
        for run in runs:
            if run["parameters"] != bench.parameters.get(self.work, run["parameters"]):
                raise Failed(f"`{self.work}` has {bench.parameters[self.work]} parameters in burnlab, "
                             f"{run['parameters']} in PyTorch")
        test_loss = statistics.mean(run["test_loss"] for run in runs)
        return self.sample([run["epochs"] for run in runs], usages, test_loss)

    def measure(self, bench, program):
        return self.of_burnlab(bench) if program == "burnlab" else self.of_peer(bench, program)


class Grid(Row):
    """A grid of variants and seeds by `burnlab run`; by a script with a loop in one process with all cores."""

    batches, of_each = (50, 100, 150, 200), (0, 1, 2)  # batch sizes, seeds
    peers = ("PyTorch",)

    def of_burnlab(self, bench):
        sizes = [f"data.train={self.images}", f"train.epochs={self.epochs}"]
        options = [word for size in sizes for word in ("--set", size)]
        trained = burnlab(bench.burnlab, self.work, bench.scratch / self.work, *options)
        last = [float(row["train_loss"]) for row in trained.summary]
        tests = [float(row["test_loss"]) for row in trained.summary]
        return self.whole(trained.usage, last, tests)

    def of_peer(self, bench, peer):
        listed = lambda values: ",".join(map(str, values))
        usage = twin(bench.python, "lenet", bench.scratch, "--form", PEERS[peer], "--images", self.images,
                     "--epochs", self.epochs, "--threads", bench.cores, "--batches", listed(self.batches),
                     "--seeds", listed(self.of_each)).wait()
        runs = bench.told(usage)["runs"]
        return self.whole(usage, [run["epochs"][-1]["train_loss"] for run in runs], [run["test_loss"] for run in runs])

    def whole(self, usage, last, tests):
        runs = len(self.batches) * len(self.of_each)
        if len(last) != runs:
            raise Failed(f"expected {runs} runs of `{self.work}`, found {len(last)}")
        rate = self.images * self.epochs * runs / usage.wall
        return Sample(usage.wall, usage.wall, usage.cpu, usage.peak, rate, statistics.mean(last), statistics.mean(tests))


class FirstStep(Row):
    """From the start of the program to the end of the first step; burnlab has written its row of the table by then."""

    peers = ("PyTorch",)

    def of_burnlab(self, bench):
        trained = self.burnlab(bench, "--json")
        return self.until(trained.usage, '"event":{"epoch"')

    def of_peer(self, bench, peer):
        return self.until(self.twins(bench, PEERS[peer])[0].wait(), "first step")

    def until(self, usage, words):
        for seconds, line in usage.lines:
            if words in line:
                return Sample(seconds, usage.wall, usage.cpu, usage.peak)
        raise Failed(f"`{words}` is not in what was printed")


class Inference(Row):
    """All test images: what an epoch takes beside its training."""

    def sample(self, runs, usages, test_loss):
        sample = super().sample(runs, usages, test_loss)
        return replace(sample, images_per_second=10_000 / sample.seconds)

    def seconds_of(self, epochs):
        measuring = [float(epoch["seconds"]) - self.images / float(epoch["images_per_second"]) for epoch in epochs]
        return statistics.median(measuring[1:] or measuring)


class Planned(Row):
    """A file of 10,000 runs, checked or planned; nothing is trained, and PyTorch has nothing like it."""

    peers = ()

    def of_burnlab(self, bench):
        file = bench.scratch / "many.toml"
        rates, seeds = [round(1e-4 * (1 + step), 6) for step in range(self.images // 100)], list(range(100))
        file.write_text(f'title = "Many runs"\nextends = "{ROOT}/benches/works/lenet.toml"\n[train]\nseeds = {seeds}\n'
                        f'[grid]\n"train.optimizer.adam.learning_rate" = {rates}\n')
        command = {"check": ["check", file], "plan": ["run", file, "--dry-run", "--results", bench.scratch / "many"]}
        usage = Process([bench.burnlab, *command[self.unit]], bench.scratch / "many.log").wait()
        return Sample(usage.wall, usage.wall, usage.cpu, usage.peak)


# By the names that `--rows` takes, in the order of the page. The goals are shares of PyTorch's time.
ROWS = {
    "a1": Row("main job's network, 4,000 digits x 10 epochs, two runs at once with a thread each", "lenet", "run",
              100, 4000, 10, (500, 2), goal=0.78, runs=2),
    "a1-alone": Row("the same, one run with all threads", "lenet", "epoch", 100, 4000, 3, (500, 2)),
    "resnet-20": Row("ResNet-20, 3x32x32, batch 128", "resnet-20", "step", 128, 640, 3, (256, 2), goal=0.85),
    # A few steps from a start that is another with every seed: burnlab's own seeds differ by a factor of two.
    "d1": Row("convolutional auto-encoder, batch 1024, 55,000 digits", "conv-autoencoder", "epoch",
              1024, 55000, 1, (2048, 2), goal=0.1, near=1.0),
    "a5": Row("fully connected VAE, batch 150, 60,000 digits", "vae", "epoch", 150, 60000, 2, (3000, 2), goal=0.65),
    "c1": Row("tied denoising auto-encoder, batch 128, 54,912 digits and the test set", "tied-denoising", "epoch",
              128, 54912, 2, (5120, 2), goal=0.85),
    "e1": Row("auto-encoder of two numbers, 2,500 steps of 50", "two-numbers", "run", 50, 25000, 5, (5000, 2), goal=0.4),
    "a4": Row("batch normalization and dropout, batch 100, 60,000 digits", "better-cnn", "epoch",
              100, 60000, 1, (500, 2)),
    "grid": Grid("grid of 4 variants x 3 seeds, 4,000 digits; a script in sequence", "grid", "grid", 100, 4000, 1, (500, 1),
                 goal=0.6),
    "first-step": FirstStep("from the start of the program to the end of the first step, main job's network", "lenet",
                            "start", 100, 100, 1, (100, 1)),
    "inference": Inference("10,000 test images, main job's network", "lenet", "test set", 100, 1000, 3, (500, 2),
                           test_every_epoch=True),
    "check": Planned("`check` of 10,000 runs", "many", "check", 0, 10000, 0, (1000, 0)),
    "plan": Planned("`run --dry-run` of 10,000 runs", "many", "plan", 0, 10000, 0, (1000, 0)),
}
