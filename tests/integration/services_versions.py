"""What changes about a version: signature, tags, aliases, grants, deletion; and what served when."""
import os
import threading
import time
import uuid

from services_case import connect, facts_of, people, suite, wait_for_event
from services_evidence import (ARCHIVED, DATA, DEVELOPMENT, PRODUCTION, STAGING, EvidenceTest,
                               service, sha256, signature)
from services_support import Principal, pairs, to_id
from valion.v1 import common_pb2, registry_pb2

TRAINING, READY, DEPLOYED, FAILED, DEPRECATED = (
    registry_pb2.VersionStatus.Value("VERSION_STATUS_" + word)
    for word in ("TRAINING", "READY", "DEPLOYED", "FAILED", "DEPRECATED"))


class VersionsTest(EvidenceTest):
    def shown(self, version="1.0.0"):
        return self.vera.get("GetVersion", {"model": self.model, "version": version}).version

    def listed(self, **fields):
        found = self.vera.get("ListVersions", {"model": self.model, **fields})
        return [each.version for each in found.versions]


class Signatures(VersionsTest):
    def inspect(self, by=None, version="1.0.0", **fields):
        return (by or self.validator).ask("SetSignature", {"model": self.model, "version": version,
                                                           **fields})

    def inspected(self, **fields):
        return self.inspect(**fields).read(registry_pb2.SetSignatureReply).version

    def make(self, by=None, **fields):
        self.make_model()
        return (by or self.alice).get("CreateVersion", {"model": self.model, **fields}).version

    def test_what_a_publisher_says_is_a_claim(self):
        files = [registry_pb2.Artifact(role=role, inline_bytes=role.encode())
                 for role in ("model", "samples", "profile")]
        made = self.make(signature=signature(), artifacts=files)
        self.assertEqual((made.status, self.shown().status), (TRAINING, TRAINING))
        self.assertFalse(made.HasField("samples_digest"))
        self.assertEqual(self.listed(status=TRAINING), ["1.0.0"])

    def test_what_the_trainer_made_is_ready_at_once(self):
        trainer = service(Principal, "trainer")
        files = [registry_pb2.Artifact(role=role, inline_bytes=role.encode())
                 for role in ("model", "samples", "profile")]
        made = self.make(trainer, signature=signature(), artifacts=files)
        self.assertEqual((made.status, made.samples_digest, made.profile_digest),
                         (READY, sha256(b"samples"), sha256(b"profile")))
        self.assertEqual(self.shown(), made)
        part = self.make(trainer, signature=signature(), artifacts=files[:2])
        self.assertEqual(part.status, TRAINING)

    def test_the_validator_establishes_what_a_version_takes(self):
        self.make()
        samples, profile = self.store(b"rows"), self.store(b"profile of rows")
        done = self.inspected(signature=signature(), samples=samples, profile=profile, ready=True)
        self.assertEqual((done.status, done.revision), (READY, 2))
        self.assertEqual((done.signature, done.samples_digest, done.profile_digest),
                         (signature(), samples, profile))
        self.assertEqual(self.shown(), done)
        self.assertEqual(self.listed(status=READY), ["1.0.0"])
        references = self.vera.get("GetArtifactInfo", {"digest": profile}).references
        self.assertEqual(references, 2)  # of the version that brought it, and of this one
        event = wait_for_event(f"{self.model}@1.0.0", "version.ready")
        self.assertEqual((event.actor, facts_of(event)["samples"]), ("validator", samples.hex()))

    def test_the_same_again_is_the_same_answer_and_another_is_refused(self):
        self.make()
        done = self.inspected(signature=signature(), ready=True)
        self.assertEqual(self.inspected(signature=signature(), ready=True), done)
        other = signature(classes=["a"])
        self.expect_state(self.inspect(signature=other, ready=True), "does not change")
        self.expect_state(self.inspect(error="no"), "does not change")
        self.assertEqual(self.shown(), done)

    def test_an_inspection_that_fails(self):
        self.make()
        failed = self.inspected(error="the tree is cut at byte 17")
        self.assertEqual((failed.status, failed.status_reason),
                         (FAILED, "the tree is cut at byte 17"))
        self.assertEqual(self.inspected(error="the tree is cut at byte 17"), failed)
        self.expect_state(self.inspect(signature=signature(), ready=True), "does not change")
        event = wait_for_event(f"{self.model}@1.0.0", "version.failed")
        self.assertEqual(facts_of(event)["error"], "the tree is cut at byte 17")

    def test_a_signature_alone_does_not_make_it_ready(self):
        self.make()
        self.assertEqual(self.inspected(signature=signature()).status, TRAINING)
        self.assertEqual(self.inspected(signature=signature(), ready=True).status, READY)

    def test_a_ready_version_of_before_takes_one(self):
        self.make()
        suite.sql(f"UPDATE registry.version SET status = 2 WHERE model = '{self.model}'")
        done = self.inspected(signature=signature())
        self.assertEqual((done.status, done.signature), (READY, signature()))
        self.expect_state(self.inspect(signature=signature(classes=["b"])), "does not change")

    def test_signatures_that_cannot_be(self):
        self.make()
        bad = signature()
        bad.inputs[0].ClearField("name")
        cases = [("signature", {"ready": True}), ("signature", {}),
                 ("error", {"ready": True, "signature": signature(), "error": "but"}),
                 ("error", {"error": "x" * 2001}),
                 ("samples", {"signature": signature(), "samples": b"short"}),
                 ("profile", {"signature": signature(), "profile": b"short"}),
                 ("signature", {"signature": common_pb2.Signature()}),
                 ("signature", {"signature": signature(task=0)}),
                 ("signature.inputs", {"signature": bad})]
        for field, fields in cases:
            with self.subTest(field):
                self.expect_field(self.inspect(**fields), field)
        for field in ("samples", "profile"):
            answer = self.inspect(signature=signature(), **{field: os.urandom(32)})
            self.expect(answer, "NOT_FOUND", "FIELD", field)
        large = self.inspect(signature=signature(classes=["c"] * 4000), ready=True)
        self.expect(large, "INVALID_ARGUMENT", "TOO_LARGE")
        self.expect(self.inspect(signature=signature(), version="9.0.0"), "NOT_FOUND",
                    "UNSPECIFIED")
        for who in (self.alice, people["admin"]):
            answer = self.inspect(by=who, signature=signature(), ready=True)
            self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")
        self.assertEqual(self.shown().revision, 1)


