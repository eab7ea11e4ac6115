//! An image as the readers hand it over, checked once. Knows nothing of what is done with it.

/// Why pixels cannot become a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AugmentError {
    /// An image without pixels, or whose bytes do not match its size.
    #[error("an image of {width}x{height} RGB pixels cannot have {bytes} bytes; read it again")]
    Image {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes that came with it.
        bytes: usize,
    },
    /// The slice to fill has another length than the views.
    #[error("the views take {expected} numbers and the buffer holds {actual}; make it as long")]
    Output {
        /// Numbers that the views take.
        expected: usize,
        /// Length of the slice.
        actual: usize,
    },
}

/// An RGB image: one byte a channel, channels last, rows from the top, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixels<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
}

impl<'a> Pixels<'a> {
    /// Takes `width * height * 3` bytes.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Image`] if a side is 0 or the bytes are too few or too many.
    pub fn new(width: u32, height: u32, rgb: &'a [u8]) -> Result<Self, AugmentError> {
        let expected = u64::from(width)
            .checked_mul(u64::from(height))
            .and_then(|pixels| pixels.checked_mul(3))
            .and_then(|bytes| usize::try_from(bytes).ok());
        if expected == Some(rgb.len()) && !rgb.is_empty() {
            Ok(Self { width: width as usize, height: height as usize, rgb })
        } else {
            Err(AugmentError::Image { width, height, bytes: rgb.len() })
        }
    }

    /// Returns the width in pixels, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns `3 * length` bytes of row `y`, from column `x`.
    pub(super) fn row(&self, y: usize, x: usize, length: usize) -> &'a [u8] {
        let start = (y * self.width + x) * 3;
        &self.rgb[start..start + length * 3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_must_match_the_size() {
        assert!(Pixels::new(2, 1, &[0; 6]).is_ok());
        for (width, height, bytes) in [(2, 1, 5), (2, 1, 7), (0, 0, 0), (0, 4, 0), (4, 0, 12)] {
            let expected = AugmentError::Image { width, height, bytes };
            assert_eq!(Pixels::new(width, height, &vec![0; bytes]), Err(expected));
        }
        assert!(Pixels::new(u32::MAX, u32::MAX, &[]).is_err());
    }
}
