//! What a server's metrics page says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::Context;

/// The sum of the samples that begin like this: a family, or one with its first labels.
pub fn value(address: SocketAddr, name: &str) -> anyhow::Result<f64> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    sum(&page, name).with_context(|| format!("no metric {name}"))
}

fn sum(page: &str, name: &str) -> Option<f64> {
    let samples = page.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{', ',', '}']))
    });
    let values = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_family_are_added_up() {
        let page = "# TYPE a gauge\na{x=\"1\",y=\"1\"} 2\na{x=\"2\"} 3\na_total 7\nb 1\n";
        for (name, expected) in [
            ("a", Some(5.0)),
            ("a{x=\"1\"", Some(2.0)),
            ("a{x=\"2\"", Some(3.0)),
            ("a_total", Some(7.0)),
            ("c", None),
        ] {
            assert_eq!(sum(page, name), expected, "{name}");
        }
    }
}
