#!/usr/bin/env python3
"""valion-bus as its clients and services see it: the real program, plain ZeroMQ sockets.

    bus_test.py --bus PROGRAM --valion PROGRAM --python BUILD/python [unittest arguments]

While bad things happen an honest client is served, and a test fails when that client is not.
"""
import argparse
import os
import socket
import sys
import time
import unittest

import zmq

parser = argparse.ArgumentParser()
parser.add_argument("--bus", default=os.environ.get("VALION_BUS_PROGRAM"))
parser.add_argument("--valion", default=os.environ.get("VALION_PROGRAM"))
parser.add_argument("--python", default=os.environ.get("VALION_PROTO_PYTHON"))
options, rest = parser.parse_known_args()
if not (options.bus and options.valion and options.python):
    parser.error("--bus, --valion and --python are needed")
sys.path.insert(0, options.python)

from bus_support import (Broker, Client, Echo, Honest, Instance, Keys,  # noqa: E402
                         connection_events, next_event, secured, wait_until)
from valion.v1 import header_pb2  # noqa: E402

NO_INSTANCE_MS = 500
MAX_WAITING = 20
FRAME_MAX = 320 * 1024
REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
ACCEPTED = zmq.EVENT_HANDSHAKE_SUCCEEDED
FAILED = (REFUSED | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL |
          zmq.EVENT_DISCONNECTED)


class BusTest(unittest.TestCase):
    """One broker for all tests of a class, and beside them a client that does nothing wrong."""

    broker_options = ["--no-instance-ms", str(NO_INSTANCE_MS),
                      "--max-waiting-per-principal", str(MAX_WAITING),
                      "--max-refusals-per-second", "2000"]
    honest_attempts = 1
    descriptors = None

    @classmethod
    def setUpClass(cls):
        cls.keys = Keys(options.valion)
        cls.broker = Broker(options.bus, cls.keys, *cls.broker_options,
                            descriptors=cls.descriptors)
        cls.echo = Echo(cls.broker)
        cls.honest = Honest(cls.broker, cls.honest_attempts)
        wait_until(lambda: cls.honest.served > 0, "the honest client is served")

    @classmethod
    def tearDownClass(cls):
        cls.honest.stop()
        cls.echo.stop()
        status = cls.broker.stop()
        log = cls.broker.read_log()
        cls.broker.log.close()
        cls.keys.remove()
        if status != 0:
            raise AssertionError(f"valion-bus ended with {status}:\n{log[-4000:]}")

    def setUp(self):
        self.client = Client(self.broker, self.keys.pair("admin"))
        self.addCleanup(self.client.close)
        self.served_before = self.honest.served

    def tearDown(self):
        before = self.honest.served
        wait_until(lambda: self.honest.served > before or self.honest.wrong,
                   "the honest client is still served")
        self.assertEqual(self.honest.wrong, [])
        self.assertIsNone(self.broker.process.poll(), "the broker has ended")

    def instance(self, *arguments, **fields):
        made = Instance(self.broker, *arguments, **fields)

        def leave():
            if not made.socket.closed:
                made.say("BYE")
                made.socket.close(linger=1000)
        self.addCleanup(leave)
        return made

    def expect(self, reply, status, reason):
        self.assertEqual((reply.status, reply.reason), (status, reason), reply.header.message)
        if status != "OK":
            self.assertGreater(len(reply.header.message), 15)
            self.assertEqual(reply.body, b"")

    def expect_frames(self, frames, status, reason):
        self.client.socket.send_multipart(frames)
        reply = self.client.receive()
        self.expect(reply, status, reason)
        return reply


