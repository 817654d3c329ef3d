-- An order's document is compressed twice on its way to being placed, which `lz4` does in less time
-- than `pglz`. A server that was built without it goes on as before.
DO $$
BEGIN
    ALTER TABLE customer_order ALTER COLUMN document SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN
        RAISE NOTICE 'orders are compressed with pglz: this server has no lz4';
END
$$;
