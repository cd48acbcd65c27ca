//! What convolutions write to on their way, kept by a thread from call to call.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use super::frame::Frame;

#[derive(Debug, Default)]
pub struct Buffers {
    pub turned: Vec<f32>,
    pub frames: Frames,
    pub made: Vec<f32>,
    pub right: Vec<f32>,
}

thread_local! {
    static KEPT: RefCell<Buffers> = RefCell::default();
}

/// The thread's buffers, given back when dropped. Another that is asked for meanwhile begins with empty ones.
#[derive(Debug)]
pub struct Held(Buffers);

impl Held {
    pub fn new() -> Self {
        Held(KEPT.take())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        KEPT.set(std::mem::take(&mut self.0));
    }
}

impl Deref for Held {
    type Target = Buffers;

    fn deref(&self) -> &Buffers {
        &self.0
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Buffers {
        &mut self.0
    }
}

/// Places that hold anything.
pub fn room(buffer: &mut Vec<f32>, count: usize) -> &mut [f32] {
    if buffer.len() < count {
        buffer.resize(count, 0.0);
    }
    &mut buffer[..count]
}

/// How a [`Frame`] lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `[height, width, channels]`
    Turned,
    /// `[channels, height, width]`
    Lines,
}

/// Images with zeros around them.
#[derive(Debug, Default)]
pub struct Frames {
    places: Vec<f32>,
    /// Whose images were written, and the places behind each.
    owner: Option<(Frame, Form, usize)>,
}

impl Frames {
    /// A buffer of zero-padded images, and `slack` zeros behind a single one. Whoever asks writes the insides of all images
    /// and nothing else, so that the padding stays zero from call to call.
    pub fn of(&mut self, frame: &Frame, form: Form, images: usize, slack: usize) -> &mut [f32] {
        // Behind fewer images lie those of a call with more.
        debug_assert!(slack == 0 || images == 1);
        let count = images * frame.len() + slack;
        if !frame.is_padded() && slack == 0 {
            self.owner = None;
            return room(&mut self.places, count);
        }
        let is_owner = |(of, lies, behind): &(Frame, Form, usize)| {
            of == frame && *lies == form && *behind == slack
        };
        if !self.owner.as_ref().is_some_and(is_owner) {
            self.places.clear();
            self.owner = Some((frame.clone(), form, slack));
        }
        room(&mut self.places, count)
    }

    /// Zeros for an image, to be written over anywhere.
    pub fn zeros(&mut self, frame: &Frame) -> &mut [f32] {
        self.owner = None;
        self.places.clear();
        room(&mut self.places, frame.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame {
        channels: 2,
        height: 1,
        width: 1,
        before: [0, 1],
        after: [0, 0],
    };

    #[test]
    fn around_images_are_zeros_whoever_wrote_before() {
        let mut frames = Frames::default();
        frames.zeros(&FRAME).fill(7.0);
        frames.of(&FRAME, Form::Turned, 1, 0)[2..].fill(1.0);
        let two = frames.of(&FRAME, Form::Turned, 2, 0);
        assert_eq!(two, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        two[6..].fill(2.0);
        assert_eq!(frames.of(&FRAME, Form::Turned, 1, 1), [0.0; 5]);
        frames.of(&FRAME, Form::Turned, 1, 1)[2..4].fill(3.0);
        assert_eq!(frames.of(&FRAME, Form::Lines, 1, 1), [0.0; 5]);
        frames.of(&FRAME, Form::Lines, 1, 1)[1] = 4.0;
        let wide = Frame { width: 2, ..FRAME };
        assert_eq!(frames.of(&wide, Form::Lines, 1, 1), [0.0; 7]);
    }

    #[test]
    fn a_thread_gets_back_what_it_gave() {
        let mut held = Held::new();
        room(&mut held.made, 3).fill(5.0);
        assert!(Held::new().made.is_empty());
        drop(held);
        assert_eq!(Held::new().made, [5.0; 3]);
    }
}
