#!/usr/bin/env python3
"""The suite in containers under load, on a real engine: how validations grow with validators, validators
that leave, and every container killed in turn. Nothing accepted may be lost or done twice.

    tests/compose/load_test.py [--keep] [--project NAME] [--port 17001] [--kill-seconds 600]

Uses the project's images of compose_test.py if they are there. Prints what it measured.
"""
import os
import re
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stack import ROOT, StackTest, note, parse_options, run, run_tests  # noqa: E402

SERVICES = ("bus", "orchestrator", "registry", "deployer", "runner", "trainer", "validator",
            "postgres", "redis")
UPGRADED = ("bus", "registry", "orchestrator", "deployer", "trainer", "validator", "runner")
IMAGES = (*UPGRADED, "keys", "cli", "database")
WAIT_S = 180.0
DONE = 4           # valion.v1.TaskState
ROWS = 30000       # of the data that validations take long for
AT_ONCE = 120
SETTLE_S = 4.0     # between a recovery and the next kill
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SUBMIT = "valion --timeout 20s validate prices@1.0.0 --data %s --no-wait"


def sql(stack, query):
    out = stack.compose("exec", "-T", "-e", "PGPASSFILE=/keys/pgpass", "postgres", "psql", "-h",
                        "127.0.0.1", "-U", "postgres", "-qAt", "-F", "\t", "-d", "valion", "-c",
                        query)
    return [line.split("\t") for line in out.splitlines()]


def cpu_seconds(stack, service):
    """Of all containers of a service so far."""
    script = ("cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null ||"
              " awk '/^usage_usec/ {print $2 * 1000}' /sys/fs/cgroup/cpu.stat")
    names = stack.compose("ps", "-q", service).split()
    return sum(int(run(["docker", "exec", name, "sh", "-c", script])) for name in names) / 1e9


class Loader:
    """A container that asks for validations, one after the other, until it is ended."""

    def __init__(self, stack, name, pause):
        self.stack, self.name = stack, f"{stack.project}-{name}"
        script = f"while :; do {SUBMIT % 'houses-test'} || echo refused; sleep {pause}; done"
        stack.compose("run", "-d", "--name", self.name, "--entrypoint", "sh", "cli", "-c", script)

    def end(self):
        """The jobs that were accepted: their ids were printed."""
        run(["docker", "stop", "-t", "1", self.name])
        said = run(["docker", "logs", self.name])
        run(["docker", "rm", "-f", self.name])
        return UUID.findall(said), said.count("refused")