class BadInput(BusTest):
    def header_bytes(self, **fields):
        return self.client.header("registry", **fields).SerializeToString()

    def test_unknown_service(self):
        self.expect(self.client.call("nonsense"), "UNIMPLEMENTED", "UNKNOWN_SERVICE")

    def test_service_that_nobody_serves(self):
        start = time.monotonic()
        self.expect(self.client.call("gateway"), "UNAVAILABLE", "NO_INSTANCE")
        self.assertGreaterEqual(time.monotonic() - start, NO_INSTANCE_MS / 1000 * 0.9)

    def test_unknown_method_of_the_bus(self):
        self.expect(self.client.call("bus", "Nonsense"), "UNIMPLEMENTED", "UNKNOWN_METHOD")

    def test_unknown_method_of_a_service_is_the_services_job(self):
        self.expect(self.client.call("registry", "Nonsense"), "OK", None)

    def test_header_that_is_noise(self):
        self.expect_frames([b"\xff" * 40, b""], "INVALID_ARGUMENT", "MALFORMED")

    def test_header_that_is_cut(self):
        self.expect_frames([self.header_bytes()[:-1], b""], "INVALID_ARGUMENT", "MALFORMED")

    def test_header_with_a_message_repeated_that_is_not(self):
        ticket = b"\x3a\x04\x0a\x02ab"
        self.expect_frames([self.header_bytes() + ticket * 2, b""], "INVALID_ARGUMENT",
                           "MALFORMED")

    def test_header_with_groups_in_groups(self):
        self.expect_frames([self.header_bytes() + b"\x7b" * 4000, b""], "INVALID_ARGUMENT",
                           "MALFORMED")

    def test_header_that_is_too_long(self):
        self.expect_frames([self.header_bytes(message="x" * 9000), b""], "INVALID_ARGUMENT",
                           "TOO_LARGE")

    def test_header_with_text_that_is_none(self):
        self.expect_frames([self.header_bytes() + b"\x32\x02\xff\xfe", b""], "INVALID_ARGUMENT",
                           "MALFORMED")

    def test_header_without_request_id(self):
        frame = header_pb2.Header(service="registry", method="GetHealth").SerializeToString()
        reply = self.expect_frames([frame, b""], "INVALID_ARGUMENT", "FIELD")
        self.assertEqual(reply.header.request_id, b"")

    def test_header_with_a_service_name_too_long(self):
        reply = self.client.call("x" * 65)
        self.expect(reply, "INVALID_ARGUMENT", "FIELD")
        self.assertEqual(reply.header.details[0].subject, "service")

    def test_header_with_too_much_time(self):
        reply = self.client.call("registry", remaining_ms=60001)
        self.expect(reply, "INVALID_ARGUMENT", "FIELD")
        self.assertEqual(reply.header.details[0].subject, "remaining_ms")

    def test_unknown_field_in_the_header_is_understood(self):
        before = self.client.number("unknown_fields")
        self.client.socket.send_multipart([self.header_bytes() + b"\xfa\x7f\x03abc", b"body"])
        self.expect(self.client.receive(), "OK", None)
        self.assertGreater(self.client.number("unknown_fields"), before)

    def test_no_body(self):
        self.expect_frames([self.header_bytes()], "INVALID_ARGUMENT", "MALFORMED")

    def test_nothing_but_a_prefix(self):
        self.expect_frames([b"abcd", b""], "INVALID_ARGUMENT", "MALFORMED")

    def test_prefix_without_end(self):
        self.expect_frames([b"abcd", self.header_bytes(), b""], "INVALID_ARGUMENT", "MALFORMED")

    def test_frame_after_the_raw_one(self):
        self.expect_frames([self.header_bytes(), b"", b"raw", b"more"], "INVALID_ARGUMENT",
                           "MALFORMED")

    def test_too_many_frames(self):
        self.expect_frames([self.header_bytes()] + [b"x"] * 50, "INVALID_ARGUMENT", "TOO_LARGE")

    def test_connection_that_names_itself(self):
        named = secured(zmq.DEALER, self.keys, self.keys.pair("admin"), self.broker.client, False)
        self.addCleanup(named.close)
        named.routing_id = b"somebody"
        named.connect(self.broker.client)
        self.client.socket.close()
        self.client.socket = named
        self.expect_frames([self.header_bytes(), b""], "INVALID_ARGUMENT", "MALFORMED")

    def test_prefix_is_echoed(self):
        self.client.socket.send_multipart([b"\0\0\0\7", b"x" * 16, b"", self.header_bytes(), b""])
        self.assertTrue(self.client.socket.poll(5000))
        self.assertEqual(self.client.socket.recv_multipart()[:3], [b"\0\0\0\7", b"x" * 16, b""])

    def test_raw_frame_of_256_kib_goes_both_ways(self):
        raw = os.urandom(256 * 1024)
        reply = self.client.call("registry", raw=raw)
        self.expect(reply, "OK", None)
        self.assertEqual(reply.raw, raw)

    def test_frame_that_is_too_large_ends_the_connection(self):
        monitor = self.client.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.client.call("registry")
        self.client.send("registry", body=bytes(FRAME_MAX + 1))
        self.assertEqual(next_event(monitor, zmq.EVENT_DISCONNECTED), zmq.EVENT_DISCONNECTED)
        self.client.socket.disable_monitor()
        monitor.close()

    def test_two_gigabytes_announced_before_the_handshake(self):
        before = self.broker.resident_mib()
        with socket.create_connection(("127.0.0.1", self.broker.port), timeout=10) as raw:
            greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
            raw.sendall(greeting + b"\x06" + (2**31).to_bytes(8, "big"))
            end = b"x"
            try:
                while end:
                    raw.sendall(bytes(65536))
                    end = raw.recv(65536)
            except ConnectionError:
                pass  # reset instead of closed: what was sent was not read
        self.assertLess(self.broker.resident_mib(), before + 64)

    def test_deadline_that_was_over_when_it_came(self):
        self.expect(self.client.call("registry", remaining_ms=0), "DEADLINE_EXCEEDED", "EXPIRED")

    def test_deadline_that_passes_in_the_service(self):
        instance = self.instance("trainer", "trainer", credit=1)
        late = self.client.number("replies_late")
        self.client.send("trainer", remaining_ms=100)
        request = instance.wait_for("REQUEST")
        self.expect(self.client.receive(), "DEADLINE_EXCEEDED", "EXPIRED")
        # The instance still works on it: the next call waits for the late reply, which is dropped.
        second = self.client.send("trainer", body=b"second")
        instance.reply(request)
        instance.reply(instance.wait_for("REQUEST"))
        reply = self.client.receive()
        self.assertEqual((reply.header.request_id, reply.body), (second, b"second"))
        self.assertEqual(self.client.number("replies_late"), late + 1)

    def test_reply_that_is_none(self):
        instance = self.instance("trainer", "trainer", credit=1)
        self.client.send("trainer")
        envelope, _ = instance.wait_for("REQUEST")
        instance.say("REPLY", call=envelope.call, epoch=envelope.epoch)
        self.expect(self.client.receive(), "INTERNAL", None)

    def test_noise_on_the_service_socket(self):
        instance = self.instance("trainer", "trainer", credit=1)
        before = self.client.number("service_messages_wrong")
        instance.socket.send(b"\xff" * 100)
        instance.socket.send_multipart([b""] * 50)
        wait_until(lambda: self.client.number("service_messages_wrong") >= before + 2,
                   "noise is counted")


