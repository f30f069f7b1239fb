"""Models, versions, artifacts and the event log, good and bad."""
import concurrent.futures
import hashlib
import os
import time

from services_case import ServicesTest, connect, people, read_events, suite, wait_for_event
from services_support import Principal, pairs, wait_until
from valion.v1 import common_pb2, registry_pb2

INLINE_MAX = 64 * 1024


class Models(ServicesTest):
    def test_a_build_is_no_version_of_its_own(self):
        self.alice.get("CreateModel", {"name": self.model})
        self.expect_field(self.alice.ask("CreateVersion", {
            "model": self.model, "bump": registry_pb2.BUMP_BUILD}), "bump")

    def test_a_model_is_made_once(self):
        made = self.alice.get("CreateModel", {"name": self.model, "description": "first",
                                              "tags": ["b", "a", "b"], "algorithm": "tree"})
        self.assertTrue(made.created)
        self.assertEqual(list(made.model.tags), ["a", "b"])
        again = self.bob.get("CreateModel", {"name": self.model, "description": "second"})
        self.assertFalse(again.created)
        self.assertEqual(again.model.description, "first")
        self.assertEqual(again.model.author, "alice")
        self.assertEqual(self.vera.get("GetModel", {"name": self.model}).model, made.model)
        event = wait_for_event(self.model, "model.created")
        self.assertEqual(event.actor, "alice")

    def test_names_that_cannot_name_a_model(self):
        bad = ["", "x" * 129, "a\nb", "a\tb", "a\x01", "../etc/passwd", "..", ".hidden", "a/b",
               "-a", "a b", "ação", "a;b", "a'b", "%s%n"]
        for name in bad:
            for method in ("CreateModel", "GetModel"):
                with self.subTest(name=name, method=method):
                    self.expect_field(self.alice.ask(method, {"name": name}), "name")
        self.assertTrue(self.alice.get("CreateModel", {"name": "x" * 128}).created)

    def test_a_model_that_there_is_not(self):
        for method, message in (("GetModel", {"name": "nobody"}),
                                ("GetVersion", {"model": "nobody"}),
                                ("CreateVersion", {"model": "nobody"})):
            with self.subTest(method):
                answer = self.alice.ask(method, message)
                self.expect(answer, "NOT_FOUND", "UNSPECIFIED")
                self.assertIn("nobody", answer.header.message)

    def test_texts_and_tags_that_are_too_much(self):
        for field, value in (("description", "x" * 5001), ("algorithm", "x" * 251),
                             ("framework", "x" * 251), ("tags", [str(i) for i in range(65)]),
                             ("tags", ["x" * 251]), ("tags", ["a\nb"]), ("tags", [""])):
            with self.subTest(field):
                self.expect_field(self.alice.ask("CreateModel", {"name": self.model, field: value}),
                                  field)

    def test_models_are_found_by_text_tag_and_stage(self):
        self.make_model("found-by-text", description="about Houses", tags=["red brick"])
        self.make_model("found-by-tag", tags=["brick"])

        def names(**message):
            return [each.name for each in self.vera.get("ListModels", message).models]
        self.assertEqual(names(text="hoUSes"), ["found-by-text"])
        self.assertEqual(names(tag="brick"), ["found-by-tag"])
        self.assertEqual(names(text="100%_\\"), [])
        self.assertEqual(names(text="found-by", stage=registry_pb2.STAGE_PRODUCTION), [])
        self.assertEqual(names(text="found-by"), ["found-by-tag", "found-by-text"])


