#!/usr/bin/env python3
"""Validations of one version, all asked for at once, on a suite that runs: how many a second, and who
did how many. Run it once with each number of validators; what one does is the measure of the others.

    bench_validators.py --bus HOST:PORT --keys FOLDER --python BUILD/python [--count N] [--rows N]

Trains the model that it judges, at the first run. --cpu COMMAND prints lines "NAME SECONDS" of CPU time
used so far; what each used meanwhile is divided by the validations.
"""
import argparse
import collections
import os
import random
import subprocess
import sys
import tempfile
import time
import types

parser = argparse.ArgumentParser()
for word in ("bus", "keys", "python"):
    parser.add_argument("--" + word, required=True)
parser.add_argument("--count", type=int, default=100)
parser.add_argument("--rows", type=int, default=60000)
parser.add_argument("--cli", default="valion", help="the command line, which uploads the rows")
parser.add_argument("--cpu")
args = parser.parse_args()
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [args.python, os.path.join(root, "tests", "integration")]

from services_support import Principal  # noqa: E402
from valion.v1 import orchestrator_pb2, registry_pb2, trainer_pb2, validator_pb2  # noqa: E402

MODEL, DATA = "BenchHouses", "bench-houses"
WAIT_MS = 10000
admin = Principal(types.SimpleNamespace(bus=args.bus, keys=args.keys), "admin")


def make_rows():
    chance = random.Random(1)
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("a,b,c,d,e,y\n")
        for _ in range(args.rows):
            x = [chance.gauss(0, 1) for _ in range(5)]
            y = 10 + 3 * x[0] - 2 * x[1] + x[2] * x[3] + chance.gauss(0, 0.5)
            file.write(",".join(f"{value:.5f}" for value in (*x, y)) + "\n")
        file.flush()
        subprocess.run([args.cli, "--bus", args.bus, "--keys", args.keys, "data", "add", DATA,
                        file.name], check=True, stdout=subprocess.DEVNULL)


def submit(kind, spec):
    return admin.get("SubmitJob", {"kind": kind, "spec": spec.SerializeToString()}).job_id


def await_end(job_id):
    job = admin.get("GetJob", {"job_id": job_id}).job
    while not job.finished_us:
        job = admin.get("GetJob", {"job_id": job_id, "wait_while": job.state},
                        remaining_ms=WAIT_MS).job
    assert job.state == orchestrator_pb2.TASK_STATE_DONE, job.error
    return job


def make_version():
    found = admin.ask("ListVersions", {"model": MODEL})
    if found.status == "OK":
        listed = found.read(registry_pb2.ListVersionsReply)
        if listed.versions:
            return listed.versions[0].version
    make_rows()
    spec = trainer_pb2.TrainSpec(model=MODEL, target="y")
    spec.data.name = DATA
    for key, value in (("rounds", "100"), ("max_depth", "6")):
        spec.hyperparameters.add(key=key, value=value)
    return trainer_pb2.TrainResult.FromString(await_end(submit("train", spec)).result).version


def read_cpu():
    if not args.cpu:
        return {}
    lines = subprocess.run(args.cpu, shell=True, check=True, text=True, stdout=subprocess.PIPE)
    return {name: float(seconds) for name, seconds in map(str.split, lines.stdout.splitlines())}


def main():
    spec = validator_pb2.ValidateSpec(model=MODEL, version=make_version())
    spec.data.add(name=DATA)
    await_end(submit("validate", spec))  # whoever begins has the artifacts to fetch
    before, start = read_cpu(), time.monotonic()
    jobs = [submit("validate", spec) for _ in range(args.count)]
    ended = [await_end(job) for job in jobs]
    took, after = time.monotonic() - start, read_cpu()
    reports = [validator_pb2.ValidateResult.FromString(job.result).report_id for job in ended]
    by = collections.Counter(admin.get("GetReport", {"report_id": each}).report.validator
                             for each in reports)
    print(f"{args.count / took:.2f} validations/s; {args.count} in {took:.1f} s by {len(by)} "
          f"validators")
    for name, count in by.most_common():
        print(f"  {name:40} {count}")
    if len(by) > 1:
        print(f"  most over least: {max(by.values()) / min(by.values()):.2f}")
    for name in sorted(after):
        used = after[name] - before.get(name, 0)
        print(f"  CPU of {name:32} {used * 1000 / args.count:8.1f} ms a validation")


main()
