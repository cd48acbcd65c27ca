//! Errors as people read them: what is wrong, where it stands in the file, and how to mend it.
//!
//! Every room returns [`Error`]; `main` prints it and turns its [`Kind`] into the exit code.
//! Knows nothing of experiments, Burn or the command line.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// A result whose error is [`Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as the exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The program's own fault.
    Bug = 1,
    /// The experiment file or the command line is wrong.
    Usage = 2,
    /// A dataset or a result on disk is missing or damaged.
    Data = 3,
    /// A run failed or diverged.
    Run = 4,
    /// A claim does not hold.
    Claim = 5,
}

impl Kind {
    /// The process's exit code, 1 to 5.
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}

/// Where a problem stands: a place in a file, or a setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `line` and `column` count from 1, columns in characters; `text` is the whole line,
    /// `width` how many of its characters to underline.
    File {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// In characters.
        width: usize,
        /// The dotted key, such as `train.epochs`; empty where there is none.
        key: String,
        /// The whole line.
        text: String,
    },
    /// A whole file, when no line can be named.
    WholeFile(PathBuf),
    /// A value that no file holds: `--set train.epochs=3`, `BURNLAB_JOBS=0`.
    Setting(String),
}

impl Place {
    /// The file, and the line and the column from 1; `None` where there are none.
    pub fn position(&self) -> Option<(&Path, usize, usize)> {
        match self {
            Place::File {
                path, line, column, ..
            } => Some((path, *line, *column)),
            Place::WholeFile(_) | Place::Setting(_) => None,
        }
    }

    /// The place of the bytes `start..end` of a file's text.
    pub fn of_span(path: &Path, source: &str, start: usize, end: usize, key: &str) -> Self {
        let start = floor_char_boundary(source, start);
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..]
            .find('\n')
            .map_or(source.len(), |at| start + at);
        let end = floor_char_boundary(source, end.clamp(start, line_end));
        Place::File {
            path: path.to_path_buf(),
            line: source[..line_start].matches('\n').count() + 1,
            column: source[line_start..start].chars().count() + 1,
            width: source[start..end].chars().count().max(1),
            key: key.to_string(),
            text: source[line_start..line_end]
                .trim_end_matches('\r')
                .to_string(),
        }
    }
}

fn floor_char_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// One mistake or failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A lowercase sentence without a full stop, names in backticks.
    pub message: String,
    /// Boxed, since a problem is mostly carried and seldom looked at.
    pub place: Option<Box<Place>>,
    /// How to mend it; only when that is known.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without place or hint.
    pub fn new(message: impl Into<String>) -> Self {
        Problem {
            message: message.into(),
            place: None,
            hint: None,
        }
    }

    /// The same at a place.
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(Box::new(place));
        self
    }

    /// The same in a file, at no particular line.
    pub fn at_file(self, path: impl Into<PathBuf>) -> Self {
        self.at(Place::WholeFile(path.into()))
    }

    /// The same with a hint how to mend it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Like [`hint`](Self::hint), when there may be none.
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match self.place.as_deref() {
            None => {}
            Some(Place::WholeFile(path)) => write!(f, "\n  {}", path.display())?,
            Some(Place::Setting(text)) => write!(f, "\n  {text}")?,
            Some(Place::File {
                path,
                line,
                column,
                width,
                key,
                text,
            }) => {
                write!(f, "\n  {}:{line}:{column}", path.display())?;
                if !key.is_empty() {
                    write!(f, " {key}")?;
                }
                let number = format!("{line:>5}");
                // A very long line is shown around the place only.
                let (shown, column) = excerpt(text, *column);
                write!(f, "\n{number} | {shown}")?;
                let room = shown.chars().count().saturating_sub(column - 1).max(1);
                write!(
                    f,
                    "\n{:>5} | {}{}",
                    "",
                    " ".repeat(column - 1),
                    "^".repeat((*width).clamp(1, room))
                )?;
            }
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// At most 120 characters of a line around a column (from 1), and the column within them.
/// Tabs become single spaces so that the caret stands where it should.
fn excerpt(text: &str, column: usize) -> (String, usize) {
    const MOST: usize = 120;
    const BEFORE: usize = 60;
    let characters: Vec<char> = text
        .chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .collect();
    if characters.len() <= MOST {
        return (characters.into_iter().collect(), column);
    }
    let first = (column - 1).saturating_sub(BEFORE);
    let shown = characters[first..].iter().take(MOST).collect();
    (shown, column - first)
}

/// What is wrong with one value, reported by a room that does not know where the value stands.
///
/// The plan turns it into a [`Problem`] by looking `key` up in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Dotted key below what was checked (`train.count`, `layers.3.filters`); empty for the whole.
    pub key: String,
    /// What is wrong, in a lowercase sentence.
    pub message: String,
    /// How to mend it, if that is known.
    pub hint: Option<String>,
}

