-- Nobody looks for payments by their order, whose document has them; each checkout wrote it.
DROP INDEX order_payment_order;
