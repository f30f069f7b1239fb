"""What a kill test needs beside a suite: callers that try again, and a careful hand."""
import collections
import os
import signal
import time
import uuid

import zmq
import zmq.auth

from valion.v1 import common_pb2, deployer_pb2, header_pb2, orchestrator_pb2, registry_pb2

PASSES_BY_ITSELF = {common_pb2.STATUS_UNAVAILABLE, common_pb2.STATUS_RESOURCE_EXHAUSTED,
                    common_pb2.STATUS_DEADLINE_EXCEEDED}
METHODS = {f"{service}.{method.name}": method
           for service, messages in (("registry", registry_pb2), ("deployer", deployer_pb2),
                                     ("orchestrator", orchestrator_pb2))
           for method in messages.DESCRIPTOR.services_by_name[service.capitalize()].methods}


def kill(suite, name):
    """SIGKILL to what the supervisor runs under this name; False if it runs nothing just now.

    A number alone may have passed to another process meanwhile. What a pidfd stands for cannot, and
    the supervisor names the same process after it was opened: it has not been reaped before.
    """
    pid = suite.find_pid(name)
    if pid <= 1:
        return False
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if suite.find_pid(name) != pid:
            return False
        signal.pidfd_send_signal(process, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(process)


def audit(suite):
    """Last line of `valion audit verify` on an export, and whether it was content."""
    exported = os.path.join(suite.folder, "export.jsonl")
    done = suite.cli("event", "export", "--file", exported)
    assert done.returncode == 0, done.stderr
    done = suite.cli("audit", "verify", "--export", exported, "--key",
                     os.path.join(suite.keys, "audit.pub"))
    said = (done.stdout + done.stderr).strip().splitlines()
    return (said or [""])[-1], done.returncode == 0


class Caller:
    """A plain REQ socket of a principal's, over every broker in turn; for one thread."""

    def __init__(self, suite, principal="admin"):
        self.buses, self.turn, self.socket, self.again = suite.bus.split(","), 0, None, 0
        self.refusals = collections.Counter()  # by status, of answers that were tried again
        self.answered = []  # (begun, ended) of each call that was answered
        self.server = zmq.auth.load_certificate(os.path.join(suite.keys, "bus.key"))[0]
        self.public, self.secret = zmq.auth.load_certificate(
            os.path.join(suite.keys, "secret", principal + ".key_secret"))

    def connect(self):
        self.turn = (self.turn + 1) % len(self.buses)
        self.socket = zmq.Context.instance().socket(zmq.REQ)
        self.socket.linger = 0
        self.socket.curve_serverkey = self.server
        self.socket.curve_publickey, self.socket.curve_secretkey = self.public, self.secret
        self.socket.connect("tcp://" + self.buses[self.turn])

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def try_once(self, header, body, wait_s, raw=None):
        """Frames of an answer, or None."""
        if self.socket is None:
            self.connect()
        frames = [header.SerializeToString(), body]
        self.socket.send_multipart(frames if raw is None else [*frames, raw])
        if self.socket.poll(int(wait_s * 1000) + 500):
            return self.socket.recv_multipart()
        self.close()
        return None

    def call(self, name, fields=None, seconds=60.0, wait_s=2.0, raw=None, ticket=None):
        """The reply to "service.Method", under one request id however often it is asked; None when
        the time was over, so that nobody knows. What will not pass by itself is raised."""
        method, until = METHODS[name], time.monotonic() + seconds
        body = method.input_type._concrete_class(**(fields or {})).SerializeToString()
        header = header_pb2.Header(request_id=uuid.uuid4().bytes, service=name.split(".")[0],
                                   method=method.name, remaining_ms=int(wait_s * 1000))
        if ticket is not None:
            header.ticket.CopyFrom(ticket)
        begun = time.monotonic()
        while time.monotonic() < until:
            header.attempt += 1
            self.again += header.attempt > 1
            frames = self.try_once(header, body, wait_s, raw)
            if frames is None:
                continue
            answer = header_pb2.Header.FromString(frames[0])
            if answer.status == common_pb2.STATUS_OK:
                self.answered.append((begun, time.monotonic()))
                self.raw = frames[2] if len(frames) > 2 else None
                return method.output_type._concrete_class.FromString(frames[1])
            if answer.status not in PASSES_BY_ITSELF:
                raise RuntimeError(f"{name}: {answer.message}")
            self.refusals[common_pb2.Status.Name(answer.status).removeprefix("STATUS_")] += 1
            time.sleep(0.1)  # the peer said that it is busy or away: asked again at a slow pace
        return None
