//! Which bytes may stand where, the version, and whose words are read. Knows no field by name.

/// The version that a peer's message has. A later minor version counts as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

/// Whose message is read. What a client sends is taken by the letter, for others may read the same
/// bytes and understand something else. What an upstream sends is taken where its meaning is
/// plain, as by nginx: nobody else reads those bytes, the client gets them written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Client,
    Upstream,
}

/// Set for a byte that may stand in a field's name but is no letter, digit, `-` or `_`.
pub(crate) const ODD: u8 = 1;
/// Set for `_`.
pub(crate) const UNDERSCORE: u8 = 2;
/// Set for a byte that ends a field's name: the colon, white space, control bytes.
pub(crate) const NO_NAME: u8 = 4;
/// Set for what RFC 9110 §5.6.2 lets into a token.
const TOKEN: u8 = 8;
/// Set for a byte of a method: `A-Z`, `_` and `-`, which is what nginx takes.
const METHOD: u8 = 16;
/// Set for a byte of a registered name (RFC 3986 §3.2.2).
const REG_NAME: u8 = 32;

/// The bits above for each byte.
const BYTES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "evaluated while compiling")]
        {
            table[byte] = bits_of(byte as u8);
        }
        byte += 1;
    }
    table
};

const fn bits_of(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => TOKEN | METHOD | REG_NAME,
        b'a'..=b'z' | b'0'..=b'9' => TOKEN | REG_NAME,
        b'-' => TOKEN | METHOD | REG_NAME,
        b'_' => TOKEN | METHOD | REG_NAME | UNDERSCORE,
        b'!' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'.' | b'~' => TOKEN | REG_NAME | ODD,
        b'#' | b'^' | b'`' | b'|' => TOKEN | ODD,
        b'(' | b')' | b',' | b';' | b'=' => REG_NAME | ODD,
        0..=b' ' | 0x7f | b':' => NO_NAME,
        _ => ODD,
    }
}

/// The bits of `byte`.
#[inline]
pub(crate) fn bits(byte: u8) -> u8 {
    BYTES.get(usize::from(byte)).copied().unwrap_or(NO_NAME)
}

/// Whether a text is a token, which a method and a field's name are (RFC 9110 §5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// Whether `byte` may stand in a token (RFC 9110 §5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    bits(byte) & TOKEN != 0
}

/// Whether `byte` may stand in a method.
pub(crate) fn is_method_byte(byte: u8) -> bool {
    bits(byte) & METHOD != 0
}

/// Whether `byte` may stand in a registered name (RFC 3986 §3.2.2).
pub(crate) fn is_reg_name_byte(byte: u8) -> bool {
    bits(byte) & REG_NAME != 0
}

/// Whether `byte` may stand in a field's name. Beyond a token, as in nginx: anything but the
/// colon, white space and control bytes.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    bits(byte) & NO_NAME == 0
}

/// Whether `byte` may stand in a target: no control byte and no space.
pub(crate) fn is_target_byte(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f
}

/// Whether `byte` may stand in a value that a client sends: tab, space, visible, or beyond ASCII
/// (RFC 9110 §5.5).
pub(crate) fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether `byte` may be written as part of a value or a reason: all but what could end the line
/// or the string for a reader. nginx passes on the other control bytes of an upstream as well.
pub(crate) fn is_written_byte(byte: u8) -> bool {
    !matches!(byte, 0 | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(is: impl Fn(u8) -> bool) -> alloc::vec::Vec<u8> {
        (0..=255).filter(|&byte| is(byte)).collect()
    }

    #[test]
    fn tokens_and_methods_are_made_of_the_bytes_of_the_standard_and_of_nginx() {
        let visible =
            b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
        assert_eq!(all(is_token_byte), visible);
        assert_eq!(all(is_method_byte), b"-ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        assert_eq!(
            all(is_reg_name_byte),
            b"!$%&'()*+,-.0123456789;=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
        );
    }

    #[test]
    fn each_byte_of_a_name_is_plain_underscore_or_odd() {
        let plain = all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        assert_eq!(all(|byte| bits(byte) & (ODD | UNDERSCORE | NO_NAME) == 0), plain);
        assert_eq!(all(|byte| bits(byte) & UNDERSCORE != 0), b"_");
        let mut stops: alloc::vec::Vec<u8> = (0..=b' ').collect();
        stops.extend([b':', 0x7f]);
        assert_eq!(all(|byte| !is_name_byte(byte)), stops);
        assert!(
            all(|byte| (bits(byte) & (ODD | UNDERSCORE | NO_NAME)).count_ones() > 1).is_empty()
        );
    }

    #[test]
    fn what_a_client_may_send_as_a_value_may_be_written() {
        assert_eq!(all(|byte| !is_written_byte(byte)), b"\0\n\r");
        assert!(all(is_value_byte).into_iter().all(is_written_byte));
    }
}
