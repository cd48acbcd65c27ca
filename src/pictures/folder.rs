//! The `pictures` folder of a run: `NAME/0005.png` after the fifth epoch, films as `NAME.gif`.

use std::fs;
use std::path::{Path, PathBuf};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use super::canvas::framed;
use super::film::{Film, frames_in};
use super::{PictureInput, PictureOutput, Pictures};
use crate::error::{Error, Kind, Result};
use crate::record::{Event, Picture, RunFolder, write_atomically};

const FOLDER: &str = "pictures";

/// Milliseconds that a frame of a film over the training stays, and its last one.
const FRAME: [u32; 2] = [200, 2000];

/// Forgets what an earlier attempt drew, whose frames would get into this one's films.
pub fn clear(folder: &RunFolder) -> Result<()> {
    RunFolder::new(folder.file(FOLDER)).clear()
}

/// Draws all that the table asks for into the run's folder, and says what TensorBoard shows of it.
///
/// # Errors
/// The folder cannot be written.
pub fn draw_all(
    pictures: &Pictures,
    subject: &PictureInput,
    folder: &RunFolder,
) -> Result<Vec<Event>> {
    let mut said = Vec::new();
    for drawing in &pictures.draw {
        let files = EntryFiles {
            folder: folder.file(FOLDER),
            name: drawing.name(),
            number: subject.point.number,
        };
        for drawn in drawing.draw(subject) {
            match drawn {
                PictureOutput::Picture(picture) => {
                    let picture = framed(&picture);
                    files.write("png", &png(&picture)?)?;
                    said.push(Event::Pictures {
                        name: files.name.clone(),
                        epoch: subject.point.epoch,
                        pictures: vec![shown(picture)],
                    });
                }
                PictureOutput::Numbers(table) => files.write("csv", table.as_bytes())?,
                PictureOutput::Film(film) => files.write_film(&film)?,
                PictureOutput::Frame(frame) => {
                    files.write("png", &png(&framed(&frame))?)?;
                    if subject.point.is_last {
                        files.write_film(&Film {
                            frames: frames_in(&files.own_folder())?,
                            milliseconds: FRAME[0],
                            last: FRAME[1],
                        })?;
                    }
                }
                PictureOutput::Embedding(codes) => said.push(Event::Embedding(Box::new(codes))),
            }
        }
    }
    Ok(said)
}

/// Where the files of one entry go.
struct EntryFiles {
    folder: PathBuf,
    name: String,
    number: usize,
}

impl EntryFiles {
    fn own_folder(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    fn write(&self, ending: &str, bytes: &[u8]) -> Result<()> {
        let folder = self.own_folder();
        make(&folder)?;
        write_atomically(&folder.join(format!("{:04}.{ending}", self.number)), bytes)
    }

    fn write_film(&self, film: &Film) -> Result<()> {
        make(&self.folder)?;
        let path = self.folder.join(format!("{}.gif", self.name));
        write_atomically(&path, &film.gif()?)
    }
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(|error| Error::io(Kind::Data, "make the folder", folder, &error))
}

fn png(picture: &RgbImage) -> Result<Vec<u8>> {
    let (width, height) = picture.dimensions();
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(picture, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| Error::bug(format!("cannot encode a picture: {error}")))?;
    Ok(png)
}

pub(super) fn shown(picture: RgbImage) -> Picture {
    Picture {
        width: picture.width() as usize,
        height: picture.height() as usize,
        channels: 3,
        pixels: picture.into_raw(),
    }
}