class Versions(ServicesTest):
    def test_versions_as_semver_orders_them(self):
        self.make_model()
        for version in ("1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0-beta", "1.0.0", "1.10.0",
                        "2.0.0"):
            self.make_version(version)
        found = self.vera.get("ListVersions", {"model": self.model, "include_prerelease": True})
        self.assertEqual([each.version for each in found.versions],
                         ["2.0.0", "1.10.0", "1.0.0", "1.0.0-beta", "1.0.0-alpha.10",
                          "1.0.0-alpha.2"])
        self.assertEqual(self.vera.get("GetModel", {"name": self.model}).model.latest_version,
                         "2.0.0")
        self.assertEqual(self.make_version().version, "2.0.1")

    def test_versions_that_are_none(self):
        self.make_model()
        for bad in ("", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0.0",
                    "-1.0.0", "1.0.0-a..b", " 1.0.0", "9223372036854775808.0.0",
                    "1.0.0-" + "x" * 130, "../1.0.0", "latest"):
            with self.subTest(bad):
                message = {"model": self.model, "version": bad}
                self.expect_field(self.alice.ask("CreateVersion", message), "version")
        self.assertEqual(self.make_version("1.0.0").version, "1.0.0")

    def test_a_version_twice(self):
        """Build metadata takes no part in precedence: it makes no other version."""
        self.make_model()
        self.make_version("1.2.3+build.1")
        for again in ("1.2.3+build.1", "1.2.3", "1.2.3+build.2"):
            with self.subTest(again):
                answer = self.alice.ask("CreateVersion", {"model": self.model, "version": again})
                self.expect(answer, "ALREADY_EXISTS", "EXISTS")
        self.assertEqual(self.make_version("1.2.4-rc.1+x").version, "1.2.4-rc.1+x")

    def test_64_creators_at_once_get_64_versions(self):
        self.make_model()
        callers = [connect(Principal, "alice") for _ in range(64)]
        with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
            replies = list(pool.map(lambda each: each.get("CreateVersion", {"model": self.model}),
                                    callers))
        for each in callers:
            each.close()
        self.assertEqual(sorted(int(each.version.version.rsplit(".", 1)[1]) for each in replies),
                         list(range(64)))
        model = self.vera.get("GetModel", {"name": self.model}).model
        self.assertEqual((model.latest_version, model.versions), ("1.0.63", 64))

    def test_of_many_who_give_the_same_version_one_gets_it(self):
        self.make_model()
        callers = [connect(Principal, "alice") for _ in range(16)]
        with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
            answers = list(pool.map(lambda each: each.ask("CreateVersion", {
                "model": self.model, "version": "2.0.0"}).status, callers))
        for each in callers:
            each.close()
        self.assertEqual(sorted(answers), ["ALREADY_EXISTS"] * 15 + ["OK"])

    def test_a_version_below_its_line(self):
        self.make_model()
        self.make_version("1.0.5")
        message = {"model": self.model, "version": "1.0.4"}
        self.expect(self.alice.ask("CreateVersion", message), "FAILED_PRECONDITION", "STATE")
        self.assertEqual(self.make_version("1.0.4", backport=True).version, "1.0.4")

    def test_a_version_that_there_is_not(self):
        self.make_model()
        for version in ("9.9.9", "nonsense", "x" * 1000):
            answer = self.vera.ask("GetVersion", {"model": self.model, "version": version})
            self.expect(answer, "NOT_FOUND", "UNSPECIFIED")
        answer = self.vera.ask("GetVersion", {"model": self.model})
        self.expect(answer, "NOT_FOUND", "UNSPECIFIED")

    def test_parts_of_a_version_that_are_wrong(self):
        self.make_model()
        key = common_pb2.KeyValue(key="same")
        wrong = {"description": [{"description": "x" * 5001}],
                 "hyperparameters": [{"hyperparameters": pairs(257)},
                                     {"hyperparameters": [key, key]},
                                     {"hyperparameters": [common_pb2.KeyValue(value="no key")]},
                                     {"hyperparameters": pairs(1, value="x" * 5001)}],
                 "metrics": [{"metrics": [common_pb2.KeyNumber(key="no value")]},
                             {"metrics": [common_pb2.KeyNumber(key="", value=1)]}]}
        for field, messages in wrong.items():
            for message in messages:
                with self.subTest(field):
                    answer = self.alice.ask("CreateVersion", {"model": self.model, **message})
                    self.expect_field(answer, field)
        self.expect(self.vera.ask("GetVersion", {"model": self.model}), "NOT_FOUND", "UNSPECIFIED")

    def test_what_is_stored_can_be_read(self):
        """As large as it may be: with more it is refused, and never stored beyond reading."""
        self.make_model()
        for classes in (3960, 4050):
            answer = self.alice.ask("CreateVersion", {
                "model": self.model, "signature": common_pb2.Signature(classes=["c"] * classes)})
            if classes == 4050:
                self.assertGreater(self.expect(answer, "INVALID_ARGUMENT", "TOO_LARGE").limit, 0)
        done = suite.cli("-o", "json", "version", "show", f"{self.model}@1.0.0")
        self.assertEqual(done.returncode, 0, done.stderr)
        large = self.alice.ask("CreateVersion", {"model": self.model,
                                                 "dataset_info": pairs(14, value="x" * 5000)})
        self.expect(large, "INVALID_ARGUMENT", "TOO_LARGE")


