//! Words within a PNG, in its chunks for international text (PNG specification, 11.3.3.4). Knows
//! nothing of what they say.

use flate2::Crc;

/// Signature, and the first chunk with its 13 bytes.
const START: usize = 8 + 12 + 13;
/// Length, kind and checksum of a chunk.
const FRAME: usize = 12;
const TEXT: &[u8; 4] = b"iTXt";

/// Returns the picture with these words, keyword and text.
pub(super) fn with(png: &[u8], words: &[(&str, String)]) -> Vec<u8> {
    let (start, rest) = png.split_at(START.min(png.len()));
    let mut picture = start.to_vec();
    for (keyword, text) in words {
        // Neither compressed nor translated.
        let data = [keyword.as_bytes(), &[0; 5], text.as_bytes()].concat();
        picture.extend(chunk(TEXT, &data));
    }
    picture.extend(rest);
    picture
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("words are shorter than 4 GiB");
    let mut checksum = Crc::new();
    checksum.update(kind);
    checksum.update(data);
    [&length.to_be_bytes(), kind.as_slice(), data, &checksum.sum().to_be_bytes()].concat()
}

/// Returns the words of a picture, as its chunks hold them; none of what is no PNG.
pub(super) fn of(png: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = png.get(8..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(data) = after.get(4..).and_then(|data| data.get(..length)) else { break };
        if after.starts_with(TEXT) {
            found.push(data);
        }
        rest = rest.get(length + FRAME..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_the_checksum_that_the_specification_shows() {
        let end = [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82];
        assert_eq!(chunk(b"IEND", &[]), end);
    }

    #[test]
    fn words_are_in_the_picture_and_the_picture_is_the_same() {
        let mut png = std::io::Cursor::new(Vec::new());
        let white = image::RgbImage::from_pixel(3, 2, image::Rgb([255; 3]));
        white.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let told = with(png.get_ref(), &[("Sweep", "tau é".to_owned()), ("Rows", String::new())]);
        let expected: [&[u8]; 2] = ["Sweep\0\0\0\0\0tau é".as_bytes(), b"Rows\0\0\0\0\0"];
        assert_eq!(of(&told), expected);
        assert_eq!(image::load_from_memory(&told).unwrap().to_rgb8(), white);
        assert_eq!(of(png.get_ref()), Vec::<&[u8]>::new());
        assert_eq!(of(b"no picture"), Vec::<&[u8]>::new());
    }
}
