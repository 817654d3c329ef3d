//! Scopes: what a caller of the house may see and do. This is the one list of them.

use std::fmt;
use std::str::FromStr;

/// Declares the scopes: those of an area that can be written, then the single ones.
macro_rules! scopes {
    (
        areas { $($read:ident = $read_text:literal, $write:ident = $write_text:literal;)* }
        single { $($name:ident = $text:literal;)* }
    ) => {
        /// What one may be allowed. The text form is public and never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Scope {
            $($read, $write,)*
            $($name,)*
        }

        impl Scope {
            /// All of them, in the order in which they are shown.
            pub const ALL: &[Scope] = &[$(Scope::$read, Scope::$write,)* $(Scope::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Scope::$read => $read_text, Scope::$write => $write_text,)*
                    $(Scope::$name => $text,)*
                }
            }

            /// The scope that includes this one, beside `*`: who may write may read.
            pub fn included_in(self) -> Option<Scope> {
                match self {
                    $(Scope::$read => Some(Scope::$write),)*
                    _ => None,
                }
            }
        }
    };
}

scopes! {
    areas {
        CatalogRead = "catalog:read", CatalogWrite = "catalog:write";
        StockRead = "stock:read", StockWrite = "stock:write";
        OrdersRead = "orders:read", OrdersWrite = "orders:write";
        PaymentsRead = "payments:read", PaymentsWrite = "payments:write";
        CustomersRead = "customers:read", CustomersWrite = "customers:write";
        PromotionsRead = "promotions:read", PromotionsWrite = "promotions:write";
        ReviewsRead = "reviews:read", ReviewsWrite = "reviews:write";
        ImportsRead = "imports:read", ImportsWrite = "imports:write";
        WebhooksRead = "webhooks:read", WebhooksWrite = "webhooks:write";
        StaffRead = "staff:read", StaffWrite = "staff:write";
        OpsRead = "ops:read", OpsWrite = "ops:write";
    }
    single {
        AuditRead = "audit:read";
        Everything = "*";
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no scope; there are {list}", list = names())]
pub struct UnknownScope(pub String);

fn names() -> String {
    let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    names.join(", ")
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Scope, UnknownScope> {
        let found = Scope::ALL.iter().find(|scope| scope.as_str() == text);
        found.copied().ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// Several scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeSet(u32);

impl ScopeSet {
    fn bit(scope: Scope) -> u32 {
        1 << scope as u8
    }

    fn contains(self, scope: Scope) -> bool {
        self.0 & ScopeSet::bit(scope) != 0
    }

    /// Whether who has these may do what needs that.
    pub fn allows(self, needed: Scope) -> bool {
        self.contains(needed)
            || self.contains(Scope::Everything)
            || needed.included_in().is_some_and(|wider| self.contains(wider))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that were given, and not what follows from them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }

    /// The stored form read again. A scope that only a later build knows allows nothing here.
    pub fn of_stored(text: &str) -> ScopeSet {
        text.split(' ').filter_map(|name| name.parse().ok()).collect()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> ScopeSet {
        ScopeSet(scopes.into_iter().fold(0, |bits, scope| bits | ScopeSet::bit(scope)))
    }
}

/// Their names with a space between: the stored form.
impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            let space = if place > 0 { " " } else { "" };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scopes_are_those_of_the_contract() {
        let areas = [
            "catalog",
            "stock",
            "orders",
            "payments",
            "customers",
            "promotions",
            "reviews",
            "imports",
            "webhooks",
            "staff",
            "ops",
        ];
        let mut expected: Vec<String> = areas
            .iter()
            .flat_map(|area| [format!("{area}:read"), format!("{area}:write")])
            .collect();
        expected.extend(["audit:read".to_owned(), "*".to_owned()]);
        let found: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        assert_eq!(found, expected);
        assert!(Scope::ALL.len() <= 32, "a set has a bit for each");
    }

    #[test]
    fn who_may_write_may_read_and_nothing_else_follows() {
        let check = |given: &[Scope], needed: Scope, allowed: bool| {
            let set: ScopeSet = given.iter().copied().collect();
            assert_eq!(set.allows(needed), allowed, "{set:?} {needed}");
        };
        check(&[Scope::OrdersWrite], Scope::OrdersRead, true);
        check(&[Scope::OrdersRead], Scope::OrdersWrite, false);
        check(&[Scope::OrdersWrite], Scope::StockRead, false);
        check(&[], Scope::OrdersRead, false);
        for needed in Scope::ALL {
            check(&[Scope::Everything], *needed, true);
            for given in Scope::ALL.iter().filter(|it| **it != Scope::Everything) {
                let same_area = || {
                    let area = |it: Scope| it.as_str().split(':').next();
                    area(*given) == area(*needed) && given.as_str().ends_with(":write")
                };
                check(&[*given], *needed, given == needed || same_area());
            }
        }
    }

    #[test]
    fn a_scope_is_named_exactly() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(*scope));
        }
        for text in ["", "orders", "Orders:read", "orders:read ", "audit:write", "**"] {
            let error = text.parse::<Scope>().unwrap_err();
            assert_eq!(error, UnknownScope(text.to_owned()));
            assert!(error.to_string().contains("catalog:read, catalog:write, stock:read"));
        }
    }

    #[test]
    fn a_set_reads_back_and_knows_no_later_scopes() {
        let set: ScopeSet = [Scope::StockWrite, Scope::OrdersRead].into_iter().collect();
        assert_eq!(set.to_string(), "stock:write orders:read");
        assert_eq!(ScopeSet::of_stored(&set.to_string()), set);
        assert_eq!(ScopeSet::of_stored("stock:write planets:move orders:read"), set);
        assert!(ScopeSet::of_stored("").is_empty());
    }
}
