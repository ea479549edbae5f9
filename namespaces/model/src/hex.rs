//! Bytes as lower-case hex digits, without the formatting machinery: the names of contents and requests are written
//! for each request. Reading them is the business of each type that is written so.

/// Writes bytes into `digits`, two digits each, and returns what was written: as many bytes as there is room for.
///
/// ```
/// assert_eq!(wasmyard_model::hex::encode(&[0x0f, 0xa0], &mut [0; 4]), "0fa0");
/// ```
pub fn encode<'d>(bytes: &[u8], digits: &'d mut [u8]) -> &'d str {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' - 10 + value };
    let mut written = 0;
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        written += 2;
    }
    digits.get(..written).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_two_digits() {
        for byte in 0..=u8::MAX {
            assert_eq!(encode(&[byte], &mut [0; 2]), format!("{byte:02x}"));
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out() {
        assert_eq!(encode(&[1, 2, 3], &mut [0; 5]), "0102");
    }
}