class Updates(VersionsTest):
    def update(self, by=None, **fields):
        return (by or self.alice).ask("UpdateVersion", {"model": self.model, "version": "1.0.0",
                                                        **fields})

    def updated(self, **fields):
        return self.update(**fields).read(registry_pb2.UpdateVersionReply).version

    def test_description_and_tags(self):
        self.make_model()
        made = self.make_version("1.0.0", description="first", tags=["a", "b"])
        done = self.updated(description="second", add_tags=["c", "a"], remove_tags=["b", "x"])
        self.assertEqual((done.description, list(done.tags), done.revision),
                         ("second", ["a", "c"], made.revision + 1))
        self.assertEqual(self.shown(), done)
        self.assertEqual(self.updated(add_tags=["a"], description="second"), done)
        self.assertEqual(list(self.updated(remove_tags=["a", "c"]).tags), [])
        self.assertEqual(list(self.shown().tags), [])
        event = wait_for_event(f"{self.model}@1.0.0", "version.updated")
        self.assertEqual((event.actor, facts_of(event)["model"]), ("alice", self.model))

    def test_a_revision_that_is_not_the_newest(self):
        self.make_model()
        self.make_version("1.0.0")
        self.updated(description="mine", expected_revision=1)
        answer = self.update(description="theirs", expected_revision=1)
        self.expect(answer, "ABORTED", "STATE")
        self.assertEqual(self.shown().description, "mine")

    def test_deprecated_and_back(self):
        self.make_ready()
        self.assertEqual(self.updated(status=DEPRECATED).status, DEPRECATED)
        self.assertEqual(self.listed(status=DEPRECATED), ["1.0.0"])
        self.assertEqual(self.updated(status=READY).status, READY)

    def test_a_status_that_cannot_be_set(self):
        self.make_model()
        self.make_version("1.0.0")
        for status in (READY, DEPRECATED):
            self.expect_state(self.update(status=status), "still to come")
        for status in (0, TRAINING, DEPLOYED, FAILED):
            self.expect_field(self.update(status=status), "status")

    def test_updates_that_cannot_be(self):
        self.make_model()
        self.make_version("1.0.0")
        for field, fields in (("description", {"description": "x" * 5001}),
                              ("tags", {"add_tags": [""]}), ("tags", {"add_tags": ["a\nb"]}),
                              ("tags", {"add_tags": [str(i) for i in range(65)]}),
                              ("version", {"version": "newest"})):
            with self.subTest(field):
                self.expect_field(self.update(**fields), field)
        self.expect(self.update(by=self.vera, description="x"), "PERMISSION_DENIED", "FORBIDDEN")
        self.expect(self.update(version="9.0.0"), "NOT_FOUND", "UNSPECIFIED")

    def test_what_is_stored_can_be_read(self):
        """A description and tags beside the largest record that there may be."""
        self.make_model()
        self.make_version("1.0.0", dataset_info=pairs(12, value="x" * 4900))
        answer = self.update(description="d" * 5000, add_tags=["t" * 240 + str(i)
                                                               for i in range(20)])
        self.expect(answer, "INVALID_ARGUMENT", "TOO_LARGE")
        self.updated(description="d" * 3000)
        done = suite.cli("-o", "json", "version", "show", f"{self.model}@1.0.0")
        self.assertEqual(done.returncode, 0, done.stderr)


