#!/usr/bin/env python3
"""The program itself, where no bus is needed: help, exit codes, keys, audit verify."""
import base64
import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

VALION = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "valion"
# Nothing listens there.
NOBODY = "127.0.0.1:1"


class Cli(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.keys = os.path.join(self.folder.name, "keys")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("VALION")}

    def tearDown(self):
        self.folder.cleanup()

    def run_it(self, *words, code=0, text=""):
        done = subprocess.run([VALION, "--keys", self.keys, *words], input=text, text=True,
                              capture_output=True, timeout=60, env=self.environment,
                              cwd=self.folder.name)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def test_tells_help_at_every_level(self):
        overview, _ = self.run_it("--help")
        self.assertIn("exit codes: 0 done", overview)
        commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?) ", overview, re.M)
        self.assertGreater(len(commands), 20)
        for command in commands:
            out, _ = self.run_it(*command.split(), "--help")
            self.assertTrue(out.startswith(f"usage: valion {command}"), out)
            options = re.findall(r"^  (?:-., )?--([a-z-]+)", out, re.M)
            for one in ("bus", "keys", "as", "output", "timeout"):
                self.assertEqual(options.count(one), 1, f"{command}: --{one} has two meanings")
            out, _ = self.run_it(command.split()[0], "-h")
            self.assertIn("usage: valion", out)

    def test_refuses_wrong_command_lines_with_exit_2(self):
        for words in ([], ["job"], ["jbo", "list"], ["job", "lst"], ["job", "show"],
                      ["job", "show", "x"], ["job", "list", "--stat", "x"],
                      ["job", "list", "--state", "x"], ["ping", "more"], ["-o", "xml", "methods"],
                      ["--timeout", "soon", "ping"], ["job", "submit"], ["version", "create"],
                      ["version", "create", "--model", "m", "--artifact", "model"],
                      ["version", "create", "--model", "m", "--metric", "r2=x"],
                      ["call", "nothing"], ["call", "nobody.Method"], ["methods", "nobody"],
                      ["data", "profile"], ["data", "profile", "a", "b"],
                      ["data", "profile", "a", "--profile", "12"],
                      ["validate", "m", "--data", "d", "--engine", "endpoint"],
                      ["validate", "m", "--data", "d", "--engine", "native", "--endpoint-url",
                       "http://a/v2/models/m"],
                      ["validate", "m", "--data", "d", "--engine", "abacus"],
                      ["event", "export"], ["audit", "verify"]):
            _, err = self.run_it(*words, code=2)
            if words and words != ["job"]:
                self.assertTrue(err.startswith("valion: "), (words, err))

    def test_says_what_was_meant(self):
        _, err = self.run_it("jbo", "list", code=2)
        self.assertIn("did you mean 'job list'?", err)
        _, err = self.run_it("call", "registy.GetModel", code=2)
        self.assertIn("did you mean registry?", err)
        _, err = self.run_it("call", "registry.GetModel", '{"nam": "x"}', code=2)
        self.assertEqual(err, "valion: nam: no such field; did you mean name?\n")

    def test_lists_the_contract(self):
        out, _ = self.run_it("methods")
        self.assertIn("registry.CreateVersion\tCreateVersionRequest\tCreateVersionReply", out)
        out, _ = self.run_it("methods", "runner.host-7")
        self.assertIn("runner.host-7.ReadInstanceLog", out)
        out, _ = self.run_it("-o", "json", "methods", "bus")
        self.assertEqual(json.loads(out)[0]["method"], "bus.Ping")

    def test_edits_keys(self):
        self.run_it("ping", code=4)
        self.run_it("keys", "list", code=4)
        self.run_it("keys", "init")
        self.run_it("keys", "init")
        self.run_it("keys", "new", "joe", "--roles", "viewer,worker", "--kinds", "x.*,y")
        out, _ = self.run_it("keys", "show", "joe", "-o", "json")
        row = json.loads(out)[0]
        self.assertEqual((row["roles"], row["kinds"]), ("viewer,worker", "x.*,y"))
        secret = os.path.join(self.keys, "secret", "joe.key_secret")
        self.assertEqual(os.stat(secret).st_mode & 0o777, 0o600)
        self.run_it("keys", "new", "joe", "--roles", "viewer", code=1)
        self.run_it("keys", "new", "jim", "--roles", "king", code=2)
        self.run_it("keys", "new", "../jim", "--roles", "viewer", code=2)
        self.run_it("keys", "revoke", "joe")
        self.run_it("keys", "show", "joe", code=4)
        self.run_it("keys", "revoke", "joe", code=4)
        self.run_it("--as", "joe", "--timeout", "1s", "--bus", NOBODY, "keys", "list")

    def test_exits_3_where_nobody_answers(self):
        self.run_it("keys", "init")
        for words in (["ping"], ["status"], ["model", "list"], ["job", "show", "0" * 32],
                      ["call", "bus.Ping"], ["event", "watch"]):
            _, err = self.run_it("--bus", NOBODY, "--timeout", "300ms", *words, code=3)
            self.assertIn("UNAVAILABLE", err)
        self.run_it("--bus", NOBODY, "--as", "nobody", "ping", code=4)

    def test_ends_at_once_on_interrupt(self):
        self.run_it("keys", "init")
        for words in (["event", "watch", "--follow"], ["ping"], ["job", "watch", "0" * 32]):
            child = subprocess.Popen(
                [VALION, "--keys", self.keys, "--bus", NOBODY, "--timeout", "60s", *words],
                env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.wait_until_it_takes_signals(child)
            start = time.monotonic()
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(timeout=10), 130)
            self.assertLess(time.monotonic() - start, 5)
            child.stderr.close()

    def wait_until_it_takes_signals(self, child):
        """Until its own handler of SIGINT is in place."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
                caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status.read(), re.M)
            if int(caught.group(1), 16) & 1 << (signal.SIGINT - 1):
                return
            time.sleep(0.01)
        self.fail("the program does not take SIGINT")

    # ---- audit verify, against bytes that are made here ----

    @staticmethod
    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    def log(self, count):
        lines = ['{"valion_log":1}']
        previous = bytes(32)
        for position in range(1, count + 1):
            kind, payload = f"test.n{position}".encode(), b"\x0a\x00"
            entry = self.field(1, kind) + b"\x20" + bytes([position]) + self.field(5, payload)
            previous = hashlib.sha256(previous + struct.pack(">Q", position) + entry).digest()
            event = {"position": str(position), "type": kind.decode(), "time_us": str(position),
                     "payload": base64.b64encode(payload).decode(), "hash": previous.hex()}
            lines.append(json.dumps({"event": event}, separators=(",", ":")))
        return lines

    def verify(self, lines, code):
        path = os.path.join(self.folder.name, "log")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        out, err = self.run_it("audit", "verify", "--export", path, code=code)
        return out + err

    def test_verifies_a_log_offline(self):
        self.run_it("keys", "init")
        lines = self.log(100)
        said = self.verify(lines, 0)
        self.assertIn("good: 100 entries, 0 signed heads", said)
        self.assertIn("no signature covers any of them", said)
        self.assertIn("entry 51 is missing", self.verify(lines[:51] + lines[52:], 1))
        lines[70] = lines[70].replace("test.n70", "test.x70")
        self.assertIn("BAD: log line 71: entry 70 is not what was logged", self.verify(lines, 1))
        self.run_it("audit", "verify", "--export", "/nowhere", code=4)
        self.run_it("audit", "verify", "--export", "log", "--key", "/nowhere", code=4)


if __name__ == "__main__":
    unittest.main()