class Certificates(BusTest):
    def expect_connection(self, kind, pair, endpoint, event):
        made = secured(kind, self.keys, pair, endpoint, connect=False)
        self.addCleanup(made.close)
        self.assertEqual(connection_events(made, endpoint, ACCEPTED | FAILED), event)

    def test_key_that_nobody_has(self):
        self.expect_connection(zmq.DEALER, zmq.curve_keypair(), self.broker.client, REFUSED)

    def test_no_key_at_all(self):
        plain = zmq.Context.instance().socket(zmq.DEALER)
        self.addCleanup(plain.close)
        plain.linger = 0
        event = connection_events(plain, self.broker.client, ACCEPTED | FAILED)
        self.assertIn(event & FAILED, (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
                                       zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
                                       zmq.EVENT_DISCONNECTED))

    def test_people_and_workers_cannot_be_services(self):
        for name in ("admin", "worker"):
            for kind, endpoint in ((zmq.DEALER, self.broker.service),
                                   (zmq.PUB, self.broker.publish),
                                   (zmq.SUB, self.broker.subscribe)):
                with self.subTest(name=name, endpoint=endpoint):
                    self.expect_connection(kind, self.keys.pair(name), endpoint, REFUSED)

    def test_services_may_connect_everywhere(self):
        for kind, endpoint in ((zmq.DEALER, self.broker.client), (zmq.DEALER, self.broker.service),
                               (zmq.PUB, self.broker.publish), (zmq.SUB, self.broker.subscribe)):
            with self.subTest(endpoint=endpoint):
                self.expect_connection(kind, self.keys.pair("registry"), endpoint, ACCEPTED)

    def test_a_service_is_no_other(self):
        wrong = self.client.number("service_messages_wrong")
        for services in (["trainer"], ["registry", "trainer"], ["runner.host"], ["bus"], ["x"]):
            with self.subTest(services=services):
                instance = Instance(self.broker, "validator", *services, ready=False)
                self.addCleanup(instance.close)
                instance.say_ready()
                wrong += 1
                wait_until(lambda: self.client.number("service_messages_wrong") == wrong,
                           "READY is refused")
        told = {tuple(each.services) for each in self.client.status().instances}
        self.assertEqual(told, {("registry",)})

    def test_the_broker_says_who_calls(self):
        instance = self.instance("trainer", "trainer")
        worker = Client(self.broker, self.keys.pair("worker"))
        self.addCleanup(worker.close)
        worker.send("trainer")
        envelope, _ = instance.wait_for("REQUEST")
        self.assertEqual(envelope.principal, "worker")
        self.assertIn("test.*", envelope.kinds)
        self.assertEqual(worker.status().principal, "worker")

    def test_certificate_made_and_taken_away(self):
        before = self.client.number("principals_now")
        self.keys.run("new", "bob", "--roles", "viewer")
        # Who is refused does not try again: the connection is made when bob is known.
        wait_until(lambda: self.client.number("principals_now") == before + 1, "bob is known")
        bob = Client(self.broker, self.keys.pair("bob"))
        self.addCleanup(bob.close)
        self.expect(bob.call("registry"), "OK", None)
        pair = self.keys.pair("bob")
        self.keys.run("revoke", "bob")
        start = time.monotonic()
        while bob.call("registry").status == "OK":
            self.assertLess(time.monotonic() - start, 3, "a revoked certificate is still good")
            time.sleep(0.05)
        self.expect(bob.call("registry"), "UNAUTHENTICATED", None)
        self.expect_connection(zmq.DEALER, pair, self.broker.client, REFUSED)

    def test_events_go_from_service_to_service(self):
        subscriber = secured(zmq.SUB, self.keys, self.keys.pair("gateway"), self.broker.subscribe)
        publisher = secured(zmq.PUB, self.keys, self.keys.pair("registry"), self.broker.publish)
        self.addCleanup(subscriber.close)
        self.addCleanup(publisher.close)
        subscriber.subscribe(b"event")

        def arrives():
            publisher.send_multipart([b"other", b"nothing"])
            publisher.send_multipart([b"event.1", b"something"])
            return subscriber.poll(100)
        wait_until(arrives, "an event arrives")
        self.assertEqual(subscriber.recv_multipart(), [b"event.1", b"something"])


