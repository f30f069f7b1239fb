"""Kill every process of a suite at random moments while the main job is done, then check that
nothing was lost and nothing was done twice.

Starts a suite of its own, and has users train, judge, promote and deploy models by pipeline runs,
submit jobs and ask for predictions over HTTP, all at once. Meanwhile processes die by SIGKILL:
brokers, services, PostgreSQL, Redis, HAProxy, model servers. In the end the record is asked by SQL
and by calls. Prints one table; exit 1 if a line of it is wrong.
"""
import argparse
import json
import os
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
parser.add_argument("--seconds", type=float, default=40)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--gap", type=float, help="seconds from kill to kill, each process by turns; "
                    "default: 0.5 to 3 s and a process by chance. Above 17 the recovery from each "
                    "kill is measured by itself")
parser.add_argument("--only", help="kill nothing but these, comma-separated: bus0,server …")
args = parser.parse_args()
sys.path[:0] = [args.python, os.path.join(args.root, "tests", "integration")]

from kill_support import audit  # noqa: E402
from main_job_load import Jobs, Killer, Predictions, Runs  # noqa: E402
from main_job_record import Record  # noqa: E402
from services_support import what_logs_say  # noqa: E402
from suite_support import Suite  # noqa: E402
from valion.v1 import orchestrator_pb2  # noqa: E402

PORT = 28001
MODELS = ("houses-a", "houses-b", "houses-c")
OPEN_RUNS = 6
RUN_PERIOD_S = 1.5  # what a run deployed stays warm for 20 s
JOB_PERIOD_S = 2.0
NAMES = ("bus0", "bus1", "registry0", "registry1", "orchestrator0", "orchestrator1", "trainer0",
         "validator0", "validator1", "deployer0", "runner0", "haproxy", "redis", "postgres",
         Killer.SERVER)
LEASE_S = 15
END_S = 180     # what was accepted has to have ended by then
SETTLE_S = 60   # what was kept warm has to be gone by then
FELT_S = 5      # a kill of HAProxy or a server may be felt so long
RUN_ENDS = {orchestrator_pb2.RUN_STATE_COMPLETED, orchestrator_pb2.RUN_STATE_FAILED}
JOB_ENDS = {orchestrator_pb2.TASK_STATE_DONE, orchestrator_pb2.TASK_STATE_FAILED,
            orchestrator_pb2.TASK_STATE_POISONED}
PIPELINE = {
    "name": "main-job", "max_concurrent_runs": 4,
    "parameters": [{"name": "model", "type": "string"}],
    "steps": [
        {"name": "train", "kind": "train", "stage": "MODEL_TRAINING",
         "parameters": {"model": "${params.model}", "target": "preco",
                        "data": {"name": "houses-train"}, "validation": {"name": "houses-test"},
                        "hyperparameters": [{"key": "rounds", "value": "40"}]}},
        {"name": "validate", "kind": "validate", "stage": "MODEL_VALIDATION",
         "dependencies": ["train"], "min_verdict": "WARN",
         "parameters": {"model": "${params.model}", "version": "${steps.train.outputs.version}",
                        "data": [{"name": "houses-test"}], "reference": {"name": "houses-train"}}},
        {"name": "promote", "kind": "promote", "dependencies": ["validate"],
         "parameters": {"model": "${params.model}", "version": "${steps.train.outputs.version}",
                        "stage": "STAGE_STAGING", "reason": "run ${run.id}"}},
        {"name": "deploy", "kind": "deploy", "stage": "MODEL_DEPLOYMENT",
         "dependencies": ["promote"],
         "parameters": {"model": "${params.model}", "version": "${steps.train.outputs.version}",
                        "environment": "staging", "queue": True, "keep_warm_ms": 20000,
                        "drain_ms": 2000, "watch": {"duration_ms": 0}}}]}
for step in PIPELINE["steps"]:  # tried again soon: what fails here for a while is up soon
    step.update(retry_delay_ms=1000, max_delay_ms=5000)

suite = Suite(args.root, args.bin, args.var, PORT, bus=2, registry=2, orchestrator=2, trainer=1,
              validator=2, deployer=1, runner=1)


def cli(*words):
    done = suite.cli(*words)
    assert done.returncode == 0, f"valion {' '.join(words)}: {done.stderr}"
    return done.stdout


def make_data():
    path = os.path.join(args.var, "houses.csv")
    made = subprocess.run([os.path.join(args.root, "scripts", "houses"), "--rows", "600"],
                          check=True, stdout=subprocess.PIPE)
    with open(path, "wb") as file:
        file.write(made.stdout)
    cli("data", "add", "houses", path)
    cli("data", "split", "houses", "--share", "0.8")


def first_runs():
    """A run of each model without a kill: from then on each endpoint serves."""
    runs = Runs(suite, PIPELINE["name"], MODELS, 0.2, 1, len(MODELS))
    runs.start()
    until = time.monotonic() + 120
    while len(runs.told) < len(MODELS) and runs.is_alive() and time.monotonic() < until:
        time.sleep(0.1)
    runs.end()
    states = list(runs.told.values())
    assert states == [orchestrator_pb2.RUN_STATE_COMPLETED] * len(MODELS), (
        f"without a kill: {states}, {runs.failure}")
    return runs


def port_of_staging():
    return int(suite.bus.split(",")[0].rsplit(":", 1)[1]) + 31


def await_settled(record):
    """Nothing is warm any more, and nothing stands that the record does not know. What stands."""
    until = time.monotonic() + SETTLE_S
    left = record.left_behind()
    while any(left.values()) and time.monotonic() < until:
        time.sleep(0.5)
        left = record.left_behind()
    return left


