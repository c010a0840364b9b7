//! Where the bits of a signal stand in a payload, and how they become a number.
//!
//! Little-endian ("Intel") signals are numbered from their least significant bit, upwards through the bytes. Big-endian
//! ("Motorola") ones are numbered from their most significant bit in the sawtooth count of DBC files: bit 7 of a byte is
//! its first, then 6 down to 0, then bit 7 of the next byte.

/// Which end of a signal comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// "Intel": the least significant byte.
    Little,
    /// "Motorola": the most significant byte.
    Big,
}

/// What the raw bits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A number from 0.
    Unsigned,
    /// Two's complement.
    Signed,
    /// IEEE 754, 32 bits.
    Float32,
    /// IEEE 754, 64 bits.
    Float64,
}

/// Where a signal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    order: Order,
    encoding: Encoding,
    bits: u16,
    /// First and last byte that it touches.
    first: u16,
    last: u16,
    /// Bits of the last byte (big-endian) or first byte (little-endian) below its least significant bit.
    below: u8,
    /// The eight bytes in which it stands begin here. It is the last byte that decides: they exist where that exists.
    window: u16,
    /// How far its least significant bit stands from that of the window; `None` where eight bytes do not hold it.
    shift: Option<u8>,
}

impl Place {
    /// The signal that a DBC file describes by `start` and `bits`; `None` where it is empty, larger than any payload, or
    /// a float of another size than its own.
    pub fn new(order: Order, encoding: Encoding, start: u64, bits: u64) -> Option<Place> {
        let fits = match encoding {
            Encoding::Unsigned | Encoding::Signed => (1..=512).contains(&bits),
            Encoding::Float32 => bits == 32,
            Encoding::Float64 => bits == 64,
        };
        // Messages of transport protocols go on to 1,785 bytes; no frame carries that part of them.
        if !fits || start >= 1 << 15 {
            return None;
        }
        let (start, bits) = (start as u16, bits as u16);
        let (first, last, below) = match order {
            Order::Little => (start / 8, (start + bits - 1) / 8, start % 8),
            Order::Big => {
                let end = start / 8 * 8 + 7 - start % 8 + bits - 1;
                (start / 8, end / 8, 7 - end % 8)
            }
        };
        let window = last.saturating_sub(7);
        let shift = (first >= window).then(|| match order {
            Order::Little => (first - window) * 8 + below,
            Order::Big => (window + 7 - last) * 8 + below,
        });
        Some(Place { order, encoding, bits, first, last, below: below as u8, window, shift: shift.map(|s| s as u8) })
    }

    /// The same bits as an IEEE float; `None` where they are not 32 or 64.
    pub fn as_float(self) -> Option<Place> {
        match self.bits {
            32 => Some(Place { encoding: Encoding::Float32, ..self }),
            64 => Some(Place { encoding: Encoding::Float64, ..self }),
            _ => None,
        }
    }

    /// Its size in bits.
    pub fn bits(&self) -> u16 {
        self.bits
    }

    /// What its bits are.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Bytes that a payload must have to carry it.
    pub fn needs(&self) -> usize {
        usize::from(self.last) + 1
    }

    /// Whether the raw value is an integer of at most 64 bits, so that [`raw`](Self::raw) can give it.
    pub fn is_integer(&self) -> bool {
        self.bits <= 64 && matches!(self.encoding, Encoding::Unsigned | Encoding::Signed)
    }

    /// The raw bits, those of a signed value extended to 64; `None` where `data` does not carry all of them or they are
    /// more than 64.
    #[inline]
    pub fn raw(&self, data: &[u8]) -> Option<u64> {
        let low = match self.shift {
            Some(shift) => {
                let window = self.load(data)?;
                match self.order {
                    Order::Little => u64::from_le_bytes(window) >> shift,
                    Order::Big => u64::from_be_bytes(window) >> shift,
                }
            }
            None if self.bits <= 64 => (self.fold(data)? >> self.below) as u64,
            None => return None,
        };
        let unused = 64 - u32::from(self.bits);
        Some(match self.encoding {
            Encoding::Signed => (((low << unused) as i64) >> unused) as u64,
            _ => low << unused >> unused,
        })
    }

    /// The raw value as a number; `None` where `data` does not carry all of it.
    #[inline]
    pub fn number(&self, data: &[u8]) -> Option<f64> {
        if self.bits > 64 {
            return self.wide(data);
        }
        let raw = self.raw(data)?;
        Some(match self.encoding {
            Encoding::Unsigned => raw as f64,
            Encoding::Signed => raw as i64 as f64,
            Encoding::Float32 => f64::from(f32::from_bits(raw as u32)),
            Encoding::Float64 => f64::from_bits(raw),
        })
    }

    /// Puts raw bits there; `false`, and nothing put, where `data` is too short.
    pub fn put(&self, data: &mut [u8], raw: u64) -> bool {
        if data.len() < self.needs() || self.bits > 64 {
            return false;
        }
        for bit in 0..self.bits {
            let at = bit + u16::from(self.below);
            let byte = match self.order {
                Order::Little => self.first + at / 8,
                Order::Big => self.last - at / 8,
            };
            if let Some(byte) = data.get_mut(usize::from(byte)) {
                let mask = 1 << (at % 8);
                *byte = if raw >> bit & 1 == 1 { *byte | mask } else { *byte & !mask };
            }
        }
        true
    }

    #[inline]
    fn load(&self, data: &[u8]) -> Option<[u8; 8]> {
        if data.len() <= usize::from(self.last) {
            return None;
        }
        match data.get(usize::from(self.window)..).and_then(|rest| rest.first_chunk()) {
            Some(window) => Some(*window),
            None => {
                let mut window = [0; 8];
                window.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
                Some(window)
            }
        }
    }

