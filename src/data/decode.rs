//! One image file to RGB bytes. Decides by content, not by name, what the file is; turns
//! grayscale, palettes, alpha (dropped), 16 bits and CMYK into 8-bit RGB; leaves EXIF rotation
//! aside, as the usual training pipelines do.

use std::borrow::Cow;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, ImageReader};

use super::{DataError, Image};

/// Reads and decodes a JPEG or PNG.
pub(super) fn decode(path: &Path) -> Result<Image<'static>, DataError> {
    let bytes = fs::read(path).map_err(|cause| DataError::Io { path: path.to_owned(), cause })?;
    let bad = |cause| DataError::BadImage { path: path.to_owned(), cause };
    if bytes.is_empty() {
        return Err(bad("the file is empty".to_owned()));
    }
    let Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) = image::guess_format(&bytes) else {
        return Err(bad("it is neither JPEG nor PNG inside".to_owned()));
    };
    // The decoder fills what is missing with gray, without a word.
    if format == ImageFormat::Jpeg && !is_whole_jpeg(&bytes) {
        return Err(bad("the JPEG ends before its end marker; it was cut off".to_owned()));
    }
    let rgb = ImageReader::with_format(Cursor::new(&bytes), format)
        .decode()
        .map_err(|error| bad(error.to_string()))?
        .into_rgb8();
    let (width, height) = rgb.dimensions();
    Ok(Image { width, height, rgb: Cow::Owned(rgb.into_raw()) })
}

/// Returns whether the markers of a JPEG lead to its end marker (ITU T.81, annex B).
///
/// Segments are stepped over by their lengths, so that the end of an embedded thumbnail does not
/// count.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    const START_OF_IMAGE: u8 = 0xD8;
    const END_OF_IMAGE: u8 = 0xD9;
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xFF)) {
        at += found + 1;
        match bytes.get(at) {
            None => return false,
            Some(&END_OF_IMAGE) => return true,
            // Fill, stuffing within coded data, restarts: nothing follows that has a length.
            Some(0xFF) => {}
            Some(&(0x00 | 0x01 | 0xD0..=0xD7 | START_OF_IMAGE)) => at += 1,
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(&[high, low]) => at += 1 + usize::from(u16::from_be_bytes([high, low])),
                Some(_) | None => return false,
            },
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use image::{DynamicImage, ExtendedColorType, ImageEncoder};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        }
    }

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn noise(width: u32, height: u32) -> DynamicImage {
        let mut pixels = vec![0; (width * height * 3) as usize];
        super::super::draw::Draw::at(*b"test    ", [0; 3]).bytes(&mut pixels);
        DynamicImage::ImageRgb8(image::RgbImage::from_raw(width, height, pixels).unwrap())
    }

    fn cause(path: &Path) -> String {
        match decode(path).unwrap_err() {
            DataError::BadImage { path: named, cause } => {
                assert_eq!(named, path);
                cause
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_kind_of_pixel_becomes_rgb() {
        let folder = Folder::new();
        let source = noise(7, 5);
        let kinds = [
            source.clone(),
            DynamicImage::ImageLuma8(source.to_luma8()),
            DynamicImage::ImageLumaA8(source.to_luma_alpha8()),
            DynamicImage::ImageRgba8(source.to_rgba8()),
            DynamicImage::ImageRgb16(source.to_rgb16()),
        ];
        for (index, kind) in kinds.iter().enumerate() {
            let path = folder.file(&format!("{index}.png"), &encoded(kind, ImageFormat::Png));
            let image = decode(&path).unwrap();
            assert_eq!((image.width, image.height), (7, 5));
            assert_eq!(image.rgb.as_ref(), kind.to_rgb8().as_raw().as_slice());
        }
    }

    #[test]
    fn a_gray_jpeg_has_three_equal_channels() {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut bytes)
            .write_image(&[90; 24 * 17], 24, 17, ExtendedColorType::L8)
            .unwrap();
        let image = decode(&Folder::new().file("a.jpg", &bytes)).unwrap();
        assert_eq!(image.rgb.len(), 24 * 17 * 3);
        let (pixels, _) = image.rgb.as_chunks::<3>();
        assert!(pixels.iter().all(|[r, g, b]| r == g && g == b));
    }

    #[test]
    fn content_beats_the_name() {
        let folder = Folder::new();
        let jpeg = encoded(&noise(8, 8), ImageFormat::Jpeg);
        assert_eq!(decode(&folder.file("a.png", &jpeg)).unwrap().width, 8);
        assert_eq!(
            cause(&folder.file("b.png", b"a text, not an image")),
            "it is neither JPEG nor PNG inside"
        );
        assert_eq!(cause(&folder.file("c.jpg", b"")), "the file is empty");
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error() {
        let folder = Folder::new();
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let whole = encoded(&noise(32, 32), format);
            decode(&folder.file("whole", &whole)).unwrap();
            for keep in [4, whole.len() / 4, whole.len() / 2, whole.len() - 16] {
                cause(&folder.file("cut", &whole[..keep]));
            }
        }
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end() {
        let mut bytes = encoded(&noise(32, 32), ImageFormat::Jpeg);
        let thumbnail = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD9, 0xFF, 0xD9];
        bytes.splice(2..2, thumbnail);
        assert!(is_whole_jpeg(&bytes));
        assert!(!is_whole_jpeg(&bytes[..bytes.len() / 2]));
        bytes.extend_from_slice(b"trailing bytes are nobody's harm");
        assert!(is_whole_jpeg(&bytes));
    }

    #[test]
    fn a_missing_file_is_told_by_name() {
        let error = decode(Path::new("nowhere/a.jpg")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read nowhere/a.jpg: "), "{error}");
    }
}
