-- The keys of programs of the house, and the returns of orders as they are looked for. Times are
-- milliseconds since 1970. `migrations/postgres/0004_access.sql` has the same tables.

-- Keys that let programs in. Of a secret only a hash is kept: 256 bits of randomness need no
-- more.
CREATE TABLE api_key (
    id           blob    PRIMARY KEY CHECK (length(id) = 16),
    hash         blob    NOT NULL UNIQUE CHECK (length(hash) = 32),
    name         text    NOT NULL,
    scopes       text    NOT NULL,   -- their names, with a space between
    created_at   integer NOT NULL,
    expires_at   integer,
    last_used_at integer,
    revoked_at   integer
) STRICT;

CREATE INDEX api_key_unrevoked ON api_key (id) WHERE revoked_at IS NULL;
CREATE INDEX api_key_newest ON api_key (created_at, id);

-- The returns of orders: what each is lies in the order's document. No build that served orders
-- wrote any without this table.
CREATE TABLE order_return (
    id         blob    PRIMARY KEY CHECK (length(id) = 16),
    order_id   blob    NOT NULL REFERENCES customer_order (id),
    status     text    NOT NULL,
    created_at integer NOT NULL
) STRICT;

CREATE INDEX order_return_newest ON order_return (created_at, id);
CREATE INDEX order_return_status ON order_return (status, created_at, id);
CREATE INDEX order_return_order ON order_return (order_id);
