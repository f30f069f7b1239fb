"""What is found: models and versions by words, facets and order; and what changes of models."""
import os
import signal

from services_case import ServicesTest, facts_of, suite, wait_for_event
from services_support import wait_until
from valion.v1 import common_pb2, registry_pb2

ORDER = registry_pb2.ListOrder.Value


def order(name):
    return ORDER("LIST_ORDER_" + name)


class Models(ServicesTest):
    def names(self, **fields):
        return [each.name for each in self.vera.get("ListModels", fields).models]

    def test_words_begin_words(self):
        self.make_model("find-cottages_v2", description="Prices of homes in São Paulo",
                        tags=["real estate", "rev-9"], algorithm="XGBRegressor", framework="xgboost")
        self.make_model("find-fraud", description="Cards; chargebacks", framework="onnx")
        for text, found in (("find cottage", ["find-cottages_v2"]), ("FIND PRICES são", ["find-cottages_v2"]),
                            ("find estate", ["find-cottages_v2"]), ("find xgb", ["find-cottages_v2"]),
                            ("find", ["find-cottages_v2", "find-fraud"]), ("find harge", []),
                            ("find ottages", []), ("find chargeb", ["find-fraud"]),
                            ("find 'fraud' | & ! :* \\", ["find-fraud"])):
            with self.subTest(text=text):
                self.assertEqual(self.names(text=text), found)

    def test_facets_are_whole(self):
        self.make_model("facet-a", tags=["team 'a' \\ b", "x"], algorithm="GLM", framework="onnx")
        self.make_model("facet-b", tags=["team"], algorithm="glm")
        self.assertEqual(self.names(tag="team 'a' \\ b"), ["facet-a"])
        self.assertEqual(self.names(tag="team"), ["facet-b"])
        self.assertEqual(self.names(tag="tea"), [])
        self.assertEqual(self.names(text="facet", algorithm="GLM"), ["facet-a"])
        self.assertEqual(self.names(text="facet", framework="onnx", author="alice"), ["facet-a"])
        self.assertEqual(self.names(text="facet", author="bob"), [])

    def test_orders_and_their_pages(self):
        names = [f"sorted-{word}" for word in ("c", "a", "e", "b", "d")]
        for name in names:
            self.make_model(name)
        self.alice.get("UpdateModel", {"name": "sorted-a", "description": "changed last"})
        by = {"NAME": sorted(names), "CREATED": names,
              "UPDATED": [each for each in names if each != "sorted-a"] + ["sorted-a"]}
        for key, wanted in by.items():
            for descending in (False, True):
                with self.subTest(order=key, descending=descending):
                    fields = {"text": "sorted", "order": order(key), "descending": descending}
                    self.assertEqual(self.names(**fields),
                                     wanted[::-1] if descending else wanted)
                    self.assertEqual(self.page_through(fields),
                                     wanted[::-1] if descending else wanted)
        self.expect_field(self.vera.ask("ListModels", {"order": order("PRECEDENCE")}), "order")
        self.expect_field(self.vera.ask("ListModels", {"order": order("CREATED"), "page":
                                                       common_pb2.Page(token=b"sorted-a")}),
                          "page.token")

    def page_through(self, fields):
        found, token = [], b""
        while True:
            reply = self.vera.get("ListModels", {**fields,
                                                 "page": common_pb2.Page(size=2, token=token)})
            found += [each.name for each in reply.models]
            token = reply.next_token
            if not token:
                return found

    def test_a_model_changes(self):
        before = self.make_model(tags=["a", "b"], description="first")
        changed = self.alice.get("UpdateModel", {
            "name": self.model, "expected_revision": before.revision, "description": "second",
            "add_tags": ["c"], "remove_tags": ["a", "nowhere"]}).model
        self.assertEqual((changed.description, list(changed.tags)), ("second", ["b", "c"]))
        self.assertEqual(changed.revision, before.revision + 1)
        self.assertEqual(self.names(text="second", tag="c"), [self.model])
        self.assertEqual(self.names(text=self.model, tag="a"), [])
        event = facts_of(wait_for_event(self.model, "model.updated"))
        self.assertEqual(event, {"model": self.model, "description": "second", "tags": "b\nc"})
        same = self.olga.get("UpdateModel", {"name": self.model, "add_tags": ["b"]}).model
        self.assertEqual(same.revision, changed.revision)
        self.expect(self.alice.ask("UpdateModel", {"name": self.model, "expected_revision": 1,
                                                   "description": "third"}), "ABORTED", "STATE")
        self.expect(self.alice.ask("UpdateModel", {"name": "no-such"}), "NOT_FOUND", "UNSPECIFIED")
        self.expect_field(self.alice.ask("UpdateModel", {"name": self.model, "add_tags": ["x\ny"]}),
                          "tags")
        self.expect(self.vera.ask("UpdateModel", {"name": self.model}), "PERMISSION_DENIED", "FORBIDDEN")

    def test_only_an_empty_model_goes_and_its_numbers_stay_taken(self):
        self.make_model()
        self.make_version("1.4.0")
        refused = self.alice.ask("DeleteModel", {"name": self.model})
        self.expect(refused, "FAILED_PRECONDITION", "STATE")
        self.alice.get("DeleteVersion", {"model": self.model, "version": "1.4.0"})
        self.expect(self.olga.ask("DeleteModel", {"name": self.model}), "PERMISSION_DENIED", "FORBIDDEN")
        self.alice.get("DeleteModel", {"name": self.model})
        self.expect(self.vera.ask("GetModel", {"name": self.model}), "NOT_FOUND", "UNSPECIFIED")
        wait_for_event(self.model, "model.deleted")
        self.make_model()
        self.expect(self.alice.ask("CreateVersion", {"model": self.model, "version": "1.4.0"}),
                    "ALREADY_EXISTS", "EXISTS")
        self.assertEqual(self.make_version().version, "1.0.0")


