//! What lies at the server: sessions, payment intents, charges and refunds, and what may become of
//! them.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub type Fields = BTreeMap<String, String>;

/// Pairs of a form or a query.
pub fn fields(text: &str) -> Fields {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().unwrap().into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

pub struct Refusal {
    pub status: u16,
    kind: &'static str,
    code: &'static str,
    param: Option<&'static str>,
}

impl Refusal {
    pub fn new(kind: &'static str, code: &'static str) -> Refusal {
        Refusal { status: 400, kind, code, param: None }
    }

    pub fn body(&self) -> Value {
        let mut body: Value = serde_json::from_str(include_str!("fixtures/error.json")).unwrap();
        body["error"]["type"] = json!(self.kind);
        body["error"]["param"] = json!(self.param);
        if !self.code.is_empty() {
            body["error"]["code"] = json!(self.code);
        }
        body
    }
}

fn refused<T>(code: &'static str) -> Result<T, Refusal> {
    Err(Refusal::new("invalid_request_error", code))
}

#[derive(Default)]
pub struct Objects {
    pub sessions: BTreeMap<String, Value>,
    pub intents: BTreeMap<String, Value>,
    pub refunds: BTreeMap<String, Value>,
    charges: BTreeMap<String, Value>,
    /// Seconds since 1970.
    pub now: i64,
    pub has_multicapture: bool,
    /// What a refund is at first.
    pub slow_refunds: bool,
    /// What search does not find yet.
    pub is_search_behind: bool,
    made: u32,
}

impl Objects {
    fn fixture(&mut self, prefix: &str, text: &str) -> (String, Value) {
        self.made += 1;
        let id = format!("{prefix}{:04}", self.made);
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["id"] = json!(id);
        value["created"] = json!(self.now);
        (id, value)
    }

    pub fn get(&self, path: &str, query: &Fields) -> Result<Value, Refusal> {
        let parts: Vec<&str> = path.split('/').skip(2).collect();
        let has = |name: &str| query.get("expand[0]").is_some_and(|asked| asked == name);
        match parts[..] {
            ["checkout", "sessions", id] => {
                let mut session = found(&self.sessions, id)?;
                if let (true, Some(intent)) =
                    (has("payment_intent"), session["payment_intent"].as_str())
                {
                    session["payment_intent"] = self.intents[intent].clone();
                }
                Ok(session)
            }
            ["payment_intents", "search"] => Ok(self.search(&query["query"])),
            ["payment_intents", id] => {
                let mut intent = found(&self.intents, id)?;
                if let (true, Some(charge)) =
                    (has("latest_charge"), intent["latest_charge"].as_str())
                {
                    intent["latest_charge"] = self.charges[charge].clone();
                }
                Ok(intent)
            }
            ["refunds", id] => found(&self.refunds, id),
            ["refunds"] => Ok(self.refunds_of(query)),
            _ => refused("url_invalid"),
        }
    }

    fn search(&self, query: &str) -> Value {
        let asked = |intent: &&Value| {
            let key = intent["metadata"]["barrow_operation"].as_str().unwrap_or_default();
            query == format!("metadata['barrow_operation']:'{key}'")
        };
        let found: Vec<&Value> = match self.is_search_behind {
            true => Vec::new(),
            false => self.intents.values().filter(asked).collect(),
        };
        json!({"object": "search_result", "data": found, "has_more": false, "next_page": null,
            "url": "/v1/payment_intents/search"})
    }

    /// The newest first, two at most, however many were asked for.
    fn refunds_of(&self, query: &Fields) -> Value {
        let intent = query["payment_intent"].as_str();
        let mut of: Vec<&Value> =
            self.refunds.values().filter(|refund| refund["payment_intent"] == intent).collect();
        of.reverse();
        let after = query.get("starting_after");
        let start = after
            .map_or(0, |id| 1 + of.iter().position(|refund| refund["id"] == id.as_str()).unwrap());
        let page: Vec<&Value> = of.iter().skip(start).take(2).copied().collect();
        let has_more = start + page.len() < of.len();
        json!({"object": "list", "data": page, "has_more": has_more, "url": "/v1/refunds"})
    }

    pub fn post(&mut self, path: &str, form: &Fields) -> Result<Value, Refusal> {
        let parts: Vec<&str> = path.split('/').skip(2).collect();
        match parts[..] {
            ["checkout", "sessions"] => self.open(form),
            ["checkout", "sessions", id, "expire"] => self.expire(id),
            ["payment_intents", id, "capture"] => self.capture(id, form),
            ["payment_intents", id, "cancel"] => self.cancel(id),
            ["refunds"] => self.refund(form),
            _ => refused("url_invalid"),
        }
    }

    fn open(&mut self, form: &Fields) -> Result<Value, Refusal> {
        let expires_at: i64 = form["expires_at"].parse().unwrap();
        if !(30 * 60..=24 * 60 * 60).contains(&(expires_at - self.now)) {
            let refusal = Refusal::new("invalid_request_error", "");
            return Err(Refusal { param: Some("expires_at"), ..refusal });
        }
        assert_eq!(form["mode"], "payment");
        assert_eq!(form["line_items[0][quantity]"], "1");
        assert_eq!(form["payment_intent_data[capture_method]"], "manual");
        assert!(!form["line_items[0][price_data][product_data][name]"].is_empty());
        let amount: i64 = form["line_items[0][price_data][unit_amount]"].parse().unwrap();
        if amount < 50 {
            return refused("amount_too_small");
        }
        let (id, mut session) =
            self.fixture("cs_test_", include_str!("fixtures/checkout_session.json"));
        session["amount_subtotal"] = json!(amount);
        session["amount_total"] = json!(amount);
        session["currency"] = json!(form["line_items[0][price_data][currency]"]);
        session["client_reference_id"] = json!(form["client_reference_id"]);
        session["metadata"]["barrow_operation"] = json!(form["metadata[barrow_operation]"]);
        let of_intent = &form["payment_intent_data[metadata][barrow_operation]"];
        assert_eq!(session["metadata"]["barrow_operation"], of_intent.as_str());
        session["expires_at"] = json!(expires_at);
        session["success_url"] = json!(form["success_url"]);
        session["cancel_url"] = json!(form["cancel_url"]);
        session["url"] = json!(format!("https://checkout.stripe.com/c/pay/{id}"));
        self.sessions.insert(id, session.clone());
        Ok(session)
    }

    /// The buyer pays on the page of a session, or its time is over.
    pub fn pay(&mut self, url: &str) -> String {
        let session_id = url.rsplit('/').next().unwrap();
        let session = self.sessions[session_id].clone();
        assert_eq!(session["status"], "open", "a page that is closed takes no money");
        let (charge_id, mut charge) = self.fixture("ch_", include_str!("fixtures/charge.json"));
        let status = if self.has_multicapture { "available" } else { "unavailable" };
        charge["payment_method_details"]["card"]["multicapture"]["status"] = json!(status);
        self.charges.insert(charge_id.clone(), charge);
        let (id, mut intent) = self.fixture("pi_", include_str!("fixtures/payment_intent.json"));
        intent["amount"] = session["amount_total"].clone();
        intent["amount_capturable"] = session["amount_total"].clone();
        intent["currency"] = session["currency"].clone();
        intent["metadata"] = session["metadata"].clone();
        intent["latest_charge"] = json!(charge_id);
        intent["status"] = json!("requires_capture");
        self.intents.insert(id.clone(), intent);
        let session = self.sessions.get_mut(session_id).unwrap();
        session["status"] = json!("complete");
        session["url"] = Value::Null;
        session["payment_intent"] = json!(id);
        id
    }

    pub fn expire(&mut self, id: &str) -> Result<Value, Refusal> {
        let session = self.sessions.get_mut(id).unwrap();
        if session["status"] != "open" {
            return refused("");
        }
        session["status"] = json!("expired");
        session["url"] = Value::Null;
        Ok(session.clone())
    }

    fn capture(&mut self, id: &str, form: &Fields) -> Result<Value, Refusal> {
        let has_multicapture = self.has_multicapture;
        let intent = self.intents.get_mut(id).unwrap();
        if intent["status"] != "requires_capture" {
            return refused("payment_intent_unexpected_state");
        }
        let is_final = form.get("final_capture").is_none_or(|text| text == "true");
        assert!(is_final || has_multicapture, "such a charge has one capture");
        let amount: i64 = form["amount_to_capture"].parse().unwrap();
        let capturable = intent["amount_capturable"].as_i64().unwrap();
        if amount > capturable {
            return refused("amount_too_large");
        }
        let left = if is_final { 0 } else { capturable - amount };
        intent["amount_capturable"] = json!(left);
        intent["amount_received"] = json!(intent["amount_received"].as_i64().unwrap() + amount);
        if left == 0 {
            intent["status"] = json!("succeeded");
        }
        for (name, value) in form {
            if let Some(name) = name.strip_prefix("metadata[") {
                intent["metadata"][name.trim_end_matches(']')] = json!(value);
            }
        }
        Ok(intent.clone())
    }

    fn cancel(&mut self, id: &str) -> Result<Value, Refusal> {
        let intent = self.intents.get_mut(id).unwrap();
        if intent["status"] == "succeeded" || intent["status"] == "canceled" {
            return refused("payment_intent_unexpected_state");
        }
        intent["status"] = json!("canceled");
        intent["amount_capturable"] = json!(0);
        Ok(intent.clone())
    }

    pub fn refunded(&self, intent: &str) -> i64 {
        let of = self.refunds.values().filter(|refund| refund["payment_intent"] == intent);
        of.map(|refund| refund["amount"].as_i64().unwrap()).sum()
    }

    fn refund(&mut self, form: &Fields) -> Result<Value, Refusal> {
        let intent = &form["payment_intent"];
        let received = self.intents[intent]["amount_received"].as_i64().unwrap();
        let amount: i64 = form["amount"].parse().unwrap();
        match received - self.refunded(intent) {
            0 => return refused("charge_already_refunded"),
            left if amount > left => return refused("amount_too_large"),
            _ => {}
        }
        let (id, mut refund) = self.fixture("re_", include_str!("fixtures/refund.json"));
        refund["amount"] = json!(amount);
        refund["payment_intent"] = json!(intent);
        refund["metadata"]["barrow_operation"] = json!(form["metadata[barrow_operation]"]);
        if self.slow_refunds {
            refund["status"] = json!("pending");
        }
        self.refunds.insert(id, refund.clone());
        Ok(refund)
    }
}

fn found(objects: &BTreeMap<String, Value>, id: &str) -> Result<Value, Refusal> {
    let missing =
        || Refusal { status: 404, ..Refusal::new("invalid_request_error", "resource_missing") };
    objects.get(id).cloned().ok_or_else(missing)
}
