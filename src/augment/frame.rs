//! What a view looks like when it is done: its side and how its values are normalised. Knows
//! nothing of operators.

use crate::spec::run::DataSpec;

use super::pixels::AugmentError;

/// Side and normalisation of a view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    side: usize,
    scale: [f32; 3],
    offset: [f32; 3],
}

impl Frame {
    /// Views of `image_size` x `image_size` pixels whose channels, values in [0, 1], leave as
    /// `(value - mean) / std`.
    pub fn new(image_size: u32, mean: [f64; 3], std: [f64; 3]) -> Self {
        let scale = std.map(|std| 1.0 / std);
        let offset = [0, 1, 2].map(|c| (-mean[c] * scale[c]) as f32);
        Self { side: image_size as usize, scale: scale.map(|scale| scale as f32), offset }
    }

    /// Returns the frame of a run's images.
    pub fn of(data: &DataSpec) -> Self {
        Self::new(data.image_size, data.mean, data.std)
    }

    /// Returns the side in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Returns how many numbers one view takes: side * side * 3.
    #[expect(clippy::len_without_is_empty, reason = "a length of what it describes, not its own")]
    pub fn len(&self) -> usize {
        self.side * self.side * 3
    }

    /// Fails unless `actual` is the length of `views` views.
    pub(super) fn check(&self, views: usize, actual: usize) -> Result<(), AugmentError> {
        let expected = views * self.len();
        if expected == actual { Ok(()) } else { Err(AugmentError::Output { expected, actual }) }
    }

    /// Writes planes of values in [0, 1] normalised, channels last.
    pub(super) fn write(&self, planes: [&[f32]; 3], out: &mut [f32]) {
        let [r, g, b] = planes;
        let ([sr, sg, sb], [or, og, ob]) = (self.scale, self.offset);
        let (pixels, _) = out.as_chunks_mut::<3>();
        for (((out, r), g), b) in pixels.iter_mut().zip(r).zip(g).zip(b) {
            *out = [r * sr + or, g * sg + og, b * sb + ob];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_leave_normalised_and_channels_last() {
        let frame = Frame::new(2, [0.5, 0.25, 0.0], [0.5, 0.25, 2.0]);
        let mut out = vec![f32::NAN; frame.len()];
        frame.write(
            [&[0.0, 0.5, 1.0, 0.25], &[0.0, 0.5, 1.0, 0.25], &[0.0, 0.5, 1.0, 0.25]],
            &mut out,
        );
        assert_eq!(out, [-1.0, -1.0, 0.0, 0.0, 1.0, 0.25, 1.0, 3.0, 0.5, -0.5, 0.0, 0.125]);
    }

    #[test]
    fn a_buffer_of_another_length_is_refused() {
        let frame = Frame::new(4, [0.0; 3], [1.0; 3]);
        assert_eq!(frame.check(2, 96), Ok(()));
        assert_eq!(frame.check(2, 95), Err(AugmentError::Output { expected: 96, actual: 95 }));
    }
}
