-- Whose an order is: the id of the session or of the customer. What one customer has bought of a SKU
-- is looked for by it, and by the e-mail address.
ALTER TABLE customer_order ADD COLUMN owner TEXT NOT NULL DEFAULT '';

UPDATE customer_order
    SET owner = coalesce(document ->> '$.owner.session', document ->> '$.owner.customer');

CREATE INDEX customer_order_owner ON customer_order (owner);
