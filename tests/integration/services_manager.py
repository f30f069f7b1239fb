"""The version manager: what comes next, how versions differ, what changed."""
import hashlib
import re
import threading

from services_case import ServicesTest, connect, facts_of, people, suite, wait_for_event
from services_evidence import service
from services_support import Principal, Worker
from valion.v1 import common_pb2, registry_pb2

MAJOR, MINOR, PATCH, PRERELEASE, BUILD, AUTO = (
    registry_pb2.Bump.Value("BUMP_" + word)
    for word in ("MAJOR", "MINOR", "PATCH", "PRERELEASE", "BUILD", "AUTO"))
BOOL, INT64, FLOAT32, FLOAT64, STRING = (
    common_pb2.ColumnType.Value("COLUMN_TYPE_" + word)
    for word in ("BOOL", "INT64", "FLOAT32", "FLOAT64", "STRING"))

# name, threshold, bump, order: what ships. Of each the key has the name of the rule.
SHIPPED = [
    ("breaking_change", 0, MAJOR, 1010), ("architecture_change", 0, MAJOR, 1020),
    ("input_removed", 0, MAJOR, 1030), ("input_added", 0, MAJOR, 1040),
    ("input_retyped", 0, MAJOR, 1050), ("unit_changed", 0, MAJOR, 1060),
    ("category_removed", 0, MAJOR, 1070), ("output_changed", 0, MAJOR, 1080),
    ("target_changed", 0, MAJOR, 1090), ("new_feature", 0, MINOR, 2010),
    ("performance_improvement", 0.1, MINOR, 2020), ("optional_input_added", 0, MINOR, 2030),
    ("input_widened", 0, MINOR, 2040), ("category_added", 0, MINOR, 2050),
    ("algorithm_changed", 0, MINOR, 2060), ("bug_fix", 0, PATCH, 3010),
    ("data_drift", 0, PATCH, 3020), ("experimental", 0, PRERELEASE, 4010),
    ("performance_regression", 0, PATCH, 5010), ("hyperparameter_changed", 0, PATCH, 5020),
    ("artifact_changed", 0, PATCH, 5030)]


def column(name, type_=FLOAT64, **fields):
    return common_pb2.Column(name=name, type=type_, **fields)


def signature(*inputs, outputs=None, **fields):
    return common_pb2.Signature(inputs=inputs, outputs=outputs or [column("price")],
                                task=fields.pop("task", common_pb2.TASK_TYPE_REGRESSION), **fields)


def model_file(data):
    return [registry_pb2.Artifact(role="model", inline_bytes=data)]


def said(context):
    """Names of the fields that are set."""
    return {field.name for field, _ in context.ListFields()}


class ManagerTest(ServicesTest):
    def setUp(self):
        super().setUp()
        self.model = f"{type(self).__name__}-{self.model}"[:120]
        self.admin = people["admin"]

    def make(self, version, **fields):
        self.alice.get("CreateModel", {"name": self.model})
        return self.alice.get("CreateVersion", {"model": self.model, "version": version, **fields})

    def suggest(self, **fields):
        return self.vera.get("SuggestVersion", fields)

