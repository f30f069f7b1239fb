"""What all methods have in common: bytes, roles, deadlines, request ids, tickets."""
import os
import uuid

from services_case import (ServicesTest, TableLock, people, silent, submit, suite,
                           wait_for_event, wait_for_state)
from services_support import request, to_id, wait_until
from suite_support import Answer
from valion.v1 import header_pb2, registry_pb2


class Calls(ServicesTest):
    def test_method_that_does_not_exist(self):
        for service in ("registry", "orchestrator"):
            answer = self.alice.send(self.alice.header("Nonsense", service=service), b"")
            self.expect(answer, "UNIMPLEMENTED", "UNKNOWN_METHOD")
            self.assertIn("Nonsense", answer.header.message)

    def test_methods_that_come_later(self):
        for method in ("ApplySchedule", "Backfill"):
            answer = people["admin"].ask(method, {})
            self.expect(answer, "UNIMPLEMENTED", "UNKNOWN_METHOD")
            self.assertIn("later release", answer.header.message)

    def test_body_that_is_missing(self):
        answer = self.alice.send(self.alice.header("CreateModel"))
        self.expect(answer, "INVALID_ARGUMENT", "MALFORMED")

    def test_body_that_is_empty(self):
        self.expect_field(self.alice.ask("CreateModel", body=b""), "name")
        self.expect_field(self.alice.ask("SubmitJob", body=b""), "kind")

    def test_bodies_that_are_no_message(self):
        name = registry_pb2.CreateModelRequest(name="twice").SerializeToString()
        bodies = {"noise": b"\xff" * 40, "cut": name[:-1], "a name twice": name + name,
                  "groups": b"\x7b" * 4000, "not UTF-8": b"\x0a\x02\xff\xfe",
                  "a NUL": b"\x0a\x03a\0b", "field zero": b"\x00\x01",
                  "text as a number": b"\x08\x01"}
        for what, body in bodies.items():
            with self.subTest(what):
                self.expect(self.alice.ask("CreateModel", body=body), "INVALID_ARGUMENT",
                            "MALFORMED")

    def test_body_with_too_many_fields(self):
        many = registry_pb2.CreateModelRequest(name="many", tags=["t"] * 5000)
        self.expect(self.alice.ask("CreateModel", many), "INVALID_ARGUMENT", "TOO_LARGE")
        unknown = b"\xa2\x06\x00" * 5000
        self.expect(self.alice.ask("CreateModel", body=unknown), "INVALID_ARGUMENT", "TOO_LARGE")

    def test_body_of_more_bytes_than_the_method_takes(self):
        large = self.alice.ask("GetModel", {"name": "x" * 5000})
        self.assertEqual(self.expect(large, "INVALID_ARGUMENT", "TOO_LARGE").limit, 4096)
        large = self.alice.ask("GetJob", body=b"\x0a" + b"\x00" * 2000)
        self.assertEqual(self.expect(large, "INVALID_ARGUMENT", "TOO_LARGE").limit, 1024)

    def test_fields_of_a_newer_client_are_skipped(self):
        body = registry_pb2.GetModelRequest(name="honest").SerializeToString() + b"\xa2\x06\x01x"
        self.assertEqual(self.vera.ask("GetModel", body=body).status, "OK")

    def test_roles_that_do_not_allow_it(self):
        refused = [(self.vera, "CreateModel", {"name": "vera"}),
                   (self.vera, "CreateVersion", {"model": "honest"}),
                   (self.vera, "SubmitJob", {"kind": "test.vera"}),
                   (self.vera, "LeaseTasks", {"kinds": ["test.vera"], "free": 1}),
                   (self.vera, "SignHead", {}),
                   (self.alice, "Heartbeat", {}), (self.alice, "CompleteTask", {}),
                   (self.will, "SubmitJob", {"kind": "test.will"}),
                   (self.will, "CancelJob", {"job_id": silent["job"]})]
        for who, method, message in refused:
            with self.subTest(who=who.name, method=method):
                answer = who.ask(method, message)
                self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")
                self.assertIn(who.name, answer.header.message)

    def test_work_whose_time_is_over_is_not_begun(self):
        """The batch before it waits for the record; the call behind it comes too late."""
        with TableLock("registry.model") as lock:
            self.bob.socket.send_multipart([
                self.bob.header("CreateModel"),
                request("CreateModel", {"name": "in-time"}).SerializeToString()])
            wait_until(lambda: lock.waiting() == 1, "a thread waits for the lock")
            answer = self.alice.ask("CreateModel", {"name": self.model}, remaining_ms=200)
        self.expect(answer, "DEADLINE_EXCEEDED", "EXPIRED")
        self.assertTrue(self.bob.socket.poll(20000))
        self.assertEqual(Answer(self.bob.socket.recv_multipart()).status, "OK")
        self.assertTrue(self.alice.get("CreateModel", {"name": self.model}).created)