class Artifacts(ServicesTest):
    def artifact(self, data=b"bytes", role="model", **fields):
        return registry_pb2.Artifact(role=role, inline_bytes=data, **fields)

    def refuse(self, *artifacts):
        self.make_model()
        answer = self.alice.ask("CreateVersion", {"model": self.model, "artifacts": artifacts})
        self.expect(self.vera.ask("GetVersion", {"model": self.model}), "NOT_FOUND", "UNSPECIFIED")
        return answer

    def test_bytes_come_back_as_they_went(self):
        self.make_model()
        data = os.urandom(INLINE_MAX)
        digest = hashlib.sha256(data).digest()
        notes = b"same bytes twice are stored once"
        version = self.make_version("1.0.0", artifacts=[
            self.artifact(data, filename="m.bin", media_type="application/octet-stream"),
            self.artifact(notes, role="notes", digest=hashlib.sha256(notes).digest())])
        self.assertEqual([each.role for each in version.artifacts], ["model", "notes"])
        self.assertEqual(version.artifacts[0].digest, digest)
        self.assertEqual(version.artifacts[0].inline_bytes, b"")
        self.assertEqual(version.size_bytes, len(data) + len(notes))
        whole = self.vera.ask("GetChunk", {"digest": digest})
        self.assertEqual(whole.raw, data)
        part = self.vera.ask("GetChunk", {"digest": digest, "offset": 1000, "size_bytes": 10})
        self.assertEqual(part.raw, data[1000:1010])
        self.assertEqual(part.read(registry_pb2.GetChunkReply).total_bytes, len(data))
        again = self.make_version("1.0.1", artifacts=[registry_pb2.Artifact(role="model",
                                                                            digest=digest)])
        self.assertEqual(again.artifacts[0].size_bytes, len(data))
        info = self.vera.get("GetArtifactInfo", {"digest": digest})
        self.assertEqual((info.size_bytes, info.references), (len(data), 2))
        self.assertEqual(self.vera.get("GetVersion", {"model": self.model}).version, again)

    def test_bytes_that_are_not_those_of_their_digest(self):
        answer = self.refuse(self.artifact(digest=hashlib.sha256(b"others").digest()))
        self.expect(answer, "DATA_LOSS", "CORRUPT")

    def test_bytes_beyond_what_travels_inside_a_call(self):
        self.expect_field(self.refuse(self.artifact(bytes(INLINE_MAX + 1))),
                          "artifacts.inline_bytes")
        three = [self.artifact(bytes([i]) * (INLINE_MAX - 1000), role=f"r{i}") for i in range(3)]
        self.expect_field(self.refuse(*three), "artifacts.inline_bytes")

    def test_artifacts_that_are_none(self):
        self.expect_field(self.refuse(registry_pb2.Artifact(role="model")), "artifacts")
        self.expect_field(self.refuse(registry_pb2.Artifact(role="model", digest=b"short")),
                          "artifacts")
        self.expect_field(self.refuse(self.artifact(role="../model")), "artifacts.role")
        self.expect_field(self.refuse(self.artifact(), self.artifact()), "artifacts.role")
        self.expect_field(self.refuse(self.artifact(filename="../../x")), "artifacts.filename")
        self.expect_field(self.refuse(*[self.artifact(role=f"r{i}") for i in range(33)]),
                          "artifacts")
        unknown = registry_pb2.Artifact(role="model", digest=hashlib.sha256(b"unknown").digest())
        self.expect(self.refuse(unknown), "NOT_FOUND", "FIELD")

    def test_bytes_that_nobody_stored(self):
        for method in ("GetChunk", "GetArtifactInfo"):
            self.expect(self.vera.ask(method, {"digest": os.urandom(32)}), "NOT_FOUND",
                        "UNSPECIFIED")
            self.expect_field(self.vera.ask(method, {"digest": b"short"}), "digest")

    def test_offsets_that_are_not_in_the_bytes(self):
        self.make_model()
        digest = self.make_version(artifacts=[self.artifact()]).artifacts[0].digest
        for offset in (-1, 6, 2**62):
            answer = self.vera.ask("GetChunk", {"digest": digest, "offset": offset})
            self.expect(answer, "OUT_OF_RANGE", "FIELD")
        self.assertEqual(self.vera.ask("GetChunk", {"digest": digest, "offset": 5}).raw or b"", b"")


class Events(ServicesTest):
    def test_a_position_that_no_log_has(self):
        self.expect_field(self.vera.ask("ReadEvents", {"after": 2**64 - 1}), "after")
        begin = time.monotonic()
        reply = read_events(after=2**62, wait_ms=300)
        self.assertGreaterEqual(time.monotonic() - begin, 0.3)
        self.assertEqual(list(reply.events), [])
        self.assertLess(reply.end, 2**62)

    def test_types_that_are_none(self):
        for types in ([""], ["x" * 251], ["job.*"] * 17):
            self.expect_field(self.vera.ask("ReadEvents", {"types": types}), "types")

    def test_a_reader_that_waits_is_woken_by_an_event(self):
        end = read_events().end
        reader = connect(Principal, "vera")
        self.addCleanup(reader.close)
        reader.socket.send_multipart([
            reader.header("ReadEvents", remaining_ms=30000),
            registry_pb2.ReadEventsRequest(after=end, types=["model.*"], subject=self.model,
                                           wait_ms=25000).SerializeToString()])

        def is_parked():
            instances = people["admin"].get("GetStatus").instances
            return any(each.parked for each in instances if "registry" in each.services)
        wait_until(is_parked, "the call is parked")
        begin = time.monotonic()
        self.make_model()
        self.assertTrue(reader.socket.poll(20000))
        self.assertLess(time.monotonic() - begin, 10)
        reply = registry_pb2.ReadEventsReply.FromString(reader.socket.recv_multipart()[1])
        self.assertEqual([(each.type, each.subject) for each in reply.events],
                         [("model.created", self.model)])

    def test_heads_of_an_end_that_does_not_move(self):
        """Position and time tell them apart, on every page of one."""
        self.make_model()
        wait_for_event(self.model, "model.created")
        signed = {self.olga.get("SignHead").head.signature for _ in range(3)}
        seen, token = set(), b""
        while token or not seen:
            page = common_pb2.Page(size=1, token=token)
            reply = self.vera.get("ListHeads", {"page": page})
            seen |= {each.signature for each in reply.heads}
            token = reply.next_token
        self.assertEqual(signed & seen, signed)
