"""Old and new programs together, as running processes: what is known is understood, what is not is
passed over. Two contracts are made of the real one: an older one, without some fields and enum
values, and a newer one, with five more fields in every message and one more value in every enum.

The real registry, orchestrator and bus are called with both; the real command line and the real
registry are answered by services and a bus that speak the newer one, or an older one.
"""
import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import uuid

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path[:0] = [args.python, os.path.dirname(os.path.abspath(__file__))]

import zmq  # noqa: E402
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402
from google.protobuf.unknown_fields import UnknownFieldSet  # noqa: E402

from bus_support import Broker, Keys, free_ports, secured, wait_until  # noqa: E402
from suite_support import Suite, run_to_end  # noqa: E402

FIRST_NEW_FIELD, NEW_VALUE = 2001, 77
NEW_FIELDS_OF_A_MESSAGE = 5
FIELD = descriptor_pb2.FieldDescriptorProto

# What an older release did not have yet.
REMOVED_FIELDS = {
    "Header": ["attempt", "traceparent", "ticket", "details"],
    "Model": ["tags", "revision", "versions", "latest_version"],
    "Version": ["lineage", "hyperparameters", "revision", "aliases"],
    "Artifact": ["size_bytes", "media_type"],
    "CreateModelReply": ["created"],
    "Job": ["labels", "progress", "token", "deadline_us", "run_id", "step"],
    "SubmitJobRequest": ["labels", "max_attempts", "priority"],
    "Lease": ["attempt", "submitter", "ticket"],
    "Event": ["hash"],
    "ReadEventsReply": ["end"],
    "Ready": ["host", "pid", "version"],
}
REMOVED_VALUES = {"TaskState": [3, 4, 7], "Reason": [9, 10, 18], "VersionStatus": [2, 5]}


class Contract:
    """Message classes of one release."""

    files = None

    def __init__(self, name, edit):
        if Contract.files is None:
            Contract.files = self.read()
        files = descriptor_pb2.FileDescriptorSet()
        files.CopyFrom(Contract.files)
        edit(files)
        self.name, self.pool = name, descriptor_pool.DescriptorPool()
        self.factory = message_factory.MessageFactory(self.pool)
        for file in files.file:
            self.pool.Add(file)

    @staticmethod
    def read():
        folder = os.path.join(args.root, "proto")
        with tempfile.NamedTemporaryFile() as file:
            subprocess.run(["protoc", "-I", folder, "--include_imports",
                            "--descriptor_set_out", file.name,
                            *sorted(glob.glob(folder + "/valion/v1/*.proto"))], check=True)
            return descriptor_pb2.FileDescriptorSet.FromString(file.read())

    def kind(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName("valion.v1." + name))

    def make(self, name, /, **fields):
        """A message that says everything that this release can say."""
        message = self.kind(name)(**fields)
        say_news(message)
        return message


def nothing(_):
    """The contract as it is."""


def take_away(files):
    for file in files.file:
        for message in file.message_type:
            gone = REMOVED_FIELDS.get(message.name, [])
            kept = [field for field in message.field if field.name not in gone]
            assert len(message.field) == len(kept) + len(gone), message.name
            del message.field[:]
            message.field.extend(kept)
        for enum in file.enum_type:
            gone = REMOVED_VALUES.get(enum.name, [])
            kept = [value for value in enum.value if value.number not in gone]
            assert len(enum.value) == len(kept) + len(gone), enum.name
            del enum.value[:]
            enum.value.extend(kept)


def add_news(files):
    for file in files.file:
        if not any(name.endswith("/common.proto") for name in (file.name, *file.dependency)):
            continue  # the inside of one release, such as the sandbox's
        for message in file.message_type:
            for number, (name, kind, label, type_name) in enumerate((
                    ("new_text", FIELD.TYPE_STRING, FIELD.LABEL_OPTIONAL, None),
                    ("new_message", FIELD.TYPE_MESSAGE, FIELD.LABEL_OPTIONAL, "NewThing"),
                    ("new_list", FIELD.TYPE_BYTES, FIELD.LABEL_REPEATED, None),
                    ("new_number", FIELD.TYPE_FIXED64, FIELD.LABEL_OPTIONAL, None),
                    ("new_choice", FIELD.TYPE_ENUM, FIELD.LABEL_OPTIONAL, "NewChoice")),
                    FIRST_NEW_FIELD):
                message.field.add(name=name, number=number, type=kind, label=label,
                                  type_name=type_name and ".valion.v1." + type_name)
        for enum in file.enum_type:
            enum.value.add(name=enum.name.upper() + "_TOMORROW", number=NEW_VALUE)
    common = [file for file in files.file if file.name.endswith("/common.proto")][0]
    thing = common.message_type.add(name="NewThing")
    thing.field.add(name="words", number=1, type=FIELD.TYPE_STRING, label=FIELD.LABEL_REPEATED)
    choice = common.enum_type.add(name="NewChoice")
    choice.value.add(name="NEW_CHOICE_UNSPECIFIED", number=0)
    choice.value.add(name="NEW_CHOICE_ONE", number=1)


