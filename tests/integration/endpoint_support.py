"""Servers for tests of the endpoint engine: valion-server behind TCP, and one that misbehaves."""
import http.server
import json
import os
import shutil
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
import time

NAMES = ("area", "rooms", "age", "distance")


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Relay(socketserver.ThreadingTCPServer):
    """TCP to a unix socket, as the proxy in front of valion-server."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, path):
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                inner = socket.socket(socket.AF_UNIX)
                inner.connect(outer.path)
                back = threading.Thread(target=pump, args=(inner, self.request), daemon=True)
                back.start()
                pump(self.request, inner)
                back.join()
                inner.close()

        self.path = path
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class ModelServer:
    """valion-server with a model of a kind that was trained here and now."""

    def __init__(self, programs, folder, kind):
        self.folder = os.path.join(folder, kind)
        self.socket = os.path.join(folder, kind + ".sock")
        os.makedirs(self.folder)
        made = subprocess.run([os.path.join(programs, "server_folder"), self.folder,
                               os.path.join(programs, "valion-sandbox"), kind],
                              check=True, stdout=subprocess.PIPE, text=True)
        numbers = [[float(word) for word in line.split()] for line in made.stdout.splitlines()]
        whole = [row for row in numbers
                 if all(cell == cell for at, cell in enumerate(row) if at != 2)]
        self.rows = [row[:len(NAMES)] for row in whole]
        self.answers = [row[len(NAMES):] for row in whole]
        self.log = open(os.path.join(folder, kind + ".log"), "w", encoding="utf-8")
        self.process = subprocess.Popen([os.path.join(programs, "valion-server"), "--folder",
                                         self.folder, "--socket", self.socket], stderr=self.log)
        self.await_socket()
        self.relay = Relay(self.socket)
        self.url = self.relay.address + "/v2/models/houses"

    def await_socket(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.socket)
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("valion-server is not ready")

    def stop(self):
        self.relay.shutdown()
        self.relay.server_close()
        self.process.terminate()
        code = self.process.wait(30)
        self.log.close()
        return code


# ---- a server that misbehaves, each of its models in another way

def tensor(rows, data=None, **changes):
    return {"name": "prediction", "shape": [rows], "datatype": "FP32",
            "data": [float(i) for i in range(rows)] if data is None else data, **changes}


def answer(rows, version="1", **changes):
    return {"model_name": "bad", "model_version": version, "outputs": [tensor(rows, **changes)]}


ANSWERS = {
    "good": lambda rows, count: answer(rows),
    "few_rows": lambda rows, count: answer(rows - 1),
    "other_shape": lambda rows, count: answer(rows, shape=[rows + 1]),
    "three_dimensions": lambda rows, count: answer(rows, shape=[rows, 1, 1]),
    "few_values": lambda rows, count: answer(rows, data=[1.0]),
    "texts": lambda rows, count: answer(rows, data=["1"] * rows),
    "other_datatype": lambda rows, count: answer(rows, datatype="FP8"),
    "no_outputs": lambda rows, count: {"model_name": "bad"},
    "infinite": lambda rows, count: answer(rows, data=[None, 1e300] + [1.0] * (rows - 2)),
    "versions": lambda rows, count: answer(rows, version=str(count)),
    "forms": lambda rows, count: answer(rows, shape=[rows, count], data=[0.0] * rows * count),
}
STATUSES = {"error": 500, "missing": 404, "away": 503, "elsewhere": 302, "forever": 308}


class BadHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def kind(self):
        return self.path.split("/")[3]

    def say(self, status, body, size=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if size is None else size))
        if 300 <= status < 400:
            self.send_header("Location", self.server.address + "/v2/models/good/infer")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        kind = self.kind()
        self.server.count("GET", kind)
        if kind == "metadata_elsewhere":
            return self.say(302, b"{}")
        if kind == "metadata_none":
            return self.say(200, b"<html>hello</html>")
        inputs = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in NAMES]
        if kind == "matrix":
            inputs = [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]
        if kind == "other_model":
            inputs[1]["name"] = "beds"
        return self.say(200, json.dumps({"name": kind, "inputs": inputs}).encode())

    def stream(self, size, pause):
        """A body without end; until the client has had enough."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while not self.server.stopping.wait(pause):
                self.wfile.write(b" " * size)
                self.server.sent += size
        except OSError:
            pass

    def do_POST(self):
        kind = self.kind()
        count = self.server.count("POST", kind)
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = request["inputs"][0]["shape"][0]
        self.server.requests.append(request)
        if kind in self.server.asked:
            self.server.asked[kind].set()
        if kind in ANSWERS:
            return self.say(200, json.dumps(ANSWERS[kind](rows, count)).encode())
        if kind in STATUSES:
            return self.say(STATUSES[kind], b'{"error":"it \\u0007 broke"}')
        if kind == "matrix":
            return self.say(200, json.dumps(answer(rows)).encode())
        if kind == "cut":
            return self.say(200, json.dumps(answer(rows)).encode()[:-9])
        if kind == "truncated":
            self.close_connection = True
            return self.say(200, json.dumps(answer(rows)).encode(), 100000)
        if kind == "endless":
            return self.stream(65536, 0)
        if kind == "trickle":
            return self.stream(1, 0.02)
        if kind == "hang":  # "leaves" does not even wait
            self.server.stopping.wait(60)
        self.close_connection = True
        return None


class BadServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening=True):
        super().__init__(("127.0.0.1", 0), BadHandler, bind_and_activate=False)
        self.stopping = threading.Event()
        self.counts, self.requests, self.sent = {}, [], 0
        self.asked = {"hang": threading.Event()}
        self.server_bind()
        if listening:
            self.listen()

    def listen(self):
        self.server_activate()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def count(self, method, kind):
        self.counts[method, kind] = self.counts.get((method, kind), 0) + 1
        return self.counts[method, kind]

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def url(self, kind):
        return f"{self.address}/v2/models/{kind}"

    def secure(self, folder):
        """TLS from now on, with a certificate that nobody trusts."""
        key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
                        "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        return self

    def handle_error(self, request, client_address):
        pass  # a client that leaves is what is tested

    def stop(self):
        self.stopping.set()
        self.shutdown()
        self.server_close()


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
