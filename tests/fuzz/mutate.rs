//! Mutations of structured text: lines, numbers, words, and text between brackets.

use std::ops::Range;

use fastrand::Rng;

/// Boundary values and words with a meaning in the inputs.
const TOKENS: [&str; 40] = [
    "0",
    "-1",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "0.5",
    "nan",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"0s\"",
    "\"1ns\"",
    "\"365d\"",
    "\"1 probe sent\"",
    "\"4294967295 probes answered\"",
    "\"client\"",
    "\"server\"",
    "\"router\"",
    "\"é\u{202e}\u{0}\"",
    "\"\u{1b}[2J\"",
    "[[step]]\n",
    "[[case]]\n",
    "\r\n",
    "'''",
    "#",
    "=",
    "\u{feff}",
];

/// Changes the text at one to eight places. Inserted parts are from `other`, from the text itself,
/// or from [`TOKENS`].
pub(crate) fn mutate(text: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    for _ in 0..rng.u8(1..=8) {
        let part = part(text, rng);
        match rng.u8(0..10) {
            0 => {
                text.drain(part);
            }
            // Mostly once, sometimes very often.
            1 => {
                let most = LARGEST / part.len().max(1);
                let repeated = if rng.u8(..) == 0 { most.min(500) } else { 1 };
                let piece = text[part.clone()].repeat(repeated);
                insert(text, part.start, &piece);
            }
            2 => {
                let piece = text[part.clone()].to_vec();
                text.drain(part);
                let place = rng.usize(0..=text.len());
                insert(text, place, &piece);
            }
            3 => {
                let piece = &other[self::part(other, rng)];
                replace(text, part, piece);
            }
            4 => {
                let place = rng.usize(0..=text.len());
                insert(text, place, &other[self::part(other, rng)]);
            }
            5 | 6 => replace(text, part, choose(rng).as_bytes()),
            7 => insert(text, part.end, choose(rng).as_bytes()),
            8 => {
                for byte in &mut text[part] {
                    *byte ^= 1 << rng.u8(0..8);
                }
            }
            _ => text.truncate(part.end),
        }
        text.truncate(LARGEST);
    }
}

/// The maximum length of an input, which is that of a scenario file: a longer one is rejected
/// without being read.
const LARGEST: usize = 1 << 20;

fn choose(rng: &mut Rng) -> &'static str {
    TOKENS[rng.usize(..TOKENS.len())]
}

fn insert(text: &mut Vec<u8>, place: usize, piece: &[u8]) {
    replace(text, place..place, piece);
}

fn replace(text: &mut Vec<u8>, part: Range<usize>, piece: &[u8]) {
    text.splice(part, piece.iter().copied());
}

/// A random part of the text: one or several bytes, a line, a word or number, or a bracketed part.
fn part(text: &[u8], rng: &mut Rng) -> Range<usize> {
    if text.is_empty() {
        return 0..0;
    }
    let place = rng.usize(..text.len());
    match rng.u8(0..5) {
        0 => place..place + 1,
        1 => place..(place + rng.usize(1..=16)).min(text.len()),
        2 => around(text, place, |byte| byte != b'\n'),
        3 => around(text, place, |byte| {
            byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
        }),
        _ => bracketed(text, place),
    }
}

/// The longest part around a place whose bytes all match `belongs`.
fn around(text: &[u8], place: usize, belongs: impl Fn(u8) -> bool) -> Range<usize> {
    let before = text[..place]
        .iter()
        .rev()
        .take_while(|byte| belongs(**byte));
    let after = text[place..].iter().take_while(|byte| belongs(**byte));
    let (before, after) = (before.count(), after.count());
    place - before..place + after
}

/// The next table or list, with its brackets.
fn bracketed(text: &[u8], place: usize) -> Range<usize> {
    let opens = |byte: &u8| b"[{".contains(byte);
    let Some(start) = text[place..].iter().position(opens) else {
        return place..text.len();
    };
    let start = place + start;
    let mut depth = 0_usize;
    for (end, byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return start..end + 1;
        }
    }
    start..text.len()
}
