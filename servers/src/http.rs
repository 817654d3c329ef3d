//! A DynamoDB API and an S3 API in this process: `dynoxide` on SQLite, `s3s` on a folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::Context;
use dynoxide::Database;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

/// The key that all of them take; anybody on this machine may know it. DynamoDB Local wants
/// letters and digits only.
pub const ACCESS_KEY: &str = "barrowlocal";
pub const SECRET_KEY: &str = "barrow-local-secret";
pub const REGION: &str = "eu-central-1";

/// A DynamoDB API in memory, or in one file.
#[derive(Debug)]
pub struct DynamoDb {
    served: Served,
}

impl DynamoDb {
    pub fn start() -> anyhow::Result<DynamoDb> {
        let database = Database::memory().map_err(|error| anyhow::anyhow!("{error:?}"))?;
        DynamoDb::serve(0, database)
    }

    pub fn start_on(port: u16, file: &Path) -> anyhow::Result<DynamoDb> {
        let file = file.to_str().context("the path is no text")?;
        let database = Database::new(file).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        DynamoDb::serve(port, database)
    }

    fn serve(port: u16, database: Database) -> anyhow::Result<DynamoDb> {
        let served = Served::start(port, move |listener| async move {
            dynoxide::server::serve_on(listener, database).await;
        })?;
        Ok(DynamoDb { served })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        self.served.endpoint()
    }
}

/// An S3 API on a folder.
#[derive(Debug)]
pub struct S3 {
    served: Served,
    _folder: Option<tempfile::TempDir>,
}

impl S3 {
    pub fn start() -> anyhow::Result<S3> {
        let folder = tempfile::tempdir()?;
        let started = S3::start_on(0, folder.path())?;
        Ok(S3 { _folder: Some(folder), ..started })
    }

    pub fn start_on(port: u16, folder: &Path) -> anyhow::Result<S3> {
        let folder: PathBuf = folder.to_owned();
        let files = FileSystem::new(folder).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let served = Served::start(port, move |listener| async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // A client that goes away in the middle is its own affair.
                    let _ = builder.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        })?;
        Ok(S3 { served, _folder: None })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        self.served.endpoint()
    }
}

/// Something that serves on threads of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start<F>(
        port: u16,
        serve: impl FnOnce(TcpListener) -> F,
    ) -> anyhow::Result<Served>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Served::start_at((Ipv4Addr::LOCALHOST, port).into(), serve)
    }

    pub(crate) fn start_at<F>(
        address: SocketAddr,
        serve: impl FnOnce(TcpListener) -> F,
    ) -> anyhow::Result<Served>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("server")
            .enable_all()
            .build()?;
        // Not by `block_on`: who starts a server may stand in a runtime already.
        let (address, served) = {
            let _entered = runtime.enter();
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let listener = socket.listen(1_024)?;
            (listener.local_addr()?, serve(listener))
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.spawn(served);
            // Dropped is told, too.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        });
        Ok(Served { address, stop: Some(stop), thread: Some(thread) })
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A server that panicked has said so.
            let _ = thread.join();
        }
    }
}
