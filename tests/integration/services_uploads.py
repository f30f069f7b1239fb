"""Bytes too large for a call: chunks in any order, checked before they are an artifact."""
import hashlib
import os
import random
import signal
import uuid

from services_case import ServicesTest, suite, wait_for_event
from services_support import request, wait_until
from valion.v1 import registry_pb2

CHUNK = 256 * 1024


def made_up(size, seed):
    return random.Random(seed).randbytes(size)


def chunks_of(content):
    return [(at, content[at:at + CHUNK]) for at in range(0, len(content), CHUNK)]


def blob_file(digest):
    name = digest.hex()
    return os.path.join(suite.folder, "registry", "blobs", name[:2], name)


class Uploads(ServicesTest):
    def begin(self, content, by=None, size=None):
        message = {"digest": hashlib.sha256(content).digest(), "size_bytes": size or len(content)}
        return (by or self.alice).get("BeginUpload", message)

    def put(self, upload_id, offset, raw, by=None):
        caller = by or self.alice
        body = request("PutChunk", {"upload_id": upload_id, "offset": offset}).SerializeToString()
        return caller.send(caller.header("PutChunk"), body, raw)

    def put_all(self, upload_id, content):
        for offset, raw in chunks_of(content):
            self.assertEqual(self.put(upload_id, offset, raw).status, "OK")

    def commit(self, upload_id, content=b""):
        digest = hashlib.sha256(content).digest() if content else b""
        return self.alice.ask("CommitUpload", {"upload_id": upload_id, "digest": digest})

    def store(self, content):
        upload_id = self.begin(content).upload_id
        self.put_all(upload_id, content)
        self.assertEqual(self.commit(upload_id).status, "OK")
        return hashlib.sha256(content).digest()

    def read(self, digest, size):
        got = b""
        while len(got) < size:
            answer = self.vera.ask("GetChunk", {"digest": digest, "offset": len(got)})
            self.assertEqual(answer.read(registry_pb2.GetChunkReply).total_bytes, size)
            got += answer.raw
        return got

    def test_chunks_in_any_order_become_an_artifact(self):
        content = made_up(5 * CHUNK + 4321, 1)
        upload_id = self.begin(content).upload_id
        order = chunks_of(content)
        random.Random(2).shuffle(order)
        for offset, raw in order:
            held = self.put(upload_id, offset, raw).read(registry_pb2.PutChunkReply).offset
        self.assertEqual(held, len(content))
        kept = self.commit(upload_id, content).read(registry_pb2.CommitUploadReply)
        self.assertEqual(kept.size_bytes, len(content))
        self.assertEqual(self.read(kept.digest, len(content)), content)
        wait_for_event(kept.digest.hex(), "artifact.stored")
        self.alice.get("CreateModel", {"name": self.model})
        version = self.alice.get("CreateVersion", {"model": self.model, "artifacts": [
            {"role": "model", "digest": kept.digest}]}).version
        self.assertEqual(version.artifacts[0].size_bytes, len(content))
        info = self.vera.get("GetArtifactInfo", {"digest": kept.digest})
        self.assertEqual(info.references, 1)

    def test_goes_on_where_it_stopped_whoever_goes_on(self):
        content = made_up(3 * CHUNK, 3)
        first = self.begin(content)
        self.assertEqual(first.offset, 0)
        self.put(first.upload_id, 0, content[:CHUNK])
        self.put(first.upload_id, 2 * CHUNK, content[2 * CHUNK:])
        again = self.begin(content, by=self.bob)
        self.assertEqual((again.upload_id, again.offset), (first.upload_id, CHUNK))
        self.assertEqual(self.put(again.upload_id, CHUNK, content[CHUNK:2 * CHUNK],
                                  by=self.bob).status, "OK")
        self.assertEqual(self.commit(first.upload_id).status, "OK")

    def test_survives_the_registry(self):
        content = made_up(2 * CHUNK + 1, 4)
        upload_id = self.begin(content).upload_id
        self.put(upload_id, 0, content[:CHUNK])
        os.kill(suite.pid("registry0"), signal.SIGKILL)
        wait_until(lambda: self.alice.ask("GetModel", {"name": "honest"}).status == "OK",
                   "the registry is back")
        self.assertEqual(self.begin(content).offset, CHUNK)
        self.put(upload_id, CHUNK, content[CHUNK:2 * CHUNK])
        self.put(upload_id, 2 * CHUNK, content[2 * CHUNK:])
        self.assertEqual(self.commit(upload_id).status, "OK")

    def test_what_is_there_is_not_sent_again(self):
        content = made_up(CHUNK + 5, 5)
        self.store(content)
        self.assertFalse(self.begin(content).HasField("upload_id"))

    def test_a_commit_whose_reply_was_lost_is_answered_again(self):
        content = made_up(CHUNK, 6)
        upload_id = self.begin(content).upload_id
        self.put_all(upload_id, content)
        for _ in range(2):
            self.assertEqual(self.commit(upload_id, content).status, "OK")
        self.expect(self.commit(upload_id), "NOT_FOUND", "STATE")

    def test_wrong_bytes_are_not_kept(self):
        content = made_up(CHUNK + 7, 7)
        upload_id = self.begin(content).upload_id
        self.put_all(upload_id, content[:-1] + b"?")
        self.expect(self.commit(upload_id), "DATA_LOSS", "CORRUPT")
        self.assertFalse(os.path.exists(blob_file(hashlib.sha256(content).digest())))
        self.assertEqual(self.begin(content).offset, 0)
        self.put_all(upload_id, content)
        self.assertEqual(self.commit(upload_id).status, "OK")

    def test_a_gap_is_not_committed(self):
        content = made_up(3 * CHUNK, 8)
        upload_id = self.begin(content).upload_id
        self.put(upload_id, 0, content[:CHUNK])
        self.put(upload_id, 2 * CHUNK, content[2 * CHUNK:])
        self.expect(self.commit(upload_id), "FAILED_PRECONDITION", "STATE")

    def test_chunks_that_have_no_place(self):
        content = made_up(2 * CHUNK + 9, 9)
        upload_id = self.begin(content).upload_id
        for offset, raw in ((1, content[:CHUNK]), (-CHUNK, content[:CHUNK]), (0, b""),
                            (0, content[:100]), (2 * CHUNK, content[:CHUNK]),
                            (3 * CHUNK, b"x"), (2**62, content[:CHUNK])):
            with self.subTest(offset=offset, size=len(raw)):
                self.expect_field(self.put(upload_id, offset, raw), "offset")
        self.expect(self.put(uuid.uuid4().bytes, 0, content[:CHUNK]), "NOT_FOUND", "STATE")
        self.expect_field(self.put(b"short", 0, content[:CHUNK]), "upload_id")

    def test_uploads_that_cannot_be(self):
        digest = hashlib.sha256(b"x").digest()
        for size in (0, -1, 2**31 + 1, 2**62):
            with self.subTest(size=size):
                message = {"digest": digest, "size_bytes": size}
                self.expect_field(self.alice.ask("BeginUpload", message), "size_bytes")
        self.expect_field(self.alice.ask("BeginUpload", {"digest": b"x", "size_bytes": 1}),
                          "digest")
        self.expect(self.vera.ask("BeginUpload", {"digest": digest, "size_bytes": 1}),
                    "PERMISSION_DENIED", "FORBIDDEN")

    def test_one_principal_has_only_so_many_open(self):
        answers = [self.bob.ask("BeginUpload", {
            "digest": hashlib.sha256(b"quota %d" % i).digest(), "size_bytes": CHUNK})
            for i in range(65)]
        self.expect(answers[-1], "RESOURCE_EXHAUSTED", "QUOTA")
        suite.sql("DELETE FROM registry.upload WHERE author = 'bob'")

    def test_a_file_that_is_gone_is_said_to_be(self):
        content = made_up(CHUNK, 10)
        digest = self.store(content)
        os.unlink(blob_file(digest))
        self.expect(self.vera.ask("GetChunk", {"digest": digest}), "DATA_LOSS", "CORRUPT")