class Manager(ManagerTest):
    def test_the_three_suggestions_of_the_main_job(self):
        for context, version, bump in (({"bug_fix": True}, "1.0.1", "PATCH"),
                                       ({"new_feature": True}, "1.1.0", "MINOR"),
                                       ({"breaking_change": True}, "2.0.0", "MAJOR")):
            with self.subTest(context=context):
                found = self.suggest(current="1.0.0", context=context)
                self.assertEqual(found.version, version)
                self.assertEqual(registry_pb2.Bump.Name(found.bump), "BUMP_" + bump)
                self.assertIn(next(iter(context)), found.reasons[0])

    def test_a_suggestion_from_the_latest_of_a_model(self):
        self.alice.get("CreateModel", {"name": self.model})
        self.assertEqual(self.suggest(model=self.model).version, "1.0.0")
        self.make("3.1.4")
        self.assertEqual(self.suggest(model=self.model).version, "3.1.5")
        self.assertEqual(self.suggest(model=self.model, context={"performance_improvement": 0.2}
                                      ).version, "3.2.0")

    def test_schemes(self):
        scheme = registry_pb2.VersionScheme.Value
        found = self.suggest(current="1.0.0", scheme=scheme("VERSION_SCHEME_TIMESTAMP"))
        self.assertRegex(found.version, r"^20[0-9]{2}\.[0-9]{3,4}\.[0-9]{1,6}$")
        found = self.suggest(current="7.0.0", scheme=scheme("VERSION_SCHEME_SEQUENTIAL"))
        self.assertEqual(found.version, "8.0.0")
        self.expect(self.vera.ask("SuggestVersion", {
            "current": "9999.0.0", "scheme": scheme("VERSION_SCHEME_TIMESTAMP")}),
            "FAILED_PRECONDITION", "STATE")

    def test_suggestions_that_cannot_be(self):
        self.expect_field(self.vera.ask("SuggestVersion", {}), "current")
        self.expect_field(self.vera.ask("SuggestVersion", {"current": "1.0"}), "current")
        self.expect(self.vera.ask("SuggestVersion", {"model": "nobody"}), "NOT_FOUND",
                    "UNSPECIFIED")
        unknown = b"\x28\x63"  # field 5, scheme: 99
        self.assertEqual(self.vera.ask("SuggestVersion", body=b"\x0a\x051.0.0" + unknown).status,
                         "INVALID_ARGUMENT")

    def test_compared_by_their_text(self):
        found = self.vera.get("CompareVersions", {"left": "1.0.0", "right": "1.2.0"})
        self.assertEqual((found.order, found.compatible), (-1, False))
        level = registry_pb2.COMPATIBILITY_LEVEL_MAJOR
        found = self.vera.get("CompareVersions", {"left": "1.0.10", "right": "1.0.9",
                                                  "level": level})
        self.assertEqual((found.order, found.compatible), (1, True))
        for body in (b"\x0a\x051.0.0\x12\x051.0.0\x20\x63",
                     b"\x0a\x051.0.0\x12\x051.0.0\x20" + b"\xff" * 9 + b"\x01"):
            self.expect_field(self.vera.ask("CompareVersions", body=body), "level")

    def test_compared_by_their_records(self):
        self.make("1.0.0", algorithm="forest", metrics=[{"key": "r2", "value": 0.9}],
                  hyperparameters=[{"key": "trees", "value": "100"}],
                  signature={"inputs": [{"name": "area"}, {"name": "age"}]})
        self.make("1.1.0", algorithm="boost", metrics=[{"key": "r2", "value": 0.93},
                                                       {"key": "mae", "value": 12.5}],
                  hyperparameters=[{"key": "trees", "value": "200"}],
                  signature={"inputs": [{"name": "area"}, {"name": "rooms"}]})
        found = self.vera.get("CompareVersions", {"model": self.model, "left": "1.0.0",
                                                  "right": "1.1.0"})
        self.assertEqual(sorted(found.differences), sorted([
            "algorithm: forest -> boost", "feature rooms: new", "feature age: gone",
            "hyperparameter trees: 100 -> 200", "metric r2: 0.9 -> 0.93",
            "metric mae: new, 12.5"]))
        self.expect(self.vera.ask("CompareVersions", {"model": self.model, "left": "1.0.0",
                                                      "right": "9.0.0"}),
                    "NOT_FOUND", "UNSPECIFIED")

    def test_changelog(self):
        self.make("1.0.0", description="the first")
        self.make("1.0.1")
        self.make("1.1.0", metrics=[{"key": "r2", "value": 0.5}])
        text = self.vera.get("GetChangelog", {"model": self.model}).markdown
        expected = ("# Changelog\n\n## 1.1.0 - DAY\n\n- metric r2: new, 0.5\n\n"
                    "## 1.0.1 - DAY\n\n- No changes recorded\n\n"
                    "## 1.0.0 - DAY\n\n- the first\n\n")
        self.assertEqual(re.sub(r"\d{4}-\d\d-\d\d", "DAY", text), expected)
        self.expect(self.vera.ask("GetChangelog", {"model": "nobody"}), "NOT_FOUND", "UNSPECIFIED")

    def test_numbers_that_are_none(self):
        self.alice.get("CreateModel", {"name": self.model})
        for number in (float("inf"), float("-inf"), float("nan")):
            for key in ("performance_improvement", "performance_regression"):
                with self.subTest(key=key, number=number):
                    self.expect_field(self.vera.ask("SuggestVersion", {
                        "current": "1.0.0", "context": {key: number}}), "context")
                    self.expect_field(self.alice.ask("CreateVersion", {
                        "model": self.model, "bump": AUTO, "context": {key: number}}), "context")

    def test_a_suggestion_says_which_rule_and_what_it_looked_at(self):
        found = self.suggest(current="1.0.0", context={"performance_improvement": 0.2,
                                                       "bug_fix": True})
        self.assertEqual((found.version, found.bump, found.rule),
                         ("1.1.0", MINOR, "performance_improvement"))
        self.assertEqual(list(found.reasons), ["performance_improvement: 0.2 is above 0.1"])
        self.assertEqual(said(found.context), {"performance_improvement", "bug_fix"})
        none = self.suggest(current="1.0.0", context={"performance_improvement": 0.1,
                                                      "bug_fix": False})
        self.assertEqual((none.version, none.bump, none.HasField("rule")), ("1.0.1", PATCH, False))
        self.assertIn("none of the rules", none.reasons[0])
        # What the original's evaluation would have run is data here.
        found = self.suggest(current="1.0.0", context={"experimental": True})
        self.assertEqual((found.version, found.rule), ("1.0.1-alpha.1", "experimental"))

    def test_versions_count_where_text_would_not(self):
        """At patch 10 a list sorted as text hands out 1.0.10 for ever; as text alpha.10 < alpha.9."""
        self.make("1.0.0")
        made = [self.alice.get("CreateVersion", {"model": self.model}).version.version
                for _ in range(12)]
        self.assertEqual(made, [f"1.0.{i}" for i in range(1, 13)])
        self.make("1.1.0-alpha.8")
        made = [self.alice.get("CreateVersion", {"model": self.model, "bump": PRERELEASE}
                               ).version.version for _ in range(3)]
        self.assertEqual(made, [f"1.1.0-alpha.{i}" for i in (9, 10, 11)])
        latest = self.vera.get("GetModel", {"name": self.model}).model.latest_version
        self.assertEqual(latest, "1.1.0-alpha.11")
        found = self.vera.get("CompareVersions", {"left": "1.0.0-alpha.9",
                                                  "right": "1.0.0-alpha.10"})
        self.assertEqual(found.order, -1)

    def test_numbers_at_their_end(self):
        self.make("9223372036854775807.0.0")
        for bump in (MAJOR, AUTO):
            answer = self.alice.ask("CreateVersion", {
                "model": self.model, "bump": bump, "context": {"breaking_change": True}})
            self.expect_field(answer, "bump")
        self.expect(self.vera.ask("SuggestVersion", {"model": self.model, "context": {
            "breaking_change": True}}), "FAILED_PRECONDITION", "STATE")