class Instances(BusTest):
    def expect_lost(self, within_s):
        start = time.monotonic()
        self.expect(self.client.receive(), "UNAVAILABLE", "INSTANCE_LOST")
        self.assertLess(time.monotonic() - start, within_s)

    def test_instance_that_says_goodbye(self):
        instance = self.instance("trainer", "trainer")
        self.client.send("trainer")
        instance.wait_for("REQUEST")
        instance.say("BYE")
        self.expect_lost(within_s=1)

    def test_instance_that_dies(self):
        instance = self.instance("trainer", "trainer")
        self.client.send("trainer")
        instance.wait_for("REQUEST")
        instance.close()  # as the kernel does for a process that ends
        self.expect_lost(within_s=2.5)  # the next heartbeat to it, each second, cannot be sent

    def test_instance_that_is_silent(self):
        instance = self.instance("trainer", "trainer")
        self.client.send("trainer", remaining_ms=30000)
        instance.wait_for("REQUEST")
        self.expect_lost(within_s=8)  # four heartbeats missed
        # What it says later is of nobody: it has to introduce itself.
        instance.say("HEARTBEAT")
        instance.wait_for("RESET")

    def test_calls_of_the_lost_are_not_given_to_others(self):
        first = self.instance("trainer", "trainer")
        self.client.send("trainer")
        first.wait_for("REQUEST")
        second = self.instance("trainer", "trainer")
        first.say("BYE")
        self.expect_lost(within_s=1)
        self.assertEqual(second.waiting_requests(), [])

    def test_instance_that_drains(self):
        leaving = self.instance("trainer", "trainer", credit=4)
        self.client.send("trainer", body=b"first")
        last = leaving.wait_for("REQUEST")
        staying = self.instance("trainer", "trainer", credit=4)
        leaving.say("DRAIN")
        wait_until(lambda: any(each.draining for each in self.client.status().instances),
                   "it drains")
        for _ in range(3):
            self.client.send("trainer", body=b"later")
        for _ in range(3):
            staying.reply(staying.wait_for("REQUEST"))
        self.assertEqual([self.client.receive().body for _ in range(3)], [b"later"] * 3)
        self.assertEqual(leaving.waiting_requests(), [])
        leaving.reply(last)
        self.assertEqual(self.client.receive().body, b"first")

    def test_credit_is_never_exceeded(self):
        instance = self.instance("trainer", "trainer", credit=3)
        for i in range(10):
            self.client.send("trainer", body=bytes([i]), remaining_ms=30000)
        held = instance.waiting_requests()
        self.assertEqual(len(held), 3)
        order = []
        while held:
            instance.reply(held.pop(0))
            order.append(self.client.receive().body[0])
            held += instance.waiting_requests() if len(order) % 4 == 0 else []
            if not held and len(order) < 10:
                held.append(instance.wait_for("REQUEST"))
            self.assertLessEqual(len(held), 3)
        self.assertEqual(order, list(range(10)))

    def test_calls_go_to_the_least_recently_used(self):
        pair = [self.instance("trainer", "trainer", credit=2) for _ in range(2)]
        for _ in range(4):
            self.client.send("trainer")
        for instance in pair:
            requests = [instance.wait_for("REQUEST"), instance.wait_for("REQUEST")]
            for request in requests:
                instance.reply(request)
        for _ in range(4):
            self.expect(self.client.receive(), "OK", None)

    def test_too_much_waits(self):
        instance = self.instance("trainer", "trainer", credit=1)
        for _ in range(MAX_WAITING + 4):
            self.client.send("trainer", remaining_ms=30000)
        for _ in range(3):
            reply = self.client.receive()
            self.expect(reply, "RESOURCE_EXHAUSTED", "BUSY")
            self.assertEqual(reply.header.details[0].limit, MAX_WAITING)
            self.assertGreater(reply.header.details[0].retry_after_ms, 0)
        for _ in range(MAX_WAITING + 1):
            instance.reply(instance.wait_for("REQUEST"))
            self.expect(self.client.receive(), "OK", None)

    def test_flood_of_refusals_is_held_back_and_all_is_answered(self):
        flood = 2000
        self.instance("trainer", "trainer", credit=1)
        before = self.observed("refusal_pauses")
        for _ in range(flood):
            self.client.send("trainer", remaining_ms=2000)
        statuses = [self.client.receive().status for _ in range(flood)]
        self.assertEqual(statuses.count("DEADLINE_EXCEEDED"), MAX_WAITING + 1)
        self.assertEqual(statuses.count("RESOURCE_EXHAUSTED"), flood - MAX_WAITING - 1)
        self.assertGreater(self.observed("refusal_pauses"), before)

    def test_principals_take_turns(self):
        instance = self.instance("trainer", "trainer", credit=1)
        worker = Client(self.broker, self.keys.pair("worker"))
        self.addCleanup(worker.close)
        self.client.send("trainer", body=b"held")
        held = instance.wait_for("REQUEST")
        for _ in range(10):
            self.client.send("trainer", body=b"many", remaining_ms=30000)
        wait_until(lambda: self.client_waiting() == 10, "ten wait")
        worker.send("trainer", body=b"one", remaining_ms=30000)
        wait_until(lambda: self.client_waiting() == 11, "eleven wait")
        instance.reply(held)
        seen = []
        for _ in range(11):
            request = instance.wait_for("REQUEST")
            seen.append(request[1][1])
            instance.reply(request)
        self.assertLess(seen.index(b"one"), 2)

    def client_waiting(self):
        return self.observed("waiting_now")

    def observed(self, counter):
        """Asked by somebody whose replies do not mix with those of the calls."""
        observer = Client(self.broker, self.keys.pair("gateway"))
        try:
            return observer.number(counter)
        finally:
            observer.close()

    def test_parked_call_gives_its_credit_back(self):
        instance = self.instance("trainer", "trainer", credit=1)
        self.client.send("trainer", body=b"parked")
        parked = instance.wait_for("REQUEST")
        instance.say("PARK", call=parked[0].call, epoch=parked[0].epoch)
        self.client.send("trainer", body=b"other")
        instance.reply(instance.wait_for("REQUEST"))
        self.assertEqual(self.client.receive().body, b"other")
        instance.reply(parked, parked=True)
        self.assertEqual(self.client.receive().body, b"parked")

    def test_reply_of_another_epoch_is_dropped(self):
        instance = self.instance("trainer", "trainer", credit=2)
        request_id = self.client.send("trainer", body=b"x")
        request = instance.wait_for("REQUEST")
        before = self.client_number("replies_other_epoch")
        instance.reply(request, epoch=request[0].epoch ^ 1)
        wait_until(lambda: self.client_number("replies_other_epoch") == before + 1, "it is counted")
        instance.reply(request)
        self.assertEqual(self.client.receive().header.request_id, request_id)
        late = self.client_number("replies_late")
        instance.reply(request)
        wait_until(lambda: self.client_number("replies_late") == late + 1, "answered once only")

    def client_number(self, key):
        observer = Client(self.broker, self.keys.pair("gateway"))
        try:
            return observer.number(key)
        finally:
            observer.close()


