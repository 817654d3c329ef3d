//! A URL with several hosts, `postgres://user:password@host1:5432,host2/database?sslmode=...`, as
//! libpq takes it: each is a server that may be the primary.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::errors::ConnectError;

/// The most servers that one URL names.
const HOSTS_MAX: usize = 16;

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// HOST:PORT, for people.
    pub name: String,
    pub options: PgConnectOptions,
}

/// Takes the URL apart. Errors never show the URL: there may be a password in it.
pub(super) fn hosts(url: &str) -> Result<Vec<Host>, ConnectError> {
    let wrong = |what: &str| ConnectError::Url(what.to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err(wrong("it does not begin with postgres://"));
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, servers) = match authority.rsplit_once('@') {
        Some((user, servers)) => (format!("{user}@"), servers),
        None => (String::new(), authority),
    };
    let servers: Vec<&str> = servers.split(',').collect();
    if servers.len() > HOSTS_MAX {
        return Err(wrong("it names more than 16 hosts"));
    }
    servers
        .into_iter()
        .map(|server| host(server, &format!("postgres://{user}{server}{tail}")))
        .collect()
}

fn host(server: &str, url: &str) -> Result<Host, ConnectError> {
    if server.is_empty() {
        return Err(ConnectError::Url("one of its hosts has no name".to_owned()));
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| {
        ConnectError::Url(format!("what belongs to the host {server} cannot be read"))
    })?;
    let options = options.application_name("barrow").options([("client_min_messages", "warning")]);
    let name = format!("{}:{}", options.get_host(), options.get_port());
    Ok(Host { name, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(url: &str) -> Vec<String> {
        hosts(url).unwrap().into_iter().map(|host| host.name).collect()
    }

    #[test]
    fn each_host_is_a_server_with_the_same_user_and_database() {
        let url = "postgres://shop:p%40ss@one,two:5433,[::1]:5434/store?sslmode=disable";
        let hosts = hosts(url).unwrap();
        assert_eq!(names(url), ["one:5432", "two:5433", "[::1]:5434"]);
        for host in &hosts {
            assert_eq!(host.options.get_username(), "shop");
            assert_eq!(host.options.get_database(), Some("store"));
        }
        assert_eq!(names("postgres://db.example/store"), ["db.example:5432"]);
    }

    #[test]
    fn what_is_no_url_is_refused_without_its_password() {
        let many = format!("postgres://u:secret@{}/d", ["h"; 17].join(","));
        let wrong = [
            "secret",
            "mysql://u:secret@h/d",
            "postgres://u:secret@one,,two/d",
            "postgres://u:secret@one:port/d",
            "postgres://u:secret@h/d?sslmode=perhaps",
            &many,
        ];
        for url in wrong {
            let error = hosts(url).expect_err(url);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