class Aliases(VersionsTest):
    def alias(self, alias, version=None, by=None, **of_header):
        fields = {"version": version} if version else {}
        return (by or self.alice).ask("SetAlias", {"model": self.model, "alias": alias, **fields},
                                      **of_header)

    def set(self, alias, version=None):
        return self.alias(alias, version).read(registry_pb2.SetAliasReply).previous

    def named(self, alias):
        return self.vera.get("GetVersion", {"model": self.model, "alias": alias}).version.version

    def test_an_alias_names_one_version_at_a_time(self):
        self.make_model()
        self.make_version("1.0.0")
        self.make_version("1.1.0")
        self.assertEqual(self.set("Champion", "1.0.0"), "")
        self.assertEqual(self.named("champion"), "1.0.0")
        self.assertEqual(list(self.shown().aliases), ["Champion"])
        self.assertEqual(self.set("champion", "1.1.0"), "1.0.0")
        self.assertEqual((self.named("CHAMPION"), list(self.shown().aliases)), ("1.1.0", []))
        self.assertEqual(list(self.vera.get("ListVersions", {"model": self.model})
                              .versions[0].aliases), ["champion"])
        done = suite.cli("-o", "json", "version", "show", f"{self.model}@champion")
        self.assertIn('"1.1.0"', done.stdout)
        self.assertEqual(self.set("champion"), "1.1.0")
        self.assertEqual(self.set("champion"), "")
        answer = self.vera.ask("GetVersion", {"model": self.model, "alias": "champion"})
        self.expect(answer, "NOT_FOUND", "UNSPECIFIED")
        self.assertEqual(wait_for_event(self.model, "alias.removed").actor, "alice")
        facts = facts_of(wait_for_event(self.model, "alias.set"))
        self.assertEqual((facts["version"], facts["previous"]), ("1.1.0", "1.0.0"))

    def test_latest_is_always_the_latest(self):
        self.make_model()
        self.make_version("1.0.0")
        self.make_version("2.0.0")
        self.assertEqual(self.named("Latest"), "2.0.0")

    def test_names_that_are_none(self):
        self.make_model()
        self.make_version("1.0.0")
        for bad in ("", "latest", "LATEST", "v1", "V22", "a b", "a.b", "a@b", "1st", "-x", "é",
                    "x" * 256):
            with self.subTest(bad):
                self.expect_field(self.alias(bad, "1.0.0"), "alias")
        for good in ("v", "v1a", "x" * 255, "_", "a-b_c"):
            self.set(good, "1.0.0")
        self.assertEqual(len(self.shown().aliases), 5)
        self.expect_field(self.alias("x", "newest"), "version")
        self.expect(self.alias("x", "9.0.0"), "NOT_FOUND", "UNSPECIFIED")
        self.expect(self.alias("x", "1.0.0", by=self.vera), "PERMISSION_DENIED", "FORBIDDEN")
        answer = self.vera.ask("GetVersion", {"model": self.model, "alias": "v",
                                              "version": "1.0.0"})
        self.expect_field(answer, "alias")
        answer = self.alice.ask("SetAlias", {"model": "nobody", "alias": "x"})
        self.expect(answer, "NOT_FOUND", "UNSPECIFIED")

    def test_a_model_has_only_so_many(self):
        self.make_model()
        self.make_version("1.0.0")
        for i in range(64):
            self.set(f"a{i}" + "x" * 250, "1.0.0")
        answer = self.alias("one-more", "1.0.0")
        self.assertEqual(self.expect(answer, "RESOURCE_EXHAUSTED", "QUOTA").limit, 64)
        self.assertEqual(len(self.shown().aliases), 64)
        done = suite.cli("-o", "json", "version", "list", "--model", self.model)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_request_repeated_is_answered_again(self):
        self.make_model()
        self.make_version("1.0.0")
        self.make_version("1.1.0")
        self.set("live", "1.0.0")
        request_id = uuid.uuid4().bytes
        first = self.alias("live", "1.1.0", request_id=request_id)
        self.set("live", "1.0.0")
        self.assertEqual(self.alias("live", "1.1.0", request_id=request_id).body, first.body)
        self.assertEqual(self.named("live"), "1.0.0")