class RequestIds(ServicesTest):
    def rows(self):
        return suite.number(f"SELECT count(*) FROM registry.version WHERE model = '{self.model}'")

    def test_a_repetition_gets_the_same_reply(self):
        self.make_model()
        request_id = uuid.uuid4().bytes
        first = self.alice.ask("CreateVersion", {"model": self.model}, request_id=request_id)
        again = self.alice.ask("CreateVersion", {"model": self.model}, request_id=request_id,
                               attempt=2)
        self.assertEqual(first.status, "OK")
        self.assertEqual((first.status, first.body), (again.status, again.body))
        self.assertEqual(self.rows(), 1)

    def test_an_id_is_not_for_another_body_or_method(self):
        request_id = uuid.uuid4().bytes
        self.alice.get("CreateModel", {"name": self.model}, request_id=request_id)
        other = self.alice.ask("CreateModel", {"name": "other-body"}, request_id=request_id)
        self.expect(other, "ALREADY_EXISTS", "REQUEST_ID_REUSED")
        other = self.alice.ask("CreateVersion", {"model": self.model}, request_id=request_id)
        self.expect(other, "ALREADY_EXISTS", "REQUEST_ID_REUSED")
        self.assertEqual(self.rows(), 0)

    def test_the_ids_of_principals_are_their_own(self):
        self.make_model()
        request_id = uuid.uuid4().bytes
        replies = [who.get("CreateVersion", {"model": self.model}, request_id=request_id)
                   for who in (self.alice, self.bob)]
        self.assertEqual([each.version.version for each in replies], ["1.0.0", "1.0.1"])
        self.assertEqual([each.version.author for each in replies], ["alice", "bob"])

    def test_the_ids_of_services_are_their_own(self):
        request_id = uuid.uuid4().bytes
        self.alice.get("CreateModel", {"name": self.model}, request_id=request_id)
        self.assertEqual(self.alice.ask("SubmitJob", {"kind": self.kind},
                                        request_id=request_id).status, "OK")

    def test_changes_need_an_id_of_16_bytes(self):
        for bad in (b"", b"short", os.urandom(17)):
            with self.subTest(length=len(bad)):
                answer = self.alice.ask("CreateModel", {"name": self.model}, request_id=bad)
                self.expect(answer, "INVALID_ARGUMENT", "FIELD")

    def test_the_same_id_many_times_at_once_is_done_once(self):
        self.make_model()
        body = registry_pb2.CreateVersionRequest(model=self.model).SerializeToString()
        header = self.alice.header("CreateVersion")
        for _ in range(30):
            self.alice.socket.send_multipart([header, body])
        bodies = set()
        for _ in range(30):
            self.assertTrue(self.alice.socket.poll(20000))
            bodies.add(self.alice.socket.recv_multipart()[1])
        self.assertEqual(len(bodies), 1)
        self.assertEqual(self.rows(), 1)


class Tickets(ServicesTest):
    """Calls that a worker makes for a task."""

    def lease(self, **fields):
        submit(self.kind, **fields)
        return self.will.lease_one(self.kind)

    def create(self, who, ticket, **of_header):
        return who.ask("CreateVersion", {"model": self.model}, ticket=ticket, **of_header)

    def test_a_call_for_a_task_names_both(self):
        self.make_model()
        lease = self.lease()
        version = self.create(self.will, lease.ticket).read(registry_pb2.CreateVersionReply).version
        self.assertEqual(version.author, "alice")
        event = wait_for_event(f"{self.model}@1.0.0", "version.created")
        self.assertEqual(event.actor, f"task:{to_id(lease.task_id)} for alice")

    def test_tickets_that_nobody_signed(self):
        self.make_model()
        good = self.lease().ticket
        later = header_pb2.Ticket.FromString(good.ticket)
        later.expires_us += 10**12
        flipped = bytes([good.signature[0] ^ 1]) + good.signature[1:]
        forged = {
            "a bit of the signature": header_pb2.SignedTicket(ticket=good.ticket,
                                                              signature=flipped),
            "a later end": header_pb2.SignedTicket(ticket=later.SerializeToString(),
                                                   signature=good.signature),
            "no signature": header_pb2.SignedTicket(ticket=good.ticket),
            "a short one": header_pb2.SignedTicket(ticket=good.ticket,
                                                   signature=good.signature[:63]),
            "no ticket": header_pb2.SignedTicket(signature=good.signature),
            "nothing": header_pb2.SignedTicket(),
            "noise": header_pb2.SignedTicket(ticket=b"\xff" * 50, signature=good.signature)}
        for what, ticket in forged.items():
            with self.subTest(what):
                self.expect(self.create(self.will, ticket), "UNAUTHENTICATED", "TICKET")
        self.assertEqual(self.create(self.will, good).status, "OK")

    def test_a_ticket_of_another_principal(self):
        self.make_model()
        lease = self.lease()
        for thief in (self.wanda, self.alice):
            self.expect(self.create(thief, lease.ticket), "UNAUTHENTICATED", "TICKET")

    def test_a_ticket_whose_time_is_over(self):
        self.make_model()
        lease = self.lease(deadline_ms=1000)
        request_id = uuid.uuid4().bytes
        recorded = self.create(self.will, lease.ticket, request_id=request_id)
        self.assertEqual(recorded.status, "OK")
        wait_for_state(lease.task_id, "FAILED")
        self.expect(self.create(self.will, lease.ticket), "UNAUTHENTICATED", "TICKET")
        again = self.create(self.will, lease.ticket, request_id=request_id)
        self.assertEqual(again.body, recorded.body)

    def test_a_ticket_of_a_lease_that_is_not_the_last(self):
        self.make_model()
        old = self.lease()
        self.assertEqual(self.will.end(old, "HANDED_BACK"), "READY")
        new = self.will.lease_one(self.kind)
        self.assertGreater(new.token, old.token)
        self.assertEqual(self.create(self.will, new.ticket).status, "OK")
        self.expect(self.create(self.will, old.ticket), "ABORTED", "FENCED")
        self.assertEqual(self.create(self.will, new.ticket).status, "OK")

    def test_a_rerun_gets_the_first_result(self):
        self.make_model()
        request_id = uuid.uuid4().bytes
        old = self.lease()
        first = self.create(self.will, old.ticket, request_id=request_id)
        self.will.end(old, "HANDED_BACK")
        new = self.wanda.lease_one(self.kind)
        rerun = self.wanda.ask("CreateVersion", {"model": self.model, "description": "other"},
                               ticket=new.ticket, request_id=request_id)
        self.assertEqual(first.status, "OK")
        self.assertEqual(first.body, rerun.body)
