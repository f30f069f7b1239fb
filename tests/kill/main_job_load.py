"""What the users of the main job do, each in a thread: start runs, submit jobs, ask for
predictions; and who kills meanwhile. All remember what happened, so that the record can be held
against it."""
import http.client
import json
import os
import random
import threading
import time

from kill_support import Caller, kill
from valion.v1 import orchestrator_pb2, validator_pb2

ROW = {"area": 150, "quartos": 3, "banheiros": 2, "idade": 10, "garagem": 1,
       "distancia_centro": 8.5, "score_vizinhanca": 7}
BODY = json.dumps({"inputs": [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
                              for name, value in ROW.items()]}).encode()
RUN_ENDED = {orchestrator_pb2.RUN_STATE_COMPLETED, orchestrator_pb2.RUN_STATE_FAILED,
             orchestrator_pb2.RUN_STATE_CANCELLED}


class User(threading.Thread):
    """Works until told to stop; what it died of is kept for the table."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ending, self.failure = threading.Event(), None

    def run(self):
        try:
            while not self.ending.is_set():
                self.work()
        except Exception as failure:
            self.failure = failure

    def work(self):
        raise NotImplementedError

    def end(self, seconds=90):
        self.ending.set()
        self.join(seconds)
        if self.is_alive() and self.failure is None:
            self.failure = TimeoutError(f"it still waits after {seconds} s")


class Submitter(User):
    """Submits and looks until what it submitted has ended."""

    def __init__(self, suite, period_s):
        super().__init__()
        self.caller, self.period_s = Caller(suite), period_s
        self.accepted = {}  # id -> when
        self.told = {}      # id -> state that it ended in, as a caller was told
        self.unknown = 0    # submissions without an answer in time
        self.full = False   # submits no more

    def submit(self):
        """The id of what was submitted, or None."""
        raise NotImplementedError

    def look(self, item):
        """The state that it ended in, or None."""
        raise NotImplementedError

    def is_free(self):
        return True

    def open(self):
        return len(self.accepted) - len(self.told)

    def await_end(self, seconds):
        """Until all that was accepted has ended, or this died of something; what is open then."""
        until = time.monotonic() + seconds
        while self.open() and self.is_alive() and time.monotonic() < until:
            time.sleep(0.1)
        return self.open()

    def work(self):
        begun = time.monotonic()
        for item in self.accepted.keys() - self.told.keys():
            state = self.look(item)
            if state is not None:
                self.told[item] = state
        if self.is_free() and not self.full:
            item = self.submit()
            if item is None:
                self.unknown += 1
            else:
                self.accepted[item] = time.monotonic()
        self.ending.wait(max(0.0, begun + self.period_s - time.monotonic()))


class Runs(Submitter):
    """Runs of the pipeline, of each model by turns; so many of them are open at once, and no more
    than so many are submitted."""

    def __init__(self, suite, pipeline, models, period_s, open_max, most=None):
        super().__init__(suite, period_s)
        self.pipeline, self.models, self.open_max, self.most = pipeline, models, open_max, most

    def is_free(self):
        return (self.open() < self.open_max and
                (self.most is None or len(self.accepted) < self.most))

    def submit(self):
        model = self.models[len(self.accepted) % len(self.models)]
        reply = self.caller.call("orchestrator.SubmitRun", {
            "pipeline": self.pipeline, "params": [{"key": "model", "value": json.dumps(model)}]})
        return reply.run_id if reply else None

    def look(self, item):
        reply = self.caller.call("orchestrator.GetRun", {"run_id": item})
        return reply.run.state if reply and reply.run.state in RUN_ENDED else None


class Jobs(Submitter):
    """Judges the latest version of a model, now and then."""

    def __init__(self, suite, models, period_s):
        super().__init__(suite, period_s)
        self.models = models

    def submit(self):
        spec = validator_pb2.ValidateSpec(model=self.models[len(self.accepted) % len(self.models)])
        spec.data.add(name="houses-test")
        reply = self.caller.call("orchestrator.SubmitJob", {
            "kind": "validate", "spec": spec.SerializeToString()})
        return reply.job_id if reply else None

    def look(self, item):
        reply = self.caller.call("orchestrator.GetJob", {"job_id": item})
        return reply.job.state if reply and reply.job.finished_us else None


class Predictions(User):
    """Asks for one prediction after the other, on a kept connection."""

    def __init__(self, port, model, period_s):
        super().__init__()
        self.port, self.model, self.period_s = port, model, period_s
        self.connection, self.requests = None, 0
        self.versions = {}    # that answered -> how often
        self.failures = []    # (when, what)
        self.outage = None    # when the first request failed of those that fail now
        self.longest_s = 0.0  # from such a request until one was answered

    def ask(self):
        """Status and version that answered; a connection that breaks is an OSError."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            self.connection.request("POST", f"/v2/models/{self.model}/infer", BODY,
                                    {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise ConnectionError(type(error).__name__) from error
        return answer.status, json.loads(text)["model_version"] if answer.status == 200 else None

    def ask_and_count(self):
        self.requests += 1
        try:
            status, version = self.ask()
            failure = None if status == 200 else f"status {status}"
        except ConnectionError as error:
            failure = str(error)
        now = time.monotonic()
        if failure:
            self.failures.append((now, failure))
            self.outage = self.outage or now
            return
        self.versions[version] = self.versions.get(version, 0) + 1
        if self.outage:
            self.longest_s = max(self.longest_s, now - self.outage)
            self.outage = None

    def work(self):
        self.ask_and_count()
        self.ending.wait(self.period_s)


def servers(suite):
    """Supervisor's names of model servers."""
    return sorted(name for name in os.listdir(os.path.join(suite.folder, "s6"))
                  if name.startswith("server-"))


class Killer:
    """Chooses whom to kill next, by chance but repeatably, or each by turns; counts."""

    SERVER = "server"  # any model server

    def __init__(self, suite, names, seed, gap_s):
        self.suite, self.names, self.gap_s, self.turn = suite, names, gap_s, 0
        self.chance = random.Random(seed)
        self.kills = dict.fromkeys(names, 0)
        self.killed = []  # (wall clock, monotonic, name); PostgreSQL here has the same wall clock

    def kill_one(self):
        """After a pause; who does not run just now is left alone."""
        time.sleep(self.gap_s or self.chance.uniform(0.5, 3.0))
        turn = self.turn % len(self.names)
        self.turn += 1
        name = self.names[turn] if self.gap_s else self.chance.choice(self.names)
        found = servers(self.suite) if name == self.SERVER else [name]
        at = time.time(), time.monotonic()
        if found and kill(self.suite, self.chance.choice(found)):
            self.kills[name] += 1
            self.killed.append((*at, name))
