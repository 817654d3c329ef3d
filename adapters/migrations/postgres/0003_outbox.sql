-- What others are told of, written by the transactions that made it. Times are milliseconds since
-- 1970 on the database's own clock, but for `event.at`. `migrations/sqlite/0002_outbox.sql` has
-- the same tables.

-- Who is told. Events are written for those that are here at that moment.
CREATE TABLE event_consumer (
    name    text   COLLATE "C" PRIMARY KEY,
    seen_at bigint NOT NULL          -- when a process last said that it handles for it
);

-- An aggregate's events in the order of their positions. One is gone when every consumer has had
-- it. A position is drawn while the aggregate's row is locked: whoever sees an event could see
-- all that are before it.
CREATE TABLE event (
    aggregate text   COLLATE "C" NOT NULL,
    position  bigint NOT NULL CHECK (position >= 0),
    kind      text   COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    data      text   NOT NULL,       -- JSON
    PRIMARY KEY (aggregate, position)
);

-- What a consumer has not had of an aggregate: from `position` to `last`. There is no lane where
-- it has had all.
CREATE TABLE event_lane (
    consumer  text    COLLATE "C" NOT NULL,
    aggregate text    COLLATE "C" NOT NULL,
    position  bigint  NOT NULL,
    last      bigint  NOT NULL,
    due_at    bigint,                -- whose turn it is, or whose lease is over; none for the dead
    attempts  integer NOT NULL DEFAULT 0,
    token     bytea   CHECK (octet_length(token) = 16),     -- of whoever holds it
    error     text,
    dead_id   bytea   UNIQUE CHECK (octet_length(dead_id) = 16),
    dead_at   bigint,
    PRIMARY KEY (consumer, aggregate),
    CONSTRAINT event_lane_dead CHECK (
        (dead_id IS NULL) = (dead_at IS NULL) AND (dead_id IS NULL) = (due_at IS NOT NULL))
) WITH (fillfactor = 80);

CREATE INDEX event_lane_due ON event_lane (consumer, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX event_lane_aggregate ON event_lane (aggregate);
CREATE INDEX event_lane_dead_newest ON event_lane (dead_at, dead_id) WHERE dead_at IS NOT NULL;

-- How often there was something to tell of a SKU.
CREATE TABLE stock_news (
    sku     text   COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0)
);
