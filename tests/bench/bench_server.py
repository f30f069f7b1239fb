"""One model server against the same HTTP library that does nothing, and against FastAPI.

    bench_server.py --bin PROGRAMS --var FOLDER [--seconds 4] [--rounds 3]

A small regression of trees, one row a request as JSON, 32 kept connections on a unix socket; server and
echo on one processor, the client on another. The echo takes the same requests and answers as many
bytes. Medians of the rounds; each round measures all of them after another. FastAPI is measured with one
worker of uvicorn if python3-fastapi, python3-uvicorn and python3-xgboost are there.
"""
import argparse
import json
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
for word in ("bin", "var"):
    parser.add_argument("--" + word, required=True)
parser.add_argument("--root")
parser.add_argument("--python")
parser.add_argument("--seconds", type=float, default=4)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--connections", type=int, default=32)
parser.add_argument("--rows", type=int, default=1)
args = parser.parse_args()
SHARE = 0.7
here = os.path.dirname(os.path.abspath(__file__))
processors = sorted(os.sched_getaffinity(0))
folder = os.path.join(args.var, "served")


def program(name):
    return os.path.join(args.bin, name)


def on(processor, *words, **more):
    return subprocess.Popen(["taskset", "-c", str(processor), *words], **more)


def exchange(path, request):
    """The whole answer to a request, when somebody listens there."""
    until = time.monotonic() + 30
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                client.sendall(request)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += client.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
                while len(body) < int(fields[b"content-length"]):
                    body += client.recv(65536)
                return head, body
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def request_of(path, body):
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def measure(path, request_file, rate=0):
    words = [program("bench_http"), path, request_file, str(args.connections), str(args.seconds)]
    done = subprocess.run(["taskset", "-c", str(processors[0]), *words, *([str(rate)] * bool(rate))],
                          check=True, text=True, stdout=subprocess.PIPE)
    said = done.stdout.split()
    found = dict(zip(said[::2], map(float, said[1::2])))
    assert found["failures"] == 0 and found["lost"] == 0, done.stdout
    return found


def fastapi_there():
    return subprocess.run([sys.executable, "-c", "import fastapi, uvicorn, xgboost"],
                          stderr=subprocess.DEVNULL).returncode == 0


shutil.rmtree(args.var, ignore_errors=True)
os.makedirs(folder)
made = subprocess.run([program("server_folder"), folder, program("valion-sandbox"), "regression"],
                      check=True, text=True, stdout=subprocess.PIPE)
row = next(row[:4] for row in ([float(word) for word in line.split()]
                               for line in made.stdout.splitlines())
           if all(map(math.isfinite, row)))
body = json.dumps({"inputs": [{"name": "input", "shape": [args.rows, 4], "datatype": "FP64",
                               "data": [row] * args.rows}]}).encode()
paths = {name: os.path.join(args.var, name) for name in ("server", "echo", "fastapi", "request",
                                                         "plain")}
with open(paths["request"], "wb") as file:
    file.write(request_of("/v2/models/houses/infer", body))
with open(paths["plain"], "wb") as file:
    file.write(request_of("/predict", json.dumps({"rows": [row] * args.rows}).encode()))
running = [on(processors[-1], program("valion-server"), "--folder", folder, "--socket",
              paths["server"], stderr=subprocess.DEVNULL)]
try:
    with open(paths["request"], "rb") as file:
        head, answer = exchange(paths["server"], file.read())
    assert head.startswith(b"HTTP/1.1 200 "), answer
    running.append(on(processors[-1], program("bench_http_echo"), paths["echo"],
                      str(len(answer))))
    exchange(paths["echo"], request_of("/", b"x"))
    peers = ["server", "echo"]
    if fastapi_there():
        running.append(on(processors[-1], sys.executable, os.path.join(here, "server_peer.py"),
                          os.path.join(folder, "model"), paths["fastapi"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        with open(paths["plain"], "rb") as file:
            exchange(paths["fastapi"], file.read())
        peers.append("fastapi")
    rates = {name: [] for name in peers}
    late = {name: [] for name in ("server", "echo")}
    for _ in range(args.rounds):
        for name in peers:
            rates[name].append(measure(paths[name], paths["plain" if name == "fastapi" else
                                                          "request"])["rate"])
        rate = SHARE * rates["server"][-1]
        for name in late:
            late[name].append(measure(paths[name], paths["request"], rate)["p99"])
    median = {name: statistics.median(values) for name, values in rates.items()}
    p99 = {name: statistics.median(values) for name, values in late.items()}
    print(f"request {len(body)} bytes, answer {len(answer)} bytes, {args.connections} connections")
    for name in peers:
        print(f"{name:28} {median[name]:9.0f} requests/s")
    print(f"server over echo             {median['server'] / median['echo']:9.2f}    (goal: 0.5)")
    print(f"99th percentile at {SHARE:.0%}      {p99['server']:9.0f} us, the echo's {p99['echo']:.0f} us: "
          f"{p99['server'] / p99['echo']:.2f} times (goal: at most 2)")
    if "fastapi" in peers:
        print(f"server over FastAPI          {median['server'] / median['fastapi']:9.1f}    (goal: 6)")
    else:
        print("FastAPI was left out: python3-fastapi, python3-uvicorn, python3-xgboost are not there")
finally:
    for process in running:
        process.terminate()
        process.wait()
