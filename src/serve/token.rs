//! The secret that lets somebody act, made anew at each start: one of an earlier start is worth
//! nothing. Knows nothing of requests.

use std::io;
use std::path::{Path, PathBuf};

use crate::files::write_private;

/// Name of the file in the state folder that holds it, for its owner only.
const FILE: &str = "serve.token";

/// What the cookie is derived for, so that it is not the token itself.
const COOKIE: &str = "byol-sweep 2026 serve cookie";

/// The secret.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// Draws one: 32 bytes from the system, as hexadecimal digits.
    pub(super) fn draw() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(blake3::Hash::from_bytes(bytes).to_hex().to_string()))
    }

    /// Returns it as people pass it on.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Returns whether that is it, in the same time whatever is wrong with it.
    pub(super) fn is(&self, told: &str) -> bool {
        same(&self.0, told)
    }

    /// Returns what a browser keeps to read with.
    pub(super) fn cookie(&self) -> String {
        blake3::Hash::from_bytes(blake3::derive_key(COOKIE, self.0.as_bytes())).to_hex().to_string()
    }

    /// Returns whether that is the browser's.
    pub(super) fn is_cookie(&self, told: &str) -> bool {
        same(&self.cookie(), told)
    }

    /// Writes it into the state folder, for programs of the same user.
    pub(super) fn keep(&self, state: &Path) -> io::Result<PathBuf> {
        let path = state.join(FILE);
        write_private(&path, format!("{}\n", self.0).as_bytes())?;
        Ok(path)
    }

    /// Takes it out of the state folder, unless a later start has put its own there.
    pub(super) fn forget(&self, state: &Path) {
        let path = state.join(FILE);
        if std::fs::read_to_string(&path).is_ok_and(|kept| self.is(kept.trim())) {
            let _gone = std::fs::remove_file(path);
        }
    }
}

/// Hashes compare in constant time, and tell nothing of what was hashed.
fn same(one: &str, other: &str) -> bool {
    blake3::hash(one.as_bytes()) == blake3::hash(other.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn each_start_draws_another_and_only_the_whole_of_it_counts() {
        let (one, other) = (Token::draw().unwrap(), Token::draw().unwrap());
        assert_eq!(one.text().len(), 64);
        assert!(one.is(one.text()) && !one.is(other.text()));
        assert!(!one.is("") && !one.is(&one.text()[..63]) && !one.is(&format!("{} ", one.text())));
        assert!(one.is_cookie(&one.cookie()) && !one.is_cookie(one.text()));
        assert!(!one.is(&one.cookie()), "a cookie reads and does not act");
    }

    #[test]
    fn it_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::draw().unwrap();
        let path = token.keep(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), token.text());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        Token::draw().unwrap().forget(folder.path());
        assert!(path.exists(), "that of another start stays");
        token.forget(folder.path());
        assert!(!path.exists());
    }
}
