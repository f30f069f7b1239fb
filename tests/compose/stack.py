"""One project of Compose, as the tests on a real engine drive it, and what they have in common."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICES = ("deployer", "orchestrator", "registry", "runner.local", "trainer", "validator")
WAIT_S = 120.0
ROW = {"inputs": [{"name": "rows", "shape": [1, 7], "datatype": "FP64",
                   "data": [150, 3, 2, 10, 1, 8.5, 7]}]}
figures = []


def note(what, value):
    figures.append((what, value))
    print(f"    {what}: {value}", file=sys.stderr)


def run(words, **more):
    """Runs it to its end; its output as text, and what it said if it failed."""
    more = {"text": True, "timeout": 1800, **more}
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout[-3000:]}"
                             f"\n{done.stderr[-3000:]}")
    return done.stdout


class Stack:
    """One project of Compose."""

    def __init__(self, project, port, files):
        self.project, self.port, self.files = project, port, files
        self.env = {**os.environ, "COMPOSE_PROJECT_NAME": project, "VALION_BUS_PORT": str(port),
                    "VALION_PRODUCTION_PORT": str(port + 30), "VALION_STAGING_PORT": str(port + 31),
                    "VALION_PREFIX": project, "POSTGRES_IMAGE": project + "/postgres:17",
                    "REDIS_IMAGE": project + "/redis:8", "VALION_FILES": files}

    def compose(self, *words, **more):
        return run(["docker", "compose", "--env-file", "/dev/null", *words], cwd=ROOT, env=self.env,
                   **more)

    def up(self, *words):
        """Until every service says at a broker that it is ready, each as often as `--scale` says."""
        wanted = {name: 1 for name in SERVICES}
        buses = 1
        for word in words:
            name, _, count = word.partition("=")
            if name in wanted:
                wanted[name] = int(count)
            elif name == "bus":
                buses = int(count)
        began = time.monotonic()
        self.compose("up", "-d", "--no-build", *words)
        self.wait_for({name: count * buses for name, count in wanted.items()})
        return time.monotonic() - began

    def ready(self):
        """How many rows of each service the brokers call ready, as the registry sees them."""
        counts = {}
        try:
            text = self.compose("exec", "-T", "registry", "valion", "-o", "text", "status")
        except AssertionError:
            return counts
        for line in text.splitlines():
            cells = line.split("\t")
            if len(cells) > 3 and cells[2] == "ready":
                counts[cells[1]] = counts.get(cells[1], 0) + 1
        return counts

    def wait_for(self, wanted):
        until = time.monotonic() + WAIT_S
        wanted = {name: count for name, count in wanted.items() if count > 0}
        while self.ready() != wanted:
            if time.monotonic() > until:
                raise AssertionError(f"wanted {wanted}, there is {self.ready()}\n"
                                     + self.compose("ps", "-a"))
            time.sleep(0.2)

    def wait_healthy(self):
        """Until no health check of the engine's is still undecided or bad."""
        until = time.monotonic() + WAIT_S
        while True:
            states = [json.loads(line) for line in
                      self.compose("ps", "--format", "json").splitlines()]
            bad = {state["Name"]: state["Health"] for state in states
                   if state["Health"] not in ("healthy", "")}
            if not bad:
                return len(states)
            if time.monotonic() > until:
                raise AssertionError(f"not healthy: {bad}")
            time.sleep(0.5)

    def valion(self, *words):
        return self.compose("run", "--rm", "-T", "cli", "-o", "text", *words)

    def keys(self, *words, **more):
        return self.compose("run", "--rm", "-T", "keys", *words, **more)

    def predict(self, environment_port):
        """Version and answer; None: nobody answers there."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{environment_port}/v2/models/prices/infer",
            json.dumps(ROW).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                answer = json.loads(reply.read())
        except (urllib.error.URLError, ConnectionError):
            return None
        return answer["model_version"], answer["outputs"][0]["data"]

    def inspect(self, service, form):
        names = self.compose("ps", "-q", service).split()
        return [run(["docker", "inspect", "--format", form, name]).strip() for name in names]


class StackTest(unittest.TestCase):
    """A stack of its own for a class, with the made-up houses to read."""

    options = None
    stack = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="valion-compose-")
        os.chmod(cls.folder.name, 0o755)
        cls.stack = Stack(cls.options.project, cls.options.port, cls.folder.name)
        cls.stack.compose("--profile", "cli", "down", "-v", "--remove-orphans")
        with open(os.path.join(cls.folder.name, "houses.csv"), "w", encoding="utf-8") as out:
            out.write(run([sys.executable, os.path.join(ROOT, "scripts", "houses")]))

    @classmethod
    def tearDownClass(cls):
        if not cls.options.keep:
            cls.stack.compose("--profile", "cli", "down", "-v", "--remove-orphans")
            cls.folder.cleanup()


def parse_options(doc, add_more=None):
    """The command line; what is not ours is unittest's."""
    parser = argparse.ArgumentParser(description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--project", default="valion-test")
    parser.add_argument("--port", type=int, default=17001)
    if add_more:
        add_more(parser)
    StackTest.options, rest = parser.parse_known_args()
    return rest


def run_tests(rest):
    """Those of the main program; prints what was noted, and ends."""
    try:
        result = unittest.main(argv=[sys.argv[0], "--failfast", *rest], exit=False,
                               verbosity=2).result
    finally:
        for what, value in figures:
            print(f"{what:<70} {value}")
    sys.exit(0 if result.wasSuccessful() else 1)
