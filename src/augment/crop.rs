//! Which part of an image a view shows. Knows nothing of pixels.

/// A rectangle inside an image; at least one pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Area {
    /// The whole of an image.
    pub(super) fn whole(width: usize, height: usize) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// The square that evaluation looks at: 7/8 (224/256) of the shorter side from views of 96
    /// pixels up, as ImageNet is evaluated, the whole shorter side below, where that margin would
    /// cut off what little there is (BYOL, appendix B and its code).
    pub(super) fn central(width: usize, height: usize, view_side: usize) -> Self {
        let shorter = width.min(height);
        let side = if view_side >= 96 { (shorter * 224 / 256).max(1) } else { shorter };
        let start = |whole: usize| (whole - side).div_ceil(2);
        Self { x: start(width), y: start(height), width: side, height: side }
    }
}

/// A random crop before the size of the image is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropDraw {
    /// Share of the image's area.
    pub share: f64,
    /// Width over height.
    pub aspect: f64,
    /// Place among the possible columns, in [0, 1).
    pub x: f64,
    /// Place among the possible rows, in [0, 1).
    pub y: f64,
}

impl CropDraw {
    /// Returns the rectangle: width `round(sqrt(area * aspect))`, height `round(sqrt(area /
    /// aspect))`, each cut to the image and at least 1; no second draw (BYOL's code).
    pub fn area(&self, width: usize, height: usize) -> Area {
        let pixels = self.share * width as f64 * height as f64;
        let side =
            |wanted: f64, whole: usize| (wanted.sqrt().round_ties_even() as usize).clamp(1, whole);
        let w = side(pixels * self.aspect, width);
        let h = side(pixels / self.aspect, height);
        let start = |unit: f64, free: usize| ((unit * (free + 1) as f64) as usize).min(free);
        Area { x: start(self.x, width - w), y: start(self.y, height - h), width: w, height: h }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_follow_area_and_aspect() {
        let draw = CropDraw { share: 0.5, aspect: 4.0 / 3.0, x: 0.0, y: 0.999 };
        // 100 * 80 * 0.5 = 4000; sqrt(4000 * 4/3) = 73.03; sqrt(4000 * 3/4) = 54.77.
        assert_eq!(draw.area(100, 80), Area { x: 0, y: 25, width: 73, height: 55 });
    }

    #[test]
    fn a_side_longer_than_the_image_is_cut() {
        let draw = CropDraw { share: 1.0, aspect: 4.0 / 3.0, x: 0.9, y: 0.5 };
        assert_eq!(draw.area(32, 32), Area { x: 0, y: 2, width: 32, height: 28 });
        let tiny = CropDraw { share: 0.01, aspect: 1.0, x: 0.5, y: 0.5 };
        assert_eq!(tiny.area(1, 1), Area { x: 0, y: 0, width: 1, height: 1 });
        assert_eq!(tiny.area(3, 3), Area { x: 1, y: 1, width: 1, height: 1 });
    }

    #[test]
    fn evaluation_looks_at_the_centre() {
        let area = |x, y, side| Area { x, y, width: side, height: side };
        assert_eq!(Area::central(640, 480, 224), area(110, 30, 420));
        assert_eq!(Area::central(256, 256, 224), area(16, 16, 224));
        assert_eq!(Area::central(40, 31, 32), area(5, 0, 31));
        assert_eq!(Area::central(1, 1, 224), area(0, 0, 1));
    }
}
