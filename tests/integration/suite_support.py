"""A suite of its own for a test: started by scripts/suite, called by plain sockets, read by SQL."""
import os
import shutil
import subprocess
import uuid

import zmq
import zmq.auth

from valion.v1 import common_pb2, header_pb2

WAIT_S = 30.0  # the longest that one call may take, on a machine that is busy
OK = common_pb2.STATUS_OK


def run_to_end(words, **options):
    """Runs it with its output as text; the caller looks at the exit status."""
    return subprocess.run(words, text=True, capture_output=True, timeout=60, **options)


class Suite:
    """What runs under a folder."""

    def __init__(self, root, programs, folder, port, **scale):
        self.root, self.programs, self.folder, self.port = root, programs, folder, port
        self.scale = {"trainer": 0, "validator": 0, "deployer": 0, "runner": 0, **scale}
        self.bus = self.keys = None

    def script(self, *words):
        done = run_to_end([os.path.join(self.root, "scripts", "suite"), *words])
        if done.returncode != 0:
            raise RuntimeError(f"suite {' '.join(words)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def up(self):
        scale = [word for name, count in self.scale.items()
                 for word in ("--scale", f"{name}={count}")]
        self.script("up", self.folder, "--bin", self.programs, "--port", str(self.port), *scale)
        lines = self.script("env", self.folder).splitlines()
        env = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        self.bus, self.keys = env["VALION_BUS"], env["VALION_KEYS"]

    def down(self):
        if os.path.isdir(self.folder):
            self.script("down", self.folder)

    def remove(self):
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def find_pid(self, name):
        """Of the process that the supervisor runs under this name; 0 if it runs none."""
        said = run_to_end(["s6-svstat", "-o", "pid", os.path.join(self.folder, "s6", name)]).stdout
        return max(int(said or 0), 0)

    def pid(self, name):
        """The same, and it has to run: what stands for none would be everybody to a kill."""
        pid = self.find_pid(name)
        if pid <= 1:
            raise AssertionError(f"{name} does not run")
        return pid

    def cli(self, *words):
        """The command line, as a finished process."""
        return run_to_end([os.path.join(self.programs, "valion"), "--bus", self.bus, "--keys",
                              self.keys, *words])

    def psql_words(self):
        return ["psql", "-h", os.path.join(self.folder, "pg.sock"), "-U", "postgres", "-d",
                "valion", "-qAt", "-F", "\t", "-v", "ON_ERROR_STOP=1"]

    def sql(self, query):
        """Rows of text, asked as superuser."""
        done = run_to_end([*self.psql_words(), "-c", query])
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines() if line]

    def number(self, query):
        return int(self.sql(query)[0][0])

    def caller(self, principal="admin"):
        return Caller(self, principal)


class Answer:
    def __init__(self, frames):
        self.header_bytes, self.body = frames[0], frames[1]
        self.raw = frames[2] if len(frames) > 2 else None
        self.header = header_pb2.Header.FromString(frames[0])

    @property
    def status(self):
        return common_pb2.Status.Name(self.header.status).removeprefix("STATUS_")

    @property
    def reason(self):
        details = self.header.details
        return header_pb2.Reason.Name(details[0].reason).removeprefix("REASON_") if details else ""

    def read(self, kind):
        """The body as this message; the call has to be good."""
        assert self.header.status == OK, f"{self.status}: {self.header.message}"
        return kind.FromString(self.body)


class Caller:
    """A DEALER of a principal's; one call after another."""

    def __init__(self, suite, principal):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey = zmq.auth.load_certificate(f"{suite.keys}/bus.key")[0]
        self.socket.curve_publickey, self.socket.curve_secretkey = zmq.auth.load_certificate(
            f"{suite.keys}/secret/{principal}.key_secret")
        self.socket.connect("tcp://" + suite.bus)

    def call(self, service, method, message, request_id=None, remaining_ms=20000):
        header = header_pb2.Header(request_id=request_id or uuid.uuid4().bytes, service=service,
                                   method=method, remaining_ms=remaining_ms)
        return self.send(header.SerializeToString(), message.SerializeToString())

    def send(self, *frames):
        """Frames as they are."""
        self.socket.send_multipart(frames)
        if not self.socket.poll(int(WAIT_S * 1000)):
            raise AssertionError(f"no reply in {WAIT_S} s")
        return Answer(self.socket.recv_multipart())

    def close(self):
        self.socket.close()