def all_of(field, value):
    return value if field.label == field.LABEL_REPEATED else [value]


def say_news(message):
    """Fills the new fields, where there are any, of the message and of those in it."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for each in all_of(field, value):
                say_news(each)
    if "new_text" in message.DESCRIPTOR.fields_by_name:
        message.new_text = "tomorrow"
        message.new_message.words.extend(["a", "b"])
        message.new_list.append(b"\x00\xff")
        message.new_number = 2**64 - 1
        message.new_choice = 1


def unknown_fields(message):
    """How many this release does not know, in the message and in those in it."""
    count = len(UnknownFieldSet(message))
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            count += sum(unknown_fields(each) for each in all_of(field, value))
    return count


older, current, newer = (Contract("older", take_away), Contract("current", nothing),
                         Contract("newer", add_news))
suite = Suite(args.root, args.bin, os.path.join(args.var, "suite"), 23401)


def setUpModule():
    suite.remove()
    shutil.rmtree(args.var, ignore_errors=True)
    os.makedirs(args.var)
    suite.up()


def tearDownModule():
    suite.down()


class Peer:
    """A client of one release."""

    def __init__(self, contract, principal="admin"):
        self.contract, self.caller, self.unknown = contract, suite.caller(principal), 0

    def header(self, service, method, **fields):
        fields.setdefault("request_id", uuid.uuid4().bytes)
        return self.contract.make("Header", service=service, method=method, remaining_ms=20000,
                                  **fields)

    def send(self, service, method, header=None, **fields):
        """The reply's header in this release's words, its body, its raw frame."""
        header = header or self.header(service, method)
        request = self.contract.make(method + "Request", **fields)
        answer = self.caller.send(header.SerializeToString(), request.SerializeToString())
        return self.contract.kind("Header").FromString(answer.header_bytes), answer

    def call(self, service, method, **fields):
        header, answer = self.send(service, method, **fields)
        assert header.status == 17, f"{method}: {header.message}"
        reply = self.contract.kind(method + "Reply").FromString(answer.body)
        self.unknown += unknown_fields(reply)
        return reply

    def close(self):
        self.caller.close()


class A_RealServices(unittest.TestCase):
    """Clients and workers of other releases call the real programs."""

    def bus_status(self):
        peer = Peer(current)
        header = peer.header("bus", "GetStatus")
        body = peer.caller.send(header.SerializeToString(), b"").body
        peer.close()
        return current.kind("GetBusStatusReply").FromString(body)

    def processes(self):
        """Who serves: a crash would change it."""
        return sorted((each.instance, each.pid) for each in self.bus_status().instances)

    def setUp(self):
        self.before = self.processes()

    def tearDown(self):
        self.assertEqual(self.processes(), self.before)

    def models(self, peer, name):
        made = peer.call("registry", "CreateModel", name=name, description="of a release")
        self.assertEqual(made.model.name, name)
        artifact = {"role": "model", "filename": "m.bin", "inline_bytes": b"bytes" * 100}
        made = peer.call("registry", "CreateVersion", model=name, version="1.2.3",
                         artifacts=[artifact], metrics=[{"key": "r2", "value": 0.5}])
        if peer.contract is newer:  # messages that are passed on keep what is not known of them
            self.assertEqual(made.version.metrics[0].new_text, "tomorrow")
        self.assertEqual((made.version.model, made.version.version), (name, "1.2.3"))
        found = peer.call("registry", "GetVersion", model=name).version
        self.assertEqual(found.metrics[0].value, 0.5)
        self.assertEqual(found.digest, made.version.digest)
        _, answer = peer.send("registry", "GetChunk", digest=found.artifacts[0].digest, offset=0,
                              size_bytes=1000)
        self.assertEqual(answer.raw, b"bytes" * 100)
        listed = peer.call("registry", "ListModels", text=name, page={"size": 10})
        self.assertEqual([model.name for model in listed.models], [name])

    def job(self, peer, worker, kind):
        job = peer.call("orchestrator", "SubmitJob", kind=kind, spec=b"do it").job_id
        self.assertEqual(peer.call("orchestrator", "GetJob", job_id=job).job.state, 1)
        lease, = worker.call("orchestrator", "LeaseTasks", kinds=[kind], free=1, wait_ms=5000,
                             worker="w").leases
        self.assertEqual((lease.task_id, lease.spec), (job, b"do it"))
        beat = {"task_id": job, "token": lease.token, "progress": 0.5}
        answers = worker.call("orchestrator", "Heartbeat", beats=[beat]).answers
        self.assertEqual(answers[0].verdict, 1)
        worker.call("orchestrator", "CompleteTask", task_id=job, token=lease.token, outcome=1,
                    result=b"done")
        found = peer.call("orchestrator", "GetJob", job_id=job).job
        self.assertEqual((found.result, found.kind), (b"done", kind))
        return job, found

    def events(self, peer, job):
        """The relay moves them within moments."""
        def finished():
            reply = peer.call("registry", "ReadEvents", after=0, limit=100,
                              subject=str(uuid.UUID(bytes=job)))
            self.types = [event.type for event in reply.events]
            return "job.finished" in self.types
        wait_until(finished, "the job's last event")
        self.assertEqual(self.types[0], "job.submitted")

    def whole_life(self, contract):
        peer, worker = Peer(contract), Peer(contract, "worker")
        self.models(peer, f"life-{contract.name}")
        job, found = self.job(peer, worker, f"test.{contract.name}")
        self.events(peer, job)
        unknown = peer.unknown + worker.unknown
        peer.close()
        worker.close()
        return found, unknown

    def test_clients_of_this_release(self):
        found, unknown = self.whole_life(current)
        self.assertEqual((found.state, unknown), (4, 0))

    def test_older_clients_and_workers(self):
        found, unknown = self.whole_life(older)
        self.assertGreater(unknown, 20)  # else they are not older
        self.assertFalse(found.HasField("state"))  # DONE is a value that they do not know
        again = current.kind("Job").FromString(found.SerializeToString())
        self.assertEqual((again.state, again.attempts), (4, 1))  # and hand on all the same

    def test_newer_clients_and_workers(self):
        found, _ = self.whole_life(newer)
        self.assertEqual(found.state, 4)

    def unknown_counted(self):
        return {each.key: each.value for each in self.bus_status().counters}["unknown_fields"]

    def test_unknown_fields_of_headers_are_counted(self):
        peer = Peer(newer)
        before = self.unknown_counted()
        for _ in range(10):
            peer.call("registry", "ListModels")
        self.assertEqual(self.unknown_counted() - before, 10 * NEW_FIELDS_OF_A_MESSAGE)
        peer.close()

    def test_a_newer_request_is_repeated_as_any_other(self):
        peer = Peer(newer)
        header = peer.header("orchestrator", "SubmitJob")
        replies = {peer.send("orchestrator", "SubmitJob", header, kind="user.twice")[1].body
                   for _ in range(3)}
        self.assertEqual(len(replies), 1)
        peer.close()

    def refused(self, peer, service, method, **fields):
        header, _ = peer.send(service, method, **fields)
        return header.status, header.details[0].subject if header.details else None

    def test_a_value_that_is_not_known_is_no_error_where_it_only_selects(self):
        peer = Peer(newer)
        job = peer.call("orchestrator", "SubmitJob", kind="user.selects").job_id
        answer = peer.call("orchestrator", "GetJob", job_id=job, wait_while=NEW_VALUE)
        self.assertEqual(answer.job.state, 1)  # at once: it is in another state
        self.assertEqual(len(peer.call("orchestrator", "ListJobs", state=NEW_VALUE).jobs), 0)
        self.assertEqual(len(peer.call("registry", "ListModels", stage=NEW_VALUE).models), 0)
        peer.close()

    def test_an_order_that_is_not_understood_is_refused_and_nothing_is_done(self):
        peer, worker = Peer(newer), Peer(newer, "worker")
        peer.call("registry", "CreateModel", name="orders")
        said = self.refused(peer, "registry", "CreateVersion", model="orders", bump=NEW_VALUE,
                            artifacts=[{"role": "model", "inline_bytes": b"x"}])
        self.assertEqual(said, (3, "bump"))
        self.assertEqual(len(peer.call("registry", "ListVersions", model="orders").versions), 0)
        job = peer.call("orchestrator", "SubmitJob", kind="test.orders").job_id
        lease, = worker.call("orchestrator", "LeaseTasks", kinds=["test.orders"], free=1,
                             wait_ms=5000).leases
        said = self.refused(worker, "orchestrator", "CompleteTask", task_id=job, token=lease.token,
                            outcome=NEW_VALUE)
        self.assertEqual(said, (3, "outcome"))
        self.assertEqual(peer.call("orchestrator", "GetJob", job_id=job).job.state, 2)
        peer.close()
        worker.close()

    def test_a_method_that_is_not_there_yet_is_said_so(self):
        peer = Peer(newer)
        header = peer.header("registry", "DreamUp")
        answer = peer.caller.send(header.SerializeToString(), b"")
        self.assertEqual((answer.status, answer.reason), ("UNIMPLEMENTED", "UNKNOWN_METHOD"))
        peer.close()


class Service:
    """An instance of another release, in a thread: answers by a table of functions."""

    def __init__(self, contract, broker, name, methods):
        self.contract, self.methods, self.name = contract, methods, name
        self.ended, self.failure, self.calls = threading.Event(), None, []
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(broker,))
        self.thread.start()
        wait_until(lambda: self.failure or self.ready.is_set(), "the bus knows the service")

    def say(self, kind, *frames, **fields):
        envelope = self.contract.make("Envelope", kind=kind, **fields)
        self.socket.send_multipart([envelope.SerializeToString(), *frames])

    def run(self, broker):
        try:
            self.socket = secured(zmq.DEALER, broker.keys, broker.keys.pair(self.name),
                                  broker.service)
            ready = self.contract.make("Ready", services=[self.name], instance="of-" +
                                       self.contract.name, credit=8)
            self.say(3, ready.SerializeToString())
            while not self.ended.is_set():
                if self.socket.poll(200):
                    self.take(self.socket.recv_multipart())
                self.beat()
            self.say(8)
            self.socket.close()
        except Exception as failure:  # shown by stop()
            self.failure = failure

    def beat(self):
        health = self.contract.make("Health", ready=True, version="9.9.9",
                                    dependencies=[{"name": "moon", "ok": True}])
        self.say(6, health.SerializeToString())
        if self.contract is newer:
            self.say(NEW_VALUE)  # a kind of message that this bus does not know

    def take(self, frames):
        envelope = self.contract.kind("Envelope").FromString(frames[0])
        if envelope.kind == 6:
            self.ready.set()
        if envelope.kind != 1:
            return
        header = self.contract.kind("Header").FromString(frames[1])
        self.calls.append((header.method, frames[2]))
        status, fields = self.methods[header.method](len(self.calls))
        answer = self.contract.make("Header", request_id=header.request_id, status=status)
        if status != 17:
            answer.message = "not today"
            if self.contract is newer:
                detail = answer.details.add(reason=NEW_VALUE, subject="weather")
                say_news(detail)
        body = b"" if fields is None else self.contract.make(header.method + "Reply", **fields)
        self.say(2, answer.SerializeToString(),
                 body if fields is None else body.SerializeToString(),
                 call=envelope.call, epoch=envelope.epoch)

    def stop(self):
        self.ended.set()
        self.thread.join(20)
        assert self.failure is None, self.failure


JOB_ID = uuid.UUID("01932a4b-5c6d-7e8f-9012-3456789abcde")


class B_RealCommandLine(unittest.TestCase):
    """Services of other releases answer the real command line through the real bus."""

    def setUp(self):
        self.keys = Keys(os.path.join(args.bin, "valion"))
        self.broker = Broker(os.path.join(args.bin, "valion-bus"), self.keys)
        self.services = []

    def tearDown(self):
        for service in self.services:
            service.stop()
        status = self.broker.stop()
        said = self.broker.read_log()
        self.broker.log.close()
        self.keys.remove()
        self.assertEqual(status, 0, said)

    def serve(self, contract, name, **methods):
        self.services.append(Service(contract, self.broker, name, methods))
        return self.services[-1]

    def cli(self, *words, code=0):
        done = run_to_end([os.path.join(args.bin, "valion"), "--bus",
                           f"127.0.0.1:{self.broker.port}", "--keys", self.keys.folder,
                           "--timeout", "10s", *words])
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn("tomorrow", done.stdout)
        return done.stdout, done.stderr

    def test_a_newer_model_is_shown_by_what_is_known_of_it(self):
        model = {"name": "houses", "description": "d", "tags": ["a"], "versions": 2}
        self.serve(newer, "registry", GetModel=lambda _: (17, {"model": model}),
                   ListModels=lambda _: (17, {"models": [model, dict(model, name="other")]}))
        shown = json.loads(self.cli("-o", "json", "model", "show", "houses")[0])
        self.assertEqual(shown["model"] if "model" in shown else shown, model)
        for form in ("table", "text"):
            out, _ = self.cli("-o", form, "model", "list")
            self.assertIn("houses", out)
            self.assertIn("other", out)
        called = json.loads(self.cli("call", "registry.GetModel", '{"name": "houses"}')[0])
        self.assertEqual(called, {"model": model})

    def test_a_newer_state_of_a_job_is_shown_as_its_number_and_waited_out(self):
        job = {"job_id": JOB_ID.bytes, "kind": "user.x", "state": NEW_VALUE, "attempts": 1}
        ended = dict(job, state=4, result=b"r")
        service = self.serve(newer, "orchestrator",
                             GetJob=lambda n: (17, {"job": ended if n > 5 else job}),
                             ListJobs=lambda _: (17, {"jobs": [job]}))
        shown = json.loads(self.cli("-o", "json", "job", "show", str(JOB_ID))[0])
        self.assertEqual((shown.get("job") or shown)["state"], NEW_VALUE)
        self.assertIn(str(NEW_VALUE), self.cli("-o", "table", "job", "show", str(JOB_ID))[0])
        self.assertIn(str(NEW_VALUE), self.cli("-o", "table", "job", "list")[0])
        self.cli("job", "watch", str(JOB_ID))
        asked = [newer.kind("GetJobRequest").FromString(body) for method, body in service.calls
                 if method == "GetJob"]
        self.assertEqual(asked[-1].wait_while, NEW_VALUE)  # it waited for the new state to pass

    def test_newer_events_are_shown(self):
        events = [{"position": 1, "type": "moon.landed", "subject": "eagle", "actor": "ann",
                   "time_us": 1, "payload": current.kind("EventPayload")(
                       facts=[{"key": "crater", "value": "deep"}]).SerializeToString()}]
        self.serve(newer, "registry", ReadEvents=lambda n: (17, {"events": events, "last": 1,
                                                                 "end": 1}))
        out, _ = self.cli("event", "watch")
        self.assertIn("moon.landed", out)
        self.assertIn("crater=deep", out)

    def test_a_newer_status_is_a_failure_with_its_sentence(self):
        self.serve(newer, "registry", GetModel=lambda _: (NEW_VALUE, {}))
        _, err = self.cli("model", "show", "houses", code=1)
        self.assertIn("UNKNOWN: not today", err)

    def test_a_newer_reason_is_the_refusal_that_its_status_says(self):
        self.serve(newer, "registry", GetModel=lambda _: (5, {}))
        _, err = self.cli("model", "show", "houses", code=4)
        self.assertIn("NOT_FOUND: not today", err)

    def test_a_newer_instance_is_listed_and_what_it_says_beyond_is_counted(self):
        self.serve(newer, "registry")
        out, _ = self.cli("-o", "json", "status")
        self.assertIn("of-newer", out)
        self.assertIn("moon", out)
        wait_until(lambda: '"service_messages_wrong"' in self.cli("-o", "json", "call",
                                                                  "bus.GetStatus")[0],
                   "the counter is there")
        reply = json.loads(self.cli("call", "bus.GetStatus")[0])
        counters = {each["key"]: each.get("value", 0) for each in reply["counters"]}
        self.assertGreater(counters["service_messages_wrong"], 0)
        self.assertEqual([each["instance"] for each in reply["instances"]], ["of-newer"])

    def test_an_older_service_that_says_less_is_understood(self):
        self.serve(older, "registry", GetModel=lambda _: (17, {"model": {"name": "houses"}}),
                   ListModels=lambda _: (17, {"models": [{"name": "houses"}]}),
                   ReadEvents=lambda _: (17, {"events": [{"position": 1, "type": "a.b"}],
                                              "last": 1}))
        self.serve(older, "orchestrator",
                   GetJob=lambda _: (17, {"job": {"job_id": JOB_ID.bytes, "state": 2}}))
        self.assertIn("houses", self.cli("model", "show", "houses")[0])
        self.assertIn("houses", self.cli("model", "list")[0])
        self.assertIn(str(JOB_ID), self.cli("job", "show", str(JOB_ID))[0])
        self.assertIn("a.b", self.cli("event", "watch")[0])
        self.assertIn("of-older", self.cli("-o", "json", "status")[0])

    def test_replies_that_say_nothing_at_all_end_in_an_exit_code(self):
        # An empty body is a message in which everything is absent.
        empty = {name: lambda _: (17, None) for name in (
            "GetModel", "ListModels", "CreateModel", "GetVersion", "ListVersions", "ReadEvents",
            "ListHeads", "SignHead", "GetJob", "ListJobs", "SubmitJob", "CancelJob", "RequeueJob")}
        self.serve(older, "registry", **empty)
        self.serve(older, "orchestrator", **empty)
        for words in (["model", "show", "m"], ["model", "list"], ["model", "create", "m"],
                      ["version", "show", "m"], ["version", "list", "--model", "m"],
                      ["event", "list"], ["event", "watch"],
                      ["event", "export", "--file", os.path.join(args.var, "empty")],
                      ["job", "show", str(JOB_ID)], ["job", "list"], ["job", "watch", str(JOB_ID)],
                      ["job", "submit", "--kind", "user.x"], ["job", "cancel", str(JOB_ID)],
                      ["job", "requeue", str(JOB_ID)]):
            done = run_to_end([os.path.join(args.bin, "valion"), "--bus",
                               f"127.0.0.1:{self.broker.port}", "--keys", self.keys.folder, *words])
            self.assertIn(done.returncode, (0, 1, 4), (words, done.stdout, done.stderr))
            self.assertNotIn("Sanitizer", done.stderr)


class C_RealRegistry(unittest.TestCase):
    """A bus of a newer release, in the hands of the test, before the real registry."""

    def setUp(self):
        self.port = free_ports(4)
        self.router = zmq.Context.instance().socket(zmq.ROUTER)
        self.router.linger, self.router.curve_server = 0, True
        public, secret = zmq.auth.load_certificate(f"{suite.keys}/secret/bus.key_secret")
        self.router.curve_publickey, self.router.curve_secretkey = public, secret
        self.router.bind(f"tcp://127.0.0.1:{self.port + 1}")
        self.log = tempfile.TemporaryFile(mode="w+")
        database = f"host={suite.folder}/pg.sock dbname=valion user=valion_registry"
        self.process = subprocess.Popen(
            [os.path.join(args.bin, "valion-registry"), "--bus", f"127.0.0.1:{self.port}",
             "--keys", suite.keys, "--database", database, "--path",
             os.path.join(suite.folder, "registry"), "--instance", "beside"],
            stdout=self.log, stderr=self.log)

    def tearDown(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        self.router.close()
        self.log.seek(0)
        self.assertEqual(status, 0, self.log.read())
        self.log.close()

    def hear(self, kind):
        """The next message of this kind."""
        while self.router.poll(20000):
            self.peer, *frames = self.router.recv_multipart()
            envelope = newer.kind("Envelope").FromString(frames[0])
            if envelope.kind == kind:
                return envelope, frames[1:]
        raise AssertionError(f"the registry says nothing of kind {kind}")

    def say(self, kind, *frames, **fields):
        envelope = newer.make("Envelope", kind=kind, epoch=7, **fields)
        self.router.send_multipart([self.peer, envelope.SerializeToString(), *frames])

    def test_the_registry_serves_a_newer_bus(self):
        _, frames = self.hear(3)
        self.assertEqual(newer.kind("Ready").FromString(frames[0]).services,
                         ["registry", "registry.beside"])
        self.say(6, newer.make("Health", ready=True).SerializeToString())
        self.say(NEW_VALUE, b"what the bus of tomorrow says", b"\xff\xff")
        header = newer.make("Header", request_id=uuid.uuid4().bytes, service="registry",
                            method="CreateModel", remaining_ms=20000)
        request = newer.make("CreateModelRequest", name="of-a-newer-bus")
        self.say(1, header.SerializeToString(), request.SerializeToString(), call=5,
                 principal="ann", roles=1 << 2 | 1 << 30, waited_ms=1)
        envelope, frames = self.hear(2)
        self.assertEqual((envelope.call, envelope.epoch), (5, 7))
        answer = newer.kind("Header").FromString(frames[0])
        self.assertEqual((answer.status, answer.request_id), (17, header.request_id))
        model = newer.kind("CreateModelReply").FromString(frames[1]).model
        self.assertEqual((model.name, model.author), ("of-a-newer-bus", "ann"))
        self.say(9)  # RESET: it says READY again
        self.hear(3)


unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
