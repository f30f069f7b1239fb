#!/usr/bin/env python3
"""valion-server as HTTP clients see it: its answers are the library's own to the bit, what is wrong
with a request is said in a sentence, and it ends cleanly.

    server_test.py --bin PROGRAMS --python BUILD/python --var FOLDER [unittest …]
"""
import argparse
import http.client
import json
import math
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

parser = argparse.ArgumentParser()
for word in ("bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path.insert(0, args.python)

from valion.v1 import deployer_pb2  # noqa: E402

NAMES = ("area", "rooms", "age", "distance")
INFER = "/v2/models/houses/infer"
servers = {}


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Server:
    """A folder of one kind, and the program that serves it."""

    def __init__(self, kind):
        self.folder = os.path.join(args.var, kind)
        self.socket = os.path.join(args.var, kind + ".sock")
        os.makedirs(self.folder)
        made = subprocess.run([os.path.join(args.bin, "server_folder"), self.folder,
                               os.path.join(args.bin, "valion-sandbox"), kind],
                              check=True, stdout=subprocess.PIPE, text=True)
        numbers = [[float(word) for word in line.split()] for line in made.stdout.splitlines()]
        self.rows = [row[:len(NAMES)] for row in numbers]
        self.answers = [row[len(NAMES):] for row in numbers]
        self.process = None

    def start(self, *options):
        self.log = open(os.path.join(args.var, "server.log"), "a+", encoding="utf-8")
        self.log.seek(0, os.SEEK_END)
        self.since = self.log.tell()
        self.process = subprocess.Popen(
            [os.path.join(args.bin, "valion-server"), "--folder", self.folder, "--socket",
             self.socket, "--drain-ms", "2000", *options], stderr=self.log)
        return self

    def await_ready(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.get("/v2/health/ready")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError("not ready: " + self.said())

    def said(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8") as file:
            file.seek(self.since)
            return file.read()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.log.close()
        return code

    def ask(self, method, path, body=None, headers=None):
        connection = Connection(self.socket)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.headers = answer.headers
        return answer.status, data

    def get(self, path):
        return self.ask("GET", path)

    def infer(self, request, path=INFER):
        status, data = self.ask("POST", path, json.dumps(request))
        return status, json.loads(data)


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def matrix(rows):
    data = [[None if math.isnan(cell) else cell for cell in row] for row in rows]
    return {"inputs": [{"name": "rows", "shape": [len(rows), len(NAMES)], "datatype": "FP64",
                        "data": data}]}


def whole(server):
    """Rows without a missing value where none may be missing."""
    return [index for index, row in enumerate(server.rows)
            if not any(math.isnan(cell) for at, cell in enumerate(row) if at != 2)]


class Answers(unittest.TestCase):
    def compare(self, kind):
        server = servers[kind]
        chosen = whole(server)
        status, answer = server.infer(matrix([server.rows[i] for i in chosen]))
        self.assertEqual(status, 200, answer)
        self.assertEqual((answer["model_name"], answer["model_version"]), ("houses", "1.0.0"))
        numbers = [float32(value) for value in answer["outputs"][0]["data"]]
        wanted = [float32(value) for i in chosen for value in server.answers[i]]
        self.assertEqual(numbers, wanted)
        return answer, [server.answers[i] for i in chosen]

    def test_are_the_librarys_own_to_the_bit(self):
        answer, _ = self.compare("regression")
        self.assertEqual(len(answer["outputs"]), 1)

    def test_of_two_classes_have_a_probability_and_a_label(self):
        answer, wanted = self.compare("binary")
        self.assertEqual(answer["outputs"][0]["name"], "probability")
        self.assertEqual(answer["outputs"][1]["data"],
                         ["middle" if row[0] >= 0.5 else "low" for row in wanted])

    def test_of_many_classes_have_a_probability_of_each(self):
        answer, wanted = self.compare("multiclass")
        self.assertEqual(answer["outputs"][0]["shape"], [len(wanted), 3])
        self.assertEqual(answer["outputs"][1]["data"],
                         [["low", "middle", "high"][row.index(max(row))] for row in wanted])

    def test_are_the_same_one_by_one_and_by_name(self):
        server = servers["regression"]
        for index in whole(server)[:4]:
            inputs = [{"name": name, "shape": [1], "datatype": "FP64",
                       "data": [None if math.isnan(cell) else cell]}
                      for name, cell in reversed(list(zip(NAMES, server.rows[index])))]
            status, answer = server.infer({"id": str(index), "inputs": inputs})
            self.assertEqual(status, 200, answer)
            self.assertEqual(answer["id"], str(index))
            self.assertEqual(float32(answer["outputs"][0]["data"][0]),
                             float32(server.answers[index][0]))

    def test_come_at_once_on_many_connections(self):
        for kind in ("regression", "linear", "large"):
            with self.subTest(kind):
                self.ask_at_once(servers[kind])
        text = servers["large"].get("/metrics")[1].decode()
        count = {line.split("{")[0]: int(line.split()[-1]) for line in text.splitlines()
                 if line.startswith(("valion_server_requests", "valion_server_batches"))}
        self.assertLess(count["valion_server_batches_total"],
                        0.9 * count["valion_server_requests_total"])  # many were asked together

    def ask_at_once(self, server):
        """Each its own rows, of which the answers are known."""
        wrong = []

        def work(index):
            request = matrix([server.rows[index]] * (1 + index % 3))
            wanted = [float32(server.answers[index][0])] * (1 + index % 3)
            connection = Connection(server.socket)
            for _ in range(50):
                connection.request("POST", INFER, json.dumps(request))
                answer = connection.getresponse()
                said = json.loads(answer.read())
                data = said["outputs"][0]["data"] if answer.status == 200 else said
                if [float32(value) for value in data] != wanted:
                    wrong.append(said)
            connection.close()

        threads = [threading.Thread(target=work, args=(each,)) for each in whole(server)[:8]]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(wrong, [])


class Refusals(unittest.TestCase):
    def test_name_what_is_wrong(self):
        server = servers["regression"]
        for request, words in (
                ({"inputs": []}, "inputs"),
                ({"inputs": [{"name": "area", "shape": [1], "datatype": "FP64", "data": [1]}]},
                 '"rooms" is missing'),
                (matrix([[1, 2, 3, math.nan]]), "may not be missing"),
                ({"inputs": [{"name": "rows", "shape": [1, 3], "datatype": "FP64",
                              "data": [1, 2, 3]}]}, "takes 4")):
            status, answer = server.infer(request)
            self.assertEqual(status, 400, answer)
            self.assertIn(words, answer["error"])

    def test_of_bytes_that_are_no_json(self):
        for body in (b"", b"\x00" * 100, b"{" * 100000, b'{"inputs"', b"\xff\xfe\xfd"):
            status, data = servers["regression"].ask("POST", INFER, body)
            self.assertEqual(status, 400)
            self.assertTrue(json.loads(data)["error"])

    def test_of_a_body_that_is_too_large(self):
        status, data = servers["regression"].ask("POST", INFER, b" " * (5 * 1024 * 1024))
        self.assertEqual(status, 413)
        self.assertIn("4194304", json.loads(data)["error"])

    def test_of_other_models_versions_paths_and_methods(self):
        server = servers["regression"]
        for method, path, status in (("POST", "/v2/models/other/infer", 404),
                                     ("POST", "/v2/models/houses/versions/2.0.0/infer", 404),
                                     ("GET", "/v2/models/housesx", 404),
                                     ("GET", "/v2/models/houses/../x", 404),
                                     ("GET", "/", 404), ("GET", INFER, 405),
                                     ("POST", "/v2/models/houses", 405)):
            with self.subTest(method=method, path=path):
                got, data = server.ask(method, path, b"{}" if method == "POST" else None)
                self.assertEqual(got, status)
                self.assertTrue(json.loads(data)["error"])

    def test_of_requests_that_smuggle(self):
        for lines in (b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                      b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\n{}",
                      b"GET %s HTTP/1.1\nHost: x\n\n"):
            raw = socket.socket(socket.AF_UNIX)
            raw.settimeout(30)
            raw.connect(servers["regression"].socket)
            raw.sendall(lines % INFER.encode())
            self.assertIn(b" 400 ", raw.recv(4096).split(b"\r\n")[0] + b" ")
            raw.close()


class Descriptions(unittest.TestCase):
    def test_of_the_model(self):
        for path in ("/v2/models/houses", "/v2/models/houses/versions/1.0.0"):
            status, data = servers["binary"].get(path)
            about = json.loads(data)
            self.assertEqual(status, 200)
            self.assertEqual([each["name"] for each in about["inputs"]], list(NAMES))
            self.assertEqual([each["name"] for each in about["outputs"]],
                             ["probability", "label"])

    def test_of_its_health(self):
        server = servers["regression"]
        self.assertEqual(json.loads(server.get("/v2/health/live")[1]), {"live": True})
        self.assertEqual(json.loads(server.get("/v2/models/houses/ready")[1]),
                         {"name": "houses", "ready": True})
        self.assertEqual(json.loads(server.get("/health")[1])["status"], "healthy")

    def test_gives_each_prediction_an_id(self):
        server = servers["regression"]
        ids = set()
        for _ in range(3):
            server.infer(matrix([server.rows[whole(server)[0]]]))
            ids.add(server.headers["X-Prediction-Id"])
        server.infer({"inputs": []})
        ids.add(server.headers["X-Prediction-Id"])
        self.assertEqual(len(ids), 4)
        self.assertTrue(all(len(each) == 36 for each in ids))

    def test_of_what_it_counted(self):
        server = servers["multiclass"]
        before = deployer_pb2.Telemetry.FromString(server.get("/telemetry")[1])
        rows = [server.rows[i] for i in whole(server)]
        server.infer(matrix(rows))
        server.infer({"inputs": []})
        after = deployer_pb2.Telemetry.FromString(server.get("/telemetry")[1])
        self.assertEqual(after.requests - before.requests, 2)
        self.assertEqual(after.rows - before.rows, len(rows))
        self.assertGreater(after.sequence, before.sequence)
        errors = {each.key: each.value for each in after.errors}
        self.assertEqual(errors["bad_input"], 1)
        self.assertEqual(after.prediction.n - before.prediction.n, len(rows))
        self.assertEqual(sum(after.prediction.counts), after.prediction.n)
        self.assertEqual(sum(after.latency_counts), after.requests)


def copied(method, kind="regression"):
    """A test of a copy of a folder."""
    def test(self):
        folder = os.path.join(args.var, "copy-" + method.__name__)
        shutil.copytree(servers[kind].folder, folder)
        server = Server.__new__(Server)
        server.folder, server.socket = folder, folder + ".sock"
        server.rows = servers[kind].rows
        server.answers = servers[kind].answers
        method(self, server)
    return test


def of_a_sandbox(method):
    """Of a model that the native engine does not run."""
    return copied(method, "linear")


class Starts(unittest.TestCase):
    def refuses(self, server, words):
        server.start()
        self.assertNotEqual(server.process.wait(60), 0)
        self.assertIn(words, server.said())
        server.log.close()

    @copied
    def test_refuses_a_file_that_was_changed(self, server):
        with open(os.path.join(server.folder, "model"), "r+b") as file:
            file.seek(100)
            file.write(b"\x00\x01\x02\x03")
        self.refuses(server, "do not have their digest")

    @copied
    def test_refuses_a_file_that_is_gone(self, server):
        os.unlink(os.path.join(server.folder, "samples"))
        self.refuses(server, "cannot be read")

    @copied
    def test_refuses_an_instance_that_is_none(self, server):
        with open(os.path.join(server.folder, "instance.pb"), "wb") as file:
            file.write(b"\xff" * 64)
        self.refuses(server, "not what the runner wrote")

    @copied
    def test_refuses_a_version_that_answers_otherwise_than_registered(self, server):
        path = os.path.join(server.folder, "instance.pb")
        with open(path, "rb") as file:
            instance = deployer_pb2.WantedInstance.FromString(file.read())
        instance.signature.inputs[0].name, instance.signature.inputs[1].name = "rooms", "area"
        with open(path, "wb") as file:
            file.write(instance.SerializeToString())
        self.refuses(server, "was registered")

    @copied
    def test_ends_what_is_begun_and_then_itself(self, server):
        server.start().await_ready()
        held = Connection(server.socket)
        held.connect()
        request = json.dumps(matrix([server.rows[i] for i in whole(servers["regression"])]))
        held.putrequest("POST", INFER)
        held.putheader("Content-Length", str(len(request)))
        held.endheaders()
        held.send(request[:10].encode())
        server.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 10
        while "server.draining" not in server.said() and time.monotonic() < end:
            time.sleep(0.01)
        held.send(request[10:].encode())
        answer = held.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.getheader("Connection"), "close")
        answer.read()
        held.close()
        self.assertEqual(server.stop(), 0)

    @copied
    def test_answers_who_connected_before_it_was_told_to_end(self, server):
        server.start().await_ready()
        request = json.dumps(matrix([server.rows[i] for i in whole(servers["regression"])]))
        server.process.send_signal(signal.SIGSTOP)
        waiting = [Connection(server.socket) for _ in range(8)]
        for each in waiting:
            each.request("POST", INFER, request)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        for each in waiting:
            answer = each.getresponse()
            self.assertEqual(answer.status, 200)
            answer.read()
            each.close()
        self.assertEqual(server.stop(), 0)

    @of_a_sandbox
    def test_refuses_more_than_may_wait_and_answers_all_else_meanwhile(self, server):
        server.start("--queue", "2", "--deadline-ms", "500", "--access-log", "errors").await_ready()
        request = json.dumps(matrix([server.rows[i] for i in whole(servers["regression"])]))
        sandbox = children(server.process.pid)
        self.assertTrue(sandbox)
        family = [*sandbox, *(child for each in sandbox for child in children(each))]
        for each in family:
            os.kill(each, signal.SIGSTOP)
        asked = []
        try:
            for count in range(1, 4):  # one is being asked about, two wait
                asked.append(Connection(server.socket))
                asked[-1].request("POST", INFER, request)
                self.await_queue(server, count - 1)
            self.assertEqual(server.ask("POST", INFER, request)[0], 503)
            self.assertEqual(server.headers["Retry-After"], "1")
            self.assertEqual(server.get("/v2/health/ready")[0], 200)
            time.sleep(0.6)  # the deadline of those who wait
        finally:
            for each in family:
                os.kill(each, signal.SIGCONT)
        self.assertEqual([each.getresponse().status for each in asked], [200, 504, 504])
        for each in asked:
            each.close()
        errors = {each.key: each.value for each in self.telemetry(server).errors}
        self.assertEqual((errors["timeout"], errors["rejected"]), (2, 1))
        text = server.get("/metrics")[1].decode()
        labels = '{model="houses",version="1.0.0"'
        for line in (f"valion_server_requests_total{labels}}} 4",
                     f"valion_server_rejected_total{labels}}} 1",
                     f'valion_server_errors_total{labels},error="timeout"}} 2',
                     f'valion_server_latency_seconds_bucket{labels},le="+Inf"}} 4'):
            self.assertIn(line + "\n", text)
        logged = [json.loads(line) for line in server.said().splitlines() if "prediction" in line]
        self.assertEqual([each["status"] for each in logged], [503, 504, 504])
        self.assertEqual(server.stop(), 0)

    def telemetry(self, server):
        return deployer_pb2.Telemetry.FromString(server.get("/telemetry")[1])

    def await_queue(self, server, count):
        end = time.monotonic() + 10
        while self.telemetry(server).queue != count and time.monotonic() < end:
            time.sleep(0.01)

    @of_a_sandbox
    def test_goes_on_after_its_sandbox_was_killed(self, server):
        server.start().await_ready()
        request = matrix([server.rows[i] for i in whole(servers["regression"])])
        for _ in range(3):
            for child in children(server.process.pid):
                os.kill(child, signal.SIGKILL)
            answers = [server.infer(request) for _ in range(20)]
            self.assertEqual(answers[-1][0], 200, answers[-1])
            self.assertLessEqual(sum(status != 200 for status, _ in answers), 1)
        self.assertEqual(server.stop(), 0)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def main():
    shutil.rmtree(args.var, ignore_errors=True)
    os.makedirs(args.var)
    for kind in ("regression", "binary", "multiclass", "linear", "large"):
        servers[kind] = Server(kind).start().await_ready()
    result = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2).result
    codes = [server.stop() for server in servers.values()]
    with open(os.path.join(args.var, "server.log"), encoding="utf-8") as file:
        bad = [line for line in file if "Sanitizer" in line or "runtime error" in line]
    print("".join(bad[:20]), f"exit codes {codes}", flush=True)
    return 0 if result.wasSuccessful() and result.testsRun > 0 and not any(codes) and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