impl Flaw {
    /// A flaw without hint; `key` is below the value's own, empty for that itself.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Flaw {
            key: key.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same with a hint how to mend it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Like [`hint`](Self::hint), when there may be none.
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// The same flaw seen from one table further out.
    pub fn under(mut self, outer: &str) -> Self {
        self.key = match self.key.as_str() {
            "" => outer.to_string(),
            inner => format!("{outer}.{inner}"),
        };
        self
    }
}

/// How many problems there are beyond those that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct More {
    /// Their number.
    pub count: usize,
    /// Whether looking for them was broken off: there may be others.
    pub is_cut: bool,
}

impl More {
    /// With these beside them.
    pub fn and(self, other: More) -> More {
        More {
            count: self.count + other.count,
            is_cut: self.is_cut || other.is_cut,
        }
    }
}

/// One or more problems of the same kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Whose fault it is: decides the exit code.
    pub kind: Kind,
    /// All that is wrong, or the first of it; at least one.
    pub problems: Vec<Problem>,
    /// What is wrong besides.
    pub more: More,
}

impl Error {
    /// An error of these problems.
    pub fn new(kind: Kind, problems: Vec<Problem>) -> Self {
        Error {
            kind,
            problems,
            more: More::default(),
        }
    }

    /// What its first problem says.
    pub fn first_message(&self) -> &str {
        self.problems.first().map_or("", |problem| &problem.message)
    }

    /// The same with the file that it is about, in a line.
    pub fn message_and_file(&self) -> String {
        let place = self
            .problems
            .first()
            .and_then(|problem| problem.place.as_deref());
        let message = self.first_message();
        match place {
            Some(Place::File { path, .. } | Place::WholeFile(path)) => {
                format!("{message} ({})", path.display())
            }
            _ => message.to_string(),
        }
    }

    /// The file or the command line is wrong.
    pub fn usage(problem: Problem) -> Self {
        Error::new(Kind::Usage, vec![problem])
    }

    /// Data is missing or damaged.
    pub fn data(problem: Problem) -> Self {
        Error::new(Kind::Data, vec![problem])
    }

    /// A run failed.
    pub fn run(problem: Problem) -> Self {
        Error::new(Kind::Run, vec![problem])
    }

    /// Something that cannot happen did.
    pub fn bug(message: impl Into<String>) -> Self {
        Error::new(Kind::Bug, vec![Problem::new(message)])
    }

    /// The operating system refused: `cannot VERB: REASON`, at the file.
    pub fn io(kind: Kind, verb: &str, path: &Path, error: &std::io::Error) -> Self {
        let problem = Problem::new(format!("cannot {verb}: {}", io_reason(error))).at_file(path);
        Error::new(kind, vec![problem])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                write!(f, "\n\n")?;
            }
            write!(f, "{problem}")?;
        }
        if self.more.count > 0 {
            let least = if self.more.is_cut { "at least " } else { "" };
            let more = count(self.more.count, "more problem");
            write!(f, "\n\nerror: {least}{more}, not shown")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// A text of files for a terminal: what would move the cursor, change colors or turn the direction of writing is
/// shown as a sign of its own, one for each character.
pub fn visible(text: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| match c {
        '\n' | '\t' => false,
        // Marks of direction, with which a text can look like another.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    };
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let sign = |c: char| match c {
        '\0'..='\u{1f}' if is_hidden(c) => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        _ if is_hidden(c) => '\u{fffd}',
        _ => c,
    };
    Cow::Owned(text.chars().map(sign).collect())
}

/// What the operating system said, without its number.
pub fn io_reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "unknown reason".to_string(),
    }
}

