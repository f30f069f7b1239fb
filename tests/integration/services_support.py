"""What a test of registry and orchestrator needs beside a suite: principals that call in every way
that the wire allows, a worker, and lists that are read page by page by the C command line."""
import base64
import glob
import json
import os
import time
import uuid

from suite_support import Answer, Caller
from valion.v1 import common_pb2, header_pb2, orchestrator_pb2, registry_pb2

SERVICES = {"registry": registry_pb2, "orchestrator": orchestrator_pb2, "bus": header_pb2}
OWNER = {method.name: (service, method)
         for service, messages in SERVICES.items()
         for method in messages.DESCRIPTOR.services_by_name[service.capitalize()].methods}
IN_FLIGHT = 64  # below what one principal may have
PAGE = 1000     # the most that a page may be asked to hold


def wait_until(check, what, seconds=30.0):
    """Polls something that tells of no event; what it gave at last. Fails loudly."""
    end = time.monotonic() + seconds
    found = check()
    while not found:
        if time.monotonic() > end:
            raise AssertionError(f"not in {seconds} s: {what}")
        time.sleep(0.02)
        found = check()
    return found


class Principal(Caller):
    """Somebody with a certificate."""

    def __init__(self, suite, name):
        super().__init__(suite, name)
        self.name = name

    def header(self, method, request_id=None, ticket=None, remaining_ms=20000, attempt=1,
               service=None):
        return header_pb2.Header(
            request_id=uuid.uuid4().bytes if request_id is None else request_id,
            service=service or OWNER[method][0], method=method, remaining_ms=remaining_ms,
            attempt=attempt, ticket=ticket).SerializeToString()

    def ask(self, method, message=None, body=None, **of_header):
        """The answer. `message` is a request, or the fields of one; `body` are bytes instead."""
        if body is None:
            body = (request(method, message) if not hasattr(message, "DESCRIPTOR") else message
                    ).SerializeToString()
        return self.send(self.header(method, **of_header), body)

    def get(self, method, message=None, **of_header):
        """The reply of a call that has to be good."""
        return self.ask(method, message, **of_header).read(reply_of(method))

    def get_all(self, method, messages):
        """Replies of calls that all have to be good, many of them in flight."""
        messages = list(messages)
        kind, replies, ids, sent = reply_of(method), {}, [], 0
        while len(replies) < len(messages):
            while sent < len(messages) and sent - len(replies) < IN_FLIGHT:
                ids.append(uuid.uuid4().bytes)
                self.socket.send_multipart([self.header(method, ids[-1]),
                                            request(method, messages[sent]).SerializeToString()])
                sent += 1
            if not self.socket.poll(30000):
                raise AssertionError(f"{method}: {len(replies)} of {len(messages)} replies")
            answer = Answer(self.socket.recv_multipart())
            replies[answer.header.request_id] = answer.read(kind)
        return [replies[each] for each in ids]


def request(method, fields=None):
    return OWNER[method][1].input_type._concrete_class(**(fields or {}))


def reply_of(method):
    return OWNER[method][1].output_type._concrete_class


def pairs(count, key="key", value=""):
    return [common_pb2.KeyValue(key=f"{key}{i}", value=value) for i in range(count)]


class Worker(Principal):
    """Leases, beats and completes as it is told, never by itself."""

    def lease(self, kind, free=1, wait_ms=0, **of_header):
        kinds = [kind] if isinstance(kind, str) else kind
        message = {"kinds": kinds, "free": free, "wait_ms": wait_ms, "worker": self.name + "-1"}
        return list(self.get("LeaseTasks", message, **of_header).leases)

    def lease_one(self, kind, wait_ms=10000):
        leases = self.lease(kind, 1, wait_ms)
        assert len(leases) == 1, f"no task of kind {kind} in {wait_ms} ms"
        return leases[0]

    def beat(self, lease, **fields):
        beat = orchestrator_pb2.Beat(task_id=lease.task_id, token=lease.token)
        for name, value in fields.items():
            setattr(beat, name, value)
        answer = self.get("Heartbeat", {"beats": [beat]}).answers[0]
        assert answer.task_id == lease.task_id
        return orchestrator_pb2.BeatVerdict.Name(answer.verdict).removeprefix("BEAT_VERDICT_")

    def complete(self, lease, outcome="DONE", **fields):
        message = {"task_id": lease.task_id, "token": lease.token, "outcome": outcome_of(outcome)}
        return self.ask("CompleteTask", {**message, **fields})

    def end(self, lease, outcome="DONE", **fields):
        """Name of the state that the task is in then."""
        return state_of(self.complete(lease, outcome, **fields).read(
            orchestrator_pb2.CompleteTaskReply))


def outcome_of(name):
    return orchestrator_pb2.Outcome.Value("OUTCOME_" + name)


def state(name):
    return orchestrator_pb2.TaskState.Value("TASK_STATE_" + name)


def state_of(message):
    return orchestrator_pb2.TaskState.Name(message.state).removeprefix("TASK_STATE_")


class Pages:
    """A list as the command line reads it: the C client refuses a reply that is too large."""

    def __init__(self, suite, method, field, **message):
        self.suite, self.field, self.message = suite, field, message
        self.method = f"{OWNER[method][0]}.{method}"

    def read(self, message):
        done = self.suite.cli("-o", "json", "call", self.method, json.dumps(message))
        assert done.returncode == 0, f"{self.method} {message}:\n{done.stderr}"
        return json.loads(done.stdout)

    def all(self):
        """Items of all pages, and how many pages there were."""
        items, pages, token = [], 0, None
        while pages == 0 or token:
            page = {"size": PAGE, **({"token": token} if token else {})}
            reply = self.read({**self.message, "page": page})
            items += reply.get(self.field, [])
            token = reply.get("next_token")
            pages += 1
        return items, pages


def to_id(job_id):
    """As the JSON form writes it."""
    return str(uuid.UUID(bytes=job_id))


def to_base64(data):
    return base64.b64encode(data).decode()


def what_logs_say(folder, words):
    """Lines of the services' logs that hold one of these words."""
    found = []
    for path in glob.glob(os.path.join(folder, "log", "*.log")):
        with open(path, errors="replace") as log:
            found += [f"{os.path.basename(path)}: {line.rstrip()}" for line in log
                      if any(word in line for word in words)]
    return found
