-- What Barrow keeps in Postgres where `stores.entities`, `stores.products` or `cluster.control`
-- says so.

-- The rows of entities, each with its keys, effects and timers in its blob. `shard` and `due` are
-- beside it, so that the owners of shards find who wants to be woken without reading a blob.
CREATE TABLE entity (
    key      bytea    PRIMARY KEY CHECK (octet_length(key) = 17),
    shard    smallint NOT NULL,
    version  bigint   NOT NULL CHECK (version > 0),
    write_id bytea    NOT NULL CHECK (octet_length(write_id) = 16),
    due      bigint,              -- milliseconds since 1970
    blob     bytea    NOT NULL
) WITH (fillfactor = 80);         -- room beside a row for its next version: no index changes

-- A node asks for all its shards at once: by due first, what is not due is not looked at.
CREATE INDEX entity_due ON entity (due, shard) WHERE due IS NOT NULL;

-- The catalog: a document each, and the names that lead to it.
CREATE TABLE product (
    id       bytea    PRIMARY KEY CHECK (octet_length(id) = 16),
    version  bigint   NOT NULL CHECK (version > 0),
    format   smallint NOT NULL,
    document json     NOT NULL
);

CREATE TABLE product_name (
    name    bytea PRIMARY KEY,    -- its kind in one letter, then the text
    product bytea NOT NULL REFERENCES product (id)
);

CREATE INDEX product_name_product ON product_name (product);

CREATE TABLE collection (
    id       bytea    PRIMARY KEY CHECK (octet_length(id) = 16),
    format   smallint NOT NULL,
    document json     NOT NULL
);

CREATE TABLE review (
    id         bytea    PRIMARY KEY CHECK (octet_length(id) = 16),
    product    bytea    NOT NULL,
    published  boolean  NOT NULL,
    created_at bigint   NOT NULL, -- milliseconds since 1970
    format     smallint NOT NULL,
    document   json     NOT NULL
);

CREATE INDEX review_newest ON review (product, created_at DESC, id) WHERE published;

-- Units on hand by SKU.
CREATE TABLE stock (
    sku     text   COLLATE "C" PRIMARY KEY,
    on_hand bigint NOT NULL CHECK (on_hand >= 0)
);

-- What nodes agree in: who serves.
CREATE TABLE control (
    key     text   COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0),
    value   bytea  NOT NULL
);
