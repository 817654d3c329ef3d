-- Whose an order is: the id of the session or of the customer. What one customer has bought of a SKU
-- is looked for by it, and by the e-mail address.
CREATE INDEX customer_order_owner ON customer_order
    (coalesce(document ->> '$.owner.session', document ->> '$.owner.customer'));