class Deletions(VersionsTest):
    def delete(self, version="1.0.0", by=None, **of_header):
        return (by or self.alice).ask("DeleteVersion", {"model": self.model, "version": version},
                                      **of_header)

    def model_of(self):
        return self.vera.get("GetModel", {"name": self.model}).model

    def test_a_version_goes_and_its_number_stays_taken(self):
        for version in ("1.0.0", "1.0.1", "1.0.2"):
            self.make_ready(version)
        self.assertEqual(self.delete("1.0.2").status, "OK")
        self.assertEqual(self.delete("1.0.1").status, "OK")
        self.assertEqual((self.model_of().latest_version, self.model_of().versions), ("1.0.0", 1))
        self.assertEqual(self.listed(), ["1.0.0"])
        for version in ("1.0.2", "1.0.2+again"):
            answer = self.alice.ask("CreateVersion", {"model": self.model, "version": version})
            self.expect(answer, "ALREADY_EXISTS", "EXISTS")
        self.assertEqual(self.make_version().version, "1.0.3")
        self.expect(self.delete("1.0.1"), "NOT_FOUND", "UNSPECIFIED")
        event = wait_for_event(f"{self.model}@1.0.1", "version.deleted")
        self.assertEqual(event.actor, "alice")

    def test_when_all_are_gone_the_next_one_is_new(self):
        self.make_ready("1.0.0")
        self.delete("1.0.0")
        self.assertEqual(self.model_of().latest_version, "")
        self.expect(self.vera.ask("GetVersion", {"model": self.model}), "NOT_FOUND", "UNSPECIFIED")
        self.assertEqual(self.make_version().version, "1.0.1")

    def test_the_bytes_and_the_reports_stay(self):
        version = self.make_ready()
        report_id = self.validated(version)
        digest = version.artifacts[0].digest
        self.delete()
        info = self.vera.get("GetArtifactInfo", {"digest": digest})
        self.assertEqual(info.references, 0)
        kept = self.vera.get("GetReport", {"report_id": report_id}).report
        self.assertEqual(kept.artifact_digest, version.digest)
        self.assertEqual(len(self.vera.get("ListReports", {"model": self.model}).reports), 1)

    def test_a_version_that_is_needed_stays(self):
        self.validated(self.make_ready())
        self.alice.get("SetAlias", {"model": self.model, "alias": "live", "version": "1.0.0"})
        self.expect_state(self.delete(), "has an alias")
        self.alice.get("SetAlias", {"model": self.model, "alias": "live"})
        self.promoted("1.0.0", STAGING)
        self.promoted("1.0.0", PRODUCTION)
        self.expect_state(self.delete(), "protected stage")
        self.promoted("1.0.0", ARCHIVED)
        self.assertEqual(self.delete().status, "OK")
        history = self.vera.get("GetHistory", {"model": self.model}).changes
        self.assertEqual(len(history), 3)

    def test_a_request_repeated_is_answered_again(self):
        self.make_ready()
        request_id = uuid.uuid4().bytes
        for _ in range(2):
            self.assertEqual(self.delete(request_id=request_id).status, "OK")
        for who in (self.vera, self.olga):
            self.expect(self.delete(by=who), "PERMISSION_DENIED", "FORBIDDEN")