class Versions(ServicesTest):
    def found(self, **fields):
        reply = self.vera.get("ListVersions", {"include_prerelease": True, **fields})
        return [f"{each.model}@{each.version}" for each in reply.versions]

    def make(self, model, version, **fields):
        self.make_model(model)
        self.alice.get("CreateVersion", {"model": model, "version": version, **fields})

    def test_over_all_models_newest_first(self):
        self.make("over-b", "1.0.0", tags=["over all"], algorithm="XGBRegressor")
        self.make("over-a", "2.0.0", tags=["over all"], description="Wholesale")
        self.make("over-b", "0.9.0", tags=["over all"], framework="onnx")
        newest = ["over-b@0.9.0", "over-a@2.0.0", "over-b@1.0.0"]
        self.assertEqual(self.found(tag="over all"), newest)
        self.assertEqual(self.found(tag="over all", ascending=True), newest[::-1])
        self.assertEqual(self.found(text="over whole"), ["over-a@2.0.0"])
        self.assertEqual(self.found(text="over", algorithm="XGBRegressor"), ["over-b@1.0.0"])
        self.assertEqual(self.found(text="over", framework="onnx", author="alice"), ["over-b@0.9.0"])
        self.assertEqual(self.found(text="over", author="alic"), [])
        found, token = [], b""
        while True:
            reply = self.vera.get("ListVersions", {"tag": "over all", "page":
                                                   common_pb2.Page(size=1, token=token)})
            found += [f"{each.model}@{each.version}" for each in reply.versions]
            token = reply.next_token
            if not token:
                break
        self.assertEqual(found, newest)

    def test_of_one_model_by_precedence_or_as_they_came(self):
        for version in ("1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0"):
            self.make(self.model, version)
        highest = ["2.0.0", "2.0.0-rc.1", "1.10.0", "1.9.0"]
        of = lambda versions: [f"{self.model}@{each}" for each in versions]  # noqa: E731
        self.assertEqual(self.found(model=self.model), of(highest))
        self.assertEqual(self.found(model=self.model, ascending=True), of(highest[::-1]))
        self.assertEqual(self.found(model=self.model, order=order("CREATED")),
                         of(["2.0.0", "2.0.0-rc.1", "1.9.0", "1.10.0"]))
        self.assertEqual(self.found(model=self.model, minimum="1.10.0", maximum="2.0.0-rc.1"),
                         of(["2.0.0-rc.1", "1.10.0"]))
        self.assertEqual(self.found(model=self.model, text="1"),
                         of(["2.0.0-rc.1", "1.10.0", "1.9.0"]))

    def test_by_range(self):
        for version in ("1.2.0", "1.2.9", "1.3.0-rc.1", "1.3.0", "2.0.0-rc.1", "2.0.0"):
            self.make(self.model, version)
        of = lambda *versions: [f"{self.model}@{each}" for each in versions]  # noqa: E731
        for text, with_prereleases, wanted in (
                ("^1.2", False, of("1.3.0", "1.2.9", "1.2.0")), ("~1.2.3", False, of("1.2.9")),
                (">=1.3.0-rc.1 <2", False, of("1.3.0", "1.3.0-rc.1")),
                ("^1.2", True, of("1.3.0", "1.3.0-rc.1", "1.2.9", "1.2.0")),
                ("1.2.0 || 2.x", False, of("2.0.0", "1.2.0")), (">9", False, [])):
            with self.subTest(range=text, with_prereleases=with_prereleases):
                self.assertEqual(self.found(model=self.model, range=text,
                                            include_prerelease=with_prereleases), wanted)
                self.assertEqual(len(self.found(model=self.model)), 6)  # a range is not kept
        found, token = [], b""
        while True:
            reply = self.vera.get("ListVersions", {"model": self.model, "range": "1.2.0 || 2.x",
                                                   "page": common_pb2.Page(size=1, token=token)})
            found += [each.version for each in reply.versions]
            token = reply.next_token
            if not token:
                break
        self.assertEqual(found, ["2.0.0", "1.2.0"])
        for fields, field in (({"range": "^1"}, "model"), ({"model": "honest", "range": "^"}, "range"),
                              ({"model": "honest", "range": "^1", "minimum": "1.0.0"}, "range")):
            with self.subTest(fields=fields):
                self.expect_field(self.vera.ask("ListVersions", fields), field)

    def test_by_stage_and_status(self):
        self.make("staged-a", "1.0.0")
        self.make("staged-b", "1.0.0")
        suite.sql("UPDATE registry.version SET stage = 2 WHERE model = 'staged-b'")
        stage = registry_pb2.Stage.Value("STAGE_STAGING")
        status = registry_pb2.VersionStatus.Value("VERSION_STATUS_TRAINING")
        self.assertEqual(self.found(text="staged", stage=stage), ["staged-b@1.0.0"])
        self.assertEqual(self.found(text="staged", status=status),
                         ["staged-b@1.0.0", "staged-a@1.0.0"])
        ready = registry_pb2.VersionStatus.Value("VERSION_STATUS_READY")
        self.assertEqual(self.found(text="staged", status=ready), [])

    def test_what_changed_is_found_as_it_is(self):
        self.make(self.model, "1.0.0", description="apples", tags=["old"])
        self.alice.get("UpdateVersion", {"model": self.model, "version": "1.0.0", "description":
                                         "pears", "add_tags": ["new"], "remove_tags": ["old"]})
        one = [f"{self.model}@1.0.0"]
        self.assertEqual(self.found(model=self.model, text="pear", tag="new"), one)
        self.assertEqual(self.found(model=self.model, text="apples"), [])
        self.assertEqual(self.found(model=self.model, tag="old"), [])

    def test_what_cannot_be_asked(self):
        for fields, field in (({"minimum": "1.0.0"}, "model"), ({"order": order("PRECEDENCE")}, "order"),
                              ({"model": "honest", "order": order("UPDATED")}, "order"),
                              ({"text": "x" * 251}, "text"), ({"model": "no name!"}, "name"),
                              ({"page": common_pb2.Page(token=b"1.0.0")}, "page.token")):
            with self.subTest(fields=fields):
                self.expect_field(self.vera.ask("ListVersions", fields), field)

    def test_a_parent_stays_while_it_has_children(self):
        self.make(self.model, "1.0.0")
        self.make(self.model, "1.0.1", lineage=registry_pb2.Lineage(parent_version="1.0.0"))
        self.expect_field(self.alice.ask("CreateVersion", {
            "model": self.model, "lineage": registry_pb2.Lineage(parent_version="0.9.0")}),
            "lineage.parent_version")
        gone = {"model": self.model, "version": "1.0.0"}
        refused = self.expect(self.alice.ask("DeleteVersion", gone), "FAILED_PRECONDITION", "STATE")
        self.assertIsNotNone(refused)
        self.alice.get("DeleteVersion", {**gone, "version": "1.0.1"})
        self.alice.get("DeleteVersion", gone)

    def test_rows_of_an_older_release_are_found_once_they_are_filled_in(self):
        self.make(self.model, "1.0.0", description="quince", tags=["late"])
        self.make(self.model, "1.1.0")
        self.alice.get("UpdateVersion", {"model": self.model, "version": "1.0.0",
                                         "description": "medlar"})
        suite.sql(f"UPDATE registry.version SET words = NULL WHERE model = '{self.model}'")
        self.assertEqual(self.found(model=self.model, text="medlar"), [])
        os.kill(suite.pid("registry0"), signal.SIGTERM)
        wait_until(lambda: not suite.number("SELECT count(*) FROM registry.version"
                                            " WHERE words IS NULL"), "words of every version")
        one = [f"{self.model}@1.0.0"]
        self.assertEqual(wait_until(lambda: self.found(model=self.model, text="medlar", tag="late"),
                                    "the version"), one)
        self.assertEqual(self.found(model=self.model, text="quince"), [])


class CommandLine(ServicesTest):
    def test_models_and_versions_are_found(self):
        self.make_model("cli-search", tags=["cli search"], description="Umbrellas")
        self.alice.get("CreateVersion", {"model": "cli-search", "version": "1.0.0",
                                         "tags": ["cli search"]})
        self.alice.get("CreateVersion", {"model": "cli-search", "version": "1.1.0"})
        for words, wanted in ((("model", "list", "--text", "umbrel"), "cli-search"),
                              (("version", "list", "--tag", "cli search"), "1.0.0"),
                              (("version", "list", "--model", "cli-search", "--order", "created",
                                "--ascending", "--limit", "1"), "1.0.0"),
                              (("model", "update", "cli-search", "--description", "Parasols",
                                "--add-tag", "sun"), "Parasols")):
            with self.subTest(words=words):
                done = suite.cli("-o", "text", *words)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(wanted, done.stdout)
        done = suite.cli("model", "delete", "cli-search")
        self.assertEqual(done.returncode, 1)
        self.assertIn("delete them first", done.stderr)


