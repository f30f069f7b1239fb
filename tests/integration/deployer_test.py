#!/usr/bin/env python3
"""Rollouts on real parts: a model trained here, servers under the supervisor, HAProxy, requests over
HTTP. What goes wrong is said, and traffic stays where it was.

    deployer_test.py --root CHECKOUT --bin PROGRAMS --python BUILD/python --var FOLDER [unittest …]
"""
import argparse
import csv
import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request
import uuid

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path.insert(0, args.python)

from services_support import Principal, state_of, wait_until  # noqa: E402
from suite_support import Suite  # noqa: E402
from valion.v1 import common_pb2, deployer_pb2, event_pb2, orchestrator_pb2  # noqa: E402
from valion.v1 import registry_pb2, trainer_pb2  # noqa: E402
import services_support  # noqa: E402

services_support.SERVICES["deployer"] = deployer_pb2
for method in deployer_pb2.DESCRIPTOR.services_by_name["Deployer"].methods:
    services_support.OWNER.setdefault(method.name, ("deployer", method))

PORT = 27001
STATE = {value: name.removeprefix("ROLLOUT_STATE_").lower()
         for name, value in deployer_pb2.RolloutState.items()}
SERVING = {"live", "watching", "done"}
ENDED = {"done", "rolled_back", "failed"}
ROW = {"area": 150, "quartos": 3, "banheiros": 2, "idade": 10, "garagem": 1,
       "distancia_centro": 8.5, "score_vizinhanca": 7}
suite = Suite(args.root, args.bin, args.var, PORT, trainer=1, deployer=1, runner=1)
people = {}


def admin():
    return people["admin"]


def make_data():
    """The houses as a data set, by the command line."""
    path = os.path.join(args.var, "houses.csv")
    made = subprocess.run([os.path.join(args.root, "scripts", "houses"), "--rows", "400"],
                          check=True, stdout=subprocess.PIPE)
    with open(path, "wb") as file:
        file.write(made.stdout)
    done = suite.cli("data", "add", "houses", path)
    assert done.returncode == 0, done.stderr


def run_job(kind, spec, wanted=orchestrator_pb2.TASK_STATE_DONE, seconds=120):
    job = admin().get("SubmitJob", {"kind": kind, "spec": spec.SerializeToString()}).job_id
    ended = wait_until(lambda: (lambda found: found if found.finished_us else None)(
        admin().get("GetJob", {"job_id": job}).job), f"{kind} ends", seconds)
    assert ended.state == wanted, f"{kind}: {state_of(ended)} {ended.error}"
    return ended


def train(**more):
    spec = trainer_pb2.TrainSpec(model="Houses", target="preco", **more)
    spec.data.name = "houses"
    return trainer_pb2.TrainResult.FromString(run_job("train", spec).result)


def mix(files, samples):
    """A version whose model and sample rows are not each other's; the trainer may make one."""
    def artifacts(version):
        found = admin().get("GetVersion", {"model": "Houses", "version": version}).version
        return found, {each.role: each for each in found.artifacts}

    version, of_files = artifacts(files)
    of_samples = artifacts(samples)[1]
    trainer = Principal(suite, "trainer")
    made = trainer.get("CreateVersion", registry_pb2.CreateVersionRequest(
        model="Houses", version="9.0.0", signature=version.signature, target=version.target,
        artifacts=[registry_pb2.Artifact(role=role, digest=each.digest, filename=role)
                   for role, each in (*((role, of_files[role]) for role in ("model", "profile")),
                                      ("samples", of_samples["samples"]))])).version
    trainer.close()
    return made.version


def rollout(version, environment="staging", model="Houses", **more):
    return admin().get("CreateRollout", {"spec": {
        "model": model, "version": version, "environment": environment, **more}}).rollout


def look(rollout_id):
    return admin().get("GetRollout", {"rollout_id": rollout_id}).rollout


def await_state(rollout_id, wanted, seconds=60):
    return wait_until(lambda: (lambda found: found if STATE[found.state] in wanted else None)(
        look(rollout_id)), f"a rollout becomes {wanted}; it is {STATE[look(rollout_id).state]}: "
        f"{look(rollout_id).error}", seconds)


