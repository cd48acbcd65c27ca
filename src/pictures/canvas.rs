//! Pictures put together of smaller ones: letters, captions, rows and columns, color bars.
//!
//! Everything is white around; x grows to the right, y downwards. Knows nothing of models.

use std::sync::LazyLock;

use ab_glyph::FontRef;
use image::{GenericImage, Rgb, RgbImage};
use imageproc::drawing::{draw_text_mut, text_size};

use super::colors::{INK, Map, WHITE};

/// Height of letters in pixels: of captions, and of titles.
pub const CAPTION: u32 = 17;
pub const TITLE: u32 = 20;

/// From one picture to the next.
pub const GAP: u32 = 4;

/// The letters of pictures.
static FONT: LazyLock<FontRef> = LazyLock::new(|| {
    FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT)
        .expect("the font in the program is sound")
});

/// Which way letters lie to the point they are placed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Middle,
    Right,
}

pub fn blank(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width.max(1), height.max(1), WHITE)
}

/// Writes a line whose middle is at the height `y`.
pub fn write(picture: &mut RgbImage, text: &str, place: [u32; 2], align: Align, size: u32) {
    write_in(picture, text, place, align, size, INK);
}

/// The same in a color of its own.
pub fn write_in(
    picture: &mut RgbImage,
    text: &str,
    [x, y]: [u32; 2],
    align: Align,
    size: u32,
    color: Rgb<u8>,
) {
    let width = width_of(text, size) as i32;
    let left = match align {
        Align::Left => 0,
        Align::Middle => width / 2,
        Align::Right => width,
    };
    // Capitals of this font have their middle there.
    let above = (0.52 * size as f32).round() as i32;
    let (x, y) = (x as i32 - left, y as i32 - above);
    draw_text_mut(picture, color, x, y, size as f32, &*FONT, text);
}

/// How wide a line is in pixels.
pub fn width_of(text: &str, size: u32) -> u32 {
    text_size(size as f32, &*FONT, text).0
}

