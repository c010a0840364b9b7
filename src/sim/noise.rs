//! Chance that can be asked for any moment, in any order: a pure function of a seed, a channel and a place.
//!
//! There is no generator with a state, so a car that is set down in the middle of its story is the same car that has
//! driven there: nothing has to be run up to that moment first.

/// Chance of one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    seed: u64,
}

impl Noise {
    pub(super) const fn new(seed: u64) -> Noise {
        Noise { seed }
    }

    /// The `index`-th number of `channel`, evenly spread over 0 to 1, independent of its neighbours.
    pub(super) fn unit(self, channel: u64, index: u64) -> f64 {
        let bits = mix(mix(mix(self.seed) ^ channel) ^ index);
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A smooth curve over `seconds`, between −1 and 1, that has forgotten where it was after about `memory` seconds:
    /// random heights at every `memory` seconds, joined by half cosines.
    pub(super) fn wander(self, channel: u64, seconds: f64, memory: f64) -> f64 {
        let place = (seconds / memory).max(0.0);
        let before = place.floor();
        let height = |index: u64| 2.0 * self.unit(channel, index) - 1.0;
        let (left, right) = (height(before as u64), height((before as u64).saturating_add(1)));
        let share = 0.5 - 0.5 * (std::f64::consts::PI * (place - before)).cos();
        left + (right - left) * share
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one step of its counter and its finisher.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_evenly_and_repeat_for_a_seed() {
        let mean = |seed| (0..10_000).map(|index| Noise::new(seed).unit(3, index)).sum::<f64>() / 10_000.0;
        assert!((mean(1) - 0.5).abs() < 0.02, "{}", mean(1));
        assert_eq!(mean(1), mean(1));
        assert_ne!(mean(1), mean(2));
    }

    #[test]
    fn what_wanders_stays_within_bounds_and_never_jumps() {
        let noise = Noise::new(7);
        let curve: Vec<f64> = (0..100_000).map(|step| noise.wander(1, f64::from(step) * 0.01, 40.0)).collect();
        assert!(curve.iter().all(|height| height.abs() <= 1.0));
        assert!(curve.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.01 * 4.0 / 40.0));
        assert!(curve.iter().fold(0.0, |most: f64, height| most.max(height.abs())) > 0.5, "it does wander");
    }
}
