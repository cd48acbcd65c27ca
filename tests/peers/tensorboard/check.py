#!/usr/bin/env python3
"""Does TensorBoard understand our logs?  check.py LOGDIR

Reads every run under LOGDIR with TensorBoard's own event reader, then starts a real TensorBoard and
asks it for the same things over HTTP. Exit code 1 and the list of failures if anything is missing.
Needs the packages of requirements.txt; knows nothing of how the logs were written.
"""

import io
import json
import logging
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from PIL import Image
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.util import tensor_util

START_SECONDS = 90  # until the server answers and lists every run
SETTLE_SECONDS = 20  # it lists runs before it has read them to the end
REQUEST_SECONDS = 30
LARGEST_SIDE = 20_000  # pixels; more means that something else was read as the size
KEEP_ALL = {"tensors": 0}
PLUGINS = ("scalars", "histograms", "images", "text")


class Failures:
    """Collects what is wrong, so that one call shows all of it."""

    def __init__(self):
        self.texts = []

    def expect(self, holds, text):
        if not holds:
            self.texts.append(text)
        return bool(holds)


# ---- 1. TensorBoard's event reader ---------------------------------------------------------------


def read_runs(logdir):
    """All runs as TensorBoard sees them, points that a resumed file took back already gone."""
    runs = plugin_event_multiplexer.EventMultiplexer(
        tensor_size_guidance={name: 0 for name in PLUGINS + ("hparams",)},
        size_guidance=KEEP_ALL,
    )
    runs.AddRunsFromDirectory(str(logdir))
    runs.Reload()
    return {name: runs.GetAccumulator(name) for name in sorted(runs.Runs())}


def check_run(name, run, failures):
    """Checks one run and returns what it holds, counted."""
    tags = {plugin: plugin_tags(run, plugin) for plugin in PLUGINS}
    hparams = plugin_tags(run, hparams_metadata.PLUGIN_NAME)
    for plugin in PLUGINS:
        failures.expect(tags[plugin], f"{name}: no {plugin}")
    for tag in tags["scalars"]:
        check_steps(f"{name}: scalar `{tag}`", run.Tensors(tag), failures)
    for tag in tags["histograms"]:
        check_steps(f"{name}: histogram `{tag}`", run.Tensors(tag), failures)
        for point in run.Tensors(tag):
            check_buckets(f"{name}: histogram `{tag}`", point, failures)
    pictures = [
        check_picture(f"{name}: image `{tag}`", point, failures)
        for tag in tags["images"]
        for point in run.Tensors(tag)
    ]
    for tag in tags["text"]:
        words = [tensor_util.make_ndarray(p.tensor_proto).item() for p in run.Tensors(tag)]
        failures.expect(words and all(words), f"{name}: text `{tag}` is empty")
    nodes = check_graph(name, run, failures)
    parameters = check_session(name, hparams, failures)
    return {
        "scalars": f"{len(tags['scalars'])} x {points(run, tags['scalars'])}",
        "histograms": f"{len(tags['histograms'])} x {points(run, tags['histograms'])}",
        "images": str(sum(pictures)),
        "texts": str(len(tags["text"])),
        "nodes": str(nodes),
        "hparams": str(parameters),
    }


def plugin_tags(run, plugin):
    try:
        return dict(sorted(run.PluginTagToContent(plugin).items()))
    except KeyError:
        return {}


def points(run, tags):
    return max((len(run.Tensors(tag)) for tag in tags), default=0)


def check_steps(what, found, failures):
    steps = [point.step for point in found]
    failures.expect(steps, f"{what} has no points")
    rises = all(a < b for a, b in zip(steps, steps[1:]))
    failures.expect(rises, f"{what} has steps that do not rise: {steps}")


