//! Reading a password.

use std::io::{self, BufRead, BufReader, IsTerminal};

use anyhow::{Context, Result, bail, ensure};
use zeroize::Zeroizing;

use crate::directory::user::TEXT_LEN_MAX;

/// Reads a new password: the first line of standard input when `from_stdin`, else twice from the
/// terminal without echo.
pub fn read_new(aor: &str, from_stdin: bool) -> Result<Zeroizing<String>> {
    if from_stdin {
        return first_line(BufReader::new(io::stdin().lock()));
    }
    if !io::stdin().is_terminal() {
        bail!(
            "no terminal to ask for the password: give it on standard input with --password-stdin"
        );
    }
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt).map(Zeroizing::new).context("reading the password")
    };
    let password = ask(format!("Password for {aor}: "))?;
    let again = ask("Once more: ".to_owned())?;
    ensure!(password == again, "the two passwords differ: try again");
    Ok(password)
}

/// Reads the password somebody has: the first line of standard input when `from_stdin`, else once
/// from the terminal without echo.
pub fn read_known(aor: &str, from_stdin: bool) -> Result<Zeroizing<String>> {
    if from_stdin {
        return first_line(BufReader::new(io::stdin().lock()));
    }
    if !io::stdin().is_terminal() {
        bail!(
            "no terminal to ask for the password: give it on standard input with --password-stdin"
        );
    }
    let prompt = format!("Password of {aor} in the directory service: ");
    rpassword::prompt_password(prompt).map(Zeroizing::new).context("reading the password")
}

fn first_line(input: impl BufRead) -> Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    // Longer than any password, so that one that is too long is still seen to be.
    input.take(2 * TEXT_LEN_MAX as u64).read_line(&mut line).context("reading the password")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    ensure!(!password.is_empty(), "no password on standard input: write it on the first line");
    Ok(Zeroizing::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        for input in ["secret", "secret\n", "secret\r\n", "secret\nmore\n"] {
            assert_eq!(first_line(input.as_bytes()).unwrap().as_str(), "secret");
        }
        assert_eq!(first_line(" s p \n".as_bytes()).unwrap().as_str(), " s p ");
        assert!(first_line("".as_bytes()).is_err());
        assert!(first_line("\nsecret".as_bytes()).is_err());
        assert!(first_line(&b"\xff\xfe\n"[..]).is_err());
    }
}
