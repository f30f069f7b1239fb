"""The record of a registry, read by SQL and by sha256 alone, held against what users were told."""
import hashlib
import os
import subprocess


def precedence(version):
    return tuple(int(each) for each in version.split("."))


class Record:
    def __init__(self, suite):
        self.suite, self.folder = suite, os.path.join(suite.folder, "registry")

    def rows(self, query):
        return self.suite.sql(query)

    def number(self, query):
        return self.suite.number(query)

    # ---- contents

    def content(self, row):
        """The bytes of a blob's row, wherever they are; None if they are not there."""
        digest, place, hex_bytes = row
        if place in ("bytes", "packed"):
            data = bytes.fromhex(hex_bytes)
            return self.unpack(data) if place == "packed" else data
        path = os.path.join(self.folder, "blobs", digest[:2], digest)
        if place == "framed":
            path += ".zst"
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            data = file.read()
        return self.unpack(data) if place == "framed" else data

    @staticmethod
    def unpack(data):
        done = subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        return done.stdout if done.returncode == 0 else None

    def damaged(self):
        """How many contents there are, and digests of those whose bytes are missing or others."""
        bad, count, last = [], 0, ""
        while True:
            rows = self.rows(
                "SELECT encode(digest, 'hex'), CASE WHEN bytes IS NOT NULL THEN 'bytes'"
                " WHEN packed IS NOT NULL THEN 'packed' WHEN framed THEN 'framed' ELSE 'plain' END,"
                " encode(coalesce(bytes, packed, ''), 'hex') FROM registry.blob"
                f" WHERE digest > decode('{last}', 'hex') ORDER BY digest LIMIT 500")
            for row in rows:
                data = self.content(row)
                if data is None or hashlib.sha256(data).hexdigest() != row[0]:
                    bad.append(row[0])
            if not rows:
                return count, bad
            count, last = count + len(rows), rows[-1][0]

    def files_without_rows(self):
        known = {row[0] for row in self.rows(
            "SELECT encode(digest, 'hex') || CASE WHEN framed THEN '.zst' ELSE '' END"
            " FROM registry.blob WHERE bytes IS NULL AND packed IS NULL")}
        return [name for _, _, names in os.walk(os.path.join(self.folder, "blobs"))
                for name in names if name not in known]

    def uploads_left(self):
        """Open uploads, and files of uploads that have no row any more."""
        rows = {row[0] for row in self.rows("SELECT encode(id, 'hex') FROM registry.upload")}
        files = os.listdir(os.path.join(self.folder, "uploads"))
        return len(rows), [name for name in files if name.replace("-", "")[:32] not in rows]

    # ---- versions

    def versions(self):
        """Of each content the versions that are made of it."""
        found = {}
        for digest, model, version in self.rows(
                "SELECT encode(a.digest, 'hex'), a.model, a.version FROM registry.artifact a"
                " JOIN registry.version v USING (model, version)"):
            found.setdefault(bytes.fromhex(digest), []).append((model, version))
        return found

    def dangling(self):
        """Rows that name what is not there."""
        return sum(self.number(query) for query in (
            "SELECT count(*) FROM registry.artifact a LEFT JOIN registry.version v"
            " USING (model, version) WHERE v.version IS NULL",
            "SELECT count(*) FROM registry.version v LEFT JOIN registry.artifact a"
            " USING (model, version) WHERE a.role IS NULL",
            "SELECT count(*) FROM registry.artifact a LEFT JOIN registry.blob b USING (digest)"
            " WHERE b.digest IS NULL",
            "SELECT count(*) FROM registry.report r LEFT JOIN registry.version v"
            " USING (model, version) WHERE v.version IS NULL",
            "SELECT count(*) FROM registry.stage_change c LEFT JOIN registry.report r"
            " USING (report_id) WHERE c.report_id IS NOT NULL AND r.report_id IS NULL"))

    def wrong_models(self):
        """Models whose latest version or count is not what their versions say."""
        bad = []
        for model, latest, count, versions in self.rows(
                "SELECT m.name, coalesce(m.latest, ''), m.versions, coalesce(string_agg(v.version,"
                " ','), '') FROM registry.model m LEFT JOIN registry.version v ON v.model = m.name"
                " GROUP BY m.name, m.latest, m.versions"):
            each = [version for version in versions.split(",") if version]
            highest = max(each, key=precedence) if each else ""
            if (latest, int(count)) != (highest, len(each)):
                bad.append(model)
        return bad

    # ---- stages

    def broken_histories(self):
        """Versions whose changes of stage do not follow one another, or do not end where it is."""
        bad = []
        stages = {(model, version): stage for model, version, stage in self.rows(
            "SELECT model, version, stage FROM registry.version")}
        chains = {}
        for model, version, before, after in self.rows(
                "SELECT model, version, from_stage, to_stage FROM registry.stage_change"
                " ORDER BY seq"):
            chains.setdefault((model, version), ["1"])
            if chains[model, version][-1] != before:
                bad.append((model, version))
            chains[model, version].append(after)
        bad += [key for key, stage in stages.items() if chains.get(key, ["1"])[-1] != stage]
        return bad

    def productions(self, model):
        """Versions in the order in which they came to production, and those that hold it."""
        came = [row[0] for row in self.rows(
            f"SELECT version FROM registry.stage_change WHERE model = '{model}' AND to_stage = 3"
            " ORDER BY seq")]
        hold = [row[0] for row in self.rows(
            f"SELECT version FROM registry.version WHERE model = '{model}' AND stage = 3")]
        return came, hold

    def without_evidence(self):
        """Changes to production without a report that passed for the version's own bytes."""
        return self.number(
            "SELECT count(*) FROM registry.stage_change c LEFT JOIN registry.report r"
            " USING (report_id) LEFT JOIN registry.version v ON v.model = c.model"
            " AND v.version = c.version WHERE c.to_stage = 3 AND (r.verdict IS DISTINCT FROM 1"
            " OR r.digest IS DISTINCT FROM v.digest)")

    # ---- the log

    def events_beside(self):
        """Changes with no event, or with two: of versions, stages, uploads."""
        return {
            "version.created": self.number(
                "SELECT count(*) FROM (SELECT v.model FROM registry.version v LEFT JOIN event.log l"
                " ON l.subject = v.model || '@' || v.version AND l.type = 'version.created'"
                " GROUP BY v.model, v.version HAVING count(l.position) <> 1) AS bad"),
            "version.stage_changed": abs(self.number(
                "SELECT (SELECT count(*) FROM registry.stage_change) - (SELECT count(*)"
                " FROM event.log WHERE type = 'version.stage_changed')")),
            "artifact.stored": self.number(
                "SELECT count(*) FROM (SELECT b.digest FROM registry.blob b LEFT JOIN event.log l"
                " ON l.subject = encode(b.digest, 'hex') AND l.type = 'artifact.stored'"
                " WHERE b.bytes IS NULL AND b.packed IS NULL GROUP BY b.digest"
                " HAVING count(l.position) <> 1) AS bad")}

    def log(self):
        """Entries, gaps, and what the relay has not moved."""
        entries, gaps = self.rows(
            "SELECT count(*), coalesce(max(position), 0) - count(*) FROM event.log")[0]
        return int(entries), int(gaps), self.number("SELECT count(*) FROM event.outbox")
