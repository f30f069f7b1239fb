#!/usr/bin/env python3
"""The trainer on a suite of its own: what it fits, prepares and registers, what it refuses, and that a
task whose trainer is killed registers one version.

    trainer_test.py --root CHECKOUT --bin PROGRAMS --python BUILD/python --var FOLDER [unittest …]
"""
import argparse
import csv
import http.client
import io
import json
import math
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import unittest

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path.insert(0, args.python)

from services_support import Principal, state_of, wait_until, what_logs_say  # noqa: E402
from suite_support import Suite  # noqa: E402
from valion.v1 import (common_pb2, deployer_pb2, evidence_pb2, orchestrator_pb2,  # noqa: E402
                       trainer_pb2, validator_pb2)

DONE, FAILED = orchestrator_pb2.TASK_STATE_DONE, orchestrator_pb2.TASK_STATE_FAILED
POISONED = orchestrator_pb2.TASK_STATE_POISONED
FEATURES = ("area", "quartos", "banheiros", "idade", "garagem", "distancia_centro",
            "score_vizinhanca")
suite = Suite(args.root, args.bin, args.var, 27801, trainer=1, validator=1)
people = {}


def admin():
    return people["admin"]


def submit(kind, spec):
    return admin().get("SubmitJob", {"kind": kind, "spec": spec.SerializeToString()}).job_id


def await_end(job, seconds=90):
    return wait_until(lambda: (lambda found: found if found.finished_us else None)(
        admin().get("GetJob", {"job_id": job}).job), "the job ends", seconds)