def ask(version=None, environment=1, model="Houses"):
    """Status and answer of one prediction. environment: 0 is production, 1 staging."""
    path = f"/versions/{version}" if version else ""
    body = {"inputs": [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
                       for name, value in ROW.items()]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{suite_port() + 30 + environment}/v2/models/{model}{path}/infer",
        json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        return error.code, json.loads(text) if text.startswith("{") else {"error": text}


def answers(version=None):
    """True if a prediction comes; a connection that breaks is no answer."""
    try:
        return ask(version)[0] == 200
    except OSError:
        return False


def suite_port():
    return int(suite.bus.split(",")[0].rsplit(":", 1)[1])


def endpoint(environment="staging"):
    found = admin().get("ListEndpoints", {"environment": environment, "model": "Houses"}).endpoints
    return found[0] if found else None


def pid_of(name):
    """Of what the supervisor runs, or is about to run again."""
    wait_until(lambda: suite.find_pid(name) > 1, f"{name} runs")
    return suite.pid(name)


def servers(version):
    """Supervisor's names of the servers of a version."""
    hosts = admin().get("ListHosts").hosts
    found = []
    for report in hosts[0].instances:
        folder = os.path.join(args.var, "runner", "instances",
                              str(uuid.UUID(bytes=report.instance_id)))
        path = os.path.join(folder, "instance.pb")
        if os.path.exists(path):
            with open(path, "rb") as file:
                wanted = deployer_pb2.WantedInstance.FromString(file.read())
            if wanted.version == version:
                found.append("server-" + os.path.basename(folder))
    return found


def is_back(name, killed):
    """The runner has seen another process of that name ready."""
    wanted = uuid.UUID(name.removeprefix("server-")).bytes
    for report in admin().get("ListHosts").hosts[0].instances:
        if report.instance_id == wanted:
            return report.state == deployer_pb2.INSTANCE_STATE_READY and report.pid != killed
    return False


class Load:
    """Requests on kept connections, one after the other, while something happens."""

    def __init__(self, threads=4):
        self.stop, self.answers, self.failures = False, {}, []
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]

    def work(self):
        while not self.stop:
            try:
                status, answer = ask()
                key = answer.get("model_version") if status == 200 else f"{status} {answer}"
            except OSError as error:
                key = f"{type(error).__name__} {error}"
                self.failures.append(key)
            if status != 200:
                self.failures.append(key)
            self.answers[key] = self.answers.get(key, 0) + 1

    def __enter__(self):
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for each in self.threads:
            each.join()