/// `1 run`, `2 runs`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{} {noun}s", thousands(number))
    }
}

/// `60,000`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Names that are listed before the rest is counted.
const MOST_LISTED: usize = 100;

/// `` `a`, `b` and `c` ``; of more than 100, the first ones and how many others there are.
pub fn list<T: AsRef<str>>(names: &[T]) -> String {
    list_first(names, MOST_LISTED)
}

/// `` `a`, `b` and `c` ``; of more than `most`, the first ones and how many others there are.
pub fn list_first<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let quoted = names.iter().map(|name| format!("`{}`", name.as_ref()));
    if names.len() > most {
        let first: Vec<String> = quoted.take(most).collect();
        let others = thousands(names.len() - most);
        return format!("{} and {others} more", first.join(", "));
    }
    joined(&quoted.collect::<Vec<String>>(), "and")
}

/// `` `a`, `b` or `c` ``
pub fn one_of<T: AsRef<str>>(names: &[T]) -> String {
    let quoted = names.iter().map(|name| format!("`{}`", name.as_ref()));
    joined(&quoted.collect::<Vec<String>>(), "or")
}

fn joined(names: &[String], word: &str) -> String {
    match names {
        [] => "none".to_string(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {word} {last}", most.join(", ")),
    }
}

/// What other programs call keys, where likeness does not tell; with or without `_`, in any case.
const KEYS_ELSEWHERE: &[(&str, &str)] = &[
    ("lr", "learning_rate"),
    ("p", "rate"),
    ("use_bias", "bias"),
    ("out_channels", "filters"),
    ("out_features", "units"),
    ("hidden_size", "units"),
    ("kernel_initializer", "init"),
    ("kernel_regularizer", "l2"),
    ("kernel_size", "kernel"),
    ("strides", "stride"),
    ("eps", "epsilon"),
    ("gamma", "factor"),
    ("step_size", "every"),
    ("eta_min", "final"),
    ("monitor", "metric"),
    ("gradient_clip_val", "clip"),
    ("clipnorm", "clip"),
    ("max_epochs", "epochs"),
    ("num_epochs", "epochs"),
    ("bs", "batch_size"),
    ("val", "validation"),
    ("validation_split", "validation"),
    ("random_state", "seeds"),
    ("random_seed", "seeds"),
];

/// What they call what is chosen by its name: layers, operations, losses, metrics.
const NAMES_ELSEWHERE: &[(&str, &str)] = &[
    ("linear", "dense"),
    ("fc", "dense"),
    ("conv", "conv2d"),
    ("convolution", "conv2d"),
    ("conv_transpose", "conv2d_transpose"),
    ("max_pool", "max_pool2d"),
    ("max_pooling2d", "max_pool2d"),
    ("avg_pool", "avg_pool2d"),
    ("average_pooling2d", "avg_pool2d"),
    ("globalaveragepooling2d", "global_avg_pool"),
    ("batch_norm", "batch_normalization"),
    ("batchnorm2d", "batch_normalization"),
    ("concatenate", "parallel"),
    ("concat", "parallel"),
    ("relu", "activation"),
    ("leakyrelu", "activation"),
    ("gelu", "activation"),
    ("elu", "activation"),
    ("softmax", "activation"),
    ("sigmoid", "activation"),
    ("tanh", "activation"),
    ("swish", "silu"),
    ("kaiming_normal", "he_normal"),
    ("kaiming_uniform", "he_uniform"),
    ("xavier_normal", "glorot_normal"),
    ("xavier_uniform", "glorot_uniform"),
    ("categorical_crossentropy", "cross_entropy"),
    ("sparse_categorical_crossentropy", "cross_entropy"),
    ("reduce_on_plateau", "plateau"),
    ("reduce_lr_on_plateau", "plateau"),
    ("f1", "macro_f1"),
    ("f1", "test_macro_f1"),
    ("f1_score", "macro_f1"),
    ("f1_score", "test_macro_f1"),
    ("macro_f1", "test_macro_f1"),
    ("test_f1", "test_macro_f1"),
    ("top_k_accuracy", "top5_accuracy"),
    ("top_k_accuracy", "test_top5_accuracy"),
    ("balanced_accuracy", "test_balanced_accuracy"),
    ("accuracy", "test_accuracy"),
    ("acc", "test_accuracy"),
    ("val_loss", "validation_loss"),
    ("val_acc", "validation_accuracy"),
    ("val_accuracy", "validation_accuracy"),
    ("horizontal_flip", "flip"),
    ("rotation", "rotate"),
    ("rotation_range", "rotate"),
    ("translation", "shift"),
    ("translate", "shift"),
    ("width_shift_range", "shift"),
    ("height_shift_range", "shift"),
    ("gaussian_blur", "blur"),
    ("gaussian_dropout", "dropout"),
    ("alpha_dropout", "dropout"),
    ("mean_squared_error", "mse"),
    ("mean_absolute_error", "mae"),
    ("l1", "mae"),
    ("recall", "balanced_accuracy"),
    ("recall", "test_balanced_accuracy"),
    ("l1_loss", "mae"),
    ("mse_loss", "mse"),
    ("cross_entropy_loss", "cross_entropy"),
    ("bce_loss", "binary_cross_entropy"),
];

/// What a key of other programs is called here; the key itself where it is not known as one.
pub fn called_here(theirs: &str) -> &str {
    let (mut named, received) = (KEYS_ELSEWHERE.iter(), plain(theirs));
    let named = named.find(|(known, _)| plain(known) == received);
    named.map_or(theirs, |(_, ours)| ours)
}

/// The known name that was probably meant, if one is near enough.
pub fn nearest<'a, T: AsRef<str>>(received: &str, known: &'a [T]) -> Option<&'a str> {
    const BY_CHANCE: &str = "random";
    let received = plain(received);
    // What operations draw anew is told here by where they stand.
    let rest = received
        .strip_prefix(BY_CHANCE)
        .filter(|rest| rest.len() > 2);
    let sure = |received: &str| {
        let is_it = |name: &&T| plain(name.as_ref()) == received;
        let named = KEYS_ELSEWHERE.iter().chain(NAMES_ELSEWHERE);
        let named = named.filter(|(theirs, _)| plain(theirs) == received);
        let mut named =
            named.filter_map(|(_, ours)| known.iter().find(|name| name.as_ref() == *ours));
        known.iter().find(is_it).or_else(|| named.next())
    };
    if let Some(name) = sure(&received).or_else(|| rest.and_then(sure)) {
        return Some(name.as_ref());
    }
    let are_operations = known
        .iter()
        .any(|name| plain(name.as_ref()).starts_with(BY_CHANCE));
    let rest = rest.filter(|_| are_operations);
    known
        .iter()
        .filter_map(|name| {
            let (name, plain) = (name.as_ref(), plain(name.as_ref()));
            // A beginning that many have makes nothing alike.
            let (one, other) = match rest {
                Some(rest) => (rest, plain.strip_prefix(BY_CHANCE).unwrap_or(&plain)),
                None => (&*received, &*plain),
            };
            let likeness = strsim::jaro_winkler(one, other);
            (likeness > 0.84 || is_slip(one, other)).then_some((likeness, name))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A name without what is written now in one way and now in another.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| !"_-".contains(*letter));
    letters.flat_map(char::to_lowercase).collect()
}

