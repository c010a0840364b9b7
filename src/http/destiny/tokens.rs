//! Subscription tokens: HMAC-SHA-256 (RFC 2104) over a unit's number and who asked for it, in hexadecimal.
//!
//! Nothing is kept of a token: it is told by computing it again, so it lasts as long as the sign-in by which it was asked
//! for, over restarts too, and is nobody else's. The key is random and kept under [`KEY`]; it never leaves the unit.

use std::sync::{Arc, OnceLock};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::super::problem::Problem;
use crate::event::Row;
use crate::feed::{Feed, TokenHash};

const KEY: &str = "door/subscription-key";

/// As long as a block of the hash.
type Key = [u8; 64];

/// Makes tokens and knows them again.
pub(in crate::http) struct Tokens {
    feed: Arc<dyn Feed>,
    key: OnceLock<Key>,
}

impl Tokens {
    pub(in crate::http) fn new(feed: Arc<dyn Feed>) -> Tokens {
        Tokens { feed, key: OnceLock::new() }
    }

    /// The key; made, and written, when it is needed for the first time.
    async fn key(&self) -> Result<&Key, Problem> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let kept = self.feed.kept(KEY).into_iter().find(|(name, _)| name == KEY);
        if let Some(key) = kept.and_then(|(_, value)| Key::try_from(&*value).ok()) {
            return Ok(self.key.get_or_init(|| key));
        }
        let mut new: Key = [0; 64];
        getrandom::fill(&mut new).map_err(|_| Problem::unavailable("the system gives no random numbers; try again"))?;
        let key = self.key.get_or_init(|| new);
        // Without it tokens are good until the restart, and a client that is refused asks for another.
        let _ = self.feed.keep(vec![Row { key: KEY.to_owned(), value: Some(key.to_vec()) }]).await;
        Ok(key)
    }

    /// The token for a unit.
    pub(super) async fn token(&self, unit: u32, sign_in: &TokenHash) -> Result<String, Problem> {
        let mac = mac(self.key().await?, unit, sign_in);
        Ok(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The one of these units that a token is for; `None` where it is not ours, or another sign-in's.
    pub(super) async fn unit(
        &self,
        token: &str,
        sign_in: &TokenHash,
        mut units: impl Iterator<Item = u32>,
    ) -> Result<Option<u32>, Problem> {
        let Some(token) = bytes(token) else { return Ok(None) };
        let key = self.key().await?;
        // In a time that does not depend on where it is wrong.
        Ok(units.find(|unit| mac(key, *unit, sign_in).verify_slice(&token).is_ok()))
    }
}

fn mac(key: &Key, unit: u32, sign_in: &TokenHash) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new(key.into());
    mac.update(&unit.to_be_bytes());
    mac.update(sign_in);
    mac
}

/// What 64 hexadecimal digits stand for.
fn bytes(token: &str) -> Option<Vec<u8>> {
    if token.len() != 64 {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    token.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_for_one_unit_and_one_sign_in() {
        let of = |key: u8, unit, sign_in: u8| mac(&[key; 64], unit, &[sign_in; 32]).finalize().into_bytes();
        let token = of(1, 2, 3);
        assert_eq!(token, of(1, 2, 3));
        for other in [of(2, 2, 3), of(1, 3, 3), of(1, 2, 4)] {
            assert_ne!(token, other);
        }
        // RFC 4231 tests keys of other lengths; padded to a block they are the same keys.
        let mut key: Key = [0; 64];
        key[..20].fill(0x0b);
        let mut mac = Hmac::<Sha256>::new(&key.into());
        mac.update(b"Hi There");
        let told: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(told, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_digits_are_bytes(text in ".{0,70}", token in proptest::array::uniform32(any::<u8>())) {
            let _ = bytes(&text);
            let digits: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(bytes(&digits), Some(token.to_vec()));
        }
    }
}
