-- Stock and orders. What a row may be is decided by the business, in one place for every
-- database; the constraints stand behind that. Times are milliseconds since 1970, amounts are
-- minor units. `migrations/postgres/0002_commerce.sql` has the same tables.

-- How many units of a SKU lie where, and how many of them are promised.
CREATE TABLE stock_level (
    sku       text    NOT NULL,
    location  text    NOT NULL,
    on_hand   integer NOT NULL CHECK (on_hand >= 0),
    reserved  integer NOT NULL CHECK (reserved >= 0),
    allocated integer NOT NULL CHECK (allocated >= 0),
    allowance integer NOT NULL CHECK (allowance >= 0),
    PRIMARY KEY (sku, location),
    CONSTRAINT stock_level_oversold CHECK (reserved + allocated <= on_hand + allowance)
) STRICT, WITHOUT ROWID;

-- Units that an order holds: a reservation until it expires, then nobody's; or an allocation.
CREATE TABLE stock_claim (
    order_id   blob    NOT NULL CHECK (length(order_id) = 16),
    sku        text    NOT NULL,
    location   text    NOT NULL,
    quantity   integer NOT NULL CHECK (quantity > 0),
    expires_at integer,              -- none once it is an allocation
    PRIMARY KEY (order_id, sku, location)
) STRICT, WITHOUT ROWID;

CREATE INDEX stock_claim_expiring ON stock_claim (expires_at) WHERE expires_at IS NOT NULL;

-- The ledger: how units came and went. Its lines are never altered.
CREATE TABLE stock_movement (
    id       blob    PRIMARY KEY CHECK (length(id) = 16),
    sku      text    NOT NULL,
    location text    NOT NULL,
    quantity integer NOT NULL CHECK (quantity <> 0),
    level    integer NOT NULL CHECK (level >= 0),
    reason   text    NOT NULL,
    actor    text    NOT NULL,
    order_id blob    CHECK (length(order_id) = 16),
    at       integer NOT NULL
) STRICT;

CREATE INDEX stock_movement_newest ON stock_movement (sku, at, id);

-- Orders: a document each, and beside it what guards it and what finds it.
CREATE TABLE customer_order (
    id         blob    PRIMARY KEY CHECK (length(id) = 16),
    version    integer NOT NULL CHECK (version > 0),
    cart       blob    NOT NULL UNIQUE CHECK (length(cart) = 16),
    number     text    UNIQUE,
    status     text    NOT NULL
        CHECK (status IN ('draft', 'abandoned', 'placed', 'cancelled', 'completed')),
    payment    text    NOT NULL,
    fulfilment text    NOT NULL,
    email      text    NOT NULL,   -- in small letters, as the name
    last_name  text    NOT NULL,
    created_at integer NOT NULL,
    placed_at  integer,
    changed_at integer NOT NULL,
    settled    integer NOT NULL,
    format     integer NOT NULL,
    document   text    NOT NULL,
    CONSTRAINT customer_order_numbered CHECK ((number IS NULL) = (placed_at IS NULL)),
    CONSTRAINT customer_order_placed
        CHECK ((status IN ('draft', 'abandoned')) = (placed_at IS NULL))
) STRICT;

-- Lists go from the newest back. The columns behind are looked at in the index.
CREATE INDEX customer_order_newest ON customer_order (created_at, id);
CREATE INDEX customer_order_status
    ON customer_order (status, created_at, id, payment, fulfilment);
CREATE INDEX customer_order_payment
    ON customer_order (payment, created_at, id, status, fulfilment);
CREATE INDEX customer_order_fulfilment
    ON customer_order (fulfilment, created_at, id, status, payment);
CREATE INDEX customer_order_email ON customer_order (email);
CREATE INDEX customer_order_last_name ON customer_order (last_name);
CREATE INDEX customer_order_placed ON customer_order (placed_at) WHERE placed_at IS NOT NULL;
CREATE INDEX customer_order_unsettled ON customer_order (changed_at, id) WHERE NOT settled;

-- What each payment of an order came to.
CREATE TABLE order_payment (
    id         blob    PRIMARY KEY CHECK (length(id) = 16),
    order_id   blob    NOT NULL REFERENCES customer_order (id),
    authorized integer NOT NULL CHECK (authorized >= 0),
    captured   integer NOT NULL CHECK (captured >= 0),
    refunded   integer NOT NULL CHECK (refunded >= 0),
    CONSTRAINT order_payment_captured CHECK (captured <= authorized),
    CONSTRAINT order_payment_refunded CHECK (refunded <= captured)
) STRICT;

CREATE INDEX order_payment_order ON order_payment (order_id);

-- Where the numbers of orders come from.
CREATE TABLE order_number (
    one  integer PRIMARY KEY CHECK (one = 1),
    next integer NOT NULL
) STRICT;

INSERT INTO order_number (one, next) VALUES (1, 0);
