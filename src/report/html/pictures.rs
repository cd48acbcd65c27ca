//! Pictures and films of what the networks learned, of one seed a variant.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use super::unit;
use crate::record::{RunFolder, RunRow, Status};
use crate::report::view::{MOST_VARIANTS, View};

/// Bytes of one file, and of all files of a page.
const MOST_OF_ONE: u64 = 2 << 20;
const MOST_OF_ALL: u64 = 8 << 20;

/// A file of a run's folder `pictures/`.
struct Drawn {
    /// The drawing's name.
    name: String,
    /// When it was drawn: the file's number.
    point: Option<usize>,
    path: PathBuf,
    /// The name behind `pictures/`, for people.
    file: String,
    is_film: bool,
}

/// Every drawing's last picture and film; nothing where none was drawn.
pub fn section(view: &View) -> Markup {
    let mut room = MOST_OF_ALL;
    let mut parts = Vec::new();
    for group in view.chosen(MOST_VARIANTS) {
        let runs = view
            .subject
            .runs_of(group.variant)
            .filter(|(row, _)| row.status == Status::Done);
        let drawn = runs
            .map(|(row, folder)| (row, drawn(folder, kept(view, row))))
            .find(|(_, drawn)| !drawn.is_empty());
        if let Some((row, drawn)) = drawn {
            let unit = unit(view.subject.counts_steps(group.variant));
            parts.push(of_run(row, &drawn, unit, &mut room));
        }
    }
    if parts.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="pictures" {
            h2 id="pictures" { "Pictures" }
            @if let Some(text) = view.left_out(MOST_VARIANTS) { p.quiet { (text) } }
            @for part in parts { (part) }
        }
    }
}

fn of_run(row: &RunRow, drawn: &[Drawn], unit: &str, room: &mut u64) -> Markup {
    let (films, pictures): (Vec<&Drawn>, Vec<&Drawn>) =
        drawn.iter().partition(|drawn| drawn.is_film);
    html! {
        h3 { (row.variant) ", seed " (row.seed) }
        div.small.figures { @for drawn in &pictures { (figure(row, drawn, unit, room)) } }
        @for drawn in &films {
            // A film plays only where it is asked for.
            details.screen { summary { "Film: " (drawn.name) } (figure(row, drawn, unit, room)) }
        }
    }
}

fn figure(row: &RunRow, drawn: &Drawn, unit: &str, room: &mut u64) -> Markup {
    let what = if drawn.is_film { "Film" } else { "Picture" };
    let point = drawn.point.map(|point| format!(" at {unit} {point}"));
    let alternative = format!(
        "{what} {}{} of {}, seed {}",
        drawn.name,
        point.clone().unwrap_or_default(),
        row.variant,
        row.seed
    );
    html! {
        figure {
            figcaption { (drawn.name) @if let Some(point) = point { span.quiet { (point) } } }
            @match source(&drawn.path, room) {
                Ok(source) => { img src=(source) alt=(alternative) loading="lazy"; }
                Err(reason) => p.quiet { "pictures/" (drawn.file) " of the run's folder is not shown: " (reason) },
            }
        }
    }
}

/// The file itself as an address; or why not.
fn source(path: &Path, room: &mut u64) -> Result<String, String> {
    let size = fs::metadata(path)
        .map_err(|error| crate::error::io_reason(&error))?
        .len();
    if size > MOST_OF_ONE {
        return Err("it is too large for a page".to_string());
    }
    *room = room
        .checked_sub(size)
        .ok_or("the page's room for pictures is used up")?;
    let bytes = fs::read(path).map_err(|error| crate::error::io_reason(&error))?;
    let kind = match image::guess_format(&bytes) {
        Ok(image::ImageFormat::Png) => "png",
        Ok(image::ImageFormat::Gif) => "gif",
        _ => return Err("it is no picture".to_string()),
    };
    Ok(format!(
        "data:image/{kind};base64,{}",
        STANDARD.encode(bytes)
    ))
}

/// The number of the pictures of the weights that are kept, where they are not the last ones.
fn kept(view: &View, row: &RunRow) -> Option<usize> {
    let restored = row.measured.as_ref()?.restored.as_ref()?;
    Some(match view.subject.counts_steps(&row.variant) {
        true => restored.step,
        false => restored.epoch,
    })
}

/// Of every drawing the picture of the kept weights, or else the last one, and the films, by name.
fn drawn(folder: &RunFolder, kept: Option<usize>) -> Vec<Drawn> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder.file("pictures"))
        .into_iter()
        .flatten()
        .flatten();
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(film) = name.strip_suffix(".gif") {
            let (film, file) = (film.to_string(), name.clone());
            found.push(Drawn {
                name: film,
                point: None,
                path,
                file,
                is_film: true,
            });
        } else if let Some((point, path)) = picture(&path, kept) {
            let file = format!(
                "{name}/{}",
                path.file_name().unwrap_or_default().to_string_lossy()
            );
            found.push(Drawn {
                name,
                point: Some(point),
                path,
                file,
                is_film: false,
            });
        }
    }
    found.sort_by(|one, other| (one.is_film, &one.name).cmp(&(other.is_film, &other.name)));
    // A film's single frames are in it.
    let films: Vec<String> = found
        .iter()
        .filter(|drawn| drawn.is_film)
        .map(|drawn| drawn.name.clone())
        .collect();
    found.retain(|drawn| drawn.is_film || !films.contains(&drawn.name));
    found
}

/// The picture with this number in a drawing's folder, or else the largest.
fn picture(folder: &Path, wanted: Option<usize>) -> Option<(usize, PathBuf)> {
    let files = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let pictures = files.filter(|path| path.extension().is_some_and(|ending| ending == "png"));
    let numbered =
        pictures.filter_map(|path| Some((path.file_stem()?.to_str()?.parse().ok()?, path)));
    numbered.max_by_key(|(number, _)| (Some(*number) == wanted, *number))
}