class Differences(ManagerTest):
    """What the registry finds out by itself of two versions."""

    def pair(self, old, new):
        self.make("1.0.0", **old)
        self.make("5.0.0", **new)
        return self.suggest(model=self.model, current="1.0.0", compare_with="5.0.0")

    def compare(self, left="1.0.0", right="5.0.0"):
        return self.vera.get("CompareVersions", {"model": self.model, "left": left,
                                                 "right": right})

    def test_each_fact_has_its_bump_and_its_sentence(self):
        area, city = column("area", INT64, unit="m2"), column("city", STRING,
                                                              categories=["Rome", "Oslo"])
        old = {"signature": signature(area, city), "target": "price", "algorithm": "forest",
               "framework": "valion", "metrics": [{"key": "r2", "value": 0.8}],
               "hyperparameters": [{"key": "trees", "value": "100"}]}
        cases = [  # what is other, the key, the version, a word of the sentence, do callers fit
            ({"signature": signature(area)}, "input_removed", "2.0.0", "'city'", True),
            ({"signature": signature(area, city, column("age"))}, "input_added", "2.0.0", "'age'",
             False),
            ({"signature": signature(area, city, column("age", optional_input=True))},
             "optional_input_added", "1.1.0", "'age'", True),
            ({"signature": signature(column("area", STRING, unit="m2"), city)}, "input_retyped",
             "2.0.0", "takes string, it took int64", False),
            ({"signature": signature(column("area", FLOAT64, unit="m2"), city)}, "input_widened",
             "1.1.0", "takes float64, it took int64", True),
            ({"signature": signature(column("area", INT64, unit="ft2"), city)}, "unit_changed",
             "2.0.0", "in ft2, it was in m2", False),
            ({"signature": signature(area, column("city", STRING, categories=["Oslo"]))},
             "category_removed", "2.0.0", "'Rome'", False),
            ({"signature": signature(area, column("city", STRING,
                                                  categories=["Rome", "Bonn", "Oslo"]))},
             "category_added", "1.1.0", "'Bonn'", True),
            ({"signature": signature(area, city, outputs=[column("rent")])}, "output_changed",
             "2.0.0", "'price' is gone", False),
            ({"signature": signature(area, city, task=common_pb2.TASK_TYPE_BINARY)},
             "output_changed", "2.0.0", "binary, it was regression", False),
            ({"target": "rent"}, "target_changed", "2.0.0", "'rent'", False),
            ({"algorithm": "boost"}, "algorithm_changed", "1.1.0", "'boost'", True),
            ({"framework": "xgboost"}, "algorithm_changed", "1.1.0", "'xgboost'", True),
            ({"metrics": [{"key": "r2", "value": 0.9}]}, "performance_improvement", "1.1.0",
             "r2 went from 0.8 to 0.9: 12.5 % better", True),
            ({"metrics": [{"key": "r2", "value": 0.6}]}, "performance_regression", "1.0.1",
             "25 % worse", True),
            ({"hyperparameters": [{"key": "trees", "value": "200"}]}, "hyperparameter_changed",
             "1.0.1", "trees is 200, it was 100", True),
            ({"artifacts": model_file(b"other")}, "artifact_changed", "1.0.1", "other bytes", True)]
        model = self.model
        for number, (other, key, version, word, fits) in enumerate(cases):
            with self.subTest(key=key, other=other):
                self.model = f"{model}-{number}"
                found = self.pair(old, {**old, **other})
                self.assertEqual((found.version, found.rule, said(found.context)),
                                 (version, key, {key}))
                self.assertTrue(found.reasons[0].startswith(key + ": "), found.reasons)
                self.assertIn(word, found.reasons[0])
                compared = self.compare()
                self.assertEqual((compared.callers_fit, len(compared.obstacles) == 0,
                                  compared.context), (fits, fits, found.context))

    def test_said_and_computed_together(self):
        old = {"metrics": [{"key": "mae", "value": 10}]}
        self.pair(old, {"metrics": [{"key": "mae", "value": 20}]})
        found = self.suggest(model=self.model, current="1.0.0", compare_with="5.0.0",
                             context={"new_feature": True, "performance_improvement": 0.9})
        # What was measured goes before what is said of it.
        self.assertEqual((found.version, found.rule), ("1.1.0", "new_feature"))
        self.assertEqual(said(found.context), {"new_feature", "performance_regression"})
        self.assertAlmostEqual(found.context.performance_regression, 1)

    def test_a_metric_of_nothing_and_one_that_nobody_knows(self):
        found = self.pair({"metrics": [{"key": "r2", "value": 0}]},
                          {"metrics": [{"key": "r2", "value": 0.5}]})
        self.assertEqual((found.version, said(found.context)), ("1.0.1", set()))
        self.assertTrue(any("r2 was 0" in each for each in found.reasons), found.reasons)
        self.make("6.0.0", metrics=[{"key": "likes", "value": 1}])
        self.make("7.0.0", metrics=[{"key": "likes", "value": 9}])
        found = self.suggest(model=self.model, current="6.0.0", compare_with="7.0.0")
        self.assertEqual(said(found.context), set())

    def test_without_a_signature_nothing_is_known_of_callers(self):
        found = self.pair({"signature": signature(column("a"))}, {})
        self.assertEqual(said(found.context), set())
        self.assertTrue(any("signature of 5.0.0 is not known" in each for each in found.reasons),
                        found.reasons)
        compared = self.compare()
        self.assertFalse(compared.callers_fit)
        self.assertIn("5.0.0", compared.obstacles[0])

    def test_the_established_signature_goes_before_the_claim(self):
        self.pair({"signature": signature(column("a"))}, {"signature": signature(column("a"))})
        service(Worker, "validator").get("SetSignature", {
            "model": self.model, "version": "5.0.0", "ready": True,
            "signature": signature(column("a"), column("b"))})
        found = self.suggest(model=self.model, current="1.0.0", compare_with="5.0.0")
        self.assertEqual((found.version, found.rule), ("2.0.0", "input_added"))

    def test_from_the_latest_when_none_is_said(self):
        self.make("1.0.0", algorithm="boost")
        self.make("1.2.3", algorithm="forest")
        found = self.suggest(model=self.model, compare_with="1.0.0")
        self.assertEqual((found.version, found.rule), ("1.3.0", "algorithm_changed"))

    def test_questions_that_cannot_be(self):
        self.make("1.0.0")
        self.expect_field(self.vera.ask("SuggestVersion", {"current": "1.0.0",
                                                           "compare_with": "1.0.0"}), "model")
        self.expect_field(self.vera.ask("SuggestVersion", {"model": self.model,
                                                           "compare_with": "one"}), "compare_with")
        for fields in ({"compare_with": "9.0.0"}, {"compare_with": "1.0.0", "current": "9.0.0"}):
            self.expect(self.vera.ask("SuggestVersion", {"model": self.model, **fields}),
                        "NOT_FOUND", "UNSPECIFIED")
        self.alice.get("CreateModel", {"name": self.model + "-empty"})
        self.expect(self.vera.ask("SuggestVersion", {"model": self.model + "-empty",
                                                     "compare_with": "1.0.0"}),
                    "NOT_FOUND", "UNSPECIFIED")

    def test_names_of_any_length_and_script_stay_text(self):
        long_name = "ü" * 120
        found = self.pair({"signature": signature(column(long_name, unit="€" * 80))},
                          {"signature": signature(column(long_name, unit="$" * 80)),
                           "hyperparameters": [{"key": "k" * 250, "value": "é" * 2500}]})
        self.assertEqual(found.rule, "unit_changed")
        self.assertIn("ü…", found.reasons[0])


