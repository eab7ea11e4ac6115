//! Gaussian blur of a square plane, zero outside, separable. Knows nothing of colours.

use super::scratch::Scratch;

/// Returns the radius of the kernel for views of `side` pixels: half of a tenth of the side,
/// rounded down, so 23 taps at 224 and 3 at 32 (BYOL's code). Below 20 pixels the kernel is a
/// single tap and the blur does nothing.
fn radius(side: usize) -> usize {
    side / 20
}

/// Blurs the scratch's planes of `side` x `side` pixels with `sigma` in pixels.
pub(super) fn blur(scratch: &mut Scratch, side: usize, sigma: f64) {
    let radius = radius(side);
    if radius == 0 {
        return;
    }
    let kernel = half_kernel(radius, sigma);
    scratch.spare.resize(side * side, 0.0);
    scratch.row.clear();
    scratch.row.resize(side + 2 * radius, 0.0);
    for plane in &mut scratch.planes {
        down(plane, side, &kernel, &mut scratch.spare);
        across(&scratch.spare, side, &kernel, &mut scratch.row, plane);
    }
}

/// Weights of the middle and of each distance to one side; with both sides they sum to 1.
fn half_kernel(radius: usize, sigma: f64) -> Vec<f32> {
    // At a thousandth of a pixel the neighbours' weights are 0 already; below, 0 / 0 lurks.
    let sigma = sigma.max(1e-3);
    let weight = |distance: usize| (-((distance * distance) as f64) / (2.0 * sigma * sigma)).exp();
    let sum = 1.0 + 2.0 * (1..=radius).map(weight).sum::<f64>();
    (0..=radius).map(|distance| (weight(distance) / sum) as f32).collect()
}

fn down(plane: &[f32], side: usize, kernel: &[f32], out: &mut [f32]) {
    let row = |y: usize| &plane[y * side..(y + 1) * side];
    for (y, out) in out.chunks_exact_mut(side).enumerate() {
        for (out, value) in out.iter_mut().zip(row(y)) {
            *out = kernel[0] * value;
        }
        for (distance, weight) in kernel.iter().enumerate().skip(1) {
            let above = y.checked_sub(distance);
            let below = Some(y + distance).filter(|below| *below < side);
            for neighbour in [above, below].into_iter().flatten() {
                for (out, value) in out.iter_mut().zip(row(neighbour)) {
                    *out += weight * value;
                }
            }
        }
    }
}

/// `padded` has `radius` zeros at either end.
fn across(plane: &[f32], side: usize, kernel: &[f32], padded: &mut [f32], out: &mut [f32]) {
    let radius = kernel.len() - 1;
    for (source, out) in plane.chunks_exact(side).zip(out.chunks_exact_mut(side)) {
        padded[radius..radius + side].copy_from_slice(source);
        for (out, value) in out.iter_mut().zip(source) {
            *out = kernel[0] * value;
        }
        for (distance, weight) in kernel.iter().enumerate().skip(1) {
            let (left, right) = (&padded[radius - distance..], &padded[radius + distance..]);
            for ((out, left), right) in out.iter_mut().zip(left).zip(right) {
                *out += weight * (left + right);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_as_wide_as_the_papers() {
        let widths = [224, 128, 96, 64, 32, 20, 19, 1].map(|side| 2 * radius(side) + 1);
        assert_eq!(widths, [23, 13, 9, 7, 3, 3, 1, 1]);
    }

    #[test]
    fn weights_are_gaussian_and_sum_to_one() {
        // exp(-1/2) = 0.60653, exp(-2) = 0.13534; the sum of all five is 2.48373.
        let kernel = half_kernel(2, 1.0);
        for (weight, expected) in kernel.iter().zip([0.40262, 0.24420, 0.05449]) {
            assert!((weight - expected).abs() < 1e-5, "{kernel:?}");
        }
        assert_eq!(half_kernel(1, 0.0), [1.0, 0.0]);
    }

    /// Direct convolution with the square kernel.
    fn naive(plane: &[f32], side: usize, kernel: &[f32]) -> Vec<f32> {
        let size = side as isize;
        let value = |x: isize, y: isize| {
            let inside = (0..size).contains(&x) && (0..size).contains(&y);
            if inside { plane[(y * size + x) as usize] } else { 0.0 }
        };
        let reach = kernel.len() as isize - 1;
        let weight = |x: isize, y: isize| kernel[x.unsigned_abs()] * kernel[y.unsigned_abs()];
        let around = || (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| (x, y)));
        let at = |x, y| around().map(|(dx, dy)| weight(dx, dy) * value(x + dx, y + dy)).sum();
        (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect()
    }

    #[test]
    fn blurring_is_a_convolution_with_zeros_outside() {
        for side in [20, 41, 64] {
            let plane: Vec<f32> = (0..side * side).map(|i| (i * 37 % 101) as f32 / 100.0).collect();
            let mut scratch = Scratch::default();
            scratch.planes.fill(plane.clone());
            blur(&mut scratch, side, 1.3);
            let expected = naive(&plane, side, &half_kernel(side / 20, 1.3));
            for blurred in &scratch.planes {
                assert!(blurred.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5));
            }
        }
    }

    #[test]
    fn small_views_stay_sharp() {
        let mut scratch = Scratch::default();
        scratch.planes.fill(vec![0.25; 19 * 19]);
        blur(&mut scratch, 19, 2.0);
        assert_eq!(scratch.planes[0], vec![0.25; 19 * 19]);
    }
}