/// Whether two letters have changed places, or one is missing or too many.
fn is_slip(received: &str, name: &str) -> bool {
    let is_replaced = received.len() == name.len() && strsim::levenshtein(received, name) == 1;
    received.len() > 2 && strsim::osa_distance(received, name) == 1 && !is_replaced
}

/// ``did you mean `x`?``, or else the names there are.
pub fn did_you_mean<T: AsRef<str>>(received: &str, known: &[T]) -> Option<String> {
    match nearest(received, known) {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() => None,
        None => Some(format!("known here: {}", list(known))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_with_the_place_underlined() {
        let source = "a = 1\noptimizer = { adm = 1 }\n";
        let start = source.find("adm").unwrap();
        let place = Place::of_span(Path::new("x.toml"), source, start, start + 3, "optimizer");
        let problem = Problem::new("unknown optimizer `adm`")
            .at(place)
            .hint("did you mean `adam`?");
        assert_eq!(
            problem.to_string(),
            "error: unknown optimizer `adm`\n  \
             x.toml:2:15 optimizer\n    \
             2 | optimizer = { adm = 1 }\n      \
             |               ^^^\n  \
             hint: did you mean `adam`?"
        );
    }

    #[test]
    fn places_never_cut_a_character() {
        let source = "título = 1";
        let place = Place::of_span(Path::new("x.toml"), source, 2, 3, "título");
        assert!(matches!(place, Place::File { column: 2, .. }));
    }

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let known = ["conv2d", "max_pool2d", "dense"];
        assert_eq!(nearest("conv_2d", &known), Some("conv2d"));
        assert_eq!(nearest("Linear", &known), Some("dense"));
        assert_eq!(nearest("lr", &known), None);
        assert_eq!(nearest("maxpool2d", &known), Some("max_pool2d"));
        assert_eq!(nearest("transformer", &known), None);
        assert_eq!(nearest("dta", &["data", "model"]), Some("data"));
        assert_eq!(nearest("peochs", &["epochs"]), Some("epochs"));
        assert_eq!(nearest("gpu", &["cpu"]), None);
        let operations = [
            "random_crop",
            "random_erasing",
            "flip",
            "rotate",
            "shift",
            "contrast",
        ];
        for (theirs, ours) in [
            ("RandomCrop", Some("random_crop")),
            ("RandomHorizontalFlip", Some("flip")),
            ("random_flip", Some("flip")),
            ("RandomRotation", Some("rotate")),
            ("RandomTranslation", Some("shift")),
            ("RandomContrast", Some("contrast")),
            ("random_contrst", Some("contrast")),
            ("RandomPerspective", None),
            ("RandomAffine", None),
            ("random_cropp", Some("random_crop")),
            ("RandomErase", Some("random_erasing")),
        ] {
            assert_eq!(nearest(theirs, &operations), ours, "{theirs}");
        }
        assert_eq!(nearest("random_state", &["start", "train"]), None);
        assert_eq!(nearest("random_state", &["stages", "seeds"]), Some("seeds"));
        assert_eq!(
            (called_here("outChannels"), called_here("l1")),
            ("filters", "l1")
        );
    }

    #[test]
    fn what_would_steer_a_terminal_is_shown_as_signs() {
        assert_eq!(
            visible("a\u{1b}[2J\u{7f}\u{9b}31m\r\u{202e}é\n\tb"),
            "a\u{241b}[2J\u{2421}\u{fffd}31m\u{240d}\u{fffd}é\n\tb"
        );
        assert!(matches!(visible("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn numbers_and_lists_read_well() {
        assert_eq!(count(1, "run"), "1 run");
        assert_eq!(count(60_000, "image"), "60,000 images");
        assert_eq!(list(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(list_first(&["a", "b", "c"], 2), "`a`, `b` and 1 more");
    }

    #[test]
    fn long_lists_are_cut_and_words_of_other_programs_are_known() {
        let names: Vec<String> = (0..1_200).map(|number| number.to_string()).collect();
        let text = list(&names);
        assert!(text.ends_with("`98`, `99` and 1,100 more"), "{text}");
        let layers = ["activation", "conv1d", "conv2d", "conv3d", "prelu"];
        assert_eq!(nearest("ReLU", &layers), Some("activation"));
        assert_eq!(nearest("conv", &layers), Some("conv2d"));
    }

    #[test]
    fn a_line_names_the_file() {
        let problem = Problem::new("cannot write the file").at_file("results/x.json");
        let error = Error::data(problem);
        assert_eq!(
            error.message_and_file(),
            "cannot write the file (results/x.json)"
        );
        let error = Error::run(Problem::new("lost"));
        assert_eq!(error.message_and_file(), "lost");
    }
}
