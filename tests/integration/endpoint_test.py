#!/usr/bin/env python3
"""Predictions by way of a server: those of valion-server are the library's own; of a server that
misbehaves there is a sentence, in time.

    endpoint_test.py --bin PROGRAMS --var FOLDER [unittest …]
"""
import argparse
import os
import socket
import subprocess
import sys
import time
import unittest

parser = argparse.ArgumentParser()
for word in ("bin", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from endpoint_support import BadServer, ModelServer, float32, fresh  # noqa: E402

KINDS = ("regression", "binary", "multiclass")
ROWS = [[100.0 + i, i % 5, i / 3, 2.5] for i in range(40)]
models = {}
bad = None


class Probe:
    """A run of endpoint_probe, under way."""

    def __init__(self, folder, url, rows, allowed=None, request_ms=20000, predict_ms=30000,
                 stop_ms=60000, **environment):
        allowed = url.split("/v2/")[0] if allowed is None else allowed
        self.process = subprocess.Popen(
            [os.path.join(args.bin, "endpoint_probe"), folder, url, allowed, str(request_ms),
             str(predict_ms), str(stop_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.process.stdin.write("".join(" ".join(map(repr, row)) + "\n" for row in rows))
        self.process.stdin.close()
        assert self.process.stdout.readline() == "asking\n", self.process.stderr.read()

    def end(self):
        lines = self.process.stdout.read().splitlines()
        said = self.process.stderr.read()
        code = self.process.wait(60)
        self.process.stdout.close()
        self.process.stderr.close()
        assert code == 0 and not said, (code, said)
        return lines


def probe(*words, **fields):
    return Probe(*words, **fields).end()


def ask_bad(kind, rows=None, **fields):
    return probe(models["regression"].folder, bad.url(kind), ROWS if rows is None else rows,
                 **fields)


class Good(unittest.TestCase):
    def test_predictions_of_our_own_server_are_the_librarys_own(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                model = models[kind]
                status, served, *lines = probe(model.folder, model.url, model.rows)
                self.assertEqual((status, served), ("OK", "houses 1.0.0"), lines)
                numbers = [[float(word) for word in line.split()] for line in lines]
                self.assertEqual([[float32(value) for value in row[:-1]] for row in numbers],
                                 [[float32(value) for value in row] for row in model.answers])
                labels = [int(row[-1]) for row in numbers]
                wanted = [-1 if kind == "regression" else int(row[0] >= 0.5)
                          if kind == "binary" else max(range(3), key=row.__getitem__)
                          for row in model.answers]
                self.assertEqual(labels, wanted)

    def test_more_rows_than_a_request_holds_come_in_order(self):
        model = models["regression"]
        times = 1200 // len(model.rows)
        status, _, *lines = probe(model.folder, model.url + "/versions/1.0.0", model.rows * times)
        self.assertEqual(status, "OK", lines)
        self.assertEqual([float32(float(line.split()[0])) for line in lines],
                         [float32(row[0]) for row in model.answers] * times)

    def test_a_server_with_one_matrix_gets_one(self):
        bad.requests.clear()
        status, served, *lines = ask_bad("matrix")
        self.assertEqual((status, served, len(lines)), ("OK", "bad 1", 40))
        only, = bad.requests[0]["inputs"]
        self.assertEqual((only["name"], only["shape"], only["data"][:4]),
                         ("X", [40, 4], ROWS[0]))

    def test_an_error_of_our_own_server_is_told(self):
        model = models["regression"]
        status, sentence = probe(model.folder, model.url, [[float("nan"), 1, 2, 3]])
        self.assertEqual(status, "FAILED_PRECONDITION")
        self.assertIn("HTTP 400", sentence)
        self.assertIn('"area" may not be missing', sentence.replace('\\"', '"'))
        status, sentence = probe(model.folder, model.url + "s", [[1, 1, 2, 3]])
        self.assertIn("HTTP 404: another model", sentence)


class Bad(unittest.TestCase):
    def refused(self, kind, *says, status="FAILED_PRECONDITION", **fields):
        got, sentence = ask_bad(kind, **fields)
        self.assertEqual(got, status, sentence)
        for words in says:
            self.assertIn(words, sentence)

    def test_answers_that_are_none_are_refused(self):
        self.refused("few_rows", "not of the 40 rows")
        self.refused("other_shape", "not of the 40 rows")
        self.refused("three_dimensions", "not of the 40 rows")
        self.refused("few_values", "has 1 values; its shape says 40")
        self.refused("texts", "no number in row 1")
        self.refused("other_datatype", "datatype that is not known")
        self.refused("no_outputs", "has no outputs")
        self.refused("cut", "no JSON")

    def test_metadata_that_is_none_is_refused_before_rows_are_sent(self):
        self.refused("metadata_none", "no JSON")
        self.refused("other_model", 'no input "rooms"')
        self.assertFalse({("POST", "metadata_none"), ("POST", "other_model")} & set(bad.counts))

    def test_numbers_that_are_not_finite_come_as_such(self):
        status, _, *lines = ask_bad("infinite")
        self.assertEqual((status, lines[:3]), ("OK", ["nan -1", "inf -1", "1 -1"]))

    def test_errors_are_told_cleaned_and_not_tried_again(self):
        self.refused("error", "HTTP 500: it ? broke")
        self.refused("missing", "HTTP 404")
        self.refused("away", "HTTP 503", status="UNAVAILABLE")
        for kind in ("error", "missing", "away"):
            self.assertEqual(bad.counts["POST", kind], 1)

    def test_nobody_is_sent_elsewhere(self):
        before = bad.counts.get(("POST", "good"), 0)
        self.refused("elsewhere", "HTTP 302", "not followed")
        self.refused("forever", "HTTP 308", "not followed")
        self.refused("metadata_elsewhere", "HTTP 302")
        self.assertEqual(bad.counts.get(("POST", "good"), 0), before)

    def test_a_body_without_end_is_cut_off(self):
        self.refused("endless", "larger than")
        self.assertLess(bad.sent, 64 * 1024 * 1024)

    def test_who_hangs_or_trickles_is_left(self):
        for kind in ("hang", "trickle"):
            before = bad.counts.get(("POST", kind), 0)
            self.refused(kind, "in time", status="DEADLINE_EXCEEDED", request_ms=300)
            self.refused(kind, "in time", status="DEADLINE_EXCEEDED", predict_ms=300)
            self.assertEqual(bad.counts["POST", kind], before + 2)

    def test_a_task_that_was_stopped_waits_no_longer(self):
        self.refused("hang", "stopped", status="CANCELLED", stop_ms=300)

    def test_a_server_that_leaves_or_breaks_off_has_not_answered(self):
        self.refused("leaves", "cannot be asked", status="UNAVAILABLE")
        self.refused("truncated", status="UNAVAILABLE")

    def test_answers_of_several_models_are_not_mixed(self):
        rows = ROWS * 20
        self.refused("versions", "served bad 1 and then bad 2", rows=rows)
        self.refused("forms", "differ in their form", rows=rows)
        self.assertEqual(ask_bad("good", rows=rows)[0], "OK")

    def test_an_infinite_cell_is_refused(self):
        self.refused("good", "row 1", "infinite", status="INVALID_ARGUMENT",
                     rows=[[float("inf"), 1, 2, 3]])


class Addresses(unittest.TestCase):
    def refused(self, url, allowed, status, *says):
        before = dict(bad.counts)
        got, sentence = probe(models["regression"].folder, url, ROWS, allowed=allowed)
        self.assertEqual(got, status, sentence)
        for words in says:
            self.assertIn(words, sentence)
        self.assertEqual(bad.counts, before, "nothing was asked")

    def test_that_are_not_allowed_are_not_asked(self):
        url, port = bad.url("good"), bad.server_address[1]
        for allowed in ("", "http://127.0.0.1", f"https://127.0.0.1:{port}",
                        f"http://127.0.0.1:{port}0", f"http://localhost:{port}",
                        f"http://127.0.0.1:{port}/v2/models/goo",
                        f"http://127.0.0.1:{port}/other"):
            self.refused(url, allowed, "PERMISSION_DENIED", "--endpoints", "VALION_ENDPOINTS")
        self.refused(f"http://127.0.0.1:{port}@evil.example/v2/models/a",
                     f"http://127.0.0.1:{port}", "INVALID_ARGUMENT")
        self.refused(f"http://127.0.0.1:{port}/v2/models/../models/good",
                     f"http://127.0.0.1:{port}", "INVALID_ARGUMENT")
        self.refused(bad.address + "/metrics", bad.address, "INVALID_ARGUMENT", "/v2/models/NAME")

    def test_that_are_allowed_by_a_part_of_their_path_are_asked(self):
        status, *_ = ask_bad("good", allowed="http://other.example, " + bad.url("good"))
        self.assertEqual(status, "OK")

    def test_no_proxy_of_the_environment_is_asked(self):
        status, *_ = ask_bad("good", http_proxy="http://127.0.0.1:1", all_proxy="http://127.0.0.1:1")
        self.assertEqual(status, "OK")

    def test_with_a_certificate_that_nobody_trusts_are_not_asked(self):
        secure = BadServer(listening=False).secure(args.var)
        secure.listen()
        url = secure.url("good").replace("http:", "https:")
        status, sentence = probe(models["regression"].folder, url, ROWS)
        self.assertEqual(status, "FAILED_PRECONDITION", sentence)
        self.assertIn("certificate is not trusted", sentence)
        self.assertFalse(secure.counts)
        secure.stop()

    def test_where_nobody_listens_is_unavailable(self):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{held.getsockname()[1]}/v2/models/a"
            status, sentence = probe(models["regression"].folder, url, ROWS)
        self.assertEqual(status, "UNAVAILABLE", sentence)

    def test_a_server_that_begins_to_listen_is_tried_again(self):
        late = BadServer(listening=False)
        begun = Probe(models["regression"].folder, late.url("good"), ROWS)
        time.sleep(0.05)  # its first try was refused by now
        late.listen()
        self.assertEqual(begun.end()[0], "OK")
        late.stop()


def main():
    global bad
    fresh(args.var)
    for kind in KINDS:
        models[kind] = ModelServer(args.bin, args.var, kind)
    bad = BadServer()
    result = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2).result
    bad.stop()
    codes = [model.stop() for model in models.values()]
    return 0 if result.wasSuccessful() and result.testsRun > 0 and not any(codes) else 1


if __name__ == "__main__":
    sys.exit(main())
