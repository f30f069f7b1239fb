"""Switches under load, and deployments a minute.

    bench_deploy.py --root CHECKOUT --bin PROGRAMS --python BUILD/python --var FOLDER
        [--switches 100] [--endpoints 8] [--seconds 60]

Two versions of a small model take turns by blue-green, while requests come on kept connections at a
constant rate: how many failed, how many the old version answered after the switch had been reported, and how
long it took from ready instances to all traffic. Then as many rollouts as there are endpoints run side by
side, one after the other on each, for so many seconds.
"""
import argparse
import collections
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
parser.add_argument("--switches", type=int, default=100)
parser.add_argument("--endpoints", type=int, default=8)
parser.add_argument("--seconds", type=float, default=60)
args = parser.parse_args()
sys.path[:0] = [args.python, os.path.join(args.root, "tests", "integration")]

from services_support import Principal, wait_until  # noqa: E402
from suite_support import Suite  # noqa: E402
from valion.v1 import deployer_pb2, orchestrator_pb2, registry_pb2, trainer_pb2  # noqa: E402
import services_support  # noqa: E402

services_support.SERVICES["deployer"] = deployer_pb2
for method in deployer_pb2.DESCRIPTOR.services_by_name["Deployer"].methods:
    services_support.OWNER.setdefault(method.name, ("deployer", method))

PORT = 27201
RATE, CONNECTIONS = 200, 8
QUICK = {"keep_warm_ms": 15000, "drain_ms": 1000, "watch": {"duration_ms": 0}}
SERVING = {deployer_pb2.ROLLOUT_STATE_LIVE, deployer_pb2.ROLLOUT_STATE_WATCHING,
           deployer_pb2.ROLLOUT_STATE_DONE}
FAILED = {deployer_pb2.ROLLOUT_STATE_FAILED, deployer_pb2.ROLLOUT_STATE_ROLLED_BACK}
ROW = {"area": 150, "quartos": 3, "banheiros": 2, "idade": 10, "garagem": 1,
       "distancia_centro": 8.5, "score_vizinhanca": 7}
suite = Suite(args.root, args.bin, os.path.join(args.var, "suite"), PORT, trainer=1, deployer=1,
              runner=1)


def train(admin, model):
    spec = trainer_pb2.TrainSpec(model=model, target="preco")
    spec.data.name = "houses"
    spec.hyperparameters.add(key="rounds", value="20")
    job = admin.get("SubmitJob", {"kind": "train", "spec": spec.SerializeToString()}).job_id
    ended = wait_until(lambda: (lambda found: found if found.finished_us else None)(
        admin.get("GetJob", {"job_id": job}).job), "train ends", 120)
    assert ended.state == orchestrator_pb2.TASK_STATE_DONE, ended.error
    return trainer_pb2.TrainResult.FromString(ended.result).version


def roll_out(admin, model, version):
    made = admin.get("CreateRollout", {"spec": {"model": model, "version": version,
                                                "environment": "staging", **QUICK}}).rollout
    while made.state not in SERVING:
        assert made.state not in FAILED, made.error
        made = admin.get("WatchRollout", {"rollout_id": made.rollout_id, "after": made.sequence,
                                          "wait_ms": 5000}, remaining_ms=8000).rollout
    return made


class Load:
    """Requests at a constant rate; what was answered when, by which version."""

    def __init__(self, port, model):
        self.port, self.path = port, f"/v2/models/{model}/infer"
        self.body = json.dumps({"inputs": [
            {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
            for name, value in ROW.items()]})
        self.answers, self.failures, self.stop = [], [], False
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(CONNECTIONS)]

    def work(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        due = time.monotonic() + number / RATE
        while not self.stop:
            time.sleep(max(0, due - time.monotonic()))
            due += CONNECTIONS / RATE
            began = time.time()
            try:
                connection.request("POST", self.path, self.body)
                answer = connection.getresponse()
                data = answer.read()
                if answer.status == 200:
                    self.answers.append((began, time.time(), json.loads(data)["model_version"]))
                else:
                    self.failures.append((answer.status, data[:100]))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()

    def __enter__(self):
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for each in self.threads:
            each.join()


def ready_us(admin, rollout_id):
    """When its instances were known to be ready; 0: that is told by no decision."""
    decisions = admin.get("GetRollout", {"rollout_id": rollout_id}).rollout.decisions
    return max((each.time_us for each in decisions if each.rule == "smoke"), default=0)


def measure_switches(admin, port, versions):
    late, moved = 0, []
    with Load(port, "Bench0") as load:
        time.sleep(1)
        for i in range(args.switches):
            version = versions[i % 2]
            made = roll_out(admin, "Bench0", version)
            reported = time.time()
            time.sleep(0.3)
            old = [(began, ended) for began, ended, said in list(load.answers) if said != version]
            late += sum(began > reported for began, _ in old)
            ready = ready_us(admin, made.rollout_id) / 1e6
            last = max((ended for _, ended in old), default=0)
            if ready > 0:
                moved.append(max(0, last - ready) * 1000)
    return load, late, moved


def measure_rate(admins, versions):
    counts = collections.Counter()
    until = time.monotonic() + args.seconds

    def work(number):
        at = 0
        while time.monotonic() < until:
            model = f"Bench{number}"
            roll_out(admins[number], model, versions[model][at % 2])
            counts[model] += 1
            at += 1

    threads = [threading.Thread(target=work, args=(i,)) for i in range(args.endpoints)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(counts.values()) * 60 / args.seconds


suite.remove()
suite.up()
try:
    admins = [Principal(suite, "admin") for _ in range(args.endpoints)]
    port = int(suite.bus.split(",")[0].rsplit(":", 1)[1]) + 31
    rows = subprocess.run([os.path.join(args.root, "scripts", "houses"), "--rows", "400"],
                          check=True, stdout=subprocess.PIPE).stdout
    path = os.path.join(args.var, "houses.csv")
    with open(path, "wb") as file:
        file.write(rows)
    assert suite.cli("data", "add", "houses", path).returncode == 0
    versions = {f"Bench{i}": [train(admins[0], f"Bench{i}") for _ in range(2)]
                for i in range(args.endpoints)}
    for model, both in versions.items():
        roll_out(admins[0], model, both[1])
    load, late, moved = measure_switches(admins[0], port, versions["Bench0"])
    print(f"switches                          {args.switches:6} at {RATE} requests/s, "
          f"{len(load.answers)} answers")
    print(f"failed requests                   {len(load.failures):6}    (goal: 0) {load.failures[:2]}")
    print(f"answers of the old one afterwards {late:6}    (goal: 0)")
    if moved:
        print(f"ready to all traffic, median      {statistics.median(moved):6.0f} ms, "
              f"largest {max(moved):.0f} ms (goal: 200)")
    print(f"deployments a minute              {measure_rate(admins, versions):6.0f}    (goal: 300; "
          f"{args.endpoints} endpoints)")
    for each in admins:
        each.close()
finally:
    suite.remove()
