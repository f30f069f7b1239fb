-- Search: what a version or a model can be found by, and the orders of lists.

-- Lexemes: each line of `words` in lower case, and each line of `facets` as it is: "t:a tag",
-- "a:an author"; the registry makes the lines (registry_words).
CREATE FUNCTION registry.words(words text, facets text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT array_to_tsvector(string_to_array(lower(words), E'\n') || string_to_array(facets, E'\n'))
$$;

-- The same from a text: words are parted by ASCII that is no letter or digit.
CREATE FUNCTION registry.words_of(text text, facets text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT array_to_tsvector(ARRAY(
        SELECT left(word, 200)
          FROM regexp_split_to_table(lower(text), '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+') AS word
         WHERE word <> ''
         UNION
        SELECT left(facet, 400) FROM regexp_split_to_table(facets, '\n') AS facet
         WHERE length(facet) > 2))
$$;

-- The order in which versions came. Words are NULL in rows of an older release: the registry fills
-- them in by and by.
ALTER TABLE registry.version
    ADD COLUMN seq   bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN words tsvector;

CREATE UNIQUE INDEX version_created ON registry.version (seq);
CREATE INDEX version_words ON registry.version USING gin (words) WITH (gin_pending_list_limit = 512);
CREATE INDEX version_without_words ON registry.version (seq) WHERE words IS NULL;
CREATE INDEX version_staged ON registry.version (stage, seq) WHERE stage > 1;
CREATE INDEX version_odd ON registry.version (status, seq) WHERE status > 2;
CREATE INDEX version_deployed ON registry.version (seq) WHERE open_grants > 0;

-- A model's words follow its row by themselves.
ALTER TABLE registry.model
    ADD COLUMN seq   bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN words tsvector GENERATED ALWAYS AS (registry.words_of(
        name || E'\n' || description || E'\n' || tags || E'\n' || author || E'\n' || algorithm
            || E'\n' || framework,
        CASE WHEN tags = '' THEN '' ELSE 't:' || replace(tags, E'\n', E'\nt:') || E'\n' END
            || 'a:' || author || E'\nl:' || replace(algorithm, E'\n', ' ')
            || E'\nf:' || replace(framework, E'\n', ' '))) STORED;

CREATE UNIQUE INDEX model_created ON registry.model (seq);
CREATE INDEX model_words ON registry.model USING gin (words);

-- What is recorded of one version: its grants, and the data that it was trained on.
CREATE INDEX serving_grant_version ON registry.serving_grant (model, version, seq);
CREATE INDEX dataset_digest ON registry.dataset (digest);
