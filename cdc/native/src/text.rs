//! Texts as JSON strings, as fields of COPY's text format, and in hex.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub const NULL: &[u8] = b"\\N";
const BLOCK: usize = 32;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Where the first byte is that `special` knows; looks at blocks first, which the compiler turns into vectors.
fn first(bytes: &[u8], special: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        if block.iter().fold(false, |found, &byte| found | special(byte)) {
            break;
        }
        at += BLOCK;
    }
    bytes[at..]
        .iter()
        .position(|&byte| special(byte))
        .map(|found| at + found)
}

/// Appends `text` as a canonical JSON string (RFC 8785 §3.2.2.2).
pub fn json(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = first(rest, |byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let byte = rest[at];
        rest = &rest[at + 1..];
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x09 => b't',
            0x0a => b'n',
            0x0c => b'f',
            0x0d => b'r',
            _ => {
                out.extend_from_slice(b"\\u00");
                hex(out, &[byte]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends `bytes` in lower-case hex.
pub fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(
        bytes
            .iter()
            .flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
    );
}

/// Appends `bytes` in base64 with padding.
pub fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// Appends a value's text as a COPY field: backslash, tab, newline and carriage return are reserved.
pub fn copy_text(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = first(rest, |byte| {
        byte == b'\\' || byte == b'\t' || byte == b'\n' || byte == b'\r'
    }) {
        out.extend_from_slice(&rest[..at]);
        let short = match rest[at] {
            b'\t' => b't',
            b'\n' => b'n',
            b'\r' => b'r',
            backslash => backslash,
        };
        out.extend_from_slice(&[b'\\', short]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Appends canonical bytes as a COPY field: of what COPY reserves they hold only backslashes.
pub fn copy_canonical(out: &mut Vec<u8>, canonical: &[u8]) {
    let mut rest = canonical;
    while let Some(at) = first(rest, |byte| byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\\\\");
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Appends an integer in decimal.
pub fn decimal(out: &mut Vec<u8>, number: i64) {
    use std::io::Write;
    let _ = write!(out, "{number}"); // a Vec takes everything
}
