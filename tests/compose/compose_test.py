#!/usr/bin/env python3
"""The suite in containers, on a real engine: from nothing to a served prediction, scaled up and down,
ended and started again with all still there. Prints what it took.

    tests/compose/compose_test.py [--keep] [--project NAME] [--port 17001]

Needs `docker` with Compose 2.26 or later and an engine (DOCKER_HOST names one), and the base image or
a way to it. Uses a project, images and ports of its own, and deletes the project's containers and
volumes before and after; --keep leaves it running. Images stay: the next run builds nothing.
"""
import argparse
import json
import os
import re
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
options = None
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


class Compose(unittest.TestCase):
    """In this order: each test goes on where the one before it ended."""

    stack = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="valion-compose-")
        os.chmod(cls.folder.name, 0o755)
        cls.stack = Stack(options.project, options.port, cls.folder.name)
        cls.stack.compose("--profile", "cli", "down", "-v", "--remove-orphans")
        with open(os.path.join(cls.folder.name, "houses.csv"), "w", encoding="utf-8") as out:
            out.write(run([sys.executable, os.path.join(ROOT, "scripts", "houses")]))

    @classmethod
    def tearDownClass(cls):
        if not options.keep:
            cls.stack.compose("--profile", "cli", "down", "-v", "--remove-orphans")
            cls.folder.cleanup()

    def test_0_lists_every_knob_with_its_default(self):
        with open(os.path.join(ROOT, "compose.yaml"), encoding="utf-8") as file:
            used = set(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", file.read()))
        with open(os.path.join(ROOT, ".env.example"), encoding="utf-8") as file:
            told = {tuple(line.strip().split("=", 1)) for line in file
                    if re.match("[A-Z]", line)}
        self.assertEqual(told - {("COMPOSE_PROJECT_NAME", "valion")}, used)

    def test_0_labels_images_with_the_version(self):
        with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
            version = re.search(r"project\(valion VERSION (\S+)", file.read()).group(1)
        with open(os.path.join(ROOT, "deploy", "docker", "Dockerfile"), encoding="utf-8") as file:
            self.assertIn(f"\nARG VERSION={version}\n", file.read())

    def test_1_comes_up_from_nothing(self):
        began = time.monotonic()
        self.stack.compose("--profile", "cli", "build", "-q")
        note("seconds to build, as far as it was not built before",
             f"{time.monotonic() - began:.1f}")
        began = time.monotonic()
        note("seconds from `up` on empty volumes to all ready", f"{self.stack.up():.1f}")
        count = self.stack.wait_healthy()
        note("seconds from `up` to all healthy for the engine, containers",
             f"{time.monotonic() - began:.1f}, {count}")

    def test_2_confines_each_container(self):
        for service in ("bus", "registry", "orchestrator", "deployer", "trainer", "validator",
                        "runner", "postgres", "redis"):
            with self.subTest(service=service):
                status = self.stack.compose("exec", "-T", service, "cat", "/proc/1/status")
                said = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
                self.assertEqual(said["Uid"].split()[0], "10001")
                self.assertEqual(int(said["CapEff"], 16) | int(said["CapBnd"], 16), 0)
                self.assertEqual(said["NoNewPrivs"], "1")
                self.assertEqual(self.stack.inspect(service, "{{.HostConfig.ReadonlyRootfs}}"),
                                 ["true"])
                secrets = self.stack.compose("exec", "-T", service, "sh", "-c",
                                             "ls /keys/secret 2>/dev/null || true").split()
                own = {"bus": {"bus.key_secret", "probe.key_secret"},
                       "registry": {"registry.key_secret", "audit.key"},
                       "orchestrator": {"orchestrator.key_secret", "ticket.key"},
                       "postgres": set(), "redis": set()}
                self.assertEqual(set(secrets), own.get(service, {service + ".key_secret"}))

    def test_3_does_the_main_job(self):
        valion = self.stack.valion
        valion("data", "add", "houses", "houses.csv")
        valion("data", "split", "houses", "--share", "0.8")
        began = time.monotonic()
        valion("train", "prices", "--data", "houses-train", "--validation", "houses-test",
               "--target", "preco")
        report = valion("validate", "prices@1.0.0", "--data", "houses-test",
                        "--reference", "houses-train")
        self.assertIn("verdict", report)
        valion("version", "promote", "prices@1.0.0", "staging")
        valion("deploy", "prices@1.0.0", "--to", "staging")
        note("seconds to train, validate, promote and deploy", f"{time.monotonic() - began:.1f}")
        version, answer = self.stack.predict(self.stack.port + 31)
        self.assertEqual(version, "1.0.0")
        type(self).answer = answer

    def test_3_serves_on_while_the_runner_and_haproxy_are_killed(self):
        kill = ("exec", "-T", "runner", "s6-svc", "-k")
        self.stack.compose(*kill, "/run/valion/s6/runner")
        self.assertEqual(self.stack.predict(self.stack.port + 31), ("1.0.0", self.answer))
        self.stack.wait_for({name: 1 for name in SERVICES})
        self.stack.compose(*kill, "/run/valion/s6/haproxy")
        self.assertEqual(self.wait_for_answer(), ("1.0.0", self.answer))

    def test_4_scales_validators_up_and_down(self):
        stack = self.stack
        note("seconds to scale validators from 1 to 3",
             f"{stack.up('--no-recreate', '--scale', 'validator=3'):.1f}")
        self.assertEqual(len(stack.inspect("validator", "{{.Id}}")), 3)
        stack.wait_healthy()
        for _ in range(3):
            stack.valion("validate", "prices@1.0.0", "--data", "houses-test")
        note("seconds back to 1", f"{stack.up('--no-recreate', '--scale', 'validator=1'):.1f}")

    def test_5_scales_every_other_service(self):
        two = [word for name in ("registry", "orchestrator", "deployer", "trainer")
               for word in ("--scale", name + "=2")]
        note("seconds to two of registry, orchestrator, deployer and trainer",
             f"{self.stack.up('--no-recreate', *two):.1f}")
        self.stack.wait_healthy()
        self.stack.valion("validate", "prices@1.0.0", "--data", "houses-test")
        self.stack.up("--no-recreate")

    def test_6_gives_a_client_a_key_and_takes_it_away(self):
        stack = self.stack
        stack.keys("new", "ann", "--roles", "viewer")
        archive = stack.keys("export", "ann", text=False)
        folder = os.path.join(self.folder.name, "ann")
        os.mkdir(folder)
        run(["tar", "-x", "-C", folder], input=archive, text=False)
        outside = ["docker", "run", "--rm", "--network", "host", "-v", folder + ":/keys:ro",
                   stack.project + "/cli", "--bus", f"127.0.0.1:{stack.port}", "--as", "ann"]
        time.sleep(1.5)  # a bus knows a new key within a second
        self.assertIn('you are "ann"', run([*outside, "status"]))
        self.assertIn("prices", stack.valion("--as", "ann", "model", "list"))
        stack.keys("revoke", "ann")
        time.sleep(1.5)
        self.assertNotEqual(subprocess.run([*outside, "--timeout", "2s", "ping"], check=False,
                                           capture_output=True, timeout=60).returncode, 0)

    def test_7_asks_for_passwords(self):
        said = subprocess.run(
            ["docker", "compose", "--env-file", "/dev/null", "exec", "-T", "postgres", "psql", "-w",
             "-h", "127.0.0.1", "-U", "valion_registry", "valion", "-c", "SELECT 1"],
            cwd=ROOT, env=self.stack.env, capture_output=True, text=True, timeout=60, check=False)
        self.assertIn("no password supplied", said.stderr)
        self.assertIn("NOAUTH", self.stack.compose("exec", "-T", "redis", "redis-cli", "ping"))

    def test_8_is_all_there_after_down_and_up(self):
        stack = self.stack
        before = stack.valion("report", "list", "prices")
        began = time.monotonic()
        stack.compose("down")
        note("seconds for `down`", f"{time.monotonic() - began:.1f}")
        self.assertIsNone(stack.predict(stack.port + 31))
        note("seconds from `up` on kept volumes to all ready", f"{stack.up():.1f}")
        self.assertEqual(stack.valion("report", "list", "prices"), before)
        self.assertEqual(self.wait_for_answer(), ("1.0.0", self.answer))

    def wait_for_answer(self):
        until = time.monotonic() + WAIT_S
        answer = self.stack.predict(self.stack.port + 31)
        while answer is None and time.monotonic() < until:
            time.sleep(0.1)
            answer = self.stack.predict(self.stack.port + 31)
        return answer

    def test_9_runs_two_buses(self):
        stack = self.stack
        stack.env["VALION_BUS_PORT"] = f"{stack.port}-{stack.port + 1}"
        note("seconds to two buses, each service at both", f"{stack.up('--no-recreate', '--scale', 'bus=2'):.1f}")
        stack.wait_healthy()
        first = stack.compose("ps", "-q", "bus").split()[0]
        run(["docker", "stop", "-t", "1", first])
        stack.valion("validate", "prices@1.0.0", "--data", "houses-test")

    def test_a_prints_what_it_takes(self):
        images = run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}"])
        for line in sorted(images.splitlines()):
            if line.startswith(self.stack.project + "/"):
                note("image", line.removeprefix(self.stack.project + "/"))
        used = run(["docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}"])
        for line in sorted(used.splitlines()):
            if line.startswith(self.stack.project + "-"):
                note("memory", line.removeprefix(self.stack.project + "-"))


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--project", default="valion-test")
    parser.add_argument("--port", type=int, default=17001)
    options, rest = parser.parse_known_args()
    try:
        result = unittest.main(argv=[sys.argv[0], "--failfast", *rest], exit=False,
                               verbosity=2).result
    finally:
        for what, value in figures:
            print(f"{what:<70} {value}")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
