-- Whose an order is: the id of the session or of the customer. What one customer has bought of a SKU
-- is looked for by it, and by the e-mail address.
ALTER TABLE customer_order ADD COLUMN owner text COLLATE "C";

UPDATE customer_order
    SET owner = coalesce(document #>> '{owner,session}', document #>> '{owner,customer}');

ALTER TABLE customer_order ALTER COLUMN owner SET NOT NULL;

CREATE INDEX customer_order_owner ON customer_order (owner);
