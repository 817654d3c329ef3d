//! Backups: every row of the stores as of one instant, the media files, and a manifest with
//! checksums; as a directory or one .tar file. Here is what a backup is; the commands are beside.

mod archive;
#[cfg(test)]
mod fuzz;
mod manifest;
mod restore;
mod write;

pub use restore::{Restored, Target, restore};
pub use write::{Source, Written, write};

#[cfg(test)]
mod tests;
