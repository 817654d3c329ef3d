//! Which calls of the house there are, and what scope each needs. Order commands come in several
//! functions only to keep each short.

use barrow_engine::access::Scope;
use http::Method;

use super::{
    AdminRoute, bulk, carts, commands, dead_letters, edits, export, orders, papers, return_steps,
    returns, stock,
};
use crate::openapi::{admin as about, admin_commands as commands_about, admin_papers};
use crate::wire::order_commands::{CancelByStaff, Fulfil, Note};

/// Every call of the house.
pub fn table() -> Vec<AdminRoute> {
    [
        of_stock(),
        of_orders(),
        of_papers(),
        of_commands(),
        of_edits_and_returns(),
        of_carts(),
        of_deliveries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_stock() -> Vec<AdminRoute> {
    vec![
        AdminRoute::post(
            "/admin/v1/stock/movements",
            Scope::StockWrite,
            about::book_movement,
            stock::book,
        ),
        AdminRoute::get(
            "/admin/v1/stock/movements",
            Scope::StockRead,
            about::list_movements,
            stock::movements,
        ),
        AdminRoute::get(
            "/admin/v1/stock/levels",
            Scope::StockRead,
            about::list_levels,
            stock::levels,
        ),
    ]
}

fn of_orders() -> Vec<AdminRoute> {
    vec![
        AdminRoute::get("/admin/v1/orders", Scope::OrdersRead, about::list_orders, orders::list),
        AdminRoute::get("/admin/v1/orders/{id}", Scope::OrdersRead, about::get_order, orders::read),
    ]
}

fn of_papers() -> Vec<AdminRoute> {
    vec![
        AdminRoute::get(
            "/admin/v1/orders/export",
            Scope::OrdersRead,
            admin_papers::export,
            export::export,
        ),
        AdminRoute::get(
            "/admin/v1/orders/{id}/invoice.pdf",
            Scope::OrdersRead,
            admin_papers::invoice,
            papers::invoice,
        ),
        AdminRoute::get(
            "/admin/v1/orders/{id}/packing_slip.pdf",
            Scope::OrdersRead,
            admin_papers::packing_slip,
            papers::packing_slip,
        ),
    ]
}

fn of_commands() -> Vec<AdminRoute> {
    vec![
        AdminRoute::post(
            "/admin/v1/orders/bulk",
            Scope::OrdersWrite,
            commands_about::bulk,
            bulk::orders,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/captures",
            Scope::PaymentsWrite,
            commands_about::capture,
            commands::capture,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/refunds",
            Scope::PaymentsWrite,
            commands_about::refund,
            commands::refund,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/fulfilments",
            Scope::OrdersWrite,
            commands_about::fulfil,
            commands::as_sent::<Fulfil>,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/fulfilments/{fulfilment_id}/deliver",
            Scope::OrdersWrite,
            commands_about::deliver,
            commands::deliver,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/fulfilments/{fulfilment_id}/cancel",
            Scope::OrdersWrite,
            commands_about::take_back,
            commands::take_back,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/cancel",
            Scope::OrdersWrite,
            commands_about::cancel,
            commands::as_sent::<CancelByStaff>,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/notes",
            Scope::OrdersWrite,
            commands_about::note,
            commands::as_sent::<Note>,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/hold",
            Scope::OrdersWrite,
            commands_about::hold,
            commands::hold,
        ),
        AdminRoute::new(
            Method::DELETE,
            "/admin/v1/orders/{id}/hold",
            Scope::OrdersWrite,
            commands_about::release,
            commands::release,
        ),
    ]
}

fn of_edits_and_returns() -> Vec<AdminRoute> {
    vec![
        AdminRoute::post(
            "/admin/v1/orders/{id}/edits",
            Scope::OrdersWrite,
            commands_about::propose_edit,
            edits::propose,
        ),
        AdminRoute::post(
            "/admin/v1/orders/{id}/edits/{edit_id}/commit",
            Scope::OrdersWrite,
            commands_about::commit_edit,
            edits::commit,
        ),
        AdminRoute::post(
            "/admin/v1/returns/{id}/approve",
            Scope::OrdersWrite,
            commands_about::approve_return,
            return_steps::approve,
        ),
        AdminRoute::post(
            "/admin/v1/returns/{id}/reject",
            Scope::OrdersWrite,
            commands_about::reject_return,
            return_steps::reject,
        ),
        AdminRoute::post(
            "/admin/v1/returns/{id}/receive",
            Scope::OrdersWrite,
            commands_about::receive_return,
            return_steps::receive,
        ),
        AdminRoute::post(
            "/admin/v1/returns/{id}/exchange",
            Scope::OrdersWrite,
            commands_about::exchange,
            return_steps::exchange,
        ),
        AdminRoute::get("/admin/v1/returns", Scope::OrdersRead, about::list_returns, returns::list),
    ]
}

fn of_carts() -> Vec<AdminRoute> {
    vec![AdminRoute::get("/admin/v1/carts/{id}", Scope::OrdersRead, about::get_cart, carts::read)]
}

fn of_deliveries() -> Vec<AdminRoute> {
    vec![
        AdminRoute::get(
            "/admin/v1/dead_letters",
            Scope::OpsRead,
            admin_papers::list_dead_letters,
            dead_letters::list,
        ),
        AdminRoute::post(
            "/admin/v1/dead_letters/{id}/replay",
            Scope::OpsWrite,
            admin_papers::replay_dead_letter,
            dead_letters::replay,
        ),
        AdminRoute::new(
            Method::DELETE,
            "/admin/v1/dead_letters/{id}",
            Scope::OpsWrite,
            admin_papers::discard_dead_letter,
            dead_letters::discard,
        ),
    ]
}