    /// Its bytes as one number, for 64 bits at most that touch nine bytes.
    fn fold(&self, data: &[u8]) -> Option<u128> {
        let bytes = data.get(usize::from(self.first)..=usize::from(self.last))?;
        let join = |sum: u128, byte: &u8| sum << 8 | u128::from(*byte);
        Some(match self.order {
            Order::Little => bytes.iter().rev().fold(0, join),
            Order::Big => bytes.iter().fold(0, join),
        })
    }

    /// A value of more than 64 bits, to the precision of a double.
    fn wide(&self, data: &[u8]) -> Option<f64> {
        let bytes = data.get(usize::from(self.first)..=usize::from(self.last))?;
        let bit = |bit: u16| {
            let at = bit + u16::from(self.below);
            let byte = match self.order {
                Order::Little => bytes.get(usize::from(at / 8)),
                Order::Big => bytes.iter().rev().nth(usize::from(at / 8)),
            };
            byte.is_some_and(|byte| byte >> (at % 8) & 1 == 1)
        };
        let negative = self.encoding == Encoding::Signed && bit(self.bits - 1);
        let sum = (0..self.bits).rev().fold(0.0, |sum, at| sum * 2.0 + f64::from(u8::from(bit(at) != negative)));
        Some(if negative { -sum - 1.0 } else { sum })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_byte_orders_and_signs() {
        let data = [0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0];
        let raw = |order, encoding, start, bits| Place::new(order, encoding, start, bits).unwrap().raw(&data).unwrap();
        assert_eq!(raw(Order::Little, Encoding::Unsigned, 0, 16), 0x3412);
        assert_eq!(raw(Order::Big, Encoding::Unsigned, 7, 16), 0x1234);
        assert_eq!(raw(Order::Big, Encoding::Unsigned, 3, 12), 0x234);
        assert_eq!(raw(Order::Little, Encoding::Unsigned, 4, 8), 0x41);
        assert_eq!(raw(Order::Little, Encoding::Signed, 56, 8) as i64, -16);
        assert_eq!(raw(Order::Little, Encoding::Unsigned, 0, 64), 0xF0DE_BC9A_7856_3412);
        assert_eq!(raw(Order::Big, Encoding::Unsigned, 7, 64), 0x1234_5678_9ABC_DEF0);
    }

    #[test]
    fn a_payload_that_ends_before_the_signal_does_not_carry_it() {
        let place = Place::new(Order::Little, Encoding::Unsigned, 12, 8).unwrap();
        assert_eq!((place.raw(&[0xFF, 0x7F]), place.raw(&[0xFF, 0x7F, 0xF5])), (None, Some(0x57)));
        assert_eq!(place.needs(), 3);
    }

    #[test]
    fn floats_have_their_own_size() {
        let place = Place::new(Order::Little, Encoding::Float32, 0, 32).unwrap();
        assert_eq!(place.number(&1.5_f32.to_le_bytes()), Some(1.5));
        assert!(Place::new(Order::Little, Encoding::Float64, 0, 32).is_none());
    }

    /// One bit at a time, as the definition reads.
    fn by_the_book(order: Order, start: u16, bits: u16, data: &[u8]) -> Vec<bool> {
        let bit = |number: u16| data[usize::from(number / 8)] >> (number % 8) & 1 == 1;
        let mut at = start;
        let mut found = Vec::new();
        for _ in 0..bits {
            found.push(bit(at));
            at = match order {
                Order::Little => at + 1,
                Order::Big if at % 8 == 0 => at + 15,
                Order::Big => at - 1,
            };
        }
        if order == Order::Big {
            found.reverse();
        }
        found
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            big in any::<bool>(), signed in any::<bool>(), start in 0..512_u16, bits in 1..140_u16,
            data in proptest::collection::vec(any::<u8>(), 90),
        ) {
            let (order, encoding) = (
                if big { Order::Big } else { Order::Little },
                if signed { Encoding::Signed } else { Encoding::Unsigned },
            );
            let place = Place::new(order, encoding, start.into(), bits.into()).unwrap();
            let book = by_the_book(order, start, bits, &data);
            let exact = book.iter().rev().skip(usize::from(signed)).fold(0.0, |sum, bit| sum * 2.0 + f64::from(*bit as u8));
            let sign = if signed && book[book.len() - 1] { 2_f64.powi(i32::from(bits) - 1) } else { 0.0 };
            let number = place.number(&data).unwrap();
            prop_assert!((number - (exact - sign)).abs() <= 1e-15 * number.abs().max(sign), "{number} {exact} {sign}");
            prop_assert_eq!(place.number(&data[..place.needs() - 1]), None);
        }

        #[test]
        fn what_is_put_is_found_and_nothing_else_changes(
            big in any::<bool>(), start in 0..512_u16, bits in 1..=64_u16, raw in any::<u64>(),
            data in proptest::collection::vec(any::<u8>(), 90),
        ) {
            let order = if big { Order::Big } else { Order::Little };
            let place = Place::new(order, Encoding::Unsigned, start.into(), bits.into()).unwrap();
            let mut changed = data.clone();
            let raw = raw >> (64 - bits);
            prop_assert!(place.put(&mut changed, raw));
            prop_assert_eq!(place.raw(&changed), Some(raw));
            place.put(&mut changed, place.raw(&data).unwrap());
            prop_assert_eq!(changed, data);
        }
    }
}