def check_buckets(what, point, failures):
    buckets = tensor_util.make_ndarray(point.tensor_proto)
    good = buckets.ndim == 2 and buckets.shape[1] == 3
    if failures.expect(good, f"{what} at step {point.step} has shape {buckets.shape}"):
        finite = all(math.isfinite(number) for number in buckets.flatten())
        failures.expect(finite, f"{what} at step {point.step} has edges that are no numbers")
        ordered = (buckets[:, 0] <= buckets[:, 1]).all() and (buckets[:, 2] >= 0).all()
        failures.expect(ordered, f"{what} at step {point.step} has a bucket the wrong way round")


def check_picture(what, point, failures):
    """How many pictures the point holds."""
    width, height, *files = tensor_util.make_ndarray(point.tensor_proto).flatten()
    size = (int(width), int(height))
    failures.expect(files, f"{what} at step {point.step} holds no picture")
    for index, file in enumerate(files):
        found = decode(what, file, failures)
        if index == 0 and found:
            failures.expect(found == size, f"{what} is {found} pixels but announced as {size}")
    return len(files)


def decode(what, file, failures):
    """`(width, height)` of a PNG, or None."""
    try:
        with Image.open(io.BytesIO(file)) as picture:
            picture.load()
            size, form = picture.size, picture.format
    except Exception as error:  # Pillow raises many kinds
        failures.expect(False, f"{what} does not decode: {error}")
        return None
    failures.expect(form == "PNG", f"{what} is {form}, not PNG")
    plausible = all(1 <= side <= LARGEST_SIDE for side in size)
    failures.expect(plausible, f"{what} has an implausible size: {size}")
    return size


def check_graph(name, run, failures):
    """How many nodes the graph has."""
    if not failures.expect(run.Tags()["graph"], f"{name}: no graph"):
        return 0
    nodes = run.Graph().node
    names = [node.name for node in nodes]
    failures.expect(nodes, f"{name}: the graph has no nodes")
    failures.expect(len(names) == len(set(names)), f"{name}: the graph names a node twice")
    for node in nodes:
        for source in node.input:
            source = source.lstrip("^").split(":")[0]
            known = source in names
            failures.expect(known, f"{name}: graph node `{node.name}` reads missing `{source}`")
    return len(nodes)


def check_session(name, contents, failures):
    """How many hyperparameters the run states."""
    start = contents.get(hparams_metadata.SESSION_START_INFO_TAG)
    end = contents.get(hparams_metadata.SESSION_END_INFO_TAG)
    if failures.expect(end is not None, f"{name}: the hparams session has no end"):
        end = hparams_metadata.parse_session_end_info_plugin_data(end)
        failures.expect(end.status, f"{name}: the hparams session ends without a status")
    if not failures.expect(start is not None, f"{name}: the hparams session has no start"):
        return 0
    start = hparams_metadata.parse_session_start_info_plugin_data(start)
    failures.expect(start.hparams, f"{name}: the hparams session states no parameter")
    return len(start.hparams)


def check_files(logdir, failures):
    """Every event file is whole: TensorBoard stops in silence where a record is damaged."""
    for folder, _, names in os.walk(logdir):
        for path in (os.path.join(folder, n) for n in sorted(names) if "tfevents" in n):
            with open(path, "rb") as file:
                written = count_records(file.read())
            read = sum(1 for _ in event_file_loader.RawEventFileLoader(path).Load())
            failures.expect(
                read == written, f"{path}: TensorBoard reads {read} of {written} records"
            )


def count_records(data):
    """Records by their lengths alone; a torn last one counts."""
    at, records = 0, 0
    while at < len(data):
        at += 16 + int.from_bytes(data[at : at + 8], "little")
        records += 1
    return records


# ---- 2. a real TensorBoard over HTTP -------------------------------------------------------------