/// The start of a text that is too long for a caption.
pub fn short(text: &str) -> String {
    const MOST: usize = 24;
    match text.char_indices().nth(MOST) {
        None => text.to_string(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// As much of a text's start as is at most `room` pixels wide.
pub fn cut(text: &str, size: u32, room: u32) -> String {
    if width_of(text, size) <= room {
        return text.to_string();
    }
    let ends = text.char_indices().map(|(at, _)| at).rev();
    let mut starts = ends.map(|end| format!("{}…", &text[..end]));
    let fits = |start: &String| width_of(start, size) <= room;
    starts.find(fits).unwrap_or_default()
}

/// A number in about three digits.
pub fn number(value: f32) -> String {
    let size = value.abs();
    match size {
        _ if value == 0.0 => "0".to_string(),
        0.01..100.0 => format!("{value:.2}"),
        100.0..100_000.0 => format!("{value:.0}"),
        _ => format!("{value:.1e}"),
    }
}

/// Each pixel as a square of `times` by `times`.
pub fn enlarged(picture: &RgbImage, times: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    RgbImage::from_fn(width * times, height * times, |x, y| {
        *picture.get_pixel(x / times, y / times)
    })
}

/// How many times to enlarge pictures of this size, `across` of them beside each other, so that each
/// has about the wished height but all together are no wider than a screen.
pub fn enlargement([width, height]: [usize; 2], across: usize, wished: usize) -> u32 {
    const SCREEN: usize = 1200;
    let by_height = (wished as f64 / height.max(1) as f64).round() as usize;
    let by_width = SCREEN / (across * width).max(1);
    by_height.min(by_width).max(1) as u32
}

fn paste(onto: &mut RgbImage, picture: &RgbImage, x: u32, y: u32) {
    onto.copy_from(picture, x, y)
        .expect("room was made for what is pasted");
}

/// Pictures from left to right, their tops in a line.
pub fn beside(pictures: &[RgbImage], gap: u32) -> RgbImage {
    let gaps = gap * pictures.len().saturating_sub(1) as u32;
    let width = pictures.iter().map(RgbImage::width).sum::<u32>() + gaps;
    let height = pictures.iter().map(RgbImage::height).max().unwrap_or(1);
    let mut whole = blank(width, height);
    let mut x = 0;
    for picture in pictures {
        paste(&mut whole, picture, x, 0);
        x += picture.width() + gap;
    }
    whole
}

/// Pictures from top to bottom, their left sides in a line.
pub fn stacked(pictures: &[RgbImage], gap: u32) -> RgbImage {
    let gaps = gap * pictures.len().saturating_sub(1) as u32;
    let width = pictures.iter().map(RgbImage::width).max().unwrap_or(1);
    let height = pictures.iter().map(RgbImage::height).sum::<u32>() + gaps;
    let mut whole = blank(width, height);
    let mut y = 0;
    for picture in pictures {
        paste(&mut whole, picture, 0, y);
        y += picture.height() + gap;
    }
    whole
}

/// Pictures of one size in a square without gaps, row by row.
pub fn mosaic(pictures: &[RgbImage]) -> RgbImage {
    let side = (pictures.len() as f64).sqrt().ceil().max(1.0) as u32;
    let (width, height) = pictures.first().map_or((1, 1), RgbImage::dimensions);
    let mut whole = blank(width * side, height * side);
    for (index, picture) in pictures.iter().enumerate() {
        let (row, column) = (index as u32 / side, index as u32 % side);
        paste(&mut whole, picture, column * width, row * height);
    }
    whole
}

/// A picture under its title.
pub fn titled(title: &str, picture: &RgbImage) -> RgbImage {
    let mut line = blank(width_of(title, TITLE), TITLE + 6);
    write(&mut line, title, [0, TITLE / 2 + 1], Align::Left, TITLE);
    stacked(&[line, picture.clone()], 4)
}

/// White on all sides.
pub fn framed(picture: &RgbImage) -> RgbImage {
    const MARGIN: u32 = 14;
    let (width, height) = picture.dimensions();
    let mut whole = blank(width + 2 * MARGIN, height + 2 * MARGIN);
    paste(&mut whole, picture, MARGIN, MARGIN);
    whole
}

/// Small pictures of one size in rows, with what is written around them.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    /// Row by row.
    pub tiles: Vec<RgbImage>,
    /// Tiles in a row.
    pub columns: usize,
    /// Left of each row; empty for none.
    pub rows: Vec<String>,
    /// Lines under each tile; empty for none.
    pub below: Vec<Vec<String>>,
}

impl Grid {
    /// Tiles of one size in rows of `columns`.
    pub fn new(tiles: Vec<RgbImage>, columns: usize) -> Self {
        Grid {
            tiles,
            columns: columns.max(1),
            ..Grid::default()
        }
    }

    /// The tiles as one picture, with gaps between them.
    pub fn draw(&self) -> RgbImage {
        let (tile_width, tile_height) = self.tiles.first().map_or((1, 1), RgbImage::dimensions);
        let written = self.below.iter().flatten();
        let widest = written.map(|line| width_of(line, CAPTION)).max();
        let cell_width = tile_width.max(widest.unwrap_or(0));
        let lines = self.below.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let gap = if lines == 0 { GAP } else { 3 * GAP };
        let cell_height = tile_height + lines * (CAPTION + 2);
        let left = self.rows.iter().map(|row| width_of(row, CAPTION)).max();
        let left = left.map_or(0, |width| width + 10);
        let rows = self.tiles.len().div_ceil(self.columns).max(1) as u32;
        let columns = self.columns.min(self.tiles.len()).max(1) as u32;
        let mut whole = blank(
            left + columns * (cell_width + gap) - gap,
            rows * (cell_height + gap) - gap,
        );
        for (row, caption) in self.rows.iter().enumerate() {
            let y = row as u32 * (cell_height + gap) + tile_height / 2;
            write(&mut whole, caption, [left - 10, y], Align::Right, CAPTION);
        }
        for (index, tile) in self.tiles.iter().enumerate() {
            let (row, column) = ((index / self.columns) as u32, (index % self.columns) as u32);
            let x = left + column * (cell_width + gap);
            let y = row * (cell_height + gap);
            paste(&mut whole, tile, x + (cell_width - tile_width) / 2, y);
            let lines = self.below.get(index).into_iter().flatten();
            for (line, text) in lines.enumerate() {
                let y = y + tile_height + line as u32 * (CAPTION + 2) + CAPTION / 2 + 3;
                let middle = [x + cell_width / 2, y];
                write(&mut whole, text, middle, Align::Middle, CAPTION);
            }
        }
        whole
    }
}

/// The colors of a map from bottom to top, with what its ends (and its middle) stand for.
pub fn color_bar(map: Map, height: u32, low: &str, middle: Option<&str>, high: &str) -> RgbImage {
    const WIDTH: u32 = 14;
    let height = height.max(4 * CAPTION);
    let texts = [Some(low), middle, Some(high)];
    let widest = texts.iter().flatten().map(|text| width_of(text, CAPTION));
    let mut bar = blank(WIDTH + 8 + widest.max().unwrap_or(0), height);
    let inset = CAPTION / 2;
    let span = height - 2 * inset;
    for y in 0..span {
        let value = 1.0 - y as f32 / (span - 1).max(1) as f32;
        for x in 0..WIDTH {
            bar.put_pixel(x, inset + y, map.color(value));
        }
    }
    let places = [height - inset - 1, height / 2, inset];
    for (text, y) in texts.into_iter().zip(places) {
        if let Some(text) = text {
            write(&mut bar, text, [WIDTH + 8, y], Align::Left, CAPTION);
        }
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_size_when_put_together() {
        let (small, large) = (blank(3, 5), blank(7, 2));
        assert_eq!(
            beside(&[small.clone(), large.clone()], 2).dimensions(),
            (12, 5)
        );
        assert_eq!(stacked(&[small, large], 1).dimensions(), (7, 8));
        assert_eq!(enlarged(&blank(3, 5), 4).dimensions(), (12, 20));
    }

    #[test]
    fn letters_leave_ink_and_wider_texts_are_wider() {
        assert!(width_of("truth", CAPTION) > width_of("t", CAPTION));
        let mut picture = blank(100, 20);
        write(&mut picture, "truth", [50, 10], Align::Middle, CAPTION);
        let dark = |range: std::ops::Range<u32>| {
            let inside = |x: &u32| range.contains(x);
            let pixels = picture.enumerate_pixels();
            pixels.filter(|(x, _, p)| inside(x) && p.0[0] < 100).count()
        };
        assert!(dark(30..70) > 20);
        assert_eq!(dark(0..20) + dark(80..100), 0);
    }

    #[test]
    fn a_grid_has_room_for_long_captions() {
        let mut grid = Grid::new(vec![blank(10, 10); 5], 3);
        assert_eq!(grid.draw().dimensions(), (3 * 14 - 4, 2 * 14 - 4));
        grid.below = vec![vec!["ankle boot".to_string()]; 5];
        assert!(grid.draw().width() > 3 * width_of("ankle boot", CAPTION));
    }

    #[test]
    fn pictures_are_enlarged_as_far_as_the_screen_goes() {
        assert_eq!(enlargement([28, 28], 10, 84), 3);
        assert_eq!(enlargement([28, 28], 30, 84), 1);
        assert_eq!(enlargement([3, 3], 8, 40), 13);
        assert_eq!(enlargement([2000, 2000], 8, 40), 1);
    }

    #[test]
    fn numbers_and_texts_stay_short() {
        let texts = [0.0, 0.123, -12.3456, 12_345.6, 1e-7].map(number);
        assert_eq!(texts, ["0", "0.12", "-12.35", "12346", "1.0e-7"]);
        assert_eq!(short("ankle boot"), "ankle boot");
        assert_eq!(short(&"é".repeat(30)).chars().count(), 25);
    }
}