class Restart(BusTest):
    honest_attempts = 10

    def test_broker_that_is_killed(self):
        instance = self.instance("trainer", "trainer", credit=1)
        self.client.send("trainer", body=b"lost")
        lost = instance.wait_for("REQUEST")
        epoch = self.broker_epoch()
        self.broker.kill()
        self.broker.start()
        self.assertNotEqual(self.broker_epoch(), epoch)
        # The service does not know yet, and is told at its first word.
        instance.say("HEARTBEAT")
        instance.wait_for("RESET")
        instance.say_ready()
        instance.wait_for("HEARTBEAT")
        instance.reply(lost)
        again = Client(self.broker, self.keys.pair("admin"))
        self.addCleanup(again.close)
        again.send("trainer", body=b"again")
        instance.reply(instance.wait_for("REQUEST"))
        reply = again.receive()
        self.expect(reply, "OK", None)
        self.assertEqual(reply.body, b"again")
        self.assertEqual(again.number("replies_other_epoch"), 1)

    def broker_epoch(self):
        observer = Client(self.broker, self.keys.pair("admin"))
        try:
            return observer.status().epoch
        finally:
            observer.close()


class Connections(BusTest):
    descriptors = 256

    def test_more_connections_than_there_may_be(self):
        """No new ones for a while; those that are there go on."""
        self.expect(self.client.call("registry"), "OK", None)
        crowd = []
        self.addCleanup(lambda: [each.close() for each in crowd])
        for _ in range(self.descriptors):
            crowd.append(socket.socket())
            crowd[-1].setblocking(False)
            crowd[-1].connect_ex(("127.0.0.1", self.broker.port))
        wait_until(lambda: "guard.connections_paused" in self.broker.read_log(), "it pauses")
        self.expect(self.client.call("registry"), "OK", None)
        for each in crowd:
            each.close()
        wait_until(lambda: "guard.connections_resumed" in self.broker.read_log(), "it resumes")
        late = Client(self.broker, self.keys.pair("admin"))
        self.addCleanup(late.close)
        self.expect(late.call("registry"), "OK", None)
        self.assertGreaterEqual(late.number("connection_pauses"), 1)


