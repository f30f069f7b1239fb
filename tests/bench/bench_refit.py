"""The demo's model: how many validations a second one processor makes of it, and what its stability by
fits costs over the bare fits.

    bench_refit.py --root CHECKOUT --bin PROGRAMS --python BUILD/python --var FOLDER [--count 300]

The original's five checks on 200 held-out houses against 800, one validator kept on one processor. With
fits, one validation at a time: from its lease to its recorded report, over the same five fits by
libxgboost in a process that does nothing else.
"""
import argparse
import os
import signal
import statistics
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
parser.add_argument("--count", type=int, default=300)
parser.add_argument("--slots", type=int, default=6)
args = parser.parse_args()
sys.path[:0] = [args.python, os.path.join(args.root, "tests", "integration")]
os.environ["VALION_SLOTS"] = str(args.slots)

from suite_support import Suite  # noqa: E402
from valion.v1 import common_pb2, evidence_pb2, orchestrator_pb2  # noqa: E402
from validator_support import Person, houses  # noqa: E402

TARGET, FOLDS, FITTED = "preco", 5, 20
suite = Suite(args.root, args.bin, os.path.join(args.var, "suite"), 24951, trainer=1, validator=1)


def parts():
    """800 rows and 200, as texts with the header line each."""
    head, *lines = houses(args.root, "--rows", "1000").decode().splitlines()
    return {"houses-train": "\n".join([head, *lines[:800]]) + "\n",
            "houses-test": "\n".join([head, *lines[800:]]) + "\n"}


def make_policies(admin):
    for name, method in (("quick", "resample"), ("fitted", "auto")):
        stability = evidence_pb2.CheckSpec(name="stability", kind="stability")
        stability.parameters.add(key="method", value=method)
        admin.get("PutPolicy", policy=evidence_pb2.Policy(name=name, by_name_only=True, checks=[
            evidence_pb2.CheckSpec(name=kind, kind=kind)
            for kind in ("performance", "data_drift")] + [stability] + [
                evidence_pb2.CheckSpec(name=kind, kind=kind) for kind in ("bias", "data_quality")]))


def submit(admin, policy):
    return admin.submit("validate", model="demo", version="1.0.0", policy=policy, seed=1,
                        data=[evidence_pb2.DataRef(name="houses-test")],
                        reference=evidence_pb2.DataRef(name="houses-train"))


def await_end(admin, job_id):
    job = admin.wait(job_id)
    assert job.state == orchestrator_pb2.TASK_STATE_DONE, job.error
    return job


def measure_rate(admin):
    for _ in range(3):
        await_end(admin, submit(admin, "quick"))
    os.kill(suite.pid("validator0"), signal.SIGSTOP)  # how fast one client submits is not meant
    jobs = [submit(admin, "quick") for _ in range(args.count)]
    os.kill(suite.pid("validator0"), signal.SIGCONT)
    begin = time.monotonic()
    for job_id in reversed(jobs):
        await_end(admin, job_id)
    return args.count / (time.monotonic() - begin)


def measure_fits(admin):
    """Milliseconds from lease to recorded report, by the orchestrator's clock."""
    jobs = [await_end(admin, submit(admin, "fitted")) for _ in range(FITTED)]
    return statistics.median((job.finished_us - job.started_us) / 1000 for job in jobs)


def bare_fits(admin, path):
    version = admin.version("demo")
    pairs = [f"{pair.key}={pair.value}" for pair in version.hyperparameters]
    done = subprocess.run([os.path.join(args.bin, "bench_refit"), path, TARGET, str(FOLDS),
                           str(FITTED), version.algorithm, *pairs], check=True, text=True,
                          stdout=subprocess.PIPE)
    return float(done.stdout.split()[1])


suite.remove()
suite.up()
try:
    admin = Person(suite)
    for name, text in parts().items():
        admin.dataset(name, text.encode())
    admin.done("train", model="demo", version="1.0.0", target=TARGET,
               data=evidence_pb2.DataRef(name="houses-train"),
               algorithms=["ALGORITHM_GRADIENT_BOOSTING"])
    make_policies(admin)
    for thread in os.listdir(f"/proc/{suite.pid('validator0')}/task"):
        os.sched_setaffinity(int(thread), {max(os.sched_getaffinity(0))})
    print(f"validations a second, one processor {measure_rate(admin):9.0f}    (goal: 100)")
    path = os.path.join(args.var, "houses-test.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(parts()["houses-test"])
    fitted, bare = measure_fits(admin), bare_fits(admin, path)
    print(f"one with {FOLDS} fits                     {fitted:9.1f} ms")
    print(f"the fits, bare                      {bare:9.1f} ms")
    print(f"ratio                               {fitted / bare:9.2f}    (goal: at most 1.3)")
    admin.close()
finally:
    suite.remove()