class Server:
    """A TensorBoard process on a free port, stopped on leaving the `with`."""

    def __init__(self, logdir):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.log = tempfile.TemporaryFile(mode="w+")
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir)]
        command += ["--host", "127.0.0.1", "--port", str(port), "--load_fast=false"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def said(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def wait_for(self, runs):
        """Until every run is loaded; None, or why not."""
        stop = time.monotonic() + START_SECONDS
        missing = "no answer"
        while time.monotonic() < stop:
            if self.process.poll() is not None:
                return f"TensorBoard ended with code {self.process.returncode}:\n{self.said()}"
            try:
                loaded = json.loads(self.get("/data/runs"))
                missing = sorted(set(runs) - set(loaded))
                if not missing:
                    return None
            except (OSError, ValueError) as error:
                missing = error
            time.sleep(0.3)
        return f"TensorBoard did not load every run in {START_SECONDS} s; missing: {missing}"

    def get(self, path, body=None, **query):
        """The body of an answer; urllib raises HTTPError, an OSError, unless it is 200."""
        url = self.base + path + ("?" + urllib.parse.urlencode(query) if query else "")
        request = urllib.request.Request(url)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
            return answer.read()


def ask(server, failures, path, **options):
    """The answer as JSON, or None and a failure."""
    try:
        return json.loads(server.get(path, **options))
    except (OSError, ValueError) as error:
        failures.expect(False, f"GET {path} {options}: {error}")
        return None


def check_pages(server, runs, logdir):
    """The failures of the last try; tries again while the server may still be reading."""
    stop = time.monotonic() + SETTLE_SECONDS
    while True:
        failures = Failures()
        check_pages_once(server, runs, failures)
        for name in runs:
            if os.path.exists(os.path.join(logdir, name, "projector_config.pbtxt")):
                check_served_projector(server, name, failures)
        if not failures.texts or time.monotonic() > stop:
            return failures.texts
        time.sleep(1)


def check_pages_once(server, runs, failures):
    """The pages every run should fill."""
    for name, run in runs.items():
        for plugin in PLUGINS:
            for tag, point in check_series(server, name, run, plugin, failures).items():
                if plugin == "images":
                    check_served_picture(server, name, run, tag, point, failures)
        check_served_graph(server, name, failures)
    check_served_hparams(server, runs, failures)


def check_series(server, name, run, plugin, failures):
    """Asks for each tag of a run; returns the last point of each."""
    listed = ask(server, failures, f"/data/plugin/{plugin}/tags") or {}
    last = {}
    for tag in plugin_tags(run, plugin):
        if not failures.expect(tag in listed.get(name, {}), f"{name}: {plugin} page lacks `{tag}`"):
            continue
        answer = ask(server, failures, f"/data/plugin/{plugin}/{plugin}", run=name, tag=tag)
        if failures.expect(answer, f"{name}: {plugin} page shows nothing for `{tag}`"):
            last[tag] = answer[-1]
            if plugin == "scalars":
                step, wanted = answer[-1][1], run.Tensors(tag)[-1].step
                failures.expect(step == wanted, f"{name}: `{tag}` ends at {step}, not {wanted}")
    return last


def check_served_picture(server, name, run, tag, point, failures):
    what = f"{name}: served image `{tag}`"
    query = urllib.parse.parse_qs(point["query"])
    try:
        file = server.get("/data/plugin/images/individualImage", blob_key=query["blob_key"][0])
    except (OSError, KeyError) as error:
        failures.expect(False, f"{what}: {error}")
        return
    width, height = tensor_util.make_ndarray(run.Tensors(tag)[-1].tensor_proto).flatten()[:2]
    size, wanted = decode(what, file, failures), (int(width), int(height))
    failures.expect(size == wanted, f"{what} is {size}, not {wanted}")


def check_served_graph(server, name, failures):
    info = ask(server, failures, "/data/plugin/graphs/info") or {}
    known = info.get(name, {}).get("run_graph")
    if failures.expect(known, f"{name}: the graphs page has no graph"):
        try:
            text = server.get("/data/plugin/graphs/graph", run=name, conceptual="false")
            failures.expect(b"node {" in text, f"{name}: the served graph has no nodes")
        except OSError as error:
            failures.expect(False, f"{name}: graph: {error}")


def check_served_projector(server, name, failures):
    """Every set of codes with a row, a class and a place in the sprite for each image."""
    path = "/data/plugin/projector/"
    listed = ask(server, failures, path + "runs") or []
    if not failures.expect(name in listed, f"{name}: the projector does not list the run"):
        return
    info = ask(server, failures, path + "info", run=name) or {}
    sets = info.get("embeddings", [])
    failures.expect(sets, f"{name}: the projector has no codes")
    for codes in sets:
        what, tensor = f"{name}: codes `{codes['tensorName']}`", codes["tensorName"]
        rows, features = codes["tensorShape"]
        try:
            values = server.get(path + "tensor", run=name, name=tensor)
            classes = server.get(path + "metadata", run=name, name=tensor).decode().splitlines()
            sprite = server.get(path + "sprite_image", run=name, name=tensor)
        except OSError as error:
            failures.expect(False, f"{what}: {error}")
            continue
        failures.expect(len(values) == 4 * rows * features, f"{what}: {len(values)} bytes")
        failures.expect(len(classes) == rows, f"{what}: {len(classes)} classes for {rows} codes")
        tile, side = codes["sprite"]["singleImageDim"], math.ceil(math.sqrt(rows))
        wanted = (tile[0] * side, tile[1] * side)
        size = decode(what, sprite, failures)
        failures.expect(size == wanted, f"{what}: the sprite is {size}, not {wanted}")


def check_served_hparams(server, runs, failures):
    """One row a run, its parameters and its metrics among the columns."""
    path = "/data/plugin/hparams/"
    experiment = ask(server, failures, path + "experiment", body={"experimentName": ""}) or {}
    columns = {info["name"] for info in experiment.get("hparamInfos", [])}
    metrics = experiment.get("metricInfos", [])
    failures.expect(columns, "the HPARAMS page has no parameter columns")
    failures.expect(metrics, "the HPARAMS page has no metric columns")
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    body = {
        "experimentName": "",
        "allowedStatuses": statuses,
        "colParams": [{"metric": metric["name"]} for metric in metrics],
        "startIndex": 0,
        "sliceSize": 100_000,
    }
    answer = ask(server, failures, path + "session_groups", body=body) or {}
    groups = answer.get("sessionGroups", [])
    rows = {session["name"]: group for group in groups for session in group["sessions"]}
    for name in runs:
        row = rows.get(name)
        if failures.expect(row, f"{name}: no row in the HPARAMS page"):
            unknown = sorted(set(row["hparams"]) - columns)
            failures.expect(not unknown, f"{name}: HPARAMS page has no column for {unknown}")
            failures.expect(row.get("metricValues"), f"{name}: HPARAMS row without metrics")


# ---- the report ----------------------------------------------------------------------------------


def print_table(rows):
    heads = ["run", *next(iter(rows.values()))]
    lines = [heads] + [[name, *row.values()] for name, row in rows.items()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main(arguments):
    if len(arguments) != 1 or not os.path.isdir(arguments[0]):
        print("usage: check.py LOGDIR, an existing directory", file=sys.stderr)
        return 2
    logdir = arguments[0]
    # Its reader warns of points that a resumed file took back, which is what we want of it.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    failures = Failures()
    runs = read_runs(logdir)
    if failures.expect(runs, f"no event files under {logdir}"):
        print_table({name: check_run(name, run, failures) for name, run in runs.items()})
        check_files(logdir, failures)
        with Server(logdir) as server:
            why = server.wait_for(runs)
            if failures.expect(why is None, why):
                failures.texts += check_pages(server, runs, logdir)
    for text in failures.texts:
        print(f"FAILED {text}")
    if failures.texts:
        return 1
    print(f"TensorBoard reads and serves all of {len(runs)} run(s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
