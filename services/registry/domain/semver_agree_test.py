#!/usr/bin/env python3
"""Our versions against those of python3-semver, an implementation of its own: which texts are
versions, and which of two is higher. The same numbers each time.

    semver_agree_test.py SEMVER_ASK
"""
import random
import subprocess
import sys
import unittest

import semver

ASK = sys.argv.pop(1)
PAIRS = 100_000
TEXTS = 100_000
LONGEST = 128       # bytes of a version here
LARGEST = 2**63 - 1  # of its numbers
LETTERS = "0123456789abzABZ-"
IDENTIFIERS = ["0", "1", "2", "9", "10", "11", "alpha", "beta", "rc", "a", "A", "Z", "-", "--",
               "a-b", "0a", "1a", "-1", "x" * 20, "99999999999999999999", "100000000000000000000"]


def ask(lines):
    done = subprocess.run([ASK], input="".join(line + "\n" for line in lines), text=True,
                          capture_output=True, check=True, timeout=100)
    return done.stdout.splitlines()


def identifiers(source, count):
    return ".".join(source.choice(IDENTIFIERS) if source.random() < 0.9 else
                    "a" + "".join(source.choices(LETTERS, k=source.randint(1, 8)))
                    for _ in range(source.randint(1, count)))


def version(source):
    """Few numbers, so that many are alike up to somewhere."""
    numbers = [source.choice((0, 1, 2, 9, 10, 11, 100, LARGEST)) for _ in range(3)]
    text = ".".join(map(str, numbers if source.random() < 0.3 else [1, 0, source.choice((0, 1))]))
    if source.random() < 0.8:
        text += "-" + identifiers(source, 4)
    if source.random() < 0.2:
        text += "+" + identifiers(source, 2)
    return text


def damaged(source, text):
    """A version that somebody typed wrong, or right after all."""
    for _ in range(source.randint(0, 3)):
        at = source.randint(0, len(text))
        kind = source.randint(0, 3)
        if kind == 0:
            text = text[:at] + source.choice("0123456789.-+_ab vV~:,/é").strip() + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + 1:]
        elif kind == 2:
            text = text[:at] + text[at:].replace(".", source.choice(("..", "-", "+", ".0")), 1)
        else:
            text = text[:at]
    return text


def is_version(text):
    """What the other says, within the bounds that our contract adds. Its pattern's \\d takes digits of
    all scripts, and its end takes a line's end: neither is of the specification."""
    if not text.isascii() or len(text) > LONGEST or not semver.Version.is_valid(text):
        return False
    parsed = semver.Version.parse(text)
    return max(parsed.major, parsed.minor, parsed.patch) <= LARGEST


class Agreement(unittest.TestCase):
    def test_which_of_two_is_higher(self):
        source = random.Random(1)
        pairs = []
        while len(pairs) < PAIRS:
            pair = (version(source), version(source))
            if max(map(len, pair)) <= LONGEST:
                pairs.append(pair)
        wanted = [semver.Version.parse(a).compare(b) for a, b in pairs]
        self.assertGreater(min(wanted.count(each) for each in (-1, 0, 1)), PAIRS // 100)
        found = ask(f"{a} {b}" for a, b in pairs)
        self.assertEqual(len(found), PAIRS)
        wrong = [(pair, mine, other) for pair, mine, other in zip(pairs, found, wanted)
                 if mine != str(other)]
        self.assertEqual(wrong[:10], [])

    def test_which_texts_are_versions(self):
        source = random.Random(2)
        texts = [damaged(source, version(source)) for _ in range(TEXTS)]
        texts = [text for text in texts if " " not in text]
        wanted = [is_version(text) for text in texts]
        self.assertGreater(min(wanted.count(True), wanted.count(False)), TEXTS // 10)
        found = ask(texts)
        self.assertEqual(len(found), len(texts))
        wrong = [(text, mine) for text, mine, other in zip(texts, found, wanted)
                 if mine != str(int(other))]
        self.assertEqual(wrong[:10], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
