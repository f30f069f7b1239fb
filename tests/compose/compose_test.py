#!/usr/bin/env python3
"""The suite in containers, on a real engine: from nothing to a served prediction, scaled up and down,
ended and started again with all still there. Prints what it took.

    tests/compose/compose_test.py [--keep] [--project NAME] [--port 17001]

Needs `docker` with Compose 2.26 or later and an engine (DOCKER_HOST names one), and the base image or
a way to it. Uses a project, images and ports of its own, and deletes the project's containers and
volumes before and after; --keep leaves it running. Images stay: the next run builds nothing.
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stack import (ROOT, SERVICES, WAIT_S, StackTest, note, parse_options, run,  # noqa: E402
                   run_tests)


class Compose(StackTest):
    """In this order: each test goes on where the one before it ended."""

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

    def test_8b_comes_back_from_a_backup(self):
        stack = self.stack
        before = stack.valion("report", "list", "prices")
        began = time.monotonic()
        archive = stack.compose("run", "--rm", "-T", "backup", "make", text=False)
        note("seconds for a backup, MiB", f"{time.monotonic() - began:.1f}, "
                                          f"{len(archive) / 2**20:.1f}")
        with self.assertRaisesRegex(AssertionError, "stored here already"):
            stack.compose("run", "--rm", "-T", "backup", "restore", input=archive, text=False)
        stack.compose("down", "-v")
        damaged = bytearray(archive)
        damaged[len(damaged) // 2] ^= 1
        with self.assertRaisesRegex(AssertionError, "not what was written|no such archive|tar: "):
            stack.compose("run", "--rm", "-T", "backup", "restore", input=bytes(damaged), text=False)
        began = time.monotonic()
        stack.compose("run", "--rm", "-T", "backup", "restore", input=archive, text=False)
        stack.up()
        note("seconds to restore and be ready", f"{time.monotonic() - began:.1f}")
        self.assertEqual(stack.valion("report", "list", "prices"), before)
        self.assertEqual(self.wait_for_answer(), ("1.0.0", self.answer))
        said = stack.compose(
            "run", "--rm", "-T", "--entrypoint", "sh", "cli", "-c",
            "valion event export --file /tmp/log && valion audit verify --export /tmp/log")
        self.assertIn("good", said)

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


if __name__ == "__main__":
    run_tests(parse_options(__doc__))
