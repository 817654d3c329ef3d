-- Stock was one number per SKU before it had a ledger. Each becomes a level at the default
-- location, with the one movement that brought it there.

WITH carried AS (
    INSERT INTO stock_level (sku, location, on_hand, reserved, allocated, allowance)
    SELECT sku, 'default', least(on_hand, 4294967295), 0, 0, 0 FROM stock
    ON CONFLICT DO NOTHING
    RETURNING sku, on_hand
)
INSERT INTO stock_movement (id, sku, location, quantity, level, reason, actor, order_id, at)
SELECT decode(md5('former stock/' || sku), 'hex'), sku, 'default', on_hand, on_hand,
    'carried over', 'system', NULL, (extract(epoch FROM now()) * 1000)::bigint
FROM carried WHERE on_hand > 0;

DROP TABLE stock;