class Automatic(ManagerTest):
    """CreateVersion with BUMP_AUTO."""

    def create(self, by=None, **fields):
        return (by or self.alice).get("CreateVersion", {"model": self.model, "bump": AUTO,
                                                        **fields})

    def test_a_line_of_versions(self):
        self.alice.get("CreateModel", {"name": self.model})
        inputs = [column("area", INT64)]
        first = self.create(signature=signature(*inputs), artifacts=model_file(b"1"),
                            context={"breaking_change": True})
        self.assertEqual((first.version.version, list(first.reasons)),
                         ("1.0.0", ["it is the model's first version"]))
        again = self.create(signature=signature(*inputs), artifacts=model_file(b"2"))
        self.assertEqual((again.version.version, list(again.reasons)),
                         ("1.0.1", ["artifact_changed: its files have other bytes"]))
        inputs.append(column("age", optional_input=True))
        more = self.create(signature=signature(*inputs), artifacts=model_file(b"2"))
        self.assertEqual((more.version.version, more.reasons[0].split(":")[0]),
                         ("1.1.0", "optional_input_added"))
        broken = self.create(signature=signature(inputs[1]), artifacts=model_file(b"2"))
        self.assertEqual((broken.version.version, broken.reasons[0]),
                         ("2.0.0", "input_removed: the input 'area' is gone"))
        tried = self.create(signature=signature(inputs[1]), artifacts=model_file(b"3"),
                            context={"experimental": True})
        self.assertEqual(tried.version.version, "2.0.1-alpha.1")
        done = self.create(signature=signature(inputs[1]), artifacts=model_file(b"3"),
                           context={"bug_fix": True})
        self.assertEqual(done.version.version, "2.0.1")
        self.assertEqual(self.vera.get("GetVersion", {"model": self.model}).version.version,
                         "2.0.1")

    def test_an_absent_signature_is_not_counted_and_said(self):
        self.make("1.0.0", signature=signature(column("a")))
        made = self.create()
        self.assertEqual(made.version.version, "1.0.1")
        self.assertIn("signature of the new version is not known", made.reasons[-1])
        made = self.create(context={"breaking_change": True})
        self.assertEqual(made.version.version, "2.0.0")

    def test_a_version_that_is_given_stays_that(self):
        self.make("1.0.0")
        made = self.create(version="3.0.0", context={"bug_fix": True})
        self.assertEqual((made.version.version, list(made.reasons)), ("3.0.0", []))
        other = self.alice.get("CreateVersion", {"model": self.model, "bump": MINOR})
        self.assertEqual((other.version.version, list(other.reasons)), ("3.1.0", []))

    def test_numbers_of_deleted_versions_are_passed_over(self):
        self.make("1.0.0", algorithm="a")
        self.create(algorithm="b")
        self.alice.get("DeleteVersion", {"model": self.model, "version": "1.1.0"})
        self.assertEqual(self.create(algorithm="b").version.version, "1.2.0")
        self.alice.get("DeleteVersion", {"model": self.model, "version": "1.2.0"})
        self.alice.get("DeleteVersion", {"model": self.model, "version": "1.0.0"})
        made = self.create()
        self.assertEqual(made.version.version, "1.0.1")
        self.assertEqual(list(made.reasons), ["it is the model's first version"])

    def test_the_latest_may_be_of_the_same_batch(self):
        """Many at once, each with one input more than the one before: each is a major, whichever
        of them it follows."""
        self.make("1.0.0", signature=signature(column("x0")))
        messages = [{"model": self.model, "bump": AUTO,
                     "signature": signature(column(f"x{i}"))} for i in range(1, 101)]
        made = self.alice.get_all("CreateVersion", messages)
        versions = sorted(int(each.version.version.split(".")[0]) for each in made)
        self.assertEqual(versions, list(range(2, 102)))
        for each in made:
            self.assertTrue(each.reasons[0].startswith("input_removed: "), each.reasons)
        same = [{"model": self.model, "bump": AUTO, "algorithm": word}
                for word in ["a", "b"] * 20]
        made = self.alice.get_all("CreateVersion", same)
        self.assertEqual(len({each.version.version for each in made}), 40)

    def test_many_models_at_once(self):
        names = [f"{self.model}-{i}" for i in range(20)]
        self.alice.get_all("CreateModel", [{"name": name} for name in names])
        self.alice.get_all("CreateVersion", [{"model": name, "algorithm": "a"} for name in names])
        made = self.alice.get_all("CreateVersion", [{"model": name, "bump": AUTO, "algorithm": "b"}
                                                    for name in names])
        self.assertEqual({each.version.version for each in made}, {"1.1.0"})

    def test_bytes_of_a_refused_call_are_not_kept(self):
        self.make("1.0.0")
        data = b"kept by nobody " + self.model.encode()
        answer = self.alice.ask("CreateVersion", {"model": self.model, "version": "1.0.0",
                                                  "artifacts": model_file(data)})
        self.expect(answer, "ALREADY_EXISTS", "EXISTS")
        digest = hashlib.sha256(data).digest()
        self.expect(self.vera.ask("GetArtifactInfo", {"digest": digest}), "NOT_FOUND",
                    "UNSPECIFIED")

    def test_bumps_that_cannot_be(self):
        self.alice.get("CreateModel", {"name": self.model})
        for bump in (BUILD, 7, 99):
            body = registry_pb2.CreateVersionRequest(model=self.model).SerializeToString()
            self.expect_field(self.alice.ask("CreateVersion", body=body + bytes([0x18, bump])),
                              "bump")
        self.expect(self.vera.ask("CreateVersion", {"model": self.model, "bump": AUTO}),
                    "PERMISSION_DENIED", "FORBIDDEN")
        self.expect(self.alice.ask("CreateVersion", {"model": "nobody", "bump": AUTO}),
                    "NOT_FOUND", "UNSPECIFIED")

    def test_on_the_command_line(self):
        self.make("1.0.0", algorithm="forest")
        done = suite.cli("version", "create", "--model", self.model, "--bump", "auto",
                         "--algorithm", "boost", "--no-inspect")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1.1.0: algorithm_changed: the algorithm is 'boost'", done.stderr)
        done = suite.cli("version", "create", "--model", self.model, "--bump", "auto",
                         "--breaking", "--no-inspect")
        self.assertIn("2.0.0: breaking_change", done.stderr)
        done = suite.cli("version", "create", "--model", self.model, "--breaking")
        self.assertEqual(done.returncode, 2)
        done = suite.cli("version", "suggest", self.model, "--from", "1.0.0", "--compare-with",
                         "1.1.0")
        self.assertIn("algorithm_changed", done.stdout)
        self.assertEqual(suite.cli("version", "suggest", "1.0.0", "--compare-with",
                                   "1.1.0").returncode, 2)


