//! Base64 (RFC 4648 §4 and §5), read.

/// Appends what the text encodes; padding ends it. False where it is not that.
pub fn decode(encoded: &[u8], out: &mut Vec<u8>) -> bool {
    decode_with(encoded, *b"+/", out)
}

/// The same in the alphabet for URLs and file names.
pub fn decode_url(encoded: &[u8], out: &mut Vec<u8>) -> bool {
    decode_with(encoded, *b"-_", out)
}

fn decode_with(encoded: &[u8], last: [u8; 2], out: &mut Vec<u8>) -> bool {
    let (mut bits, mut count, mut digits): (u32, u32, usize) = (0, 0, 0);
    for &byte in encoded.iter().take_while(|&&byte| byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            _ if byte == last[0] => 62,
            _ if byte == last[1] => 63,
            _ => return false,
        };
        digits += 1;
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap_or(0));
        }
    }
    digits % 4 != 1
}
