//! Numbers as people read them, with units.

use std::time::Duration;

use crate::protocol::{Progress, Stage};

/// Returns `8.1 s`, `12m 04s`, `3h 05m` or `2d 07h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64().min(59.9)),
        60..3600 => format!("{minutes}m {:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// Returns `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a fraction in [0, 1] as `61.2 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.1} %", fraction * 100.0)
}

/// Returns a metric's value: accuracies (`..._top1`, `..._top5`) in percent, the rest as numbers.
pub fn metric(name: &str, value: f64) -> String {
    if is_accuracy(name) { percent(value) } else { format!("{value:.4}") }
}

/// Returns by how much a metric differs, with its sign: accuracies in percentage points.
pub fn change(name: &str, difference: f64) -> String {
    if is_accuracy(name) {
        format!("{:+.1} points", rounded(100.0 * difference, 10.0))
    } else {
        format!("{:+.4}", rounded(difference, 10_000.0))
    }
}

/// Rounds to a part; what is too small for one is 0 and not -0.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts + 0.0
}

fn is_accuracy(name: &str) -> bool {
    name.ends_with("_top1") || name.ends_with("_top5")
}

/// Returns `1.3 GB`, in powers of 1000.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{number} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Returns `1 trial`, `2 trials`.
pub fn plural(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number as u64))
}

/// Returns where training is in a few words.
pub fn progress(progress: &Progress) -> String {
    match progress.stage {
        Stage::Load => "reads images".to_owned(),
        Stage::Evaluate => "evaluates".to_owned(),
        Stage::Train => {
            let done = progress.update as f64 / (progress.updates.max(1)) as f64;
            let speed = count(progress.images_per_s.max(0.0).round() as u64);
            let Progress { epoch, epochs, .. } = progress;
            format!("epoch {epoch} of {epochs}, {}, {speed} images/s", percent(done))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_a_sign_and_accuracies_points() {
        assert_eq!(change("linear_top1", -0.1681), "-16.8 points");
        assert_eq!(change("knn_top5", 0.02), "+2.0 points");
        assert_eq!(change("linear_top1", -0.0001), "+0.0 points");
        assert_eq!(change("loss", 0.25), "+0.2500");
    }

    #[test]
    fn progress_is_told_by_epoch_share_and_speed() {
        let at = Progress {
            stage: Stage::Train,
            update: 30,
            updates: 120,
            epoch: 2,
            epochs: 4,
            loss: None,
            images_per_s: 3120.4,
        };
        assert_eq!(progress(&at), "epoch 2 of 4, 25.0 %, 3,120 images/s");
        assert_eq!(progress(&Progress { stage: Stage::Load, ..at }), "reads images");
    }

    #[test]
    fn durations_change_their_unit_with_their_size() {
        let cases = [
            (0.0, "0.0 s"),
            (59.99, "59.9 s"),
            (60.0, "1m 00s"),
            (3599.0, "59m 59s"),
            (3600.0, "1h 00m"),
            (90_000.0, "1d 01h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), text);
        }
    }

    #[test]
    fn digits_are_grouped_by_three() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn bytes_take_the_largest_unit_that_fits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_999, "1.0 MB"),
            (4_700_000_000, "4.7 GB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn only_accuracies_are_percentages() {
        assert_eq!(metric("linear_top1", 0.6125), "61.3 %");
        assert_eq!(metric("loss", 0.6125), "0.6125");
    }
}
