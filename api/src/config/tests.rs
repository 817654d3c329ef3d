//! Which source wins, what is refused, and how it is told.

use super::*;

fn sources(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> (Sources, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barrow.toml");
    std::fs::write(&path, file).unwrap();
    let sources = Sources {
        file: (!file.is_empty()).then_some(path),
        environment: environment.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        flags: flags
            .iter()
            .map(|(key, text)| FlagValue {
                flag: format!("--set {key}"),
                key: key.to_string(),
                text: text.to_string(),
            })
            .collect(),
    };
    (sources, dir)
}

fn check(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Config {
    let (sources, _dir) = sources(file, environment, flags);
    load(&sources).unwrap().config
}

fn refused(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    let (sources, _dir) = sources(file, environment, flags);
    load(&sources).unwrap_err().to_string()
}

const LISTEN: &str = "[server]\nlisten = '127.0.0.1:1'\n";
const LISTEN_VARIABLE: (&str, &str) = ("BARROW_SERVER__LISTEN", "127.0.0.1:2");

#[test]
fn a_flag_beats_the_environment_and_that_the_file() {
    assert_eq!(check("", &[], &[]).server.listen.port(), 8080);
    assert_eq!(check(LISTEN, &[], &[]).server.listen.port(), 1);
    assert_eq!(check(LISTEN, &[LISTEN_VARIABLE], &[]).server.listen.port(), 2);
    let flag = ("server.listen", "127.0.0.1:3");
    assert_eq!(check(LISTEN, &[LISTEN_VARIABLE], &[flag]).server.listen.port(), 3);
}

#[test]
fn a_file_changes_only_the_keys_it_names() {
    let config = check("[server]\nmax_connections = 5\n", &[], &[]);
    assert_eq!(config.server, Server { max_connections: 5, ..Server::default() });
    let config = check("[shop]\nname = 'Ours'\n", &[], &[]);
    assert_eq!(config.shop.name, "Ours");
    assert_eq!(config.shop.channels, Config::default().shop.channels);
}

#[test]
fn every_key_can_be_set_by_a_variable() {
    // Masked and unset keys apart, the printed defaults are what each variable may say.
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut count = 0;
    for (section, values) in defaults.as_object().unwrap() {
        let Some(values) = values.as_object().filter(|_| section != "shop") else { continue };
        let nested = values.iter().filter_map(|(name, table)| Some((name, table.as_object()?)));
        let nested = nested.flat_map(|(table, values)| {
            values.iter().map(move |(key, value)| (format!("{table}__{key}"), value))
        });
        let plain = values.iter().filter(|(_, value)| !value.is_object());
        for (key, value) in plain.map(|(key, value)| (key.clone(), value)).chain(nested) {
            let name = format!("BARROW_{}__{}", section.to_uppercase(), key.to_uppercase());
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Null => continue,
                other => other.to_string(),
            };
            assert_eq!(check("", &[(&name, &text)], &[]), Config::default(), "{name}={text}");
            count += 1;
        }
    }
    assert!(count > 10, "only {count} keys were tried");
}

#[test]
fn lists_in_a_variable_are_separated_by_commas() {
    let name = "BARROW_SERVER__CORS_ORIGINS";
    let config = check("", &[(name, "https://a.example, https://b.example")], &[]);
    assert_eq!(config.server.cors_origins, ["https://a.example", "https://b.example"]);
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_meant() {
    let error = refused("[server]\nlisen = '1'\n", &[], &[]);
    assert!(error.contains("server.lisen") && error.contains("did you mean server.listen?"));
    let error = refused("", &[("BARROW_SERVER__LISEN", "1")], &[]);
    assert!(error.contains("BARROW_SERVER__LISEN") && error.contains("server.listen?"), "{error}");
    let error = refused("", &[("BARROW_NONSENSE", "1")], &[]);
    assert!(error.contains("BARROW_NONSENSE") && error.contains("no such key"), "{error}");
    let error = refused("[shop]\nnmae = 'x'\n", &[], &[]);
    assert!(error.contains("shop.nmae") && error.contains("shop.name?"), "{error}");
}

#[test]
fn addresses_that_kubernetes_hands_out_are_no_keys() {
    let variables = [
        ("BARROW_SERVICE_HOST", "10.0.0.1"),
        ("BARROW_PORT", "tcp://10.0.0.1:8080"),
        ("BARROW_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("BARROW_CONFIG", "barrow.toml"),
        ("PATH", "/bin"),
    ];
    assert_eq!(check("", &variables, &[]), Config::default());
}

#[test]
fn a_wrong_value_is_told_with_its_key_and_origin() {
    let error = refused("[server]\nheader_timeout = 30\n", &[], &[]);
    assert!(error.contains("server.header_timeout") && error.contains("30s"), "{error}");
    assert!(error.contains("barrow.toml"), "{error}");
    let error = refused("", &[("BARROW_SERVER__MAX_CONNECTIONS", "many")], &[]);
    assert!(error.contains("server.max_connections") && error.contains("'many'"), "{error}");
    let error = refused("", &[], &[("server.shutdown_timeout", "40s")]);
    assert!(error.contains("server.shutdown_timeout") && error.contains("40s"), "{error}");
    let error = refused("", &[], &[("log.format", "xml")]);
    assert!(error.contains("log.format") && error.contains("xml"), "{error}");
    let error = refused("", &[], &[("shop.default_channel", "nowhere")]);
    assert!(error.contains("shop.default_channel") && error.contains("nowhere"), "{error}");
}

#[test]
fn all_problems_are_told_at_once() {
    let error = refused("a = 1\nb = 2\n", &[], &[("server.max_connections", "x")]);
    assert_eq!(error.lines().count(), 4, "{error}");
}

/// What a build without features says.
fn lacking(file: &str, flags: &[(&str, &str)]) -> String {
    let (sources, _dir) = sources(file, &[], flags);
    let build = Build { dynamodb: false, postgres: false, redis: false, s3: false, stripe: false };
    load_for(&sources, build).unwrap_err().to_string()
}

#[test]
fn the_profile_aws_names_the_feature_that_a_build_lacks() {
    let error = lacking("", &[("profile", "aws")]);
    assert!(error.contains("stores.entities (from the profile aws)"), "{error}");
    assert!(error.contains("cargo feature `dynamodb`"), "{error}");
    assert!(error.contains("--features aws"), "{error}");
    let error = lacking("profile = 'aws'\n", &[]);
    assert!(error.contains("the profile aws"), "{error}");
}

#[test]
fn explicit_keys_beat_the_profile() {
    let file = "profile = 'aws'\n[stores]\nentities = 'embedded'\nproducts = 'embedded'\n\
                commerce = 'sqlite'\n";
    let config = check(file, &[("BARROW_CLUSTER__CONTROL", "none")], &[]);
    let commerce = Some(CommerceBackend::Sqlite);
    assert_eq!(config.stores, Stores { commerce, ..Stores::default() });
    // A profile on the command line is heavier than the file's profile, but not than its keys.
    let config = check(file, &[], &[("profile", "embedded")]);
    assert_eq!(config.profile, Profile::Embedded);
}

#[test]
fn what_is_not_built_in_is_said_to_be_missing() {
    for (key, value, feature) in [
        ("stores.entities", "postgres", "`postgres`"),
        ("stores.entities", "redis", "`redis`"),
        ("stores.products", "dynamodb", "`dynamodb`"),
        ("media.url", "s3://bucket", "`s3`"),
        ("cluster.control", "postgres", "`postgres`"),
        ("cache.url", "redis://localhost", "`redis`"),
    ] {
        let error = lacking("", &[(key, value)]);
        assert!(error.contains(key) && error.contains(feature), "{key}: {error}");
    }
    let error = refused("[search]\nurl = 'https://x'\n", &[], &[]);
    assert!(error.contains("not built in"), "{error}");
}

#[test]
fn a_server_that_a_port_stands_on_has_to_be_named() {
    for (key, value, missing) in [
        ("stores.entities", "postgres", "commerce.url"),
        ("stores.products", "postgres", "commerce.url"),
        ("stores.products", "dynamodb", "commerce.url"),
        ("stores.commerce", "postgres", "commerce.url"),
        ("cluster.control", "postgres", "commerce.url"),
        ("stores.entities", "redis", "cache.url"),
        ("commerce.url", "mysql://localhost/x", "commerce.url"),
        ("cache.url", "memcached://localhost", "cache.url"),
        ("dynamodb.table_prefix", "a b", "dynamodb.table_prefix"),
    ] {
        let error = refused("", &[], &[(key, value)]);
        assert!(error.contains(missing), "{key}: {error}");
    }
    // Nobody can agree in nothing.
    let flags = [("stores.entities", "redis"), ("cache.url", "redis://localhost")];
    assert!(refused("", &[], &flags).contains("cluster.control"));
}

#[test]
fn services_are_named_one_by_one() {
    assert_eq!(check("", &[], &[]).services, Service::ALL);
    let variable = ("BARROW_SERVICES", "catalog");
    let config = check("services = ['cart']", &[variable], &[]);
    assert!(config.hosts(Service::Catalog) && !config.hosts(Service::Cart));
    assert_eq!(check("", &[], &[("services", "cart, catalog")]).services, Service::ALL);
    for (name, said) in
        [("carts", "no service"), ("orders", "not built in"), ("Cart", "no service")]
    {
        for error in [
            refused("", &[], &[("services", &format!("cart,{name}"))]),
            refused(&format!("services = ['cart', '{name}']"), &[], &[]),
        ] {
            let told = error.contains("services") && error.contains(&format!("'{name}'"));
            assert!(told && error.contains(said), "{error}");
            assert!(error.contains("cart and catalog"), "{error}");
        }
    }
    assert!(refused("services = []", &[], &[]).contains("services"), "none at all");
}

#[test]
fn a_nodes_place_and_weight_are_checked() {
    let file = "[cluster]\nlisten = '0.0.0.0:7600'\nadvertise = 'node-1:0'\nweight = 1000\n";
    let cluster = check(file, &[("BARROW_CLUSTER__JOIN_TIMEOUT", "90s")], &[]).cluster;
    assert_eq!(cluster.listen.to_string(), "0.0.0.0:7600");
    assert_eq!(cluster.advertise.unwrap().to_string(), "node-1:0");
    assert_eq!((cluster.weight, cluster.join_timeout), (1_000, Span::seconds(90)));
    for (key, value, said) in [
        ("cluster.weight", "0", "between 1 and 1000"),
        ("cluster.weight", "1001", "between 1 and 1000"),
        ("cluster.listen", "7600", "HOST:PORT"),
        ("cluster.advertise", "node-1", "HOST:PORT"),
        ("cluster.join_timeout", "30", "30s"),
        ("cluster.control", "etcd", "etcd"),
        ("cluster.takeover_timeout", "2s", "no such key"),
    ] {
        let error = refused("", &[], &[(key, value)]);
        assert!(error.contains(key) && error.contains(said), "{error}");
    }
}

#[test]
fn the_table_that_nodes_agree_in_follows_the_entities() {
    let config = |entities| {
        let stores = Stores { entities, ..Stores::default() };
        Config { stores, ..Config::default() }
    };
    for (entities, control) in [
        (EntityBackend::Embedded, Control::None),
        (EntityBackend::Postgres, Control::Postgres),
        (EntityBackend::Dynamodb, Control::Dynamodb),
    ] {
        assert_eq!(config(entities).control(), control, "{entities:?}");
    }
    let mut config = config(EntityBackend::Redis);
    config.cluster.control = Some(Control::Postgres);
    assert_eq!(config.control(), Control::Postgres, "what is set explicitly beats it");
}

#[test]
fn a_password_in_an_address_is_printed_by_nobody() {
    let url = "postgres://shop:sesame@one,two/store";
    let config = check("", &[("BARROW_COMMERCE__URL", url)], &[]);
    assert_eq!(config.commerce.url.as_ref().unwrap().expose(), url);
    for printed in [to_toml(&config), format!("{config:?}"), serde_json::json!(config).to_string()]
    {
        assert!(printed.contains("postgres://shop:") && !printed.contains("sesame"), "{printed}");
    }
    let error = refused("", &[], &[("cache.url", "sesame")]);
    assert!(error.contains("cache.url") && !error.contains("sesame"), "{error}");
}

#[test]
fn a_secret_is_printed_by_nobody() {
    let key = "0123456789abcdef0123456789abcdef-secret";
    let config = check("", &[("BARROW_AUTH__SIGNING_KEY", key)], &[]);
    assert_eq!(config.auth.signing_key.as_ref().unwrap().expose(), key);
    for text in [to_toml(&config), format!("{config:?}"), serde_json::to_string(&config).unwrap()] {
        assert!(text.contains(MASK) && !text.contains(key), "{text}");
    }
    let error = refused("", &[("BARROW_AUTH__SIGNING_KEY", "short-secret")], &[]);
    assert!(error.contains("auth.signing_key") && !error.contains("short-secret"), "{error}");
    let error = refused("[auth]\nsigning_key = 'half-a-secret\n", &[], &[]);
    assert!(error.contains("is not TOML at line 2"), "{error}");
    assert!(!error.contains("half-a-secret"), "{error}");
}

#[test]
fn what_is_printed_can_be_read_again() {
    let printed = to_toml(&Config::default());
    assert_eq!(check(&printed, &[], &[]), Config::default());
    assert_eq!(check(&manual(), &[], &[]), Config::default());
}

const STRIPE: [(&str, &str); 2] = [
    ("BARROW_PAYMENTS__STRIPE__SECRET_KEY", "sk_live_sesame"),
    ("BARROW_PAYMENTS__STRIPE__WEBHOOK_SECRET", "whsec_sesame"),
];

#[test]
fn the_test_gateway_is_never_there_by_accident() {
    assert_eq!(check("", &[], &[]).gateways(), [Gateway::Test, Gateway::Manual]);
    let aws = Config { profile: Profile::Aws, ..Config::default() };
    assert_eq!(aws.gateways(), [Gateway::Manual]);
    let both = [Gateway::Stripe, Gateway::Manual];
    assert_eq!(check("", &STRIPE, &[]).gateways(), both, "a key of Stripe's ends the trying out");
    let named = check("payments.gateways = ['test']", &STRIPE, &[]);
    assert_eq!(named.gateways(), [Gateway::Test]);
    let flags = [("payments.gateways", "stripe,test"), ("payments.capture", "at_once")];
    let payments = check("", &STRIPE, &flags).payments;
    assert_eq!(payments.gateways, [Gateway::Stripe, Gateway::Test]);
    assert_eq!(payments.capture.policy(), barrow_engine::orders::CapturePolicy::AtOnce);
}

#[test]
fn payments_that_cannot_be_made_are_refused_at_the_start() {
    for (file, key, said) in [
        ("gateways = ['test', 'test']", "payments.gateways", "twice"),
        ("gateways = ['paypal']", "payments.gateways", "paypal"),
        ("gateways = ['stripe']", "payments.stripe.secret_key", "sk_"),
        ("gateways = ['stripe']", "payments.stripe.webhook_secret", "whsec_"),
        ("stripe.secret_key = 'whsec_sesame'", "payments.stripe.secret_key", "sk_"),
        ("stripe.secret_key = 'sk_live_sesame'", "payments.stripe.webhook_secret", "whsec_"),
        ("stripe.webhook_secret = 'sesame'", "payments.stripe.webhook_secret", "whsec_"),
        ("stripe.title = ' '", "payments.stripe.title", "empty"),
        ("stripe.api_url = 'http://sesame.example'", "payments.stripe.api_url", "https"),
        ("stripe.api_url = 'http://127.0.0.1@a.example'", "payments.stripe.api_url", "https"),
        ("capture = 'never'", "payments.capture", "never"),
    ] {
        let error = refused(&format!("[payments]\n{file}\n"), &[], &[]);
        assert!(error.contains(key) && error.contains(said), "{file}: {error}");
        assert!(!error.contains("sesame"), "{error}");
    }
    for url in ["http://127.0.0.1:9", "http://[::1]:9/x", "http://localhost", "https://a.example"] {
        check("", &STRIPE, &[("payments.stripe.api_url", url)]);
    }
    let (sources, _dir) = sources("", &STRIPE, &[]);
    let build = Build { stripe: false, ..Build::THIS };
    let error = load_for(&sources, build).unwrap_err().to_string();
    assert!(error.contains("payments.stripe.secret_key") && error.contains("`stripe`"), "{error}");
}

#[test]
fn the_secrets_of_payments_are_printed_by_nobody() {
    let config = check("", &STRIPE, &[]);
    let stripe = &config.payments.stripe;
    assert_eq!(stripe.secret_key.as_ref().unwrap().expose(), "sk_live_sesame");
    for text in [to_toml(&config), format!("{config:?}"), serde_json::to_string(&config).unwrap()] {
        assert!(text.contains(MASK) && !text.contains("sesame"), "{text}");
    }
}

#[test]
fn carts_hold_what_is_in_them_only_where_that_is_said_and_for_a_while() {
    assert_eq!(check("", &[], &[]).inventory.hold_ttl(), None);
    let set = "[inventory]\nreserve_on = 'cart'\n";
    let minutes = |file: &str| check(file, &[], &[]).inventory.hold_ttl().unwrap().as_secs() / 60;
    assert_eq!(minutes(set), 15);
    assert_eq!(minutes(&format!("{set}hold = '2m'\n")), 2);
    for hold in ["0s", "999ms", "25h"] {
        let error = refused(&format!("{set}hold = '{hold}'\n"), &[], &[]);
        assert!(error.contains("inventory.hold"), "{error}");
    }
    assert!(refused("inventory.reserve_on = 'never'", &[], &[]).contains("never"));
}