class Rollouts(unittest.TestCase):
    """In the order of their names: each begins where the one before ended."""

    def test_01_the_first_version_serves(self):
        made = rollout("1.0.0", reason="first")
        self.assertEqual(STATE[made.state], "pending")
        live = await_state(made.rollout_id, SERVING)
        status, answer = ask()
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["model_version"], "1.0.0")
        self.assertEqual(ask("1.0.0")[1]["outputs"], answer["outputs"])
        self.assertEqual(ask("9.9.9")[0], 404)
        self.assertEqual(ask(environment=0)[0], 404)
        rules = [decision.rule for decision in live.decisions]
        self.assertEqual(rules[:4], ["asked", "grant", "smoke", "applied"])
        self.assertIn("sample rows as registered", live.decisions[2].reason)
        self.assertEqual(live.endpoint, f"http://127.0.0.1:{suite_port() + 31}/v2/models/Houses")

    def test_02_the_second_takes_over_without_a_failed_request(self):
        with Load() as load:
            time.sleep(0.5)
            await_state(rollout("1.0.1").rollout_id, SERVING)
            wait_until(lambda: load.answers.get("1.0.1", 0) > 20, "the new version answers")
        self.assertEqual(load.failures, [])
        self.assertGreater(load.answers["1.0.0"], 0)
        self.assertEqual(ask("1.0.0")[0], 200, "kept warm, reached by its path")
        now = endpoint()
        self.assertEqual(now.stable.version, "1.0.1")
        self.assertEqual([each.version for each in now.others if each.warm], ["1.0.0"])

    def test_03_rolls_back_to_the_warm_one_without_a_failed_request(self):
        with Load() as load:
            time.sleep(0.3)
            back = admin().get("Rollback", {"environment": "staging", "model": "Houses",
                                            "reason": "a test"}).rollout
            self.assertEqual(back.spec.version, "1.0.0")
            await_state(back.rollout_id, SERVING, 20)
            wait_until(lambda: load.answers.get("1.0.0", 0) > 20, "the old version answers")
        self.assertEqual(load.failures, [])
        revisions = admin().get("ListRevisions", {"environment": "staging",
                                                  "model": "Houses"}).revisions
        self.assertEqual([(each.number, each.version) for each in revisions],
                         [(3, "1.0.0"), (2, "1.0.1"), (1, "1.0.0")])
        self.assertIn("rollback to revision 1: a test", revisions[0].why)
        self.assertEqual(revisions[1].until_us > revisions[1].from_us, True)
        for time_us, traffic in ((revisions[1].from_us + 1000, {"1.0.1": "live", "1.0.0": "beside"}),
                                 (revisions[0].from_us + 1000, {"1.0.0": "live", "1.0.1": "beside"}),
                                 (revisions[2].from_us - 60_000_000, {})):
            self.assertEqual(self.traffic_at(time_us), traffic)

    def traffic_at(self, time_us):
        """Of each version that was there: whether it had the traffic."""
        moment = datetime.datetime.fromtimestamp(time_us / 1e6, datetime.timezone.utc).isoformat()
        done = suite.cli("-o", "json", "at", moment, "--env", "staging", "--model", "Houses")
        assert done.returncode == 0, done.stderr
        return {each["version"]: each["traffic"] for each in json.loads(done.stdout)}

    def test_04_a_task_deploys_and_waits(self):
        spec = deployer_pb2.RolloutSpec(model="Houses", version="1.0.1", environment="staging")
        result = deployer_pb2.DeployResult.FromString(run_job("deploy", spec).result)
        self.assertIn(STATE[result.state], SERVING)
        self.assertEqual(result.version, "1.0.1")
        self.assertEqual(ask()[1]["model_version"], "1.0.1")

    def test_05_a_version_that_answers_otherwise_leaves_traffic_where_it_was(self):
        """The files of one version with the sample rows of another."""
        before = endpoint().revision
        mixed = mix("1.0.0", "1.0.1")
        ended = await_state(rollout(mixed).rollout_id, ENDED | SERVING, 60)
        self.assertEqual(STATE[ended.state], "failed", ended.decisions)
        self.assertIn("was registered", ended.error)
        self.assertEqual(endpoint().revision, before)
        self.assertEqual(ask()[1]["model_version"], "1.0.1")
        wait_until(lambda: not servers(mixed), "what never served is gone")

    def test_06_an_abort_stops_what_was_begun(self):
        made = rollout("1.0.2", min_replicas=2)
        admin().get("ChangeRollout", {"rollout_id": made.rollout_id,
                                      "change": deployer_pb2.ROLLOUT_CHANGE_ABORT,
                                      "reason": "changed my mind"})
        ended = await_state(made.rollout_id, ENDED, 40)
        self.assertIn(STATE[ended.state], {"failed", "rolled_back"})
        self.assertIn("changed my mind", ended.error)
        self.assertEqual(ask()[1]["model_version"], "1.0.1")

    def test_07_two_instances_survive_the_death_of_one(self):
        await_state(rollout("1.0.2", min_replicas=2).rollout_id, SERVING)
        names = servers("1.0.2")
        self.assertEqual(len(names), 2)
        with Load() as load:
            for name in names:
                killed = pid_of(name)
                os.kill(killed, signal.SIGKILL)
                wait_until(lambda: answers("1.0.2"), "it answers again", 20)
                wait_until(lambda: is_back(name, killed), "it is back", 30)
                time.sleep(0.5)
        self.assertLessEqual(len(load.failures), 8, f"those in the hands of the killed at most: "
                             f"{load.answers}")

    def test_08_goes_on_while_deployer_and_runner_are_killed(self):
        made = rollout("1.0.1")
        for _ in range(4):
            for name in ("deployer0", "runner0"):
                os.kill(pid_of(name), signal.SIGKILL)
            self.assertEqual(ask()[0], 200, "HAProxy and servers are nobody's children")
            time.sleep(0.4)
        await_state(made.rollout_id, SERVING, 60)
        self.assertEqual(ask()[1]["model_version"], "1.0.1")

    def test_09_haproxy_comes_back(self):
        os.kill(pid_of("haproxy"), signal.SIGKILL)
        wait_until(answers, "HAProxy answers again", 20)

    def test_10_a_failing_version_is_rolled_back_by_itself(self):
        made = rollout("1.0.2")
        await_state(made.rollout_id, {"watching"})
        for name in servers("1.0.2"):
            model = os.path.join(args.var, "runner", "instances", name.removeprefix("server-"),
                                 "model")
            os.chmod(model, 0o644)
            with open(model, "r+b") as file:
                file.write(b"rotten")
            os.kill(pid_of(name), signal.SIGKILL)
        ended = await_state(made.rollout_id, ENDED, 60)
        self.assertEqual(STATE[ended.state], "rolled_back")
        self.assertIn("digest", ended.error)
        wait_until(lambda: ask()[1].get("model_version") == "1.0.1", "the one before serves")
        self.assertEqual(endpoint().stable.version, "1.0.1")


    def test_11_a_server_that_hangs_is_started_again(self):
        probe = {"period_ms": 200, "timeout_ms": 300, "failure_threshold": 2}
        await_state(rollout("1.0.0", liveness=probe).rollout_id, SERVING)
        name, = servers("1.0.0")
        hung = pid_of(name)
        os.kill(hung, signal.SIGSTOP)
        wait_until(lambda: is_back(name, hung), "it was killed, and is back", 30)
        wait_until(lambda: answers("1.0.0"), "it answers", 20)
        back = admin().get("Rollback", {"environment": "staging", "model": "Houses",
                                        "reason": "a test"}).rollout
        await_state(back.rollout_id, SERVING, 20)
        self.assertEqual(ask()[1]["model_version"], "1.0.1")


