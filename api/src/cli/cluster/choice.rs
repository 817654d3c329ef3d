//! Which node is meant: by its id, the beginning of it, or its name.

use barrow_cluster::{Member, View};

use crate::cli::failure::Failure;

/// The one member that is meant.
pub fn choose<'a>(view: &'a View, text: &str) -> Result<&'a Member, Failure> {
    let prefix = text.to_ascii_lowercase();
    let is_meant = |member: &&Member| {
        member.name == text || !prefix.is_empty() && member.id.to_string().starts_with(&prefix)
    };
    let meant: Vec<&Member> = view.members.iter().filter(is_meant).collect();
    match meant[..] {
        [one] => Ok(one),
        [] => Err(Failure::refused(format!("no node is called '{text}'")).hint(names(
            "there is none at all",
            "the nodes are",
            &view.members.iter().collect::<Vec<_>>(),
        ))),
        _ => Err(Failure::refused(format!("'{text}' may be any of {} nodes", meant.len()))
            .hint(names("", "name one by more of its id:", &meant))),
    }
}

fn names(nobody: &str, before: &str, members: &[&Member]) -> String {
    if members.is_empty() {
        return nobody.to_owned();
    }
    let names = members.iter().map(|member| format!("\n  {}  {}", member.id, member.name));
    format!("{before}{}", names.collect::<String>())
}