def add(name, text):
    path = os.path.join(args.var, name + ".csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = suite.cli("data", "add", name, path)
    assert done.returncode == 0, done.stderr


def spec_of(data="houses", target="preco", model="Houses", **fields):
    spec = trainer_pb2.TrainSpec(model=model, target=target, **fields)
    spec.data.name = data
    return spec


def number(pairs, key):
    return {each.key: each.value for each in pairs}[key]


def table(digest):
    """A data set that was made: its names, and its rows as text."""
    names, *rows = csv.reader(io.StringIO(artifact(digest).decode()))
    return names, rows


def artifact(digest):
    """Bytes of an artifact, by the command line."""
    path = os.path.join(args.var, "artifact")
    done = suite.cli("artifact", "get", digest.hex(), path)
    assert done.returncode == 0, done.stderr
    with open(path, "rb") as file:
        return file.read()


class Case(unittest.TestCase):
    def train(self, **fields):
        ended = await_end(submit("train", spec_of(**fields)))
        self.assertEqual(ended.state, DONE, ended.error)
        return trainer_pb2.TrainResult.FromString(ended.result)

    def refused(self, words, kind="train", spec=None, **fields):
        ended = await_end(submit(kind, spec or spec_of(**fields)))
        self.assertEqual(ended.state, FAILED, f"{state_of(ended)} {ended.error}")
        self.assertIn(words, ended.error)
        return ended

    def transform(self, **fields):
        spec = trainer_pb2.TransformSpec(**fields)
        if not spec.data.name:
            spec.data.name = "houses"
        ended = await_end(submit("transform", spec))
        self.assertEqual(ended.state, DONE, ended.error)
        return trainer_pb2.TransformResult.FromString(ended.result)


class Training(Case):
    def test_registers_a_version_that_is_ready(self):
        made = self.train(algorithms=[trainer_pb2.ALGORITHM_RANDOM_FOREST], tags=["demo"])
        version = admin().get("GetVersion", {"model": "Houses", "version": made.version}).version
        self.assertEqual(version.status, 2)  # READY
        self.assertEqual([each.name for each in version.signature.inputs], list(FEATURES))
        self.assertEqual(version.target, "preco")
        self.assertEqual(version.algorithm, "random_forest")
        self.assertEqual({each.role for each in version.artifacts},
                         {"model", "samples", "profile"})
        self.assertEqual(version.digest, made.version_digest)
        self.assertEqual({each.key: each.value for each in version.dataset_info},
                         {"dataset": "houses", "train_size": "320", "test_size": "80"})
        self.assertGreater(number(made.metrics, "r2"), 0.7)
        self.assertGreater(number(made.train_metrics, "r2"), number(made.metrics, "r2"))
        samples = evidence_pb2.Samples.FromString(artifact(
            next(each.digest for each in version.artifacts if each.role == "samples")))
        self.assertEqual((samples.rows, len(samples.predictions), len(samples.columns)), (8, 8, 7))
        profile = evidence_pb2.Profile.FromString(artifact(
            next(each.digest for each in version.artifacts if each.role == "profile")))
        self.assertEqual((profile.rows, len(profile.columns)), (400, 8))
        self.assertEqual(profile.prediction.count, 400)

    def test_same_data_and_seed_give_the_same_bytes(self):
        first = self.train(model="Same", hyperparameters=[{"key": "rounds", "value": "20"}])
        again = self.train(model="Same", hyperparameters=[{"key": "rounds", "value": "20"}])
        other = self.train(model="Same", seed=7, hyperparameters=[{"key": "rounds", "value": "20"}])
        self.assertEqual(first.artifact_digest, again.artifact_digest)
        self.assertNotEqual(first.artifact_digest, other.artifact_digest)

    def test_of_several_algorithms_keeps_the_best_on_held_out_rows(self):
        made = self.train(model="Best", algorithms=[trainer_pb2.ALGORITHM_GRADIENT_BOOSTING,
                                                    trainer_pb2.ALGORITHM_ELASTIC_NET])
        self.assertEqual(made.algorithm, "elastic_net", "the prices are a sum")
        self.assertGreater(number(made.metrics, "r2"), 0.85)
        self.assertGreater(number(made.importance, "area"), 0)

    def test_stops_early_when_it_gets_no_better(self):
        made = self.train(model="Early", early_stopping={"rounds": 5},
                          hyperparameters=[{"key": "rounds", "value": "2000"}])
        self.assertLess(made.rounds, 2000)

    def test_cross_validates_what_it_then_fits_with_all_rows(self):
        rounds = [{"key": "rounds", "value": "30"}]
        plain = self.train(model="Folds", hyperparameters=rounds)
        made = self.train(model="Folds", hyperparameters=rounds, cv_folds=5)
        self.assertEqual((len(made.cv_scores), made.cv_metric), (5, "rmse"))
        self.assertEqual(made.artifact_digest, plain.artifact_digest)
        self.assertEqual(len(set(made.cv_scores)), 5)
        mean = sum(made.cv_scores) / 5
        self.assertLess(abs(mean - number(made.metrics, "rmse")), mean, "of the same size")

    def test_searches_at_random_and_the_same_way_for_the_same_seed(self):
        search = {"trials": 6, "ranges": [
            {"name": "max_depth", "low": 1, "high": 6, "integer": True},
            {"name": "learning_rate", "low": 0.01, "high": 0.5, "logarithmic": True}]}
        rounds = [{"key": "rounds", "value": "20"}]
        made = self.train(model="Search", hyperparameters=rounds, search=search)
        found = [each.metric for each in made.trials]
        self.assertEqual((len(found), found), (6, sorted(found)))
        self.assertEqual([len(each.hyperparameters) for each in made.trials].count(0), 1,
                         "one of them is what was given")
        used = {each.key: each.value for each in made.hyperparameters}
        for pair in made.trials[0].hyperparameters:
            self.assertEqual(float(used[pair.key]), float(pair.value), pair.key)
        again = self.train(model="Search", hyperparameters=rounds, search=search)
        self.assertEqual(again.artifact_digest, made.artifact_digest)
        judged = self.train(model="Search", hyperparameters=rounds, search=search, cv_folds=3)
        self.assertEqual((len(judged.cv_scores), len(judged.trials)), (3, 6))
        self.assertAlmostEqual(judged.trials[0].metric, sum(judged.cv_scores) / 3)

    def test_searches_by_the_metric_that_is_asked_for(self):
        ranges = [{"name": "max_depth", "low": 1, "high": 6, "integer": True},
                  {"name": "learning_rate", "low": 0.01, "high": 0.5, "logarithmic": True}]
        rounds = [{"key": "rounds", "value": "20"}]
        for metric, higher, fields in (
                ("rmse", False, {}), ("mae", False, {}), ("r2", True, {}),
                ("log_loss", False, {"target": "dear"}), ("roc_auc", True, {"target": "dear"}),
                ("accuracy", True, {"target": "dear"}), ("accuracy", True, {"target": "size"})):
            if fields:
                fields.update(data="noisy", features=list("abcd"))
            with self.subTest(metric=metric, **fields):
                made = self.train(model="Metric", hyperparameters=rounds, dry_run=True,
                                  search={"trials": 5, "ranges": ranges, "metric": metric},
                                  **fields)
                found = [each.metric for each in made.trials]
                self.assertEqual(found, sorted(found, reverse=higher))
                self.assertGreater(len(set(found)), 1)
                self.assertAlmostEqual(found[0] / number(made.metrics, metric), 1, places=5)
        made = self.train(model="Metric", hyperparameters=rounds, dry_run=True, cv_folds=3,
                          search={"trials": 3, "ranges": ranges, "metric": "r2", "maximize": True})
        self.assertEqual(made.cv_metric, "r2")
        self.assertAlmostEqual(made.trials[0].metric, sum(made.cv_scores) / 3)
        self.assertGreater(made.trials[0].metric, made.trials[-1].metric)

    def test_stops_early_by_the_metric_that_is_asked_for(self):
        fields = {"model": "Metric", "data": "noisy", "target": "dear", "dry_run": True,
                  "features": list("abcd"),
                  "hyperparameters": [{"key": "rounds", "value": "400"},
                                      {"key": "max_depth", "value": "1"}]}
        found = {metric: self.train(early_stopping={"rounds": 10, "metric": metric}, **fields)
                 for metric in ("log_loss", "roc_auc", "accuracy")}
        for metric, made in found.items():
            self.assertTrue(1 < made.rounds < 400, f"{metric}: {made.rounds} rounds")
        self.assertGreaterEqual(number(found["roc_auc"].metrics, "roc_auc"),
                                number(found["accuracy"].metrics, "roc_auc"))

    def test_a_range_counts_for_the_algorithms_that_know_it(self):
        made = self.train(model="Search", search={"trials": 2, "ranges": [
            {"name": "max_depth", "low": 2, "high": 4, "integer": True}]},
            algorithms=[trainer_pb2.ALGORITHM_RANDOM_FOREST, trainer_pb2.ALGORITHM_ELASTIC_NET])
        self.assertEqual(sorted((each.algorithm, len(each.hyperparameters))
                                for each in made.trials),
                         [("elastic_net", 0), ("random_forest", 0), ("random_forest", 1)])

    def test_tells_two_classes_apart(self):
        made = self.train(data="flats", target="sold", model="Flats",
                          features=["area", "rooms"], positive_class="no")
        version = admin().get("GetVersion", {"model": "Flats", "version": made.version}).version
        self.assertEqual(list(version.signature.classes), ["yes", "no"])
        self.assertEqual(version.signature.positive_class, "no")
        self.assertGreater(number(made.metrics, "roc_auc"), 0.9)

    def test_tells_many_classes_apart(self):
        made = self.train(data="flats", target="kind", model="Kinds",
                          features=["area", "rooms"])
        version = admin().get("GetVersion", {"model": "Kinds", "version": made.version}).version
        self.assertEqual(list(version.signature.classes), ["big", "middle", "small"])
        self.assertGreater(number(made.metrics, "accuracy"), 0.9)

    def test_a_dry_run_registers_nothing(self):
        made = self.train(model="Dry", dry_run=True)
        self.assertFalse(made.version)
        self.assertEqual(admin().ask("GetModel", {"name": "Dry"}).status, "NOT_FOUND")


class Preparing(Case):
    def test_parts_rows_the_same_way_for_the_same_seed(self):
        one = self.transform(output="parts", split={"train_share": 0.75})
        two = self.transform(output="parts", split={"train_share": 0.75})
        self.assertEqual([each.name for each in one.outputs], ["parts-train", "parts-test"])
        self.assertEqual([each.digest for each in one.outputs],
                         [each.digest for each in two.outputs])
        rows = [admin().get("GetDataset", {"name": each.name}).dataset.rows
                for each in one.outputs]
        self.assertEqual(rows, [300, 100])

    def test_scales_and_fills_as_it_says(self):
        add("gaps", "x,y,z\n1,10,a\n3,,b\n,30,c\n5,40,d\n")
        spec = {"data": {"name": "gaps"}, "output": "filled", "columns": [
            {"columns": ["x"], "impute": trainer_pb2.IMPUTE_MEAN,
             "scale": trainer_pb2.SCALE_STANDARD},
            {"columns": ["y"], "impute": trainer_pb2.IMPUTE_CONSTANT, "constant": 20,
             "scale": trainer_pb2.SCALE_MIN_MAX},
            {"columns": ["z"], "drop": True}]}
        made = self.transform(**spec)
        text = artifact(made.outputs[0].digest).decode().split()
        self.assertEqual(text[0], "x,y")
        deviation = (8 / 3) ** 0.5
        wanted = [(-2 / deviation, 0), (0, 1 / 3), (0, 2 / 3), (2 / deviation, 1)]
        for line, row in zip(text[1:], wanted):
            for cell, value in zip(line.split(","), row):
                self.assertAlmostEqual(float(cell), value, places=6)

    def test_travels_with_the_version(self):
        made = self.transform(target="preco", columns=[{"scale": trainer_pb2.SCALE_STANDARD}])
        plain = self.train(model="Plain", algorithms=[trainer_pb2.ALGORITHM_ELASTIC_NET])
        scaled = self.train(model="Scaled", algorithms=[trainer_pb2.ALGORITHM_ELASTIC_NET],
                            preprocessor_digest=made.preprocessor_digest)
        self.assertGreater(number(scaled.metrics, "r2"), number(plain.metrics, "r2") - 0.05)
        version = admin().get("GetVersion", {"model": "Scaled",
                                             "version": scaled.version}).version
        self.assertEqual({each.role for each in version.artifacts},
                         {"model", "preprocessor", "samples", "profile"})
        self.assertEqual([each.name for each in version.signature.inputs], list(FEATURES))


class Parting(Case):
    def parts(self, name, **split):
        """The rows of both parts, as text."""
        made = self.transform(data={"name": name}, output=name + "-parts", split=split)
        return [table(each.digest)[1] for each in made.outputs], made

    def test_keeps_the_shares_of_a_columns_values(self):
        draw = random.Random(11)
        labels = ["often"] * 70 + ["rare"] * 20 + [""] * 9 + ["once"]
        draw.shuffle(labels)
        add("labels", "n,label\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels)))
        (train, held), made = self.parts("labels", train_share=0.7, stratify="label")
        for label, count in (("often", 49), ("rare", 14), ("", 6), ("once", 1)):
            self.assertEqual(sum(row[1] == label for row in train), count, label)
        self.assertEqual(len(held), 30)
        self.assertEqual(list(made.notes), ["column 'label': values that one row alone has, which "
                                            "is for training: 1"])
        again, _ = self.parts("labels", train_share=0.7, stratify="label")
        self.assertEqual(again, [train, held])
        other, _ = self.parts("labels", train_share=0.7, stratify="label", seed=43)
        self.assertNotEqual(other, [train, held])

    def test_holds_out_the_latest_rows(self):
        days = ["2026-03-02", "2026-01-01T10:00:00+02:00", "2026-03-01", "2026-01-01T08:00:00Z",
                "2025-12-31", "2026-03-01T00:00"]
        add("days", "n,day\n" + "".join(f"{i},{day}\n" for i, day in enumerate(days)))
        (train, held), _ = self.parts("days", train_share=0.5, time_column="day")
        self.assertEqual([[row[0] for row in part] for part in (train, held)],
                         [["1", "3", "4"], ["0", "2", "5"]])
        (train, _), _ = self.parts("days", train_share=0.65, time_column="day")
        self.assertEqual([row[0] for row in train], ["1", "3", "4"], "one time is in one part")
        add("years", "year,y\n" + "".join(f"{2000 + i % 10},{i}\n" for i in range(40)))
        (train, held), _ = self.parts("years", time_column="year")
        self.assertEqual((len(train), {row[0] for row in held}), (32, {"2008", "2009"}))

    def test_is_so_for_a_training_too(self):
        add("sales", "year,x,y\n" + "".join(
            f"{2000 + i % 10},{i % 7},{i % 7 * 3 + (i % 10 > 7)}\n" for i in range(200)))
        made = self.train(data="sales", target="y", model="Sales", features=["x"],
                          split={"time_column": "year", "train_share": 0.8})
        self.assertEqual((made.rows_trained, made.rows_held_out), (160, 40))
        self.assertAlmostEqual(number(made.metrics, "mean_residual"), 1, delta=0.05,
                               msg="the two last years are one higher, and were not learned from")
        odd = make_flats() + "50,2,yes,castle,9000\n"
        add("castles", odd)
        made = self.train(data="castles", target="sold", model="Castles", features=["area"],
                          split={"stratify": "kind"})
        self.assertEqual(list(made.notes), ["column 'kind': values that one row alone has, which is "
                                            "for training: 1"])

    def test_is_asked_for_on_the_command_line(self):
        for words, held in ((["--stratify", "year"], {str(2000 + i) for i in range(10)}),
                            (["--time", "year"], {"2008", "2009"})):
            add("years", "year,y\n" + "".join(f"{2000 + i % 10},{i}\n" for i in range(40)))
            done = suite.cli("data", "split", "years", "--name", "years-by-hand", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            made = admin().get("GetDataset", {"name": "years-by-hand-test"}).dataset
            self.assertEqual({row[0] for row in table(made.digest)[1]}, held)

    def test_refuses_what_cannot_be(self):
        add("parting", "n,flag,when,hole,same\n1,true,2026-01-01,1,7\n2,false,soon,,7\n"
                       "3,true,2026-01-02,3,7\n")
        add("measures", "x\n" + "".join(f"{i * 0.37}\n" for i in range(1025)))
        for words, split, data in (
                ("split.stratify: the data has no column 'nope'", {"stratify": "nope"}, "parting"),
                ("split.time_column: the data has no column", {"time_column": "nope"}, "parting"),
                ("no two rows have the same value", {"stratify": "n"}, "parting"),
                ("more than 1024 different values", {"stratify": "x"}, "measures"),
                ("row 2 of column 'when' holds no time", {"time_column": "when"}, "parting"),
                ("row 2 has no value in column 'hole'", {"time_column": "hole"}, "parting"),
                ("holds yes and no", {"time_column": "flag"}, "parting"),
                ("all rows have the same time", {"time_column": "same"}, "parting"),
                ("not both", {"time_column": "n", "stratify": "same"}, "parting"),
                ("is not shuffled", {"time_column": "n", "shuffle": True}, "parting"),
                ("lies between 0 and 1", {"train_share": 0}, "parting")):
            with self.subTest(words=words):
                self.refused(words, "transform", trainer_pb2.TransformSpec(
                    data={"name": data}, output="none", split=split))
        self.refused("no column 'nope'", split={"stratify": "nope"})
        self.refused("not both", split={"stratify": "area", "time_column": "area"})


ONE_HOT, ORDINAL = trainer_pb2.ENCODE_ONE_HOT, trainer_pb2.ENCODE_ORDINAL
TOWNS = [{"columns": ["place"], "encode": ONE_HOT}, {"columns": ["grade"], "encode": ORDINAL},
         {"scale": trainer_pb2.SCALE_STANDARD}]


def make_towns(rows, seed, strange=""):
    """Prices that hang on a place above all; some places are missing, and one may be a strange one."""
    draw = random.Random(seed)
    worth = {"coast": 400, "inland": 100, "island, far": 900, "": 250}
    lines = ["area,place,grade,price"]
    for row in range(rows):
        area, place = draw.uniform(20, 200), draw.choice(list(worth))
        grade = draw.choice("abc")
        price = area + worth[place] + 30 * "abc".index(grade)
        place = strange if strange and row % 10 == 0 else place
        cell = f'"{place}"' if "," in place else place
        lines.append(f"{area:.2f},{cell},{grade},{price:.2f}")
    return "\n".join(lines) + "\n"


class Encoding(Case):
    def fitted(self, rows, **column):
        """The rows of one column of text, encoded as it says: names, and whole numbers."""
        add("words", "n,word\n" + "".join(f"{i},{row}\n" for i, row in enumerate(rows)))
        made = self.transform(data={"name": "words"}, output="words-made", columns=[
            {"columns": ["word"], **column}, {"columns": ["n"], "drop": True}])
        names, found = table(made.outputs[0].digest)
        return names, [[int(cell) for cell in row] for row in found], made

    def test_one_hot_has_a_column_for_each_category_by_its_bytes(self):
        names, rows, made = self.fitted(["b", "a", "", "B", "b"], encode=ONE_HOT)
        self.assertEqual(names, ["word=", "word=B", "word=a", "word=b"])
        self.assertEqual(rows, [[0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0],
                                [0, 0, 0, 1]])
        self.assertEqual([each.name for each in made.columns], names)

    def test_ordinal_is_the_place_among_them(self):
        names, rows, _ = self.fitted(["b", "a", "", "B", "b"], encode=ORDINAL)
        self.assertEqual((names, rows), (["word"], [[3], [2], [0], [1], [3]]))

    def test_a_missing_text_is_what_fills_it(self):
        names, rows, _ = self.fitted(["b", "a", "", "b"], encode=ONE_HOT,
                                     impute=trainer_pb2.IMPUTE_MOST_FREQUENT)
        self.assertEqual((names, rows[2]), (["word=a", "word=b"], [0, 1]))
        names, rows, _ = self.fitted(["b", "a", "", "b"], encode=ORDINAL, constant_text="none",
                                     impute=trainer_pb2.IMPUTE_CONSTANT)
        self.assertEqual(rows, [[1], [0], [2], [1]])

    def test_what_is_rare_is_one_category_and_so_is_what_is_unknown(self):
        names, rows, made = self.fitted(["b", "a", "b", "c", "c", "d"], encode=ONE_HOT,
                                        max_categories=3)
        self.assertEqual(names, ["word=b", "word=c", "word=(rest)"])
        self.assertEqual(rows[1], [0, 0, 1])
        self.assertEqual(rows[1], rows[5])
        self.assertIn("2 rare texts", made.notes[0])

    def test_is_fitted_on_the_train_part_alone_and_applied_to_all(self):
        add("split", "n,word\n" + "".join(f"{i},{word}\n" for i, word in enumerate(
            ["a", "b", "a", "b", "late", "a"])))
        add("other", "n,word\n7,b\n8,odd\n9,\n")
        for encode, known, unknown in ((ONE_HOT, ["0", "1"], ["0", "0"]), (ORDINAL, ["1"], ["-1"])):
            made = self.transform(
                data={"name": "split"}, output="alone", apply_to=[{"name": "other"}],
                split={"train_share": 0.67, "shuffle": False},
                columns=[{"encode": encode}, {"columns": ["n"], "drop": True}])
            self.assertEqual([each.name for each in made.outputs],
                             ["alone-train", "alone-test", "alone-other"])
            self.assertEqual(table(made.outputs[1].digest)[1][0], unknown, "'late' was held out")
            self.assertEqual(table(made.outputs[2].digest)[1], [known, unknown, unknown])

    def test_applies_a_preprocessor_that_is_stored_and_keeps_its_names(self):
        made = self.transform(data={"name": "towns"}, target="price", columns=TOWNS,
                              output="fitted-towns")
        again = self.transform(data={"name": "towns"}, target="price", output="applied-towns",
                               preprocessor_digest=made.preprocessor_digest)
        self.assertEqual(made.outputs[0].digest, again.outputs[0].digest)
        names, rows = table(made.outputs[0].digest)
        self.assertEqual(names, ["area", "place=", "place=coast", "place=inland",
                                 "place=island, far", "grade", "price"])
        self.assertEqual({sum(map(int, row[1:5])) for row in rows}, {1})

    def test_is_asked_for_on_the_command_line(self):
        done = suite.cli("data", "prepare", "towns", "--target", "price", "--encode", "one_hot",
                         "--ordinal", "grade", "--max-categories", "2", "--impute",
                         "most_frequent", "--name", "by-hand")
        self.assertEqual(done.returncode, 0, done.stderr)
        made = admin().get("GetDataset", {"name": "by-hand"}).dataset
        names, rows = table(made.digest)
        self.assertEqual((names[0], names[-2:], len(names)), ("area", ["grade", "price"], 5))
        self.assertIn("place=(rest)", names)
        self.assertEqual({row[3] for row in rows}, {"0", "1"})
        for words in (["--encode", "nope"], ["--max-categories", "3"],
                      ["--encode", "ordinal", "--max-categories", "1"]):
            self.assertEqual(suite.cli("data", "prepare", "towns", *words).returncode, 2)

    def test_refuses_what_it_cannot_encode(self):
        add("many", "n,word\n" + "".join(f"{i},w{i}\n" for i in range(257)))
        for words, column, data in (
                ("'word' holds text: encode it", {"scale": trainer_pb2.SCALE_STANDARD}, "many"),
                ("257 different texts, and at most 256", {"encode": ONE_HOT}, "many"),
                ("max_categories is 2 to 256", {"encode": ONE_HOT, "max_categories": 1}, "many"),
                ("text cannot be scaled", {"columns": ["word"], "encode": ONE_HOT,
                                           "scale": trainer_pb2.SCALE_ROBUST}, "many"),
                ("text has no mean", {"columns": ["word"], "encode": ONE_HOT,
                                      "impute": trainer_pb2.IMPUTE_MEDIAN}, "many"),
                ("'area' holds numbers, and encode is for text",
                 {"columns": ["area"], "encode": ORDINAL}, "houses"),
                ("no column 'nope'", {"columns": ["nope"], "encode": ORDINAL}, "houses")):
            with self.subTest(words=words):
                self.refused(words, "transform", trainer_pb2.TransformSpec(
                    data={"name": data}, columns=[column]))

    def test_names_no_two_columns_the_same(self):
        add("twins", "a,a=b,t,p=c\nb,x,1,1\nb=c,x,2,2\n")
        add("twins2", "p,t\nc,1\nd,2\n")
        made = self.transform(data={"name": "twins"}, output="twins-made", target="p=c",
                              columns=[{"encode": ONE_HOT}])
        self.assertEqual(table(made.outputs[0].digest)[0],
                         ["t", "a=b", "a=b=c", "a=b=x", "p=c"])


def serve(version, folder):
    """valion-server on the version's own files: the answers to its sample rows, and what was asked."""
    os.makedirs(folder, exist_ok=True)
    instance = deployer_pb2.WantedInstance(environment="staging", model="Towns",
                                           version=version.version, smoke=True,
                                           bins=[{"edges": [-1, 0, 1]}])
    instance.signature.CopyFrom(version.signature)
    for each in version.artifacts:
        with open(os.path.join(folder, each.role), "wb") as file:
            file.write(artifact(each.digest))
        instance.artifacts.add(role=each.role, digest=each.digest)
    with open(os.path.join(folder, "instance.pb"), "wb") as file:
        file.write(instance.SerializeToString())
    path = os.path.join(folder, "socket")
    return subprocess.Popen([os.path.join(args.bin, "valion-server"), "--folder", folder,
                             "--socket", path], stderr=subprocess.DEVNULL), path


def ask_server(path, method, where, body=None):
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(path)
        connection.request(method, where, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def is_up(path):
    try:
        return ask_server(path, "GET", "/v2/health/ready")[0] == 200
    except OSError:
        return False


def tensor(column):
    """A sample column as a request has it."""
    missing = list(column.missing) or [False] * 8
    cells = column.texts if column.type == common_pb2.COLUMN_TYPE_STRING else column.numbers
    return {"name": column.name, "shape": [len(cells)],
            "datatype": "BYTES" if column.type == common_pb2.COLUMN_TYPE_STRING else "FP64",
            "data": [None if gone else cell for gone, cell in zip(missing, cells)]}


class EncodedVersions(Case):
    @classmethod
    def setUpClass(cls):
        case = cls("validate")
        cls.prepared = case.transform(data={"name": "towns"}, target="price", columns=TOWNS)
        cls.made = case.train(data="towns", target="price", model="Towns",
                              preprocessor_digest=cls.prepared.preprocessor_digest)
        cls.version = admin().get("GetVersion", {"model": "Towns",
                                                 "version": cls.made.version}).version

    def validate(self, data, **fields):
        spec = validator_pb2.ValidateSpec(model="Towns", version=self.version.version,
                                          data=[{"name": data}], **fields)
        ended = await_end(submit("validate", spec))
        self.assertEqual(ended.state, DONE, ended.error)
        result = validator_pb2.ValidateResult.FromString(ended.result)
        return admin().get("GetReport", {"report_id": result.report_id}).report

    def test_take_text_and_learn_from_it(self):
        self.assertGreater(number(self.made.metrics, "r2"), 0.97, "without the place it is below 0.1")
        self.assertEqual({each.key for each in self.made.importance},
                         {"area", "place=", "place=coast", "place=inland", "place=island, far",
                          "grade"})
        self.assertEqual(
            {each.name: (each.type, each.optional_input) for each in self.version.signature.inputs},
            {"area": (common_pb2.COLUMN_TYPE_FLOAT64, False),
             "place": (common_pb2.COLUMN_TYPE_STRING, True),
             "grade": (common_pb2.COLUMN_TYPE_STRING, False)})

    def test_are_judged_on_rows_with_text(self):
        report = self.validate("towns-test")
        self.assertEqual(report.engine, evidence_pb2.ENGINE_NATIVE)
        checks = {each.name: each for each in report.checks}
        self.assertEqual(checks["performance"].status, evidence_pb2.CHECK_STATUS_PASS,
                         report.sentence)
        self.assertGreater(number(report.metrics, "r2"), 0.97)

    def test_are_fitted_again_without_each_fold(self):
        report = self.validate("towns-test", policy="original")
        stability = next(each for each in report.checks if each.name == "stability")
        self.assertIn("each predicted by a fit of the others", stability.sentence)
        self.assertGreater(stability.statistic, 0.9)

    def test_are_inspected_where_they_come_as_files(self):
        admin().get("CreateModel", {"name": "Brought"})
        admin().get("CreateVersion", {
            "model": "Brought", "version": "1.0.0",
            "artifacts": [{"role": each.role, "digest": each.digest, "filename": each.filename}
                          for each in self.version.artifacts
                          if each.role in ("model", "preprocessor")]})
        spec = validator_pb2.InspectSpec(model="Brought", version="1.0.0", target="price",
                                         data={"name": "towns-test"})
        ended = await_end(submit("inspect", spec))
        self.assertEqual(ended.state, DONE, ended.error)
        result = validator_pb2.InspectResult.FromString(ended.result)
        self.assertEqual(
            [(each.name, each.type == common_pb2.COLUMN_TYPE_STRING)
             for each in result.signature.inputs],
            [("area", False), ("place", True), ("grade", True)])

    def test_may_have_any_text_for_a_category(self):
        odd = ['"', "a\\b", "<1", "[0]", "f0", " ", "\U0001f3e0", "tab\there", "new\nline",
               "x" * 300, "NA", "1e5"]
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\n")
        out.writerow(["n", "word", "y"])
        out.writerows((row % 7, odd[row % 12], row % 12) for row in range(240))
        add("odd", text.getvalue())
        made = self.transform(data={"name": "odd"}, target="y", output="odd-made",
                              columns=[{"encode": ONE_HOT}])
        names, rows = table(made.outputs[0].digest)
        self.assertEqual((len(names), len(rows)), (14, 240))
        self.assertEqual({sum(map(int, row[1:13])) for row in rows}, {1})
        trained = self.train(data="odd", target="y", model="Odd",
                             preprocessor_digest=made.preprocessor_digest)
        self.assertGreater(number(trained.metrics, "r2"), 0.9)
        self.assertEqual({each.key for each in trained.importance}, set(names[:-1]))

    def test_answer_what_is_unknown_as_if_it_were_nothing(self):
        report = self.validate("towns-strange")
        self.assertEqual(report.rows, 200)
        self.assertLess(number(report.metrics, "r2"), 0.97)

    def test_are_served_as_they_were_registered(self):
        process, path = serve(self.version, os.path.join(args.var, "served"))
        try:
            wait_until(lambda: process.poll() is not None or is_up(path), "the server is up")
            samples = evidence_pb2.Samples.FromString(artifact(next(
                each.digest for each in self.version.artifacts if each.role == "samples")))
            inputs = [tensor(each) for each in samples.columns]
            where = f"/v2/models/Towns/versions/{self.version.version}/infer"
            status, data = ask_server(path, "POST", where, json.dumps({"inputs": inputs}))
            self.assertEqual(status, 200, data)
            found = [struct.unpack("f", struct.pack("f", value))[0]
                     for value in json.loads(data)["outputs"][0]["data"]]
            self.assertEqual(found, list(samples.predictions))
            place = next(each for each in inputs if each["name"] == "place")
            place["data"] = ["nowhere"] * 8
            status, data = ask_server(path, "POST", where, json.dumps({"inputs": inputs}))
            self.assertEqual(status, 200, data)
            self.assertTrue(all(map(math.isfinite, json.loads(data)["outputs"][0]["data"])))
        finally:
            process.terminate()
            process.wait(30)


class Pipelines(Case):
    def test_that_ships_goes_from_text_to_a_version_that_is_judged(self):
        shipped = admin().get("GetPipeline", {"name": "default"}).pipeline
        mine = orchestrator_pb2.Pipeline(name="towns", parameters=shipped.parameters,
                                         steps=shipped.steps[:4])
        self.assertEqual([each.kind for each in mine.steps],
                         ["transform", "transform", "train", "validate"])
        mine.steps[3].min_verdict = evidence_pb2.MIN_STATUS_WARN  # many places are missing
        admin().get("ApplyPipeline", {"pipeline": mine})
        given = {"model": "TownsByRun", "dataset": "towns", "target": "price"}
        run_id = admin().get("SubmitRun", {"pipeline": "towns", "params": [
            {"key": key, "value": json.dumps(value)} for key, value in given.items()]}).run_id
        run = wait_until(lambda: (lambda found: found if found.finished_us else None)(
            admin().get("GetRun", {"run_id": run_id}).run), "the run ends", 90)
        self.assertEqual(run.state, orchestrator_pb2.RUN_STATE_COMPLETED, run)
        version = admin().get("GetVersion", {"model": "TownsByRun", "version": "1.0.0"}).version
        self.assertIn("preprocessor", {each.role for each in version.artifacts})
        self.assertEqual({each.name for each in version.signature.inputs
                          if each.type == common_pb2.COLUMN_TYPE_STRING}, {"place", "grade"})
        listed = admin().get("ListReports", {"model": "TownsByRun", "version": "1.0.0"}).reports
        report = admin().get("GetReport", {"report_id": listed[0].report_id}).report
        self.assertGreater(number(report.metrics, "r2"), 0.97)


class Refusals(Case):
    def test_name_what_is_wrong(self):
        self.refused("no data set 'nope'", data="nope")
        self.refused("no column 'nope'", target="nope")
        self.refused("which column is the target", target="")
        self.refused("needs model, data and target", spec=trainer_pb2.TrainSpec(model="x"))
        self.refused("cannot name a model", model="two words")
        self.refused("has no hyperparameter 'objective'",
                     hyperparameters=[{"key": "objective", "value": "x"}])
        self.refused("whole number", hyperparameters=[{"key": "max_depth", "value": "2.5"}])
        self.refused("cv_folds: 2 to 20", cv_folds=1)
        self.refused("cannot be parted into 20 folds", data="few", cv_folds=20)
        self.refused("search: name 1 to 32 ranges", search={"trials": 3})
        self.refused("none of the algorithms has a hyperparameter 'depth'",
                     search={"ranges": [{"name": "depth", "low": 1, "high": 2}]})
        self.refused("low below high", search={"ranges": [{"name": "gamma", "low": 2, "high": 1}]})
        ranges = [{"name": "gamma", "low": 0, "high": 1}]
        self.refused("search.metric: 'roc_auc' is no metric of this task; there are rmse, mae, r2",
                     search={"ranges": ranges, "metric": "roc_auc"})
        self.refused("rmse is better when it is lower", search={"ranges": ranges, "maximize": True})
        self.refused("early_stopping.metric: 'auc' is no metric",
                     early_stopping={"metric": "auc"})
        self.refused("between 0 and 1", split={"train_share": 1.5})
        self.refused("no classes", task=common_pb2.TASK_TYPE_MULTICLASS)
        self.refused("no column 'nope'", features=["nope"])
        self.refused("holds text", data="flats", target="price")
        self.refused("preprocessor", preprocessor_digest=b"x" * 32)

    def test_of_data_that_makes_no_sense(self):
        add("ragged", "x,y\n1,2\n3\n")
        self.refused("line 3", data="ragged", target="y")
        add("holes", "x,y\n1,2\n3,\n5,6\n")
        self.refused("1 rows have no value", data="holes", target="y")
        add("single", "x,y\n1,2\n")
        self.refused("one row cannot be parted", data="single", target="y")
        add("same", "x,y\n1,a\n2,a\n3,a\n")
        self.refused("single value", data="same", target="y")

    def test_of_bytes_that_are_no_spec(self):
        for bytes_ in (b"\xff" * 40, b"\x0a\xff\xff\xff\x0f", b""):
            job = admin().get("SubmitJob", {"kind": "train", "spec": bytes_}).job_id
            self.assertEqual(await_end(job).state, FAILED)

    def test_a_fit_that_takes_too_long_is_ended_and_given_up(self):
        ended = await_end(submit("train", spec_of(max_duration_ms=1)))
        self.assertEqual(ended.state, POISONED)
        self.assertIn("took longer", ended.error)


def kill_trainer():
    pid = suite.find_pid("trainer0")
    if pid <= 1:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False  # it is just ending from the kill before
    return True


class Killed(Case):
    def test_registers_one_version_whatever_dies(self):
        jobs = [submit("train", spec_of(model="Killed", hyperparameters=[
            {"key": "rounds", "value": "400"}])) for _ in range(3)]
        for _ in range(2):
            wait_until(lambda: any(admin().get("GetJob", {"job_id": job}).job.state ==
                                   orchestrator_pb2.TASK_STATE_RUNNING for job in jobs), "one runs")
            wait_until(kill_trainer, "the trainer runs, and is killed")
        ended = [await_end(job, 120) for job in jobs]
        self.assertEqual([each.state for each in ended], [DONE] * 3,
                         [each.error for each in ended])
        versions = admin().get("ListVersions", {"model": "Killed"}).versions
        self.assertEqual(len(versions), 3)
        self.assertEqual({each.lineage.task_id for each in versions}, set(jobs))


def make_noisy():
    """Four columns of which each says a little about two classes, and about three."""
    draw = random.Random(9)
    lines = ["a,b,c,d,dear,size"]
    for _ in range(400):
        cells = [draw.gauss(0, 1) for _ in range(4)]
        total = sum(cells) + draw.gauss(0, 1)
        size = "small" if total < -1 else "middle" if total < 1 else "big"
        dear = "yes" if total > 0 else "no"
        lines.append(",".join(f"{cell:.3f}" for cell in cells) + f",{dear},{size}")
    return "\n".join(lines) + "\n"


def make_flats():
    draw = random.Random(3)
    lines = ["area,rooms,sold,kind,price"]
    for _ in range(300):
        area, rooms = draw.uniform(20, 200), draw.randint(1, 6)
        kind = "small" if area < 60 else "middle" if area < 120 else "big"
        lines.append(f"{area:.1f},{rooms},{'yes' if area > 100 else 'no'},{kind},{area * 3000:.0f}")
    return "\n".join(lines) + "\n"


def main():
    suite.remove()
    suite.up()
    try:
        people["admin"] = Principal(suite, "admin")
        houses = subprocess.run([os.path.join(args.root, "scripts", "houses"), "--rows", "400"],
                                check=True, stdout=subprocess.PIPE, text=True).stdout
        add("houses", houses)
        add("flats", make_flats())
        add("noisy", make_noisy())
        add("towns", make_towns(400, 5))
        add("towns-test", make_towns(200, 6))
        add("towns-strange", make_towns(200, 6, "moon"))
        add("few", "a,preco\n" + "".join(f"{i},{i * i}\n" for i in range(12)))
        result = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2).result
        people["admin"].close()
    finally:
        suite.down()
        bad = what_logs_say(suite.folder, ("Sanitizer", "runtime error", "valion: a bug"))
    for line in bad[:20]:
        print(f"in a log: {line}")
    good = result.wasSuccessful() and result.testsRun > 0 and not bad
    if good:
        suite.remove()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