METRIC = "ANALYSIS_METRIC_KIND_"
HOLD, CONTINUE, ABOVE = (deployer_pb2.RolloutVerdict.Value("ROLLOUT_VERDICT_" + name)
                         for name in ("HOLD", "CONTINUE", "ABORT"))


def read_rows(count):
    """Rows of the data that the versions were trained on."""
    with open(os.path.join(args.var, "houses.csv"), encoding="utf-8") as file:
        return [{name: float(row[name]) for name in ROW} for row in csv.DictReader(file)][:count]


def infer(rows, each=None):
    """Status of the requests that send these rows, `each` rows in one (all, if not said)."""
    statuses = []
    size = each or len(rows)
    for first in range(0, len(rows), size):
        part = rows[first:first + size]
        body = {"inputs": [{"name": name, "shape": [len(part)], "datatype": "FP64",
                            "data": [row[name] for row in part]} for name in ROW]}
        asked = urllib.request.Request(
            f"http://127.0.0.1:{suite_port() + 31}/v2/models/Houses/infer",
            json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                statuses.append(answer.status)
        except urllib.error.HTTPError as error:
            statuses.append(error.code)
    return statuses


def is_reached():
    """HAProxy passes requests on again; unlike a prediction this one is not counted by the server."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{suite_port() + 31}/v2/models/Houses/ready",
                                    timeout=20) as answer:
            return answer.status == 200
    except OSError:
        return False


def proxy_start():
    """Of the HAProxy whose counters were kept last."""
    return suite.sql("SELECT start_id FROM deployment.proxy_count"
                     " WHERE environment = 'staging' AND model = 'Houses' AND NOT canary")


def set_rule(name, kind, interval_ms=1000, cooldown_ms=3600000, min_samples=50, column=None,
             maximum=None, **more):
    metric = {"kind": deployer_pb2.AnalysisMetricKind.Value(METRIC + kind)}
    metric.update({key: value for key, value in (("column", column), ("maximum", maximum))
                   if value is not None})
    return admin().get("SetWatchRule", {"rule": {
        "name": name, "environment": "staging", "model": "Houses", "metric": metric,
        "interval_ms": interval_ms, "cooldown_ms": cooldown_ms, "min_samples": min_samples,
        **more}}).rule


def remove_rule(name):
    admin().get("SetWatchRule", {"remove": True, "rule": {
        "name": name, "environment": "staging", "model": "Houses"}})


def rules():
    listed = admin().get("ListWatchRules", {"environment": "staging", "model": "Houses"}).rules
    return {each.name: each for each in listed}


def await_look(name, check, what, seconds=30):
    """What the rule's last look saw, once that is so."""
    def found():
        last = rules()[name].last
        return last if last.sentence and check(last) else None
    try:
        return wait_until(found, what, seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; last: {rules()[name].last}") from None


def await_window(name):
    """The rule counts from here on."""
    await_look(name, lambda last: "the window stays open" in last.sentence, "a window begins")


def fired(name, kind="watch.fired"):
    events = admin().get("ReadEvents", {"types": [kind], "limit": 500}).events
    facts = [{fact.key: fact.value
              for fact in event_pb2.EventPayload.FromString(each.payload).facts}
             for each in events]
    return [each for each in facts if each["rule"] == name]


def await_fired(name, count=1):
    """The rule's events, once there are so many: the log is written a moment after the change."""
    return wait_until(lambda: (lambda found: found if len(found) >= count else None)(fired(name)),
                      f"{name} fires {count} times")


class Watching(unittest.TestCase):
    """Rules at the endpoint, after all that happened to it above; in the order of their names."""

    @classmethod
    def setUpClass(cls):
        for version in ("1.0.0", "1.0.1"):
            await_state(rollout(version).rollout_id, SERVING)

    def refused(self, words, status="INVALID_ARGUMENT", **rule):
        answer = admin().ask("SetWatchRule", {"rule": {
            "name": "r", "environment": "staging", "model": "Houses", **rule}})
        self.assertEqual(answer.status, status, answer.header.message)
        self.assertIn(words, answer.header.message)

    def test_1_a_rule_that_cannot_be_is_refused(self):
        errors = {"kind": deployer_pb2.ANALYSIS_METRIC_KIND_ERROR_RATE}
        self.refused("RUN is not there yet", metric=errors,
                     action=deployer_pb2.WATCH_ACTION_RUN)
        self.refused("takes labels",
                     metric={"kind": deployer_pb2.ANALYSIS_METRIC_KIND_LABELLED_ERROR})
        self.refused("milliseconds", metric={"kind": deployer_pb2.ANALYSIS_METRIC_KIND_LATENCY})
        answer = admin().ask("SetWatchRule", {"remove": True, "rule": {
            "name": "none", "environment": "staging", "model": "Houses"}})
        self.assertEqual(answer.status, "NOT_FOUND")
        answer = people["vera"].ask("SetWatchRule", {"rule": {
            "name": "r", "environment": "staging", "model": "Houses", "metric": errors}})
        self.assertEqual(answer.status, "PERMISSION_DENIED")
        self.assertEqual(rules(), {})

    def test_2_holds_without_traffic(self):
        set_rule("quiet", "ERROR_RATE")
        last = await_look("quiet", lambda last: last.n_needed == 50 and "0 requests" in last.sentence,
                          "it says that there are no requests")
        self.assertEqual(last.verdict, HOLD)
        self.assertIn("too little traffic to decide anything", last.sentence)
        looked = rules()["quiet"].last_look_us
        wait_until(lambda: rules()["quiet"].last_look_us > looked, "it looks again")
        self.assertEqual(fired("quiet"), [])
        remove_rule("quiet")

    def test_3_restarts_between_two_looks_lose_no_counts(self):
        """Any latency is above this bound: it fires as soon as it has its sample."""
        (name,) = servers("1.0.1")
        set_rule("slow", "LATENCY", maximum=0.0001, min_samples=80)
        await_window("slow")
        self.assertEqual(set(infer(read_rows(30), 1)), {200})
        await_look("slow", lambda last: last.n_canary == 30, "30 requests were counted")
        killed = pid_of(name)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: is_back(name, killed), "another server is ready")
        wait_until(is_reached, "HAProxy knows that")
        self.assertEqual(set(infer(read_rows(30), 1)), {200})
        await_look("slow", lambda last: last.n_canary == 60, "60 requests, of two servers")
        before = proxy_start()
        subprocess.run(["s6-svc", "-2", os.path.join(suite_folder("s6"), "haproxy")], check=True)
        wait_until(lambda: proxy_start() != before, "another HAProxy counts from zero")
        self.assertEqual(set(infer(read_rows(20), 1)), {200})
        last = await_look("slow", lambda last: last.verdict == ABOVE, "it fires")
        (event,) = await_fired("slow")
        self.assertEqual(last.n_canary, 80, "each request is counted once")
        self.assertEqual(event["metric"], "latency")
        self.assertEqual(event["version"], "1.0.1")
        self.assertEqual(event["action"], "event")
        self.assertEqual(int(event["n"]), last.n_canary)
        self.assertIn("ms", event["sentence"])
        remove_rule("slow")

    def test_4_shifted_inputs_fire_once_in_a_cooldown(self):
        set_rule("area", "FEATURE_DISTRIBUTION", column="area", min_samples=400)
        set_rule("shape", "PREDICTION_DISTRIBUTION", min_samples=400, alert_threshold=0.2)
        set_rule("mean", "PREDICTION_MEAN", min_samples=400, alert_threshold=0.5)
        for name in ("area", "shape", "mean"):
            await_window(name)
        infer(read_rows(400))
        for name in ("area", "shape", "mean"):
            last = await_look(name, lambda last: last.verdict == CONTINUE, "it sees what it knows")
            self.assertEqual(last.n_canary, 400, last)
            self.assertLess(last.difference, 0.02, last)
        shifted = [{**row, "area": row["area"] * 3} for row in read_rows(400)]
        infer(shifted)
        for name in ("area", "shape", "mean"):
            await_look(name, lambda last: last.verdict == ABOVE, "it sees the shift")
        for name in ("shape", "mean"):
            self.assertEqual(len(await_fired(name)), 1)
        (event,) = await_fired("area")
        self.assertEqual((event["metric"], event["column"], event["n"]),
                         ("feature_distribution", "area", "400"))
        self.assertGreater(float(event["statistic"]), float(event["threshold"]))
        self.assertIn("standard deviations", event["sentence"])
        self.assertGreater(rules()["area"].last_fired_us, 0)
        infer(shifted)
        last = await_look("area", lambda last: "cooldown" in last.sentence, "it sees it again")
        self.assertEqual(last.verdict, ABOVE)
        self.assertEqual(len(fired("area")), 1)
        for name in ("area", "shape", "mean"):
            remove_rule(name)

    def test_5_requests_that_fail_fire(self):
        (name,) = servers("1.0.1")
        set_rule("errors", "ERROR_RATE", min_samples=60, alert_threshold=0.5)
        await_window("errors")
        folder = os.path.join(suite_folder("s6"), name)
        subprocess.run(["s6-svc", "-d", folder], check=True)
        try:
            wait_until(lambda: infer(read_rows(1)) == [503], "HAProxy has nobody to ask")
            self.assertEqual(set(infer(read_rows(80), 1)), {503})
            last = await_look("errors", lambda last: last.verdict == ABOVE, "it fires")
        finally:
            subprocess.run(["s6-svc", "-u", folder], check=True)
        self.assertIn("as HAProxy counted", last.sentence)
        self.assertEqual(len(await_fired("errors")), 1)
        wait_until(lambda: endpoint().stable.replicas_ready == 1, "it is back", 30)
        remove_rule("errors")

    def test_6_a_rule_rolls_back_and_not_twice(self):
        before = endpoint()
        set_rule("back", "FEATURE_DISTRIBUTION", column="idade", min_samples=300, cooldown_ms=0,
                 alert_threshold=0.3, action=deployer_pb2.WATCH_ACTION_ROLLBACK)
        await_window("back")
        shifted = [{**row, "idade": 400} for row in read_rows(300)]
        infer(shifted)
        wait_until(lambda: endpoint().stable.version == "1.0.0", "the one before serves", 30)
        now = endpoint()
        self.assertEqual(now.revision, before.revision + 1)
        revision = admin().get("ListRevisions", {"environment": "staging",
                                                 "model": "Houses"}).revisions[0]
        self.assertIn("watch rule back: ", revision.why)
        self.assertIn("values of idade", revision.why)
        self.assertEqual([each["action"] for each in await_fired("back")], ["rollback"])
        await_window("back")
        infer(shifted)
        self.assertIn("what the rule rolled back to", await_fired("back", 2)[-1]["action"])
        await_window("back")
        self.assertEqual(endpoint().revision, now.revision)
        self.assertEqual(endpoint().stable.version, "1.0.0")
        self.assertEqual(fired("back", "watch.rollback_refused"), [])
        remove_rule("back")

    def test_7_a_task_sets_a_rule(self):
        spec = deployer_pb2.MonitorSpec()
        spec.rule.name, spec.rule.environment, spec.rule.model = "job", "staging", "Houses"
        spec.rule.metric.kind = deployer_pb2.ANALYSIS_METRIC_KIND_ERROR_RATE
        run_job("watch", spec)
        self.assertEqual(rules()["job"].interval_ms, 60000)
        self.assertIn("job", [each.name for each in endpoint().watch_rules])
        wait_until(lambda: rules()["job"].last_look_us, "it looks")
        looked = rules()["job"].last_look_us
        run_job("watch", spec)
        self.assertEqual(rules()["job"].last_look_us, looked, "the same rule goes on")
        remove_rule("job")
        spec.rule.action = deployer_pb2.WATCH_ACTION_RUN
        ended = run_job("watch", spec, orchestrator_pb2.TASK_STATE_FAILED)
        self.assertIn("RUN is not there yet", ended.error)

    def test_8_serving_is_stopped(self):
        now = endpoint()
        self.assertGreater(now.stable.since_us, 0)
        self.assertEqual(len(now.stable.grant_id), 16)
        self.assertIn("1.0.1", [each.version for each in now.others])
        fields = {"environment": "staging", "model": "Houses", "reason": "a test"}
        answer = admin().ask("StopServing", {**fields, "version": "1.0.0"})
        self.assertEqual(answer.status, "FAILED_PRECONDITION")
        self.assertIn("is the stable version", answer.header.message)
        admin().get("StopServing", {**fields, "version": "1.0.1"})
        wait_until(lambda: ask("1.0.1")[0] == 404, "the warm one is gone")
        self.assertEqual(ask()[0], 200)
        stopped = admin().get("StopServing", fields).endpoint
        self.assertFalse(stopped.HasField("stable"))
        wait_until(lambda: ask()[0] == 404, "nothing serves")
        wait_until(lambda: not endpoint().others, "all instances are gone")
        ended = wait_until(lambda: [each for each in admin().get(
            "ListRollouts", {"environment": "staging", "model": "Houses"}).rollouts
            if "taken out of service" in each.end_reason], "the rollout ends")
        self.assertEqual(STATE[ended[0].state], "done")
        revision = admin().get("ListRevisions", {"environment": "staging",
                                                 "model": "Houses"}).revisions[0]
        self.assertGreater(revision.until_us, 0)
        answer = admin().ask("StopServing", fields)
        self.assertEqual(answer.status, "NOT_FOUND")
        left = suite.number("SELECT (SELECT count(*) FROM deployment.telemetry)"
                            " + (SELECT count(*) FROM deployment.instance)")
        self.assertEqual(left, 0, "counts go with their instances")
        await_state(rollout("1.0.1").rollout_id, SERVING)
        self.assertEqual(ask()[1]["model_version"], "1.0.1")

    def test_9_statistics_have_the_names_of_the_contract(self):
        numbers = {each.key: each.value for each in common_pb2.GetStatsReply.FromString(
            admin().send(admin().header("GetStats", service="deployer"), b"").body).numbers}
        self.assertGreaterEqual(numbers["total_deployments"], 4)
        self.assertGreaterEqual(numbers["successful_deployments"], 4)
        self.assertIn("failed_deployments", numbers)
        self.assertGreaterEqual(numbers["rollbacks"], 1)
        self.assertGreater(numbers["average_deployment_time_ms"], 0)
        self.assertEqual(numbers["active_deployments"], 1)
        self.assertGreaterEqual(numbers["total_active"], 1)


class Refusals(unittest.TestCase):
    def refused(self, words, **spec):
        answer = admin().ask("CreateRollout", {"spec": {"model": "Houses", "version": "1.0.0",
                                                        "environment": "staging", **spec}})
        self.assertIn(words, answer.header.message)
        return answer

    def test_say_what_is_wrong(self):
        self.refused("needed", model="")
        self.refused("'9.9.9'", version="9.9.9")
        self.refused("min_replicas", min_replicas=40)
        self.refused("cpu_limit", cpu_limit="lots")
        self.refused("blue-green", strategy=deployer_pb2.STRATEGY_CANARY)
        self.refused("port", target_port=1)
        self.refused("24 h", drain_ms=-1)

    def test_an_unknown_environment_gets_no_host(self):
        made = rollout("1.0.0", environment="nowhere", progress_deadline_ms=1500)
        ended = await_state(made.rollout_id, ENDED, 20)
        self.assertIn("no host offers", ended.error)

    def test_more_than_a_host_can_be_told_of_is_refused(self):
        variables = [{"key": f"WIDE_{i}", "value": "1"} for i in range(64)]
        made = rollout("1.0.0", model="Houses", min_replicas=16, max_replicas=16,
                       environment_variables=variables)
        ended = await_state(made.rollout_id, ENDED, 20)
        self.assertEqual(STATE[ended.state], "failed")
        self.assertIn("fewer replicas", ended.error)

    def test_production_needs_evidence(self):
        made = rollout("1.0.0", environment="production")
        ended = await_state(made.rollout_id, ENDED, 20)
        self.assertEqual(STATE[ended.state], "failed")
        self.assertIn("registry does not allow it", ended.error)
        self.assertEqual(ask(environment=0)[0], 404)

    def test_a_viewer_may_look_and_not_touch(self):
        vera = people["vera"]
        self.assertTrue(vera.get("ListEndpoints").endpoints)
        answer = vera.ask("CreateRollout", {"spec": {"model": "Houses", "version": "1.0.0",
                                                     "environment": "staging"}})
        self.assertEqual(answer.status, "PERMISSION_DENIED")

    def test_a_repeated_call_is_one_rollout(self):
        message = {"spec": {"model": "Houses", "version": "1.0.0", "environment": "nowhere",
                            "progress_deadline_ms": 1000}}
        request_id = uuid.uuid4().bytes
        first = admin().get("CreateRollout", message, request_id=request_id).rollout
        again = admin().get("CreateRollout", message, request_id=request_id).rollout
        self.assertEqual(first.rollout_id, again.rollout_id)
        await_state(first.rollout_id, ENDED, 20)

    def test_a_port_in_use_is_said_and_the_others_go_on(self):
        """A suite of its own: somebody has the port of its staging."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            path = os.path.join(args.var, "second")
            os.makedirs(os.path.join(path, "s6"), exist_ok=True)
            log = open(os.path.join(args.var, "second.log"), "w", encoding="utf-8")
            process = subprocess.Popen(
                [os.path.join(args.bin, "valion-runner"), "--bus", suite.bus, "--keys", suite.keys,
                 "--host", "second", "--path", path, "--supervisor", suite_folder("s6"),
                 "--haproxy-service", os.path.join(path, "s6", "haproxy"), "--redis", "",
                 "--environments", f"busy:{port}"],
                stderr=log)
            try:
                wait_until(lambda: any(host.name == "second" and host.error
                                       for host in admin().get("ListHosts").hosts),
                           "the host says what is wrong")
            finally:
                process.terminate()
                process.wait(20)
                log.close()


def suite_folder(name):
    return os.path.join(args.var, name)


def main():
    suite.remove()
    suite.up()
    bad = []
    try:
        suite.cli("keys", "new", "vera", "--roles", "viewer")
        people["admin"] = Principal(suite, "admin")
        people["vera"] = wait_until(lambda: connect("vera"), "a viewer")
        make_data()
        train()
        train(hyperparameters=[{"key": "rounds", "value": "50"}])
        train(hyperparameters=[{"key": "rounds", "value": "60"}])
        result = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2).result
        for each in people.values():
            each.close()
    finally:
        suite.down()
        bad = services_support.what_logs_say(
            suite.folder, ("Sanitizer", "runtime error", "valion: a bug"))
    for line in bad[:20]:
        print(f"in a log: {line}")
    good = result.wasSuccessful() and result.testsRun > 0 and not bad
    if good:
        suite.remove()
    return 0 if good else 1


def connect(name):
    """Brokers read the folder of keys each second, and a refused key is not tried again."""
    made = Principal(suite, name)
    made.socket.send_multipart([made.header("Ping"), b""])
    if made.socket.poll(300):
        made.socket.recv_multipart()
        return made
    made.close()
    return None


if __name__ == "__main__":
    sys.exit(main())