class Rules(ManagerTest):
    def put(self, name, key="bug_fix", by=None, remove=None, **fields):
        rule = {"name": name, "key": key, "bump": MINOR, "order": 500, **fields}
        message = {"rule": rule, **({"remove": remove} if remove is not None else {})}
        return (by or self.admin).ask("PutVersionRule", message)

    def stored(self, name, **fields):
        self.addCleanup(self.put, name, remove=True)
        return self.put(name, **fields).read(registry_pb2.PutVersionRuleReply).rule

    def rules(self):
        return list(self.vera.get("ListVersionRules").rules)

    def test_those_that_ship(self):
        found = [(each.name, each.key, each.threshold, each.bump, each.order, each.changed_by)
                 for each in self.rules()]
        self.assertEqual(found, [(name, name, threshold, bump, order, "valion")
                                 for name, threshold, bump, order in SHIPPED])
        context = {name for name, *_ in SHIPPED}
        fields = {field.name for field in registry_pb2.ChangeContext.DESCRIPTOR.fields}
        self.assertEqual(context, fields)

    def test_a_rule_decides_while_it_is_there(self):
        name = "fixes-are-features"
        before = self.suggest(current="1.0.0", context={"bug_fix": True})
        self.assertEqual((before.version, before.rule), ("1.0.1", "bug_fix"))
        made = self.stored(name)
        self.assertEqual((made.changed_by, made.changed_us > 0), ("admin", True))
        found = self.suggest(current="1.0.0", context={"bug_fix": True, "breaking_change": True})
        self.assertEqual((found.version, found.rule), ("1.1.0", name))
        self.assertEqual(self.rules()[0], made)
        self.make("1.0.0")
        auto = self.alice.get("CreateVersion", {"model": self.model, "bump": AUTO,
                                                "context": {"bug_fix": True}})
        self.assertEqual(auto.version.version, "1.1.0")
        facts = facts_of(wait_for_event(name, "version_rule.stored"))
        self.assertEqual(facts, {"rule": name, "key": "bug_fix", "threshold": "0",
                                 "bump": "minor", "order": "500"})
        gone = self.put(name, remove=True).read(registry_pb2.PutVersionRuleReply).rule
        self.assertEqual(gone, made)
        self.assertEqual(wait_for_event(name, "version_rule.removed").actor, "admin")
        self.expect(self.put(name, remove=True), "NOT_FOUND", "UNSPECIFIED")
        self.assertEqual(self.suggest(current="1.0.0", context={"bug_fix": True}).version, "1.0.1")

    def test_thresholds_and_orders(self):
        self.stored("much-better", key="performance_improvement", threshold=0.5, bump=MAJOR)
        for number, version in ((0.5, "1.1.0"), (0.51, "2.0.0")):
            found = self.suggest(current="1.0.0", context={"performance_improvement": number})
            self.assertEqual(found.version, version)
        self.stored("b", key="experimental", order=1, bump=PATCH)
        self.stored("a", key="experimental", order=1, bump=MAJOR)
        found = self.suggest(current="1.0.0", context={"experimental": True})
        self.assertEqual((found.rule, found.version), ("a", "2.0.0"))
        self.assertAlmostEqual(self.stored("c", key="performance_regression",
                                           threshold=0.30000000000000004).threshold,
                               0.30000000000000004, delta=0)

    def test_the_same_again_is_no_change(self):
        first = self.stored("same")
        self.assertEqual(self.stored("same"), first)
        changed = self.stored("same", order=501)
        self.assertGreater(changed.changed_us, first.changed_us)
        events = [each for each in self.vera.get("ReadEvents", {"subject": "same",
                                                                "limit": 1000}).events]
        wait_for_event("same", "version_rule.stored")
        self.assertLessEqual(len(events), 2)

    def test_a_shipped_rule_may_be_changed_and_removed(self):
        def restore(name="data_drift"):
            self.put(name, key=name, bump=PATCH, order=3020)
            suite.sql("UPDATE registry.version_rule SET changed_by = 'valion'"
                      " WHERE name = 'data_drift'")
        self.addCleanup(restore)
        self.stored("data_drift", key="data_drift", bump=MINOR, order=2055)
        self.assertEqual(self.suggest(current="1.0.0", context={"data_drift": True}).version,
                         "1.1.0")
        self.put("data_drift", remove=True)
        found = self.suggest(current="1.0.0", context={"data_drift": True})
        self.assertEqual((found.version, found.HasField("rule")), ("1.0.1", False))

    def test_rules_that_cannot_be(self):
        nan, inf = float("nan"), float("inf")
        for field, fields in (
                ("rule.name", {"name": ""}), ("rule.name", {"name": "a b"}),
                ("rule.name", {"name": "x" * 129}), ("rule.key", {"key": ""}),
                ("rule.key", {"key": "__import__('os').system('true')"}),
                ("rule.key", {"key": "breaking_change or True"}), ("rule.bump", {"bump": 0}),
                ("rule.bump", {"bump": BUILD}), ("rule.bump", {"bump": AUTO}),
                ("rule.order", {"order": 0}), ("rule.order", {"order": 10000}),
                ("rule.order", {"order": 4294967295}), ("rule.threshold", {"threshold": nan}),
                ("rule.threshold", {"threshold": inf}), ("rule.threshold", {"threshold": -inf}),
                ("rule.threshold", {"threshold": -0.1}), ("rule.threshold", {"threshold": 1})):
            with self.subTest(field=field, fields=fields):
                self.expect_field(self.put(fields.pop("name", "wrong"), **fields), field)
        self.expect_field(self.admin.ask("PutVersionRule", {}), "rule")
        self.expect_field(self.admin.ask("PutVersionRule", {"rule": {}, "remove": True}),
                          "rule.name")
        for who in (self.alice, self.olga, self.vera):
            self.expect(self.put("mine", by=who), "PERMISSION_DENIED", "FORBIDDEN")
        self.assertEqual(len(self.rules()), len(SHIPPED))

    def test_there_are_only_so_many(self):
        for i in range(64 - len(SHIPPED)):
            self.stored(f"rule-{i}")
        self.assertEqual(self.expect(self.put("one-more"), "RESOURCE_EXHAUSTED", "QUOTA").limit, 64)
        self.stored("rule-0", order=501)
        self.assertEqual(len(self.rules()), 64)
        self.assertEqual(self.suggest(current="1.0.0", context={"bug_fix": True}).version, "1.1.0")

    def test_many_admins_at_once_keep_the_bound(self):
        names = [f"race-{i}" for i in range(64)]
        self.addCleanup(lambda: [self.put(name, remove=True) for name in names])
        admins = [connect(Principal, "admin") for _ in range(4)]
        answers = []

        def work(who, mine):
            answers.extend(self.put(name, by=who).status for name in mine)
        threads = [threading.Thread(target=work, args=(who, names[i::4]))
                   for i, who in enumerate(admins)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        for who in admins:
            who.close()
        self.assertEqual(sorted(set(answers)), ["OK", "RESOURCE_EXHAUSTED"])
        self.assertEqual(answers.count("OK"), 64 - len(SHIPPED))
        self.assertEqual(len(self.rules()), 64)

    def test_a_rule_of_a_newer_program_is_shown_and_passed_over(self):
        self.addCleanup(self.put, "newer", remove=True)
        suite.sql("INSERT INTO registry.version_rule (name, key, threshold, bump, position,"
                  " changed_by) VALUES ('newer', 'smell_changed', 0, 1, 1, 'later')")
        self.assertEqual(self.rules()[0].key, "smell_changed")
        self.assertEqual(self.suggest(current="1.0.0", context={"bug_fix": True}).version, "1.0.1")

    def test_on_the_command_line(self):
        self.addCleanup(self.put, "loss", remove=True)
        done = suite.cli("version", "rule", "put", "loss", "--key", "performance_regression",
                         "--above", "0.2", "--bump", "major", "--order", "1100")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = suite.cli("version", "rule", "list")
        self.assertRegex(done.stdout, r"1100\s+loss\s+performance_regression\s+0.2\s+major")
        self.assertEqual(len(done.stdout.splitlines()) >= len(SHIPPED) + 1, True)
        done = suite.cli("version", "rule", "remove", "loss")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(suite.cli("version", "rule", "remove", "loss").returncode, 4)
        for words in (["put", "x"], ["put"], ["remove"], ["list", "x"], ["sort"],
                      ["put", "x", "--key", "bug_fix", "--bump", "minor", "--order", "0"],
                      ["put", "x", "--key", "bug_fix", "--bump", "minor", "--order", "1",
                       "--above", "much"]):
            self.assertEqual(suite.cli("version", "rule", *words).returncode, 2, words)


class Ranges(ManagerTest):
    def check(self, range_, versions=(), **fields):
        return self.vera.get("CheckRange", {"range": range_, "versions": versions, **fields})

    def test_which_of_them_are_in_it(self):
        versions = ["1.0.10", "1.0.9", "2.0.0", "1.2.0-rc.1", "one", "1.0.9+build", "1.0", "0.9.0"]
        found = self.check("^1.0", versions)
        self.assertEqual(list(found.versions), ["1.0.9", "1.0.9+build", "1.0.10"])
        self.assertEqual((found.minimum, found.maximum), ("1.0.9", "1.0.10"))
        self.assertEqual(list(found.invalid), ["one", "1.0"])
        found = self.check("^1.0", versions, include_prerelease=True)
        self.assertEqual(found.maximum, "1.2.0-rc.1")
        found = self.check("*", ["3.0.0-a"])
        self.assertEqual((list(found.versions), found.HasField("minimum")), ([], False))
        # The two ends of a list, and a filter of one: what the original had calls for.
        found = self.check(">=0.9.5 <=2.0.0", versions)
        self.assertEqual((found.minimum, found.maximum), ("1.0.9", "2.0.0"))
        self.assertEqual(len(self.check("*", [f"1.0.{i}" for i in range(1000)]).versions), 1000)

    def test_questions_that_cannot_be(self):
        for bad in ("", "newest", "^^1", "1.2.3.4", ">=", "1.x ||", "1||" * 8 + "1", " " * 600,
                    "9223372036854775807"):
            with self.subTest(bad):
                self.expect_field(self.vera.ask("CheckRange", {"range": bad}), "range")
                self.expect_field(self.vera.ask("GetVersion", {"model": "honest", "range": bad}),
                                  "range")
        self.expect_field(self.vera.ask("CheckRange", {"versions": ["1.0.0"]}), "range")
        self.expect_field(self.vera.ask("CheckRange", {"range": "*", "versions": ["1.0.0"] * 1001}),
                          "versions")

    def test_the_highest_that_is_in_it(self):
        for version in ("0.9.0", "1.0.0", "1.0.9", "1.0.10", "1.2.0", "1.3.0-rc.1", "1.3.0-rc.10",
                        "1.3.0-rc.9", "2.0.0-alpha", "2.0.0", "2.1.0", "3.0.0-beta.2"):
            self.make(version, backport=True)
        for range_, version in (
                ("^1.0", "1.2.0"), ("~1.0", "1.0.10"), ("1.x", "1.2.0"), ("*", "2.1.0"),
                ("<2", "1.2.0"), (">=1.0.9 <1.0.10", "1.0.9"), ("=1.0.9", "1.0.9"),
                ("1.0.9", "1.0.9"), ("<1.0.0 || 1.0.x", "1.0.10"), ("1.0.x || <1.0.0", "1.0.10"),
                ("^1.3.0-rc.1", "1.3.0-rc.10"), (">=1.3.0-rc.1", "2.1.0"),
                (">=3.0.0-alpha", "3.0.0-beta.2"), ("0.9 - 1.0", "1.0.10"), ("<=1.0.9", "1.0.9"),
                (">2.1.0-alpha <3.0.0-beta.3", "3.0.0-beta.2")):
            with self.subTest(range_):
                found = self.vera.get("GetVersion", {"model": self.model, "range": range_})
                self.assertEqual(found.version.version, version)
        for range_ in ("^5", ">2 <1", "<0.9", ">*", "~1.4", ">2.1.0"):
            with self.subTest(range_):
                self.expect(self.vera.ask("GetVersion", {"model": self.model, "range": range_}),
                            "NOT_FOUND", "UNSPECIFIED")
        self.expect(self.vera.ask("GetVersion", {"model": "nobody", "range": "*"}), "NOT_FOUND",
                    "UNSPECIFIED")
        self.expect_field(self.vera.ask("GetVersion", {"range": "*"}), "name")

    def test_prereleases_are_passed_over_page_by_page(self):
        self.make("1.0.0")
        names = [f"1.5.{i}-rc.{j}" for i in range(30) for j in range(6)]
        self.alice.get_all("CreateVersion", [{"model": self.model, "version": each,
                                              "backport": True} for each in names])
        for range_, version in (("^1", "1.0.0"), ("0.9.0-rc.1 || ^1.0.0", "1.0.0"),
                                (">=1.0.0 <1.5.3-rc.2", "1.5.3-rc.1"),
                                (">=1.0.0-a <1.5.30-a", "1.0.0")):
            with self.subTest(range_):
                found = self.vera.get("GetVersion", {"model": self.model, "range": range_})
                self.assertEqual(found.version.version, version)

    def test_one_question_at_a_time(self):
        self.make("1.0.0")
        for other in ({"version": "1.0.0"}, {"alias": "latest"}):
            self.expect_field(self.vera.ask("GetVersion", {"model": self.model, "range": "*",
                                                           **other}), "range")

    def test_on_the_command_line(self):
        for version in ("1.0.0", "1.4.0", "2.0.0"):
            self.make(version)
        for range_, version in (("^1", "1.4.0"), ("1.x", "1.4.0"), (">=1 <2", "1.4.0"),
                                ("2", "2.0.0"), ("*", "2.0.0")):
            done = suite.cli("-o", "json", "version", "show", f"{self.model}@{range_}")
            self.assertIn(f'"{version}"', done.stdout, done.stderr)
        self.assertEqual(suite.cli("version", "show", f"{self.model}@^3").returncode, 4)
        done = suite.cli("-o", "json", "version", "check-range", "^1", "1.0.0", "2.0.0", "1.9.0",
                         "x")
        self.assertIn('"maximum":"1.9.0"', done.stdout.replace(" ", ""))
        self.assertIn('"invalid":["x"]', "".join(done.stdout.split()))
