//! Which experiments reproduce which rows of the articles: the names of their files say it.
//!
//! `a1-a3-few-digits.toml` serves the rows A1 to A3, at the article's own size; `a1-a3-few-digits-quick.toml` at a
//! small one. A row is a letter for the article and a number.

use std::fmt;
use std::path::{Path, PathBuf};

use super::files;
use crate::error::{Error, Problem, Result};

/// The folder of the articles' experiments.
const ARTICLES: &str = "experiments/articles";

/// What ends the name of a small one.
const QUICK: &str = "-quick";

/// Rows of one article, one or several in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rows {
    article: char,
    first: usize,
    last: usize,
}

impl Rows {
    /// The rows that a file's name begins with.
    fn of(name: &str) -> Option<Self> {
        let mut words = name.split('-');
        let (article, first) = row(words.next()?)?;
        let last = match words.next().and_then(row) {
            Some((other, last)) if other == article && last > first => last,
            _ => first,
        };
        Some(Rows {
            article,
            first,
            last,
        })
    }

    /// Whether it has the row that is asked for; `a` asks for all of an article.
    fn has(self, asked: &str) -> bool {
        let asked = asked.to_ascii_lowercase();
        match row(&asked) {
            Some((article, number)) => {
                article == self.article && (self.first..=self.last).contains(&number)
            }
            None => asked.chars().eq([self.article]),
        }
    }

    fn each(self) -> impl Iterator<Item = String> {
        (self.first..=self.last).map(move |number| format!("{}{number}", self.article))
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let article = self.article.to_ascii_uppercase();
        write!(f, "{article}{}", self.first)?;
        match self.last > self.first {
            true => write!(f, "-{article}{}", self.last),
            false => Ok(()),
        }
    }
}

/// `a10` as `a` and 10.
fn row(word: &str) -> Option<(char, usize)> {
    let article = word.chars().next().filter(char::is_ascii_lowercase)?;
    let digits = &word[1..];
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| digits.parse().ok()).flatten()?;
    Some((article, number))
}

/// How large an experiment of an article is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// As the article has it.
    Full,
    /// For two cores and some minutes.
    Quick,
    /// The article gives no setting.
    Only,
}

impl Size {
    /// As tables write it, where there are two.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Size::Full => Some("full"),
            Size::Quick => Some("quick"),
            Size::Only => None,
        }
    }
}

/// An experiment that reproduces rows of an article.
#[derive(Debug, Clone, PartialEq)]
pub struct ArticleExperiment {
    /// The rows.
    pub rows: Rows,
    /// Its size.
    pub size: Size,
    /// Its file.
    pub path: PathBuf,
}

/// The experiments of the rows that are asked for, of all where none is, in the rows' order.
///
/// # Errors
/// There are no such experiments here, or none of a row.
pub fn experiments(asked: &[String]) -> Result<Vec<ArticleExperiment>> {
    let folder = Path::new(ARTICLES);
    let all = in_order(&files::all(folder)?);
    if all.is_empty() {
        let problem = Problem::new("there are no experiments of articles here").at_file(folder);
        let hint = "go to the folder that holds `experiments/`";
        return Err(Error::usage(problem.hint(hint)));
    }
    chosen(all, asked)
}

fn in_order(paths: &[PathBuf]) -> Vec<ArticleExperiment> {
    let is_there = |path: &Path| paths.iter().any(|other| other == path);
    let read = |path: &PathBuf| {
        let name = path.file_stem()?.to_str()?;
        let size = match name.ends_with(QUICK) {
            true => Size::Quick,
            false if is_there(&path.with_file_name(format!("{name}{QUICK}.toml"))) => Size::Full,
            false => Size::Only,
        };
        Some(ArticleExperiment {
            rows: Rows::of(name)?,
            size,
            path: path.clone(),
        })
    };
    let mut found: Vec<ArticleExperiment> = paths.iter().filter_map(read).collect();
    // A name and the same with `-quick` stay beside each other.
    found.sort_by(|a, b| (a.rows, a.path.file_stem()).cmp(&(b.rows, b.path.file_stem())));
    found
}

fn chosen(all: Vec<ArticleExperiment>, asked: &[String]) -> Result<Vec<ArticleExperiment>> {
    let is_unknown = |row: &&String| !all.iter().any(|experiment| experiment.rows.has(row));
    if let Some(unknown) = asked.iter().find(is_unknown) {
        let mut known: Vec<String> = Vec::new();
        for row in all.iter().flat_map(|experiment| experiment.rows.each()) {
            if !known.contains(&row) {
                known.push(row);
            }
        }
        let problem = Problem::new(format!("no article has a row `{unknown}`"));
        let hint = format!(
            "known rows: {}; a letter alone is a whole article",
            known.join(", ")
        );
        return Err(Error::usage(problem.hint(hint)));
    }
    let is_asked = |experiment: &ArticleExperiment| {
        asked.is_empty() || asked.iter().any(|row| experiment.rows.has(row))
    };
    Ok(all.into_iter().filter(is_asked).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<ArticleExperiment> {
        let names = [
            "a10-dreams",
            "a1-a3-few-quick",
            "a1-a3-few",
            "b1-vae",
            "notes",
            "a4",
        ];
        let path = |name: &&str| Path::new(ARTICLES).join(format!("{name}.toml"));
        in_order(&names.iter().map(path).collect::<Vec<_>>())
    }

    fn asked(rows: &[&str]) -> Result<Vec<String>> {
        let rows: Vec<String> = rows.iter().map(|row| row.to_string()).collect();
        let shown = |experiment: ArticleExperiment| {
            format!(
                "{} {}",
                experiment.rows,
                experiment.size.name().unwrap_or("-")
            )
        };
        Ok(chosen(all(), &rows)?.into_iter().map(shown).collect())
    }

    #[test]
    fn names_of_files_say_rows_and_sizes() {
        let everything = ["A1-A3 full", "A1-A3 quick", "A4 -", "A10 -", "B1 -"];
        assert_eq!(asked(&[]).unwrap(), everything);
        assert_eq!(asked(&["a2"]).unwrap(), everything[..2]);
        assert_eq!(asked(&["A10", "b1"]).unwrap(), everything[3..]);
        assert_eq!(asked(&["a"]).unwrap(), everything[..4]);
    }

    #[test]
    fn an_unknown_row_is_refused_with_the_known_ones() {
        for wrong in ["a11", "a0", "c1", "", "aa", "a-1", "ä1"] {
            assert_eq!(
                asked(&["a1", wrong]).unwrap_err().to_string(),
                format!(
                    "error: no article has a row `{wrong}`\n  \
                     hint: known rows: a1, a2, a3, a4, a10, b1; a letter alone is a whole article"
                )
            );
        }
    }
}
