//! Field types that know their range, so that a wrong number is found where it is read.
//!
//! Each type reads itself from TOML, says in its error what it expects, and gives its range to the
//! JSON schema. Knows nothing of layers, operations or optimizers, which are made of these.

mod drawn;
mod length;
mod one_or_each;
mod per_axis;
mod real;
mod whole;

pub use drawn::{Drawn, DrawnLength};
pub use length::{Length, Size};
pub use per_axis::{Axes, AxisValue, Margin, Margins, Pair, PerAxis, Triple};
pub use real::{Between, Fraction, NonNegative, PositiveReal, Rate, Real};
pub use whole::{Positive, PositiveOrAuto, positive_schema};

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_str, to_string};

    #[test]
    fn ranges_hold() {
        assert_eq!(from_str::<Positive>("3").unwrap(), Positive(3));
        let text = from_str::<Positive>("0").unwrap_err().to_string();
        assert!(
            text.starts_with("invalid value: integer `0`, expected a whole number of at least 1")
        );
        assert!(from_str::<Rate>("1.0").is_err());
        assert!(from_str::<Fraction>("1").is_ok());
        assert!(from_str::<PositiveReal>("0").is_err());
    }

    #[test]
    fn one_value_or_two() {
        assert_eq!(from_str::<Pair>("3").unwrap(), Pair::all(3));
        assert_eq!(from_str::<Pair>("[3, 5]").unwrap().get(), [3, 5]);
        assert!(from_str::<Pair>("[3, 5, 7]").is_err());
        assert!(from_str::<Pair>("[0, 5]").is_err());
        assert_eq!(to_string(&Pair::all(2)).unwrap(), "2");
        assert_eq!(from_str::<Drawn>("[-8, 8]").unwrap(), Drawn([-8.0, 8.0]));
        assert!(from_str::<Drawn>("[8, -8]").is_err());
    }

    #[test]
    fn one_value_or_three() {
        assert_eq!(from_str::<Triple>("3").unwrap(), Triple::all(3));
        assert_eq!(from_str::<Triple>("[1, 2, 3]").unwrap().get(), [1, 2, 3]);
        assert_eq!(to_string(&Triple::all(2)).unwrap(), "2");
        let text = from_str::<Triple>("[3, 5]").unwrap_err().to_string();
        assert!(
            text.starts_with(
                "invalid length 2, expected a whole number of at least 1, or three as \
                 [depth, height, width]"
            ),
            "{text}"
        );
    }

    #[test]
    fn one_value_or_one_per_axis() {
        let factors = from_str::<PerAxis<Positive>>("[2, 3]").unwrap();
        assert_eq!(factors.along(2), Some(vec![Positive(2), Positive(3)]));
        assert_eq!(factors.along(3), None);
        assert!(from_str::<PerAxis<Positive>>("0").is_err());

        let margin = |before, after| Margin { before, after };
        let margins = from_str::<Margins>("[1, [0, 2]]").unwrap();
        assert_eq!(margins.along(2), Some(vec![margin(1, 1), margin(0, 2)]));
        assert_eq!(to_string(&margins).unwrap(), "[1,[0,2]]");
        let all = from_str::<Margins>("3").unwrap();
        assert_eq!(all.along(1), Some(vec![margin(3, 3)]));
        assert!(from_str::<Margins>("-1").is_err());
        assert!(from_str::<Margins>("[[1, 2, 3]]").is_err());
    }
}
