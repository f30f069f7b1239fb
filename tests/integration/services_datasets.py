"""Data sets: names for contents over time."""
import hashlib
import os

from services_case import ServicesTest, suite, wait_for_event
from services_support import Pages, request
from services_uploads import CHUNK, blob_file, made_up
from valion.v1 import registry_pb2


class Datasets(ServicesTest):
    def store(self, content):
        """Its digest, once it is an artifact."""
        digest = hashlib.sha256(content).digest()
        begun = self.alice.get("BeginUpload", {"digest": digest, "size_bytes": len(content)})
        if begun.HasField("upload_id"):
            body = request("PutChunk", {"upload_id": begun.upload_id, "offset": 0})
            self.alice.send(self.alice.header("PutChunk"), body.SerializeToString(), content)
            self.alice.get("CommitUpload", {"upload_id": begun.upload_id})
        return digest

    def create(self, content, name=None, **fields):
        dataset = {"name": name or self.model, "digest": self.store(content), **fields}
        return self.alice.ask("CreateDataset", {"dataset": dataset})

    def make(self, content, name=None, **fields):
        return self.create(content, name, **fields).read(registry_pb2.CreateDatasetReply).dataset

    def test_the_newest_content_of_a_name(self):
        first = self.make(b"a,b\n1,2\n", description="two columns", rows=1, tags=["t", "t", "s"],
                          columns=[{"name": "a", "unit": "m2"}, {"name": "b"}])
        self.assertEqual((first.size_bytes, first.author, first.format), (8, "alice", "csv"))
        self.assertEqual(list(first.tags), ["s", "t"])
        self.assertGreater(first.created_us, 0)
        wait_for_event(self.model, "dataset.created")
        second = self.make(b"a,b\n1,2\n3,4\n")
        newest = self.vera.get("GetDataset", {"name": self.model}).dataset
        self.assertEqual(newest.digest, second.digest)
        old = self.vera.get("GetDataset", {"name": self.model, "digest": first.digest}).dataset
        self.assertEqual((old.rows, old.columns[0].unit), (1, "m2"))

    def test_the_same_again_is_what_was_there(self):
        first = self.make(b"x\n1\n", description="first")
        again = self.make(b"x\n1\n", description="second")
        self.assertEqual((again.description, again.created_us), ("first", first.created_us))

    def test_data_sets_that_cannot_be(self):
        content = b"y\n1\n"
        self.expect_field(self.create(content, name="../up"), "name")
        self.expect_field(self.create(content, format="parquet"), "dataset.format")
        self.expect_field(self.create(content, rows=-1), "dataset")
        self.expect_field(self.create(content, columns=[{"name": ""}]), "dataset.columns.name")
        self.expect_field(self.create(content, columns=[{"name": f"c{i}"} for i in range(501)]),
                          "dataset.columns")
        self.expect_field(self.alice.ask("CreateDataset", {}), "dataset")
        dataset = {"name": self.model, "digest": hashlib.sha256(b"nowhere").digest()}
        self.expect(self.alice.ask("CreateDataset", {"dataset": dataset}), "NOT_FOUND", "FIELD")
        dataset = {"name": self.model, "digest": self.store(content)}
        self.expect(self.vera.ask("CreateDataset", {"dataset": dataset}), "PERMISSION_DENIED",
                    "FORBIDDEN")
        self.expect(self.vera.ask("GetDataset", {"name": "nobody"}), "NOT_FOUND", "UNSPECIFIED")
        self.expect_field(self.vera.ask("GetDataset", {"name": "a", "digest": b"x"}), "digest")

    def test_a_request_repeated_is_answered_again(self):
        dataset = {"name": self.model, "digest": self.store(b"z\n1\n")}
        request_id = hashlib.sha256(self.model.encode()).digest()[:16]
        answers = [self.alice.ask("CreateDataset", {"dataset": dataset}, request_id=request_id)
                   for _ in range(2)]
        self.assertEqual(answers[0].body, answers[1].body)

    def test_a_list_of_more_than_a_page_holds(self):
        names = [f"listed-data-{i:02}" for i in range(30)]
        columns = [{"name": f"column-{i}", "unit": "u" * 20} for i in range(300)]
        for name in names:
            self.make(b"w\n1\n", name=name, columns=columns)
        items, pages = Pages(suite, "ListDatasets", "datasets", text="LISTED-data").all()
        self.assertEqual([each["name"] for each in items], names)
        self.assertGreater(pages, 1)

    def test_the_command_line_sends_and_gets(self):
        content = b"a,b\n" + b"1,2\n" * 200000
        path = os.path.join(suite.folder, "sent.csv")
        with open(path, "wb") as file:
            file.write(content)
        done = suite.cli("data", "add", self.model, path, "--tag", "houses", "--delimiter", ",")
        self.assertEqual(done.returncode, 0, done.stderr)
        dataset = self.vera.get("GetDataset", {"name": self.model}).dataset
        self.assertEqual((dataset.size_bytes, dataset.options[0].value), (len(content), ","))
        self.assertIn(self.model, suite.cli("data", "list", "--text", self.model).stdout)
        got = os.path.join(suite.folder, "got.csv")
        done = suite.cli("artifact", "get", dataset.digest.hex(), got)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(got, "rb") as file:
            self.assertEqual(file.read(), content)

    def test_the_command_line_keeps_no_damaged_bytes(self):
        content = made_up(CHUNK + 1, 11)
        digest = self.store(content[:CHUNK])
        with open(blob_file(digest), "r+b") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(b"?")
        got = os.path.join(suite.folder, "damaged")
        done = suite.cli("artifact", "get", digest.hex(), got)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("damaged", done.stderr)
        self.assertFalse(os.path.exists(got) or os.path.exists(got + ".part"))
