//! Who sells, as it has to stand on an invoice.

use barrow_documents::Seller;

use super::section::section;
use super::sections::Config;

section! {
    /// Who sells, as it has to stand on an invoice.
    pub struct Legal {
        /// The seller's full name. Empty: the shop's.
        pub name: String = String::new(),
        /// The lines of the address.
        pub address: Vec<String> = Vec::new(),
        /// The number that tax is paid under.
        pub tax_number: Option<String> = None,
        /// What stands at the foot of each page: bank account, register, terms.
        pub footer: Option<String> = None,
    }
}

impl Config {
    /// What the papers of an order say of the shop.
    pub fn seller(&self) -> Seller {
        let Legal { name, address, tax_number, footer } = self.legal.clone();
        let name = if name.trim().is_empty() { self.shop.name.clone() } else { name };
        Seller { name, address, tax_number, footer }
    }
}
