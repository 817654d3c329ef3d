//! One call of the API as the document tells it: written down once, in the words of the
//! contract, with what it takes, answers and refuses.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{
    AnyOfBuilder, ComponentsBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat,
};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    Content, ContentBuilder, HttpMethod, PathItem, Ref, RefOr, Required, ResponseBuilder, Type,
};

use barrow_engine::access::Scope;

use super::problems;
use crate::edge::{Code, ProblemBody};

/// The name of the security scheme: `Authorization: Bearer`.
pub const BEARER: &str = "bearer";

/// The same for who is of the house.
pub const API_KEY: &str = "api_key";

/// Who may make the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Anybody; no credential is looked at.
    Nothing,
    /// Anybody; a shop token is taken into account, and a bad one refused.
    MaybeToken,
    /// A shop token.
    Token,
    /// An API key with that scope.
    Scope(Scope),
}

/// A call.
pub struct Operation {
    pub method: HttpMethod,
    pub path: &'static str,
    /// `None` until it is said.
    pub needs: Option<Needs>,
    builder: OperationBuilder,
    replies: BTreeMap<String, ResponseBuilder>,
    codes: Vec<Code>,
    register: Vec<fn(ComponentsBuilder) -> ComponentsBuilder>,
}

/// Where a parameter comes from, and what it looks like.
pub struct Param {
    builder: ParameterBuilder,
    what: String,
    is_required: bool,
}

impl Param {
    fn new(name: &str, place: ParameterIn, schema: impl Into<RefOr<Schema>>, what: &str) -> Param {
        let is_required = place == ParameterIn::Path;
        let required = if is_required { Required::True } else { Required::False };
        let builder = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(what))
            .schema(Some(schema));
        Param { builder, what: what.to_owned(), is_required }
    }

    /// A part of the path.
    pub fn path(name: &str, what: &str) -> Param {
        Param::new(name, ParameterIn::Path, text(), what)
    }

    /// A text in the query.
    pub fn query(name: &str, what: &str) -> Param {
        Param::new(name, ParameterIn::Query, text(), what)
    }

    /// One of a few texts in the query.
    pub fn choice(name: &str, values: &[&str], what: &str) -> Param {
        let schema = text().enum_values(Some(values.iter().map(|one| Value::from(*one))));
        Param::new(name, ParameterIn::Query, schema, what)
    }

    /// A whole number in the query.
    pub fn number(name: &str, min: i64, max: i64, what: &str) -> Param {
        let schema = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(min))
            .maximum(Some(max));
        Param::new(name, ParameterIn::Query, schema, what)
    }

    pub fn flag(name: &str, what: &str) -> Param {
        let schema = ObjectBuilder::new().schema_type(Type::Boolean);
        Param::new(name, ParameterIn::Query, schema, what)
    }

    /// Parameters of a family, `facet.CODE`, each of which may repeat.
    pub fn family(name: &str, what: &str) -> Param {
        let values = utoipa::openapi::schema::ArrayBuilder::new().items(text());
        let schema = ObjectBuilder::new()
            .additional_properties(Some(RefOr::T(Schema::Array(values.build()))));
        Param::new(name, ParameterIn::Query, schema, what)
    }

    pub fn header(name: &str, what: &str) -> Param {
        Param::new(name, ParameterIn::Header, text(), what)
    }

    /// Shows what it may be. Of one that may be left out only in words: a browser of the
    /// document would else send it with every call that is tried.
    pub fn example(mut self, example: &str) -> Param {
        if self.is_required {
            self.builder = self.builder.example(Some(Value::from(example)));
        } else {
            self.what = format!("{} E.g. `{example}`.", self.what);
            self.builder = self.builder.description(Some(self.what.as_str()));
        }
        self
    }

    fn build(self) -> Parameter {
        self.builder.build()
    }
}