class Load(StackTest):
    """In this order: each test goes on where the one before it ended."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rows = run([sys.executable, os.path.join(ROOT, "scripts", "houses"), "--rows", str(ROWS)])
        with open(os.path.join(cls.folder.name, "many.csv"), "w", encoding="utf-8") as out:
            out.write(rows)
        cls.stack.env["VALIDATOR_CPUS"] = "1"
        cls.stack.compose("--profile", "cli", "build", "-q")
        cls.stack.up()
        valion = cls.stack.valion
        valion("data", "add", "houses", "houses.csv")
        valion("data", "add", "many", "many.csv")
        valion("data", "split", "houses", "--share", "0.8")
        valion("train", "prices", "--data", "houses-train", "--validation", "houses-test",
               "--target", "preco")
        valion("validate", "prices@1.0.0", "--data", "houses-test")
        valion("version", "promote", "prices@1.0.0", "staging")
        valion("deploy", "prices@1.0.0", "--to", "staging")

    # ---- helpers ----

    def wait_ended(self):
        until = time.monotonic() + WAIT_S
        while int(sql(self.stack, "SELECT count(*) FROM pipeline.task WHERE state < 4")[0][0]):
            self.assertLess(time.monotonic(), until, "jobs do not end")
            time.sleep(1)

    def check_jobs(self, accepted):
        """Each is done, and every validation that is done has one report."""
        rows = sql(self.stack, "SELECT encode(id, 'hex'), state, run_outs FROM pipeline.task")
        found = {row[0]: row for row in rows}
        hexes = [each.replace("-", "") for each in accepted]
        self.assertEqual(len(set(hexes)), len(hexes))
        bad = [found.get(each) for each in hexes
               if each not in found or found[each][1] != str(DONE)]
        self.assertEqual(bad, [])
        reports = int(sql(self.stack, "SELECT count(*) FROM registry.report")[0][0])
        done = int(sql(self.stack, "SELECT count(*) FROM pipeline.task WHERE kind = 'validate' "
                                   f"AND state = {DONE}")[0][0])
        self.assertEqual(reports, done)
        return sum(int(found[each][2]) for each in hexes)

    def validate_many(self, count):
        """Asked for while no validator is there; validations a second once they are, and by whom."""
        stack = self.stack
        stack.up("--no-recreate", "--scale", "validator=0")
        script = f"i=0; while [ $i -lt {AT_ONCE} ]; do {SUBMIT % 'many'}; i=$((i + 1)); done"
        said = stack.compose("run", "--rm", "-T", "--entrypoint", "sh", "cli", "-c", script)
        jobs = UUID.findall(said)
        self.assertEqual(len(jobs), AT_ONCE)
        before = {name: cpu_seconds(stack, name) for name in SERVICES if name != "validator"}
        stack.compose("up", "-d", "--no-build", "--no-recreate", "--scale", f"validator={count}")
        self.wait_ended()
        used = {name: cpu_seconds(stack, name) - before.get(name, 0) for name in SERVICES}
        listed = ", ".join(f"'\\x{each.replace('-', '')}'::bytea" for each in jobs)
        times = [float(row[0]) for row in sql(
            stack, f"SELECT extract(epoch FROM finished) FROM pipeline.task WHERE id IN ({listed})"
                   " ORDER BY finished")]
        workers = sql(stack, "SELECT worker_instance, count(*) FROM pipeline.task WHERE id IN "
                             f"({listed}) GROUP BY 1")
        skip = 4 * count  # until all have started and have the model
        return ((len(times) - 1 - skip) / (times[-1] - times[skip]),
                [int(row[1]) for row in workers], used)

    # ---- tests ----

    def test_1_two_validators_do_more_than_one(self):
        one, _, used = self.validate_many(1)
        two, by, _ = self.validate_many(2)
        for name in SERVICES:
            note(f"CPU of {name}, ms a validation of {ROWS} rows",
                 f"{used[name] * 1000 / AT_ONCE:.1f}")
        note("validations a second of one validator of one core, of two",
             f"{one:.2f}, {two:.2f}: {two / one:.2f} times; by {by}")
        self.assertEqual(len(by), 2)

    def test_2_four_of_half_a_core_share_the_work(self):
        self.stack.env["VALIDATOR_CPUS"] = "0.5"
        self.stack.up("--scale", "validator=0")
        rate, by, _ = self.validate_many(4)
        note("four validators of half a core, validations a second", f"{rate:.2f}; by {by}")
        note("most over least", f"{max(by) / min(by):.2f}")
        self.assertEqual(len(by), 4)

    def test_3_validators_leave_under_load(self):
        stack = self.stack
        stack.up("--scale", "validator=4")
        loaders = [Loader(stack, f"load{i}", 0.05) for i in range(2)]
        time.sleep(10)
        stack.up("--no-recreate", "--scale", "validator=1")
        time.sleep(10)
        ended = [loader.end() for loader in loaders]
        self.wait_ended()
        accepted = [each for jobs, _ in ended for each in jobs]
        run_outs = self.check_jobs(accepted)
        note("4 to 1 validators: accepted, refused, leases that ran out",
             f"{len(accepted)}, {sum(refused for _, refused in ended)}, {run_outs}")
        self.assertEqual(run_outs, 0)

    def recover(self, name):
        """Kills a container, starts it again as an operator would, and waits until a validation is
        done and a prediction comes; what it took."""
        stack = self.stack
        container = stack.compose("ps", "-q", name).split()[0]
        began = time.monotonic()
        run(["docker", "kill", container])
        run(["docker", "start", container])
        started = time.monotonic() - began
        until = time.monotonic() + WAIT_S
        probe = ["docker", "exec", self.probe, "valion", "--timeout", "30s", "validate",
                 "prices@1.0.0", "--data", "houses-test"]
        while True:
            self.assertLess(time.monotonic(), until, f"no validation after the end of {name}")
            try:
                run(probe)
                break
            except AssertionError:
                time.sleep(0.1)
        while not stack.predict(stack.port + 31):
            self.assertLess(time.monotonic(), until, f"no prediction after the end of {name}")
            time.sleep(0.1)
        return started, time.monotonic() - began

    def test_4_every_container_is_killed_in_turn(self):
        stack = self.stack
        stack.env["VALIDATOR_CPUS"] = "1"
        stack.up("--scale", "validator=2")
        loaders = [Loader(stack, f"load{i}", 0.2) for i in range(2)]
        self.probe = loaders[0].name
        took = {name: [] for name in SERVICES}
        end = time.monotonic() + self.options.kill_seconds
        while time.monotonic() < end:
            for name in SERVICES:
                took[name].append(self.recover(name))
                time.sleep(SETTLE_S)
        ended = [loader.end() for loader in loaders]
        self.wait_ended()
        accepted = [each for jobs, _ in ended for each in jobs]
        run_outs = self.check_jobs(accepted)
        for name in SERVICES:
            whole = [each[1] for each in took[name]]
            note(f"killed {name}: times, seconds to recover (median, longest), of which the engine",
                 f"{len(whole)}, {statistics.median(whole):.1f}, {max(whole):.1f}, "
                 f"{statistics.median(each[0] for each in took[name]):.1f}")
        note("under kills: accepted, refused, leases that ran out, lost",
             f"{len(accepted)}, {sum(refused for _, refused in ended)}, {run_outs}, 0")
        dense = sql(stack, "SELECT count(*), min(position), max(position) FROM event.log")[0]
        self.assertEqual((dense[0], dense[1]), (dense[2], "1"))

    def test_5_every_image_is_replaced_under_load(self):
        """As an upgrade does it: service after service, old and new beside each other."""
        stack = self.stack
        stack.up("--scale", "validator=2")
        for name in IMAGES:
            run(["docker", "tag", f"{stack.project}/{name}:latest", f"{stack.project}/{name}:next"])
        loaders = [Loader(stack, f"load{i}", 0.2) for i in range(2)]
        stack.env["VALION_TAG"] = "next"
        began = time.monotonic()
        for name in UPGRADED:
            stack.compose("up", "-d", "--no-build", "--no-deps", "--scale",
                          f"{name}={2 if name == 'validator' else 1}", name)
            stack.wait_healthy()
        took = time.monotonic() - began
        time.sleep(5)
        ended = [loader.end() for loader in loaders]
        self.wait_ended()
        accepted = [each for jobs, _ in ended for each in jobs]
        run_outs = self.check_jobs(accepted)
        for name in UPGRADED:
            self.assertEqual(set(stack.inspect(name, "{{.Config.Image}}")),
                             {f"{stack.project}/{name}:next"})
        self.assertTrue(stack.predict(stack.port + 31))
        note("all images replaced: seconds; accepted, refused, leases that ran out, lost",
             f"{took:.0f}; {len(accepted)}, {sum(refused for _, refused in ended)}, {run_outs}, 0")


if __name__ == "__main__":
    run_tests(parse_options(__doc__, lambda parser: parser.add_argument(
        "--kill-seconds", type=float, default=600)))