def check_submitted(name, user, rows, ended_well):
    """`rows`: state by id, as the record has it. `user`: what somebody submitted and was told."""
    lost = user.accepted.keys() - rows.keys()
    more = len(rows) - len(user.accepted)
    open_still = [item for item, state in rows.items() if state not in ended_well]
    other = sum(rows[item] != state for item, state in user.told.items() if item in rows)
    return [
        (f"{name} accepted", len(user.accepted), len(user.accepted) > 0),
        (f"{name} submitted without an answer", user.unknown, True),
        (f"{name} accepted, but not in the record (lost)", len(lost), not lost),
        (f"{name} in the record beyond those (doubled)", more, 0 <= more <= user.unknown),
        (f"{name} that have not ended", len(open_still), not open_still),
        (f"{name} that ended otherwise than a caller was told", other, other == 0),
        (f"{name}: what somebody who submits died of", user.failure, user.failure is None)]


def check_predictions(killer, asking, calm):
    """`calm`: from then on nothing was killed, and all had ended."""
    failures = [failure for each in asking for failure in each.failures]
    kinds = {}
    for _, kind in failures:
        kinds[kind] = kinds.get(kind, 0) + 1
    felt = [at for _, at, name in killer.killed if name in ("haproxy", killer.SERVER)]
    unfelt = sum(not any(0 <= when - at < FELT_S for at in felt) for when, _ in failures)
    after = sum(when > calm for when, _ in failures)
    died = [str(each.failure) for each in asking if each.failure]
    return [
        ("predictions asked for", sum(each.requests for each in asking), True),
        *((f"… failed: {kind}", count, True) for kind, count in sorted(kinds.items())),
        (f"… failed without a kill of HAProxy or a server {FELT_S} s before", unfelt,
         unfelt == 0),
        ("longest time without a prediction of a model, s",
         "%.1f" % max(each.longest_s for each in asking), True),
        ("predictions that failed after all had ended", after, after == 0),
        ("what those who asked for predictions died of", died or None, not died)]


def check_endpoints(caller, asking):
    """The stable version that the deployer tells of is the one that answers."""
    try:
        reply = caller.call("deployer.ListEndpoints", {"environment": "staging"})
        told = {each.model: each.stable.version for each in reply.endpoints}
        answer = {each.model: each.ask() for each in asking}
    except (RuntimeError, ConnectionError) as error:
        return [("what asking the endpoints died of", error, False)]
    wrong = [model for model in MODELS if answer[model] != (200, told.get(model))]
    return [("endpoints whose stable version does not answer", len(wrong), not wrong)]


def print_table(killer, record, checks):
    print("killed: " + ", ".join(f"{name} {count}" for name, count in killer.kills.items()))
    for name, value, good in checks:
        print("%-62s %-20s %s" % (name, value, "" if good else "WRONG"))
    for sentence, count in record.failures():
        print(f"  {count} x {sentence}")


def prepare():
    """A suite, data and the pipeline; the runs that made every endpoint serve."""
    suite.remove()
    suite.up()
    make_data()
    path = os.path.join(args.var, "pipeline.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(PIPELINE, file)
    cli("pipeline", "apply", path)
    return first_runs()


def kill_all_the_time(killer, *submitters):
    """When the last kill was, and when all that had been accepted until then had ended."""
    end = time.monotonic() + args.seconds
    while time.monotonic() < end:
        killer.kill_one()
    last_kill = time.monotonic()
    for each in submitters:
        each.full = True
    for each in submitters:
        each.await_end(last_kill + END_S - time.monotonic())
    calm = time.monotonic()
    for each in submitters:
        each.end()
    return last_kill, calm


def main():
    first = prepare()
    killer = Killer(suite, args.only.split(",") if args.only else NAMES, args.seed, args.gap)
    runs = Runs(suite, PIPELINE["name"], MODELS, RUN_PERIOD_S, OPEN_RUNS)
    jobs = Jobs(suite, MODELS, JOB_PERIOD_S)
    asking = [Predictions(port_of_staging(), model, 0.02) for model in MODELS]
    for each in (runs, jobs, *asking):
        each.start()
    last_kill, calm = kill_all_the_time(killer, runs, jobs)
    runs.accepted.update(first.accepted)
    runs.told.update(first.told)

    record = Record(suite, PIPELINE["name"])
    left = await_settled(record)
    for each in asking:
        each.end()
    record.read()
    bugs = what_logs_say(suite.folder, ("Sanitizer", "runtime error", "valion: a bug"))
    checks = [
        ("kills", sum(killer.kills.values()), sum(killer.kills.values()) > 0),
        *check_submitted("runs", runs, record.runs, RUN_ENDS),
        *check_submitted("jobs", jobs, record.jobs, JOB_ENDS),
        *record.checks(),
        *((name, len(found), not found) for name, found in left.items()),
        ("audit verify of the export", *audit(suite)),
        *check_endpoints(runs.caller, asking),
        *check_predictions(killer, asking, calm),
        *record.check_answers({each.model: each.versions for each in asking}),
        ("bugs that logs tell of", len(bugs), not bugs),
        ("calls that were asked again", runs.caller.again + jobs.caller.again, True),
        *record.times(set(first.accepted)),
        ("from the last kill until all had ended, s", "%.1f" % (calm - last_kill), True),
        *record.recoveries(killer.killed if args.gap and args.gap > LEASE_S + 2 else []),
    ]
    print_table(killer, record, checks)
    for line in [*bugs, *(f"{name}: {each}" for name in left for each in left[name])][:20]:
        print("  " + line)
    wrong = sum(not good for _, _, good in checks)
    suite.down()
    print("%d passed, %d failed" % (len(checks) - wrong, wrong))
    return 1 if wrong else 0


try:
    code = main()
finally:
    suite.down()
sys.exit(code)
