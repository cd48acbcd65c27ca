//! Fields with an entry for each axis of the input, of which there may be one, two or three.

use super::needs;
use crate::error::Flaw;
use crate::shape::Shape;
use crate::value::{Margin, Margins, PerAxis};

/// What a window slides over, as errors call it.
fn axes(input: Shape) -> &'static str {
    match input {
        Shape::Features(_) => "none",
        Shape::Sequence(_) => "steps",
        Shape::Image(_) => "height and width",
        Shape::Volume(_) => "depth, height and width",
    }
}

/// The values of `size` for each of the input's places, or the flaw of a list of another length.
pub(super) fn per_axis<T: Copy>(size: &PerAxis<T>, input: Shape) -> Result<Vec<T>, Flaw> {
    if let Shape::Features(_) = input {
        return Err(needs("a sequence, an image or a volume", input));
    }
    let wanted = input.places().len();
    size.along(wanted).ok_or_else(|| {
        let received = match size {
            PerAxis::All(_) => 1,
            PerAxis::Each(values) => values.len(),
        };
        let (kind, axes) = (input.kind(), axes(input));
        let message = format!(
            "has a `size` with {} but its input, {kind} ({input}), has {}: {axes}",
            match received {
                1 => "1 entry".to_string(),
                more => format!("{more} entries"),
            },
            match wanted {
                1 => "1 axis".to_string(),
                more => format!("{more} axes"),
            }
        );
        Flaw::new("size", message).hint(format!(
            "write one number for every axis, or a list of {wanted}"
        ))
    })
}

/// As [`per_axis`], with a hint for what was meant as both sides of a sequence.
pub(super) fn margins(size: &Margins, input: Shape) -> Result<Vec<Margin>, Flaw> {
    per_axis(size, input).map_err(|flaw| match (size, input) {
        (PerAxis::Each(values), Shape::Sequence(_)) if values.len() == 2 => {
            let (before, after) = (values[0].before, values[1].after);
            flaw.hint(format!(
                "for {before} before and {after} after write `size = [[{before}, {after}]]`"
            ))
        }
        _ => flaw,
    })
}
