"""The suite that the tests of services share, who calls it, and what a test of it can ask."""
import argparse
import os
import subprocess
import sys
import time
import unittest

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path.insert(0, args.python)

from services_support import (Principal, Worker, state_of, wait_until,  # noqa: E402
                              what_logs_say)
from suite_support import Suite  # noqa: E402
from valion.v1 import event_pb2  # noqa: E402

MAX_READY = 700  # tasks that may wait in the orchestrator that the tests start
LEASE_S = 15
SILENT_KIND = "test.silent"  # leased when the tests begin, and never heard of again
PEOPLE = {"alice": "publisher", "bob": "publisher", "vera": "viewer", "olga": "operator"}
WORKERS = ("will", "wanda")  # may lease test.*

suite = Suite(args.root, args.bin, args.var, 25001)
people = {}
silent = {}


def start():
    """A suite of its own, everybody connected, one lease that nobody will keep alive."""
    os.environ["VALION_MAX_READY"] = str(MAX_READY)
    suite.remove()
    suite.up()
    for name, roles in PEOPLE.items():
        keys_new(name, "--roles", roles)
    for name in WORKERS:
        keys_new(name, "--roles", "worker", "--kinds", "test.*")
    for name in [*PEOPLE, "admin"]:
        people[name] = connect(Principal, name)
    for name in WORKERS:
        people[name] = connect(Worker, name)
    people["alice"].get("CreateModel", {"name": "honest"})
    silent["job"] = submit(SILENT_KIND)
    silent["lease"] = people["will"].lease_one(SILENT_KIND)
    silent["since"] = time.monotonic()


def stop():
    """Lines of the services' logs that must not be there; what is left goes if there are none."""
    for each in people.values():
        each.close()
    suite.down()
    bad = what_logs_say(suite.folder, ("Sanitizer", "runtime error", "valion: a bug", "INTERNAL"))
    if not bad:
        suite.remove()
    return bad


def keys_new(name, *options):
    done = suite.cli("keys", "new", name, *options)
    assert done.returncode == 0, done.stderr


def connect(kind, name):
    """Brokers read the folder of keys each second, and a refused key is not tried again."""
    def answered():
        made = kind(suite, name)
        made.socket.send_multipart([made.header("Ping"), b""])
        if made.socket.poll(300):
            made.socket.recv_multipart()
            return made
        made.close()
        return None
    return wait_until(answered, f"{name} is known to the bus")


def submit(kind, by="alice", **fields):
    """The job's id."""
    return people[by].get("SubmitJob", {"kind": kind, **fields}).job_id


def job(job_id, **fields):
    return people["vera"].get("GetJob", {"job_id": job_id, **fields}).job


def wait_for_state(job_id, name, seconds=20.0):
    return wait_until(lambda: (found := job(job_id)) and state_of(found) == name and found,
                      f"the job is {name}", seconds)


def read_events(**fields):
    return people["vera"].get("ReadEvents", {"limit": 1000, **fields})


def facts_of(event):
    payload = event_pb2.EventPayload.FromString(event.payload)
    return {fact.key: fact.value for fact in payload.facts}


def wait_for_event(subject, kind):
    def found():
        events = [each for each in read_events(subject=subject).events if each.type == kind]
        return events[-1] if events else None
    return wait_until(found, f"the event {kind} of {subject}")


class TableLock:
    """Nobody else reads or writes the table meanwhile."""

    def __init__(self, table):
        self.table = table

    def __enter__(self):
        self.psql = subprocess.Popen(suite.psql_words(), stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.psql.stdin.write(f"BEGIN; LOCK TABLE {self.table}; SELECT 'locked';\n")
        self.psql.stdin.flush()
        assert self.psql.stdout.readline() == "locked\n"
        return self

    def waiting(self):
        return suite.number("SELECT count(*) FROM pg_locks WHERE NOT granted"
                            f" AND relation = '{self.table}'::regclass")

    def __exit__(self, *reason):
        self.psql.communicate("ROLLBACK;\n", timeout=20)


class ServicesTest(unittest.TestCase):
    """After each test somebody honest is served."""

    def setUp(self):
        self.alice, self.bob, self.vera = people["alice"], people["bob"], people["vera"]
        self.olga, self.will, self.wanda = people["olga"], people["will"], people["wanda"]
        self.kind = "test." + self.id().rsplit(".", 1)[1].removeprefix("test_")[:50]
        self.model = self.id().rsplit(".", 1)[1].removeprefix("test_")

    def tearDown(self):
        self.assertEqual(self.vera.get("GetModel", {"name": "honest"}).model.name, "honest")
        self.assertEqual(job(silent["job"]).kind, SILENT_KIND)

    def expect(self, answer, status, reason, subject=None):
        """What it says to programs, and that it says something to people."""
        message = answer.header.message
        self.assertEqual((answer.status, answer.reason), (status, reason), message)
        self.assertGreater(len(message), 12)
        self.assertEqual(answer.body, b"")
        for secret in ("SELECT", "INSERT", "pg_", suite.folder):
            self.assertNotIn(secret, message)
        if subject is not None:
            self.assertEqual(answer.header.details[0].subject, subject, message)
        return answer.header.details[0]

    def expect_field(self, answer, subject):
        return self.expect(answer, "INVALID_ARGUMENT", "FIELD", subject)

    def make_model(self, name=None, **fields):
        return self.alice.get("CreateModel", {"name": name or self.model, **fields}).model

    def make_version(self, version=None, **fields):
        message = {"model": self.model, **({"version": version} if version else {}), **fields}
        return self.alice.get("CreateVersion", message).version
