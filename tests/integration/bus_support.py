"""A real valion-bus on ports of its own, and plain ZeroMQ sockets as its clients and services."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import zmq
import zmq.auth
from zmq.utils.monitor import recv_monitor_message

from valion.v1 import common_pb2, header_pb2

WAIT_S = 10.0  # the longest that anything here may take, on a machine that is busy
FIRST_PORT, LAST_PORT = 12000, 19000  # below those that outgoing connections take


def wait_until(check, what, seconds=WAIT_S):
    """Polls something that tells of no event; fails loudly."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"not in {seconds} s: {what}")
        time.sleep(0.02)


def free_ports(count):
    """So many ports in a row that nobody listens on."""
    start = FIRST_PORT + os.getpid() * 8 % (LAST_PORT - FIRST_PORT)
    for first in list(range(start, LAST_PORT, 8)) + list(range(FIRST_PORT, start, 8)):
        held = []
        try:
            for port in range(first, first + count):
                held.append(socket.socket())
                held[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
    raise RuntimeError("no free ports")


class Keys:
    """A folder of keys, made by the command line."""

    def __init__(self, valion):
        self.valion = valion
        self.folder = tempfile.mkdtemp(prefix="valion-bus-")
        self.run("init")

    def run(self, *arguments):
        subprocess.run([self.valion, "keys", *arguments, "--keys", self.folder], check=True,
                       capture_output=True, timeout=30)

    def pair(self, name):
        return zmq.auth.load_certificate(f"{self.folder}/secret/{name}.key_secret")

    def bus_key(self):
        return zmq.auth.load_certificate(f"{self.folder}/bus.key")[0]

    def remove(self):
        shutil.rmtree(self.folder)


class Broker:
    """The program, started and ended; may be started again on the same ports."""

    def __init__(self, program, keys, *options, descriptors=None):
        self.program, self.keys, self.options = program, keys, options
        self.descriptors = descriptors  # that the process may have
        port = free_ports(4)
        self.client, self.service, self.publish, self.subscribe = (
            f"tcp://127.0.0.1:{port + i}" for i in range(4))
        self.port = port
        self.log = tempfile.TemporaryFile(mode="w+")
        self.start()

    def start(self):
        ready, theirs = os.pipe()
        # Freed memory goes back at once, so that the size of the process tells what it holds.
        environment = dict(os.environ, VALION_NOTIFY_FD=str(theirs))
        environment["ASAN_OPTIONS"] = "quarantine_size_mb=1:allocator_release_to_os_interval_ms=100"
        self.process = subprocess.Popen(
            [self.program, "--client-endpoint", self.client, "--service-endpoint", self.service,
             "--publish-endpoint", self.publish, "--subscribe-endpoint", self.subscribe,
             "--keys", self.keys.folder, *self.options],
            env=environment, pass_fds=[theirs], stderr=self.log, stdout=self.log,
            preexec_fn=self.limit if self.descriptors else None)
        os.close(theirs)
        with os.fdopen(ready, "rb") as pipe:
            if pipe.read(1) != b"\n":
                raise AssertionError("valion-bus does not serve:\n" + self.read_log())

    def limit(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    def stop(self):
        """Its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=WAIT_S)

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=WAIT_S)

    def read_log(self):
        self.log.seek(0)
        return self.log.read()

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 2**20


def secured(kind, keys, pair, endpoint, connect=True):
    """A socket that closes without waiting for anything."""
    made = zmq.Context.instance().socket(kind)
    made.linger = 0
    made.curve_serverkey = keys.bus_key()
    made.curve_publickey, made.curve_secretkey = pair
    if connect:
        made.connect(endpoint)
    return made


def connection_events(connecting, endpoint, wanted, seconds=WAIT_S):
    """Connects and returns the first event of the connection that is among `wanted`, or None."""
    monitor = connecting.get_monitor_socket()
    connecting.connect(endpoint)
    try:
        return next_event(monitor, wanted, seconds)
    finally:
        connecting.disable_monitor()
        monitor.close()


def next_event(monitor, wanted, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if monitor.poll(int((end - time.monotonic()) * 1000) + 1):
            event = recv_monitor_message(monitor)["event"]
            if event & wanted:
                return event
    return None


class Reply:
    def __init__(self, frames):
        while frames[0] != b"" and len(frames[0]) <= 16:
            frames = frames[1:]
        if frames[0] == b"":
            frames = frames[1:]
        self.header = header_pb2.Header.FromString(frames[0])
        self.body = frames[1]
        self.raw = frames[2] if len(frames) > 2 else None

    @property
    def status(self):
        return common_pb2.Status.Name(self.header.status).removeprefix("STATUS_")

    @property
    def reason(self):
        if not self.header.details:
            return None
        return header_pb2.Reason.Name(self.header.details[0].reason).removeprefix("REASON_")

    def __repr__(self):
        return f"{self.status}/{self.reason}: {self.header.message}"


class Client:
    """A DEALER: several calls may be in flight."""

    def __init__(self, broker, pair):
        self.socket = secured(zmq.DEALER, broker.keys, pair, broker.client)

    def header(self, service, method="Anything", remaining_ms=5000, **fields):
        return header_pb2.Header(request_id=os.urandom(16), service=service, method=method,
                                 remaining_ms=remaining_ms, **fields)

    def send(self, service, method="Anything", body=b"", raw=None, **fields):
        """The request id."""
        header = self.header(service, method, **fields)
        frames = [header.SerializeToString(), body] + ([raw] if raw is not None else [])
        self.socket.send_multipart(frames)
        return header.request_id

    def receive(self, seconds=WAIT_S):
        if not self.socket.poll(int(seconds * 1000)):
            raise AssertionError(f"no reply in {seconds} s")
        return Reply(self.socket.recv_multipart())

    def call(self, *arguments, **fields):
        request_id = self.send(*arguments, **fields)
        reply = self.receive()
        assert reply.header.request_id == request_id, "reply to another request"
        return reply

    def status(self):
        """What the broker says of itself."""
        reply = self.call("bus", "GetStatus")
        assert reply.status == "OK", reply
        return header_pb2.GetBusStatusReply.FromString(reply.body)

    def number(self, key):
        return {each.key: each.value for each in self.status().counters}[key]

    def close(self):
        self.socket.close()


class Instance:
    """One instance of a service, in the hands of a test."""

    def __init__(self, broker, principal, *services, credit=1, ready=True):
        pair = broker.keys.pair(principal)
        self.socket = secured(zmq.DEALER, broker.keys, pair, broker.service)
        self.services, self.credit = services, credit
        self.name = os.urandom(8).hex()
        self.epoch = 0
        if ready:
            self.say_ready()
            self.wait_for("HEARTBEAT")  # it is known

    def say(self, kind, *frames, **fields):
        kind = header_pb2.EnvelopeKind.Value("ENVELOPE_KIND_" + kind)
        envelope = header_pb2.Envelope(kind=kind, **fields)
        self.socket.send_multipart([envelope.SerializeToString(), *frames])

    def say_ready(self):
        ready = header_pb2.Ready(services=self.services, instance=self.name, version="test",
                                 host="here", pid=os.getpid(), credit=self.credit)
        self.say("READY", ready.SerializeToString())

    def receive(self, seconds=WAIT_S):
        """Envelope and the frames after it; None when nothing comes in time."""
        if not self.socket.poll(int(seconds * 1000)):
            return None
        frames = self.socket.recv_multipart()
        envelope = header_pb2.Envelope.FromString(frames[0])
        self.epoch = envelope.epoch
        return envelope, frames[1:]

    def wait_for(self, kind, seconds=WAIT_S):
        wanted = header_pb2.EnvelopeKind.Value("ENVELOPE_KIND_" + kind)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.receive(end - time.monotonic())
            if got and got[0].kind == wanted:
                return got
        raise AssertionError(f"no {kind} in {seconds} s")

    def waiting_requests(self):
        """Every request that is here by now; the broker's heartbeat ends the wait."""
        found = []
        beats = 0
        while beats < 2:  # what was sent before the second was on its way before the first
            got = self.receive()
            if got is None:
                raise AssertionError("the broker is silent")
            if got[0].kind == header_pb2.ENVELOPE_KIND_REQUEST:
                found.append(got)
            elif got[0].kind == header_pb2.ENVELOPE_KIND_HEARTBEAT:
                self.say("HEARTBEAT")
                beats += 1
        return found

    def reply(self, request, **fields):
        """Sends the body and raw frames of the request back."""
        envelope, frames = request
        header = header_pb2.Header.FromString(frames[0])
        answer = header_pb2.Header(request_id=header.request_id, status=common_pb2.STATUS_OK)
        fields.setdefault("epoch", envelope.epoch)
        self.say("REPLY", answer.SerializeToString(), *frames[1:], call=envelope.call, **fields)

    def close(self):
        self.socket.close()


class Background:
    """A thread that does something until it is stopped."""

    def __init__(self):
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def start(self):
        self.thread.start()

    def stop(self):
        self.ended.set()
        self.thread.join(timeout=WAIT_S)


class Echo(Background):
    """Serves "registry" as a well-behaved instance does."""

    def __init__(self, broker):
        super().__init__()
        self.broker = broker
        self.start()

    def run(self):
        instance = Instance(self.broker, "registry", "registry", credit=64, ready=False)
        instance.say_ready()
        beat = time.monotonic()
        while not self.ended.is_set():
            got = instance.receive(0.1)
            if got and got[0].kind == header_pb2.ENVELOPE_KIND_REQUEST:
                instance.reply(got)
            elif got and got[0].kind == header_pb2.ENVELOPE_KIND_RESET:
                instance.say_ready()
            if time.monotonic() - beat > 1:
                beat = time.monotonic()
                instance.say("HEARTBEAT")
        instance.say("BYE")
        instance.close()


class Honest(Background):
    """Calls "registry" all the time, one call after another, and notes what goes wrong."""

    def __init__(self, broker, attempts=1):
        super().__init__()
        self.broker, self.attempts = broker, attempts
        self.served, self.wrong = 0, []
        self.start()

    def attempt(self, client, frames):
        client.socket.send_multipart(frames)
        try:
            reply = client.receive(3)
        except AssertionError as nothing:
            return str(nothing)
        return None if reply.status == "OK" and reply.body == frames[1] else repr(reply)

    def run(self):
        client = Client(self.broker, self.broker.keys.pair("admin"))
        while not self.ended.wait(0.01):
            frames = [client.header("registry").SerializeToString(), os.urandom(100)]
            for _ in range(self.attempts):
                why = self.attempt(client, frames)
                if why is None:
                    self.served += 1
                    break
            else:
                self.wrong.append(why)
        client.close()
