"""A warm validation, from lease to recorded report, against what it cannot do without and against the
same work in Python.

    bench_validate.py --root CHECKOUT --bin PROGRAMS --python BUILD/python --var FOLDER [--data FOLDER]
        [--count 200] [--rows N] [--threads N]

One validator that is kept on one processor; its slots (6, or 1 of many rows) share it, so that one computes while another
waits for the bus. The checks are the original's five
without fits, regression metrics and drift. `--data` is a folder with california's files; without it
there is nothing to judge. `--rows` repeats the rows until there are so many on each side. Python's side
needs python3-sklearn, python3-scipy and python3-pandas, and is left out where they are not there.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
parser.add_argument("--data", default=os.environ.get("VALION_TEST_DATA"))
parser.add_argument("--count", type=int, default=200)
parser.add_argument("--rows", type=int, default=0)
parser.add_argument("--model", default="gbr.onnx")
parser.add_argument("--slots", type=int, help="[6; 1 from 100,000 rows on]")
parser.add_argument("--threads", type=int, default=1, help="of a validation, and processors of all")
args = parser.parse_args()
sys.path[:0] = [args.python, os.path.join(args.root, "tests", "integration")]
if not args.data:
    sys.exit("bench_validate: nothing was measured: VALION_TEST_DATA is not set")

from suite_support import Suite  # noqa: E402
from valion.v1 import common_pb2, evidence_pb2, orchestrator_pb2, registry_pb2  # noqa: E402
from validator_support import Person  # noqa: E402

TARGET = "median_house_value"
folder = os.path.join(args.data, "california")
model_path = os.path.join(folder, "models", args.model)
work = os.path.join(args.var, "rows")
os.environ["VALION_SLOTS"] = str(args.slots or (1 if args.rows >= 100000 else 6))
suite = Suite(args.root, args.bin, os.path.join(args.var, "suite"), 24901, trainer=0, validator=1)


def write_rows(name):
    """Columns of numbers alone: the model's file names none, so they are taken in order. Repeated rows
    are moved a little, so that they do not count as one."""
    with open(os.path.join(folder, name + ".csv"), encoding="utf-8") as file:
        head, *lines = file.read().splitlines()
    names = head.split(",")
    keep = [i for i, each in enumerate(names) if each != "ocean_proximity"]
    rows = [[line.split(",")[i] for i in keep] for line in lines]
    path = os.path.join(work, name + ".csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(names[i] for i in keep) + "\n")
        for at in range(max(args.rows, len(rows))):
            row = rows[at % len(rows)]
            if at >= len(rows):
                row = [f"{float(cell) * (1 + at * 1e-9):.6f}" if cell else "" for cell in row]
            file.write(",".join(row) + "\n")
    return path


def make_policy(admin):
    def check(kind, **thresholds):
        return evidence_pb2.CheckSpec(name=kind, kind=kind, thresholds=[
            common_pb2.KeyNumber(key=key, value=value) for key, value in thresholds.items()])
    stability = check("stability")
    stability.parameters.add(key="method", value="resample")
    admin.get("PutPolicy", policy=evidence_pb2.Policy(name="bench", by_name_only=True, checks=[
        check("performance", r2_threshold=0.5, mae_threshold=60000), check("data_drift"),
        stability, check("bias"), check("data_quality")]))


def prepare(admin, paths):
    for name, path in paths.items():
        done = suite.cli("data", "add", "bench-" + name, path)
        assert done.returncode == 0, done.stderr
    with open(model_path, "rb") as file:
        admin.bring("bench", file.read(), target=TARGET)
    admin.done("inspect", model="bench", version="1.0.0",
               data=evidence_pb2.DataRef(name="bench-ref"), target=TARGET)
    make_policy(admin)


def submit(admin):
    return admin.submit("validate", model="bench", version="1.0.0", policy="bench", target=TARGET,
                        threads=args.threads, data=[evidence_pb2.DataRef(name="bench-cur")],
                        reference=evidence_pb2.DataRef(name="bench-ref"))


def measure(admin):
    """Milliseconds a validation, from the first lease to the last recorded report. The validator sleeps
    while the jobs are submitted: how fast one client submits is not what is measured."""
    for _ in range(3):
        admin.wait(submit(admin))
    os.kill(suite.pid("validator0"), signal.SIGSTOP)
    jobs = [submit(admin) for _ in range(args.count)]
    os.kill(suite.pid("validator0"), signal.SIGCONT)
    begin, worked = time.monotonic(), processor_ms()
    last = [admin.wait(job) for job in reversed(jobs)][0]
    took = (time.monotonic() - begin) * 1000 / args.count
    assert last.state == orchestrator_pb2.TASK_STATE_DONE, last.error
    return took, (processor_ms() - worked) / args.count


def bound_processors():
    allowed = sorted(os.sched_getaffinity(0))[-args.threads:]
    for thread in os.listdir(f"/proc/{suite.pid('validator0')}/task"):
        os.sched_setaffinity(int(thread), allowed)


def run(*words):
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout.split() if done.returncode == 0 else []


def processor_ms():
    with open(f"/proc/{suite.pid('validator0')}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def resident():
    with open(f"/proc/{suite.pid('validator0')}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmHWM"].split()[0]) / 1024


os.makedirs(work, exist_ok=True)
paths = {name: write_rows(name) for name in ("ref", "cur")}
suite.remove()
suite.up()
try:
    admin = Person(suite)
    prepare(admin, paths)
    bound_processors()
    took, worked = measure(admin)
    rounds = str(max(5, min(args.count, 200) // (100 if args.rows > 100000 else 1)))
    bare = run(os.path.join(args.bin, "bench_validate"), model_path, paths["ref"], paths["cur"],
               TARGET, rounds)
    predict, sort = float(bare[1]), float(bare[3])
    print(f"a validation                    {took:9.2f} ms ({1000 / took:.0f}/s), "
          f"{worked:.2f} ms of them the validator's processor; at most {resident():.0f} MiB")
    print(f"predicting both sides, bare     {predict:9.2f} ms")
    print(f"sorting drift's columns, bare   {sort:9.2f} ms")
    print(f"ratio to both                   {took / (predict + sort):9.2f}    (goal: at most 2)")
    peer = run(sys.executable, os.path.join(args.root, "tests", "bench", "validate_peer.py"),
               os.path.join(folder, "train.csv"), paths["ref"], paths["cur"], TARGET,
               str(max(3, int(rounds) // 10)))
    if peer:
        print(f"Python                          {float(peer[1]):9.2f} ms, "
              f"{float(peer[1]) / took:.1f} times as long (goal: 7, and 10 at a million rows)")
    else:
        print("Python was left out: python3-sklearn, python3-scipy and python3-pandas are not there")
    admin.close()
finally:
    suite.remove()
