//! The `[pictures]` table: what is drawn, and how often.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Drawing, PictureContext};
use crate::error::Flaw;
use crate::value::Positive;

/// Pictures of what the network learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pictures {
    /// Epochs (rows of `epochs.csv`, where training is counted in steps) from one drawing to the next; all is
    /// drawn after the last one too. Default 1.
    pub every: Positive,
    /// What is drawn. Default nothing.
    pub draw: Vec<Drawing>,
}

impl Default for Pictures {
    fn default() -> Self {
        Pictures {
            every: Positive(1),
            draw: Vec::new(),
        }
    }
}

impl Pictures {
    /// Whether nothing is drawn.
    pub fn is_empty(&self) -> bool {
        self.draw.is_empty()
    }

    /// Whether it is drawn after this epoch, from 1.
    pub fn is_due(&self, epoch: usize, is_last: bool) -> bool {
        !self.is_empty() && (is_last || epoch.is_multiple_of(self.every.get()))
    }

    /// What is wrong with it for a run of which this is known; keys are such as
    /// `draw.1.filters.layer`.
    pub fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for (index, drawing) in self.draw.iter().enumerate() {
            let outer = format!("draw.{index}");
            let name = drawing.name();
            let mut own = drawing.check(context);
            own.extend(name_flaw(&name, &names).map(|flaw| flaw.under(drawing.key())));
            flaws.extend(own.into_iter().map(|flaw| flaw.under(&outer)));
            names.push(name);
        }
        flaws
    }
}

/// Bytes of a name that every file system takes with an ending.
const LONGEST: usize = 120;

/// What is wrong with the name of a picture where others have these.
fn name_flaw(name: &str, others: &[String]) -> Option<Flaw> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(safe) {
        let message = format!("a picture cannot be called `{name}`");
        let hint = "use letters, digits, `_`, `-` and `.`: it names files";
        return Some(Flaw::new("name", message).hint(hint));
    }
    if name.len() > LONGEST {
        let message = format!(
            "the picture's name has {} characters, of which its files hold {LONGEST}",
            name.len()
        );
        return Some(Flaw::new("name", message).hint("give it a shorter `name`"));
    }
    let twin = others.iter().any(|other| other == name);
    let message = format!("there are two pictures called `{name}`");
    twin.then(|| Flaw::new("", message).hint("give one of them a `name`"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fake, Outline};
    use super::*;

    fn read(text: &str) -> Pictures {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn nothing_is_drawn_unless_asked_for() {
        assert_eq!(read(""), Pictures::default());
        assert!(!Pictures::default().is_due(1, true));
        let pictures = read("every = 5\ndraw = ['reconstructions']");
        let due = |epoch, is_last| pictures.is_due(epoch, is_last);
        assert!(!due(1, false) && due(5, false) && due(10, false) && due(7, true));
    }

    #[test]
    fn flaws_name_the_entry_and_the_field() {
        let outline = Outline::of(Fake::autoencoder());
        let messages = |text: &str| {
            let flaws = read(text).check(&outline.context());
            let text = |flaw: Flaw| format!("{}: {}", flaw.key, flaw.message);
            flaws.into_iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(
            messages(
                "draw = ['reconstructions', { filters = { layer = 'encoder.conv' } },
                  { reconstructions = { count = 5 } }, { latent_scatter = { name = '../x' } }]"
            ),
            [
                "draw.1.filters.layer: there is no layer `encoder.conv`",
                "draw.2.reconstructions: there are two pictures called `reconstructions`",
                "draw.3.latent_scatter.name: a picture cannot be called `../x`",
            ]
        );
        assert!(
            messages(
                "draw = ['reconstructions', { reconstructions = { name = 'five', count = 5 } }]"
            )
            .is_empty()
        );
    }
}