/// The method as requests have it.
pub(super) fn method(method: &HttpMethod) -> http::Method {
    match method {
        HttpMethod::Get => http::Method::GET,
        HttpMethod::Post => http::Method::POST,
        HttpMethod::Put => http::Method::PUT,
        HttpMethod::Patch => http::Method::PATCH,
        HttpMethod::Delete => http::Method::DELETE,
        HttpMethod::Head => http::Method::HEAD,
        HttpMethod::Options => http::Method::OPTIONS,
        HttpMethod::Trace => http::Method::TRACE,
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

impl Operation {
    pub fn new(
        method: HttpMethod,
        path: &'static str,
        id: &str,
        tag: &str,
        summary: &str,
    ) -> Operation {
        Operation {
            method,
            path,
            needs: None,
            builder: OperationBuilder::new().operation_id(Some(id)).tag(tag).summary(Some(summary)),
            replies: BTreeMap::new(),
            codes: Vec::new(),
            register: Vec::new(),
        }
    }

    pub fn about(mut self, description: &str) -> Operation {
        self.builder = self.builder.description(Some(description));
        self
    }

    pub fn takes(mut self, params: impl IntoIterator<Item = Param>) -> Operation {
        for param in params {
            self.builder = self.builder.parameter(param.build());
        }
        self
    }

    /// Who may call; adds the refusals that follow from it.
    pub fn needs(mut self, needs: Needs) -> Operation {
        self.needs = Some(needs);
        let token = SecurityRequirement::new(BEARER, Vec::<String>::new());
        match needs {
            Needs::Nothing => return self,
            Needs::MaybeToken => {
                let anybody = SecurityRequirement::default();
                self.builder = self.builder.securities(Some([anybody, token]));
            }
            Needs::Token => self.builder = self.builder.security(token),
            Needs::Scope(scope) => {
                let key = SecurityRequirement::new(API_KEY, [scope.as_str()]);
                self.builder = self.builder.security(key);
                self = self.refuses([Code::Forbidden]);
            }
        }
        self.refuses([Code::Unauthenticated, Code::TokenExpired])
    }

    /// The body, in JSON.
    pub fn body<T: ToSchema>(mut self, required: bool, examples: &[(&str, Value)]) -> Operation {
        let body = RequestBodyBuilder::new()
            .required(Some(if required { Required::True } else { Required::False }))
            .content("application/json", content::<T>(examples));
        self.builder = self.builder.request_body(Some(body.build()));
        self.register.push(register::<T>);
        self.refuses([
            Code::MalformedJson,
            Code::UnsupportedMediaType,
            Code::BodyTooLarge,
            Code::ValidationFailed,
        ])
    }

    /// A body of bytes, of any type.
    pub fn body_of_bytes(mut self, what: &str) -> Operation {
        let bytes = ObjectBuilder::new().schema_type(Type::String);
        let body = RequestBodyBuilder::new()
            .description(Some(what))
            .required(Some(Required::True))
            .content("*/*", ContentBuilder::new().schema(Some(bytes)).build());
        self.builder = self.builder.request_body(Some(body.build()));
        self
    }

    /// A reply in JSON.
    pub fn replies<T: ToSchema>(mut self, status: u16, what: &str, example: Value) -> Operation {
        let reply = ResponseBuilder::new()
            .description(what)
            .content("application/json", content::<T>(&[("example", example)]));
        self.replies.insert(status.to_string(), reply);
        self.register.push(register::<T>);
        self
    }

    /// A reply in JSON of either of two shapes, with an example of each.
    pub fn replies_either<A: ToSchema, B: ToSchema>(
        mut self,
        status: u16,
        what: &str,
        examples: &[(&str, Value)],
    ) -> Operation {
        // What fits the whole fits the part of it, too.
        let either = AnyOfBuilder::new()
            .item(Ref::from_schema_name(A::name()))
            .item(Ref::from_schema_name(B::name()));
        let content = with_examples(ContentBuilder::new().schema(Some(either)), examples);
        let reply = ResponseBuilder::new().description(what).content("application/json", content);
        self.replies.insert(status.to_string(), reply);
        self.register.extend([register::<A>, register::<B>]);
        self
    }

    /// A reply of another type; named again, of either.
    pub fn replies_as(mut self, status: u16, what: &str, mime: &str, sample: &str) -> Operation {
        let kind = if mime == "application/json" { Type::Object } else { Type::String };
        let schema = ObjectBuilder::new().schema_type(kind);
        // Of a stream a schema would be that of each event, and events have forms of their own.
        let is_stream = mime == "text/event-stream";
        let mut content = ContentBuilder::new().schema((!is_stream).then_some(schema));
        if !sample.is_empty() {
            content = content.example(Some(Value::from(sample)));
        }
        let reply = self.replies.remove(&status.to_string()).unwrap_or_default();
        let reply = reply.description(what).content(mime, content.build());
        self.replies.insert(status.to_string(), reply);
        self
    }

    /// A reply without a body.
    pub fn replies_empty(mut self, status: u16, what: &str) -> Operation {
        self.replies.insert(status.to_string(), ResponseBuilder::new().description(what));
        self
    }

    /// A header of a reply that was named before.
    pub fn with_header(mut self, status: u16, name: &str, what: &str) -> Operation {
        let status = status.to_string();
        let reply = self.replies.remove(&status).expect("the reply is named before its headers");
        let header = HeaderBuilder::new().schema(Some(text())).description(Some(what)).build();
        self.replies.insert(status, reply.header(name, header));
        self
    }

    /// What it may refuse with, beyond what all calls do.
    pub fn refuses(mut self, codes: impl IntoIterator<Item = Code>) -> Operation {
        self.codes.extend(codes);
        self
    }

    /// Adds itself, and all the shapes it speaks of.
    pub(super) fn add_to(
        mut self,
        paths: &mut BTreeMap<&'static str, PathItem>,
        mut components: ComponentsBuilder,
    ) -> ComponentsBuilder {
        for register in &self.register {
            components = register(components);
        }
        for (status, codes) in by_status(&self.codes) {
            self.replies.entry(status).or_insert_with(|| refusal(&codes));
        }
        let replies = self
            .replies
            .into_iter()
            .fold(utoipa::openapi::ResponsesBuilder::new(), |replies, (status, reply)| {
                replies.response(status, reply.build())
            });
        let operation = self.builder.responses(replies.build()).build();
        let item = PathItem::new(self.method, operation);
        match paths.get_mut(self.path) {
            Some(known) => known.merge_operations(item),
            None => {
                paths.insert(self.path, item);
            }
        }
        components
    }
}

/// Adds a shape and all that it is made of.
pub(super) fn register<T: ToSchema>(components: ComponentsBuilder) -> ComponentsBuilder {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    components.schemas_from_iter(parts).schema_from::<T>()
}

fn content<T: ToSchema>(examples: &[(&str, Value)]) -> Content {
    let schema = Ref::from_schema_name(T::name());
    with_examples(ContentBuilder::new().schema(Some(schema)), examples)
}

fn with_examples(content: ContentBuilder, examples: &[(&str, Value)]) -> Content {
    match examples {
        [] => content.build(),
        [(_, only)] => content.example(Some(only.clone())).build(),
        many => content
            .examples_from_iter(many.iter().map(|(name, value)| {
                (*name, ExampleBuilder::new().value(Some(value.clone())).build())
            }))
            .build(),
    }
}

fn by_status(codes: &[Code]) -> BTreeMap<String, Vec<Code>> {
    let mut by_status: BTreeMap<String, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let status = code.status().as_u16().to_string();
        let same = by_status.entry(status).or_default();
        if !same.contains(code) {
            same.push(*code);
        }
    }
    by_status
}

fn refusal(codes: &[Code]) -> ResponseBuilder {
    let names: Vec<String> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
    let examples = codes.iter().map(|code| {
        let example = ExampleBuilder::new()
            .summary(code.title())
            .value(Some(problems::example(*code)))
            .build();
        (code.as_str(), example)
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(<ProblemBody<'_> as ToSchema>::name())))
        .examples_from_iter(examples);
    ResponseBuilder::new()
        .description(names.join(", "))
        .content("application/problem+json", content.build())
}