class Grants(VersionsTest):
    def setUp(self):
        super().setUp()
        self.deployer = service(Principal, "deployer")
        self.rollout = uuid.uuid4().bytes

    def open(self, version="1.0.0", environment="staging", rollout=None, by=None, **of_header):
        message = {"model": self.model, "version": version, "environment": environment,
                   "rollout_id": rollout or self.rollout}
        return (by or self.deployer).ask("OpenGrant", message, **of_header)

    def opened(self, *args, **fields):
        return self.open(*args, **fields).read(registry_pb2.OpenGrantReply).grant

    def close(self, grant, **of_header):
        return self.deployer.ask("CloseGrant", {"grant_id": grant.grant_id}, **of_header)

    def serving(self, environment, **fields):
        reply = self.vera.get("GetServingAt", {"environment": environment, "model": self.model,
                                               **fields})
        self.assertEqual(len(reply.grants), len(reply.actors))
        return reply

    def test_while_a_grant_is_open_the_version_is_deployed(self):
        version = self.make_ready()
        grant = self.opened()
        self.assertEqual((grant.digest, grant.environment, grant.rollout_id),
                         (version.digest, "staging", self.rollout))
        self.assertFalse(grant.HasField("report_id") or grant.HasField("closed_us"))
        self.assertEqual((self.shown().status, self.listed(status=DEPLOYED)),
                         (DEPLOYED, ["1.0.0"]))
        self.assertEqual(self.listed(status=READY), [])
        self.assertEqual(self.opened(), grant)
        other = self.opened(rollout=uuid.uuid4().bytes)
        self.close(grant).read(registry_pb2.CloseGrantReply)
        self.assertEqual(self.shown().status, DEPLOYED)
        self.close(other).read(registry_pb2.CloseGrantReply)
        self.close(other).read(registry_pb2.CloseGrantReply)
        self.assertEqual(self.shown().status, READY)
        event = wait_for_event(f"{self.model}@1.0.0", "grant.closed")
        self.assertEqual((event.actor, facts_of(event)["environment"]), ("deployer", "staging"))

    def test_a_grant_that_was_given_back_is_not_given_again(self):
        self.make_ready()
        grant = self.opened()
        self.close(grant)
        self.expect_state(self.open(), "gave it back")
        self.assertNotEqual(self.opened(rollout=uuid.uuid4().bytes).grant_id, grant.grant_id)

    def test_one_rollout_has_one_environment(self):
        self.make_ready()
        self.opened()
        self.expect_state(self.open(environment="edge"), "for the environment staging")

    def test_a_protected_environment_needs_evidence(self):
        version = self.make_ready()
        self.expect(self.open(environment="production"), "FAILED_PRECONDITION", "STATE",
                    "evidence")
        answer = self.open(environment="production")
        self.assertIn("for the environment production", answer.header.message)
        self.assertIn("valion validate", answer.header.message)
        self.assertEqual(self.shown().status, READY)
        report_id = self.validated(version)
        grant = self.opened(environment="production")
        self.assertEqual(grant.report_id, report_id)
        self.assertIn("PASS under the policy 'regression'", grant.evidence)
        self.assertEqual(self.shown().stage, DEVELOPMENT)  # a rollout moves no stage
        facts = facts_of(wait_for_event(f"{self.model}@1.0.0", "grant.opened"))
        self.assertEqual((facts["report"], facts["rollout"]),
                         (to_id(report_id), to_id(self.rollout)))

    def test_a_policy_for_the_environment_is_asked(self):
        version = self.make_ready()
        policy = self.admin.get("PutPolicy", {"policy": {
            "name": self.model, "model": self.model, "environment": "production",
            "checks": [{"name": "bias", "kind": "bias"}]}}).policy
        self.validated(version)
        answer = self.open(environment="production")
        self.assertIn(f"under the policy '{self.model}' version 1", answer.header.message)
        report_id = self.validated(version, policy=policy)
        self.assertEqual(self.opened(environment="production").report_id, report_id)

    def test_versions_that_may_not_serve(self):
        self.make_model()
        self.make_version("1.0.0")
        self.expect_state(self.open(), "still to come", "cannot serve")
        self.validator.get("SetSignature", {"model": self.model, "version": "1.0.0",
                                            "error": "cut"})
        self.expect_state(self.open(), "failed its inspection")
        self.make_ready("1.1.0")
        self.promoted("1.1.0", ARCHIVED)
        self.expect_state(self.open("1.1.0"), "is archived")
        self.make_ready("1.2.0")
        self.alice.get("UpdateVersion", {"model": self.model, "version": "1.2.0",
                                         "status": DEPRECATED})
        self.expect_state(self.open("1.2.0"), "is deprecated")

    def test_an_open_grant_forbids_deletion(self):
        self.make_ready()
        grant = self.opened()
        message = {"model": self.model, "version": "1.0.0"}
        self.expect_state(self.alice.ask("DeleteVersion", message), "open grant")
        self.close(grant)
        self.assertEqual(self.alice.ask("DeleteVersion", message).status, "OK")
        self.assertEqual(self.close(grant).status, "OK")

    def test_an_open_grant_outlives_the_stage(self):
        """Who displaces a version does not end what it serves: its rollout does."""
        self.make_ready()
        grant = self.opened()
        archived = self.promoted("1.0.0", ARCHIVED).version
        self.assertEqual((archived.stage, archived.status), (ARCHIVED, DEPLOYED))
        self.assertEqual(self.opened(), grant)

    def test_what_served_at_a_time(self):
        self.make_ready("1.0.0")
        self.make_ready("1.1.0")
        self.assertEqual(len(self.serving("staging").grants), 0)
        first = self.opened("1.0.0")
        second = self.opened("1.1.0")
        self.close(first)
        self.assertEqual([each.version for each in self.serving("staging").grants], ["1.1.0"])
        then = self.serving("staging", time_us=second.opened_us)
        self.assertEqual([each.version for each in then.grants], ["1.0.0", "1.1.0"])
        self.assertEqual(list(then.actors), ["deployer", "deployer"])
        self.assertGreater(then.grants[0].closed_us, second.opened_us)
        before = self.serving("staging", time_us=first.opened_us - 1)
        self.assertEqual(len(before.grants), 0)
        self.assertEqual(len(self.serving("edge").grants), 0)
        self.restart_registry()
        self.assertEqual(self.serving("staging", time_us=second.opened_us), then)
        page = common_pb2.Page(size=1)
        one = self.serving("staging", time_us=second.opened_us, page=page)
        page.token = one.next_token
        two = self.serving("staging", time_us=second.opened_us, page=page)
        self.assertEqual([one.grants[0].version, two.grants[0].version], ["1.0.0", "1.1.0"])

    def test_grants_that_cannot_be(self):
        self.make_ready()
        good = {"model": self.model, "version": "1.0.0", "environment": "staging",
                "rollout_id": self.rollout}
        for field, message in (("environment", {"environment": "../x"}),
                               ("environment", {"environment": ""}),
                               ("environment", {"environment": "x" * 65}),
                               ("rollout_id", {"rollout_id": b"short"}),
                               ("version", {"version": "latest"}), ("name", {"model": "../x"})):
            with self.subTest(field):
                self.expect_field(self.deployer.ask("OpenGrant", {**good, **message}), field)
        self.expect(self.open("9.0.0"), "NOT_FOUND", "UNSPECIFIED")
        self.expect_field(self.deployer.ask("CloseGrant", {"grant_id": b"x"}), "grant_id")
        answer = self.deployer.ask("CloseGrant", {"grant_id": uuid.uuid4().bytes})
        self.expect(answer, "NOT_FOUND", "UNSPECIFIED")
        for who in (self.alice, self.olga, people["admin"]):
            self.expect(self.open(by=who), "PERMISSION_DENIED", "FORBIDDEN")
        for field, message in (("environment", {}), ("time_us", {"environment": "staging",
                                                                 "time_us": -1}),
                               ("time_us", {"environment": "staging", "time_us": 2**62}),
                               ("page.token", {"environment": "staging",
                                               "page": common_pb2.Page(token=b"x")})):
            with self.subTest(field):
                self.expect_field(self.vera.ask("GetServingAt", message), field)

    def test_a_request_repeated_is_answered_again(self):
        self.make_ready()
        request_id = uuid.uuid4().bytes
        first = self.open(request_id=request_id)
        grant = first.read(registry_pb2.OpenGrantReply).grant
        self.close(grant)
        self.restart_registry()
        self.assertEqual(self.open(request_id=request_id).body, first.body)
        self.assertEqual(self.shown().status, READY)

    def test_many_at_once_are_counted(self):
        self.make_ready()
        callers = [connect(Principal, "deployer") for _ in range(6)]
        rollouts = [uuid.uuid4().bytes for _ in callers]
        grants = []

        def serve(caller, rollout):
            grant = self.opened(by=caller, rollout=rollout)
            again = self.opened(by=caller, rollout=rollout)
            grants.append((caller, grant, again))
        threads = [threading.Thread(target=serve, args=pair) for pair in zip(callers, rollouts)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        self.assertEqual(len(grants), len(callers))
        open_grants = "SELECT open_grants FROM registry.version WHERE model = '%s'" % self.model
        self.assertEqual(suite.number(open_grants), len(callers))
        for caller, grant, again in grants:
            self.assertEqual(grant, again)
            caller.get("CloseGrant", {"grant_id": grant.grant_id})
            caller.close()
        self.assertEqual((suite.number(open_grants), self.shown().status), (0, READY))


class Stats(VersionsTest):
    def numbers(self):
        reply = self.vera.ask("GetStats", {}, service="registry").read(common_pb2.GetStatsReply)
        return {each.key: each.value for each in reply.numbers}

    def test_the_registrys_own_numbers(self):
        before = self.numbers()
        self.make_ready("1.0.0")
        self.make_ready("1.1.0")
        self.promoted("1.1.0", STAGING)
        self.store(os.urandom(50000) + DATA + str(time.time()).encode())
        after = self.numbers()
        self.assertEqual({key: after[key] - before[key] for key in
                          ("versions_count", "stage_staging", "stage_production",
                           "stage_archived")},
                         {"versions_count": 3, "stage_staging": 1, "stage_production": 0,
                          "stage_archived": 0})
        self.assertEqual(sum(after["stage_" + each] for each in
                             ("development", "staging", "production", "archived")),
                         after["versions_count"])
        self.assertGreaterEqual(after["models_count"], before["models_count"] + 1)
        self.assertGreater(after["total_size_mb"], before["total_size_mb"] + 0.04)
        self.assertIn("calls.GetVersion", after)
