//! The command line as clap reads it. The doc comments are the help texts.

use std::path::PathBuf;

use barrow_engine::access::{InvalidApiKeyName, Scope, check_api_key_name};
use barrow_engine::ids::ApiKeyId;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::{FlagValue, Sources, Span};

/// A commerce engine: catalog and carts behind one HTTP API.
///
/// `barrow` alone is `barrow serve`.
#[derive(Debug, Parser)]
#[command(name = "barrow", version, max_term_width = 100, after_help = TOP_EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub settings: Settings,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const TOP_EXAMPLES: &str = "\
Examples:
  barrow                                 serve the shop on 127.0.0.1:8080 from ./data
  barrow serve --listen 0.0.0.0:80       serve it to everybody
  barrow import catalog.csv --dry-run    tell what a file would change
  barrow doctor                          tell whether it can run here

Every setting can be given in a file (--config), in the environment (BARROW_SERVER__LISTEN for
server.listen) or by a flag; `barrow config --manual` explains them all.

Exit codes: 0 done, 1 refused or some rows failed, 2 usage, 3 configuration, 4 a dependency
cannot be reached.";

/// Flags that set the configuration; they are heavier than environment and file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// The configuration file, TOML
    #[arg(long, value_name = "FILE", env = "BARROW_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// The directory that holds everything [default: ./data]
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<String>,
    /// Where to serve the API; port 0 takes any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT", global = true)]
    pub listen: Option<String>,
    /// Sets the stores together: embedded or aws [default: embedded]
    #[arg(long, value_name = "NAME", global = true)]
    pub profile: Option<String>,
    /// What this process answers for, with commas between: cart, catalog [default: all]
    #[arg(long, value_name = "LIST", global = true)]
    pub services: Option<String>,
    /// How much is logged: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", global = true)]
    pub log_level: Option<String>,
    /// How the log is written: text or json
    #[arg(long, value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,
    /// Sets any key of the configuration; may be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true, value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE: server.listen=...")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl Settings {
    /// Everything the configuration is read from: these flags and the process's environment.
    pub fn sources(&self) -> Sources {
        let named = [
            ("--data", "data", &self.data),
            ("--listen", "server.listen", &self.listen),
            ("--profile", "profile", &self.profile),
            ("--services", "services", &self.services),
            ("--log-level", "log.level", &self.log_level),
            ("--log-format", "log.format", &self.log_format),
        ];
        let set = self.set.iter().map(|(key, text)| FlagValue {
            flag: format!("--set {key}"),
            key: key.clone(),
            text: text.clone(),
        });
        let named = named.into_iter().filter_map(|(flag, key, text)| {
            let text = text.clone()?;
            Some(FlagValue { flag: flag.to_owned(), key: key.to_owned(), text })
        });
        Sources {
            file: self.config.clone(),
            // A name or value that is not UTF-8 cannot be one of ours.
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            // A flag of its own goes before `--set`.
            flags: set.chain(named).collect(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the shop's API
    #[command(after_help = SERVE_EXAMPLES)]
    Serve,
    /// Put a catalog into the store: the sample, or a large made-up one
    #[command(after_help = SEED_EXAMPLES)]
    Seed(SeedArgs),
    /// Read catalog files into the store
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Write the catalog as a file that import reads
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Copy everything to a directory or a .tar file, even while serving
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Put a backup into an empty data directory, and verify it
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(RestoreArgs),
    /// Check whether it can run here, and say what to do if not
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(ReportArgs),
    /// Make the tables and buckets that the configured ports need, for development
    #[command(after_help = SETUP_EXAMPLES)]
    Setup(SetupArgs),
    /// Make the tables of stock and orders, or tell which are missing
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate(MigrateArgs),
    /// Look at the nodes of a cluster, or take one out of it
    #[command(after_help = CLUSTER_EXAMPLES)]
    Cluster(ClusterArgs),
    /// Make, list and revoke the keys that programs call /admin with
    #[command(after_help = API_KEY_EXAMPLES)]
    ApiKey(ApiKeyArgs),
    /// Print the effective configuration, secrets masked
    #[command(after_help = CONFIG_EXAMPLES)]
    Config(ConfigArgs),
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
}

const SERVE_EXAMPLES: &str = "\
Prints one line on standard output when it can take traffic:
  listening on http://127.0.0.1:8080

An empty catalog is filled with the sample first. SIGTERM and Ctrl-C let requests end, and end
the process within 25 seconds; a second one ends it at once.

Examples:
  barrow serve
  barrow serve --listen 0.0.0.0:80 --data /var/lib/barrow --log-format json
  barrow serve --set ops.listen=127.0.0.1:9090     metrics on a port of their own";

const SEED_EXAMPLES: &str = "\
The sample has fixed ids, and so has a made-up catalog of a given size: seeding again changes
nothing. The server must not be running on the same data directory.

Examples:
  barrow seed
  barrow seed --products 100000 --data /tmp/large";

const IMPORT_EXAMPLES: &str = "\
Reads JSON Lines and CSV as `barrow export` writes them, and catalogs of other shops. Good rows
are applied, bad ones told with file, row and column. The last line is
  2465 rows: 2465 created, 0 updated, 0 unchanged, 0 failed
Stock is set only where a variant is new, or with --set-stock. The server must not be running on
the same data directory.

Examples:
  barrow import catalog.csv --dry-run
  barrow import products.csv translations.csv --failed failed.csv
  barrow import catalog.json --currency USD --json";

const EXPORT_EXAMPLES: &str = "\
The server must not be running on the same data directory.

Examples:
  barrow export -o catalog.jsonl
  barrow export --format csv | head";

const BACKUP_EXAMPLES: &str = "\
If a server runs on the data directory, it writes the backup itself, as of one instant, while it
serves. The target must not exist. It holds every row, the media files, and a manifest with
checksums.

Examples:
  barrow backup /backups/2026-11-22
  barrow backup /backups/2026-11-22.tar";

const RESTORE_EXAMPLES: &str = "\
The data directory must be empty or missing. Every checksum is verified before it is used.

Examples:
  barrow restore /backups/2026-11-22 --data /var/lib/barrow";

const DOCTOR_EXAMPLES: &str = "\
Works beside a running server. Exit code 1 if a check fails.

Examples:
  barrow doctor
  barrow doctor --config barrow.toml --json";

const CONFIG_EXAMPLES: &str = "\
Examples:
  barrow config                          what is in force, from all sources
  barrow config --manual > barrow.toml   every key with its default and meaning";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  barrow completions bash > /etc/bash_completion.d/barrow
  barrow completions zsh > ~/.zfunc/_barrow
  barrow completions fish > ~/.config/fish/completions/barrow.fish";

const SETUP_EXAMPLES: &str = "Examples:
  barrow setup aws --plan --profile aws
  AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000 barrow setup aws --profile aws";

const MIGRATE_EXAMPLES: &str = "\
A server does it itself when it starts. Works beside running servers; of several that do it at
once, one does. Exit code 1 of --check where something is to be made.

Examples:
  barrow migrate --check
  barrow migrate --config barrow.toml";

const API_KEY_EXAMPLES: &str = "\
Works beside a running server, which sees the change within a second or two. `create` prints the
key alone on standard output, once: only a hash of it is stored.

Examples:
  barrow api-key create --scope orders:read stock:write --name warehouse
  barrow api-key create --scope '*' --expires-in 1h
  barrow api-key list
  barrow api-key revoke key_06d3r8v2k9m5w1x7q4t0c3f8hn";

const CLUSTER_EXAMPLES: &str = "\
Reads the control table that the configuration names, and no node: it works from any machine that
reaches the table, whatever the nodes do.

Examples:
  barrow cluster status --config barrow.toml
  barrow cluster shards --node 3f9a --json
  barrow cluster drain 3f9a                have it hand its shards to the others, and wait
  barrow cluster raise-form                end an upgrade: the build before cannot come back";

#[derive(Debug, Args)]
pub struct ClusterArgs {
    #[command(subcommand)]
    pub command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Who is a member, who beats, and whether every shard has its owner; takes two seconds
    Status(ReportArgs),
    /// Which node owns which shards
    Shards(ShardsArgs),
    /// Have a node hand its shards to the others; it goes on to answer until it is stopped
    Drain(DrainArgs),
    /// Have the nodes write the newest form that all of them read, at once instead of in a while
    RaiseForm(ReportArgs),
}

#[derive(Debug, Args)]
pub struct ShardsArgs {
    /// Only those of one node: its id, the beginning of it, or its name
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// Print the result as JSON, with the epochs
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DrainArgs {
    /// Its id, the beginning of it, or its name
    #[arg(value_name = "NODE")]
    pub node: String,
    /// Only mark it, and do not wait until its shards have gone
    #[arg(long)]
    pub no_wait: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ApiKeyArgs {
    #[command(subcommand)]
    pub command: ApiKeyCommand,
}

#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key, and print it
    Create(CreateKeyArgs),
    /// Which keys there are; not what they are
    List(ListKeysArgs),
    /// Have a key let nobody in any more, for ever
    Revoke(RevokeKeyArgs),
}

#[derive(Debug, Args)]
pub struct CreateKeyArgs {
    /// What it may: catalog:read, orders:write, ... or * for everything; write includes read
    #[arg(long = "scope", value_name = "SCOPE", required = true, num_args = 1..)]
    pub scopes: Vec<Scope>,
    /// What it is for; shown in lists, and where something was done with it
    #[arg(long, value_name = "NAME", value_parser = key_name, default_value = "api key")]
    pub name: String,
    /// For how long it is good: 1h, 90d [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    pub expires_in: Option<Span>,
}

#[derive(Debug, Args)]
pub struct ListKeysArgs {
    /// Those that were revoked, too
    #[arg(long)]
    pub all: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RevokeKeyArgs {
    /// The id of the key, as `list` shows it
    #[arg(value_name = "ID")]
    pub id: ApiKeyId,
}

fn key_name(text: &str) -> Result<String, InvalidApiKeyName> {
    check_api_key_name(text).map(|()| text.to_owned())
}

#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Only tell what would be made
    #[arg(long)]
    pub check: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Whose services
    #[arg(value_enum)]
    pub of: Cloud,
    /// Only tell what would be made
    #[arg(long)]
    pub plan: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    Aws,
}

#[derive(Debug, Args)]
pub struct SeedArgs {
    /// Make up a catalog of so many products instead of the sample
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub products: Option<u64>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The files, read as one catalog, in this order
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Tell what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result and every error as JSON
    #[arg(long)]
    pub json: bool,
    /// The currency of prices that name none [default: the shop's]
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Set the stock of variants that are there already, too
    #[arg(long)]
    pub set_stock: bool,
    /// Fetch pictures from their URLs instead of only keeping the URLs
    #[arg(long)]
    pub fetch_images: bool,
    /// Write the rows that failed to a file, to be mended and imported
    #[arg(long, value_name = "FILE")]
    pub failed: Option<PathBuf>,
    /// What the files are [default: told by their names and content]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The form of the file
    #[arg(long, value_enum, default_value = "jsonl")]
    pub format: ExportFormat,
    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print a summary as JSON; needs --output
    #[arg(long, requires = "output")]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Jsonl,
    Csv,
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// A directory to make, or a file if it ends in .tar
    #[arg(value_name = "TO")]
    pub to: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// What `barrow backup` wrote
    #[arg(value_name = "FROM")]
    pub from: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Print every key with its default and its meaning instead
    #[arg(long, conflicts_with = "json")]
    pub manual: bool,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}
