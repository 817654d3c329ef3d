//! The cryptography of all TLS in this process that chooses none itself.

/// Chooses it: no `reqwest` client can be made before. Somebody else may have chosen before; that
/// is as good.
pub(crate) fn install() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
