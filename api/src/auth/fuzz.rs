//! Fuzz target: tokens. Nobody but the shop makes one, and each has one form.

use barrow_engine::ids::SessionId;
use barrow_engine::session::{SigningKey, SigningKeyId};
use barrow_engine::time::Timestamp;
use barrow_fuzz::{INPUTS, Verdict, fuzz};

use super::{Subject, TokenClaims, TokenError, TokenKeys};

#[test]
fn fuzz_tokens() {
    let now = Timestamp(1_800_000_000_000);
    let key =
        |id, secret| SigningKey { id: SigningKeyId(id), secret: [secret; 32], created_at: now };
    let (old, new) = (TokenKeys::new(&[key(1, 1)]), TokenKeys::new(&[key(2, 2), key(1, 1)]));
    let (old, new) = (old.unwrap(), new.unwrap());
    let claims = |id| TokenClaims {
        subject: Subject::Session(SessionId(id)),
        expires_at: Timestamp(now.0 + 1),
    };
    let sealed = [old.seal(claims(7)), new.seal(claims(8))];
    fuzz("tokens", INPUTS, &[sealed[0].as_bytes(), sealed[1].as_bytes()], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let opened = new.open(text, now);
        match &opened {
            Ok(claims) => {
                assert!(sealed.iter().any(|token| token == text), "{claims:?} of a forged token");
                assert_eq!(new.open(text, claims.expires_at), Err(TokenError::Expired));
            }
            Err(error) => assert_eq!(*error, TokenError::Invalid),
        }
        Verdict::of(&opened)
    });
}