class Memory(BusTest):
    LIMIT_MIB = 256
    SENT_MIB = 320

    broker_options = ["--memory-limit-mib", str(LIMIT_MIB)]
    honest_attempts = 20

    def test_message_without_end(self):
        """More than the broker may take, in one message of frames that are each small enough."""
        endless = Client(self.broker, self.keys.pair("worker"))
        self.addCleanup(endless.close)
        frame = bytes(256 * 1024)
        for _ in range(self.SENT_MIB * 4):
            endless.socket.send(frame, zmq.SNDMORE)
        endless.socket.send(b"")
        most = 0

        def was_reset():
            nonlocal most
            most = max(most, self.broker.resident_mib())
            return "guard.memory" in self.broker.read_log()
        wait_until(was_reset, "the client socket is made anew", 60)
        before = self.honest.served
        wait_until(lambda: was_reset() and self.honest.served > before + 10,
                   "others are served after it", 30)
        wait_until(lambda: self.broker.resident_mib() < self.LIMIT_MIB * 0.7, "memory went back")
        self.assertLess(most, self.LIMIT_MIB)


if __name__ == "__main__":
    program = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2)
    failed = len(program.result.failures) + len(program.result.errors)
    print(f"{max(program.result.testsRun - failed, 0)} passed, {failed} failed", flush=True)
    sys.exit(0 if failed == 0 and program.result.testsRun > 0 else 1)
