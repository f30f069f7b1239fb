"""A worker's life: what it holds is kept, cancelled, or handed back. Real suite, real processes."""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
parser.add_argument("--worker", help="program of the worker; default: BIN/effect_worker")
args, rest = parser.parse_known_args()
sys.path[:0] = [args.python, os.path.dirname(os.path.abspath(__file__))]

from suite_support import Suite  # noqa: E402
from valion.v1 import orchestrator_pb2 as orchestrator  # noqa: E402

LEASE_S = 15
WAIT_S = 40
suite = Suite(args.root, args.bin, os.path.join(args.var, "suite"), 23401)


def submit(caller, length_ms):
    request = orchestrator.SubmitJobRequest(kind="test.slow", spec=str(length_ms).encode())
    return caller.call("orchestrator", "SubmitJob", request).read(
        orchestrator.SubmitJobReply).job_id


def get(caller, job_id):
    return caller.call("orchestrator", "GetJob", orchestrator.GetJobRequest(job_id=job_id)).read(
        orchestrator.GetJobReply).job


def wait_for(caller, job_id, *states):
    """The job in one of these states; waits at the orchestrator, not by asking again and again."""
    until = time.monotonic() + WAIT_S
    job = get(caller, job_id)
    while job.state not in states:
        assert time.monotonic() < until and job.state < orchestrator.TASK_STATE_DONE, \
            orchestrator.TaskState.Name(job.state)
        request = orchestrator.GetJobRequest(job_id=job_id, wait_while=job.state)
        job = caller.call("orchestrator", "GetJob", request, remaining_ms=10000).read(
            orchestrator.GetJobReply).job
    return job


def wait_for_begin(job_id):
    """A job is RUNNING as soon as it is leased; here, until the worker says that it works on it."""
    until = time.monotonic() + WAIT_S
    path = os.path.join(args.var, "worker.log")
    task = str(uuid.UUID(bytes=job_id))
    while time.monotonic() < until:
        with open(path, encoding="utf-8") as lines:
            if any("slow.begun" in line and task in line for line in lines):
                return
        time.sleep(0.02)
    raise AssertionError("no worker has begun " + task)


def row(job_id):
    names = "token", "attempts", "run_outs", "state", "worker_instance"
    found = suite.sql("SELECT %s FROM pipeline.task WHERE id = '\\x%s'"
                      % (", ".join(names), job_id.hex()))
    return dict(zip(names, found[0]))


class Worker:
    """The test worker: two threads, as many slots as said."""

    def __init__(self, slots):
        program = args.worker or os.path.join(args.bin, "effect_worker")
        log = open(os.path.join(args.var, "worker.log"), "ab")
        self.process = subprocess.Popen([program, suite.bus, suite.keys, str(slots)], stderr=log)
        log.close()

    def leave(self):
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=WAIT_S)


class TaskStates(unittest.TestCase):
    def setUp(self):
        self.caller = suite.caller()
        self.addCleanup(self.caller.close)
        self.workers = []
        # Killed, their waiting calls would take the next test's task with them, for a lease.
        self.addCleanup(lambda: [worker.leave() for worker in self.workers])

    def start(self, slots):
        self.workers.append(Worker(slots))
        return self.workers[-1]

    def test_who_waits_for_a_task_to_begin_hears_of_it(self):
        job_id = submit(self.caller, 5000)
        request = orchestrator.GetJobRequest(job_id=job_id, wait_while=orchestrator.TASK_STATE_READY)
        answers = []

        def wait():
            caller = suite.caller()
            answers.append(caller.call("orchestrator", "GetJob", request, remaining_ms=20000))
            caller.close()
        waiter = threading.Thread(target=wait)
        waiter.start()
        self.start(2)
        waiter.join()
        job = answers[0].read(orchestrator.GetJobReply).job
        self.assertEqual(job.state, orchestrator.TASK_STATE_RUNNING)
        wait_for(self.caller, job_id, orchestrator.TASK_STATE_DONE)

    def test_a_running_task_is_told_that_it_is_cancelled(self):
        self.start(2)
        job_id = submit(self.caller, 300000)
        wait_for(self.caller, job_id, orchestrator.TASK_STATE_RUNNING)
        request = orchestrator.CancelJobRequest(job_id=job_id, reason="no longer wanted")
        self.assertEqual(self.caller.call("orchestrator", "CancelJob", request).status, "OK")
        wait_for(self.caller, job_id, orchestrator.TASK_STATE_CANCELLED)
        self.assertEqual(row(job_id)["token"], "1")

    def test_a_task_outlives_its_lease_while_its_worker_lives(self):
        self.start(2)
        job_id = submit(self.caller, (LEASE_S + 4) * 1000)
        job = wait_for(self.caller, job_id, orchestrator.TASK_STATE_DONE)
        self.assertGreater(job.finished_us - job.started_us, LEASE_S * 1000000)
        self.assertEqual(row(job_id)["token"], "1")
        self.assertEqual(row(job_id)["run_outs"], "0")

    def test_a_worker_that_leaves_hands_back_what_runs_and_what_waits(self):
        worker = self.start(8)
        jobs = [submit(self.caller, 300000) for _ in range(6)]
        for job_id in jobs:  # all leased, two of them run
            wait_for(self.caller, job_id, orchestrator.TASK_STATE_RUNNING)
        self.assertEqual(worker.leave(), 0)
        for job_id in jobs:
            self.assertEqual(row(job_id)["state"], str(orchestrator.TASK_STATE_READY))
            self.assertEqual(row(job_id)["run_outs"], "0")
            self.assertEqual(row(job_id)["attempts"], "0")
        for job_id in jobs:
            request = orchestrator.CancelJobRequest(job_id=job_id)
            self.assertEqual(self.caller.call("orchestrator", "CancelJob", request).status, "OK")

    def test_a_worker_ends_what_is_short_before_it_leaves(self):
        worker = self.start(2)
        job_id = submit(self.caller, 1500)
        wait_for_begin(job_id)
        self.assertEqual(worker.leave(), 0)
        self.assertEqual(row(job_id)["state"], str(orchestrator.TASK_STATE_DONE))

    def test_what_a_killed_worker_held_goes_to_the_next(self):
        worker = self.start(2)
        job_id = submit(self.caller, 5000)
        wait_for(self.caller, job_id, orchestrator.TASK_STATE_RUNNING)
        worker.process.kill()
        worker.process.wait()
        self.start(2)
        wait_for(self.caller, job_id, orchestrator.TASK_STATE_DONE)
        self.assertEqual(row(job_id)["token"], "2")
        self.assertEqual(row(job_id)["run_outs"], "1")


def races():
    """What the thread sanitizer, where the programs have it, wrote into any log."""
    files = [os.path.join(folder, name) for folder, _, names in os.walk(args.var)
             for name in names if name.endswith(".log") or name == "current"]
    found = []
    for file in files:
        with open(file, encoding="utf-8", errors="replace") as lines:
            found += [file + ": " + line for line in lines if "ThreadSanitizer: " in line]
    return found


if __name__ == "__main__":
    suite.remove()
    shutil.rmtree(args.var, ignore_errors=True)
    os.makedirs(args.var)
    suite.up()
    try:
        done = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2)
        suite.down()
        raced = races()
    finally:
        suite.remove()
    print("".join(raced), end="")
    sys.exit(0 if done.result.wasSuccessful() and not raced else 1)
