//! Octets that must not be shown or left behind.

use std::fmt;
use std::ops::Deref;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// `N` octets as good as a password: wiped when dropped, hidden from `Debug`, compared in constant
/// time. Borrow the octets (`&*secret`, `AsRef`) rather than copy them out.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Guards `octets`.
    pub const fn new(octets: [u8; N]) -> Self {
        Secret(octets)
    }
}

impl<const N: usize> Deref for Secret<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> AsRef<[u8]> for Secret<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> From<[u8; N]> for Secret<N> {
    fn from(octets: [u8; N]) -> Self {
        Secret(octets)
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_octets() {
        assert_eq!(format!("{:?}", Secret::new([7u8; 16])), "[hidden]");
    }

    #[test]
    fn equality_is_of_the_octets() {
        assert_eq!(Secret::new([1u8; 16]), Secret::new([1u8; 16]));
        assert_ne!(Secret::new([1u8; 16]), Secret::new([2u8; 16]));
    }
}
